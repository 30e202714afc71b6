"""`TaskSet`: tasks that run beside their owner, who ends them all."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 2.0
"""Seconds that tasks have to end when they are cancelled."""


class TaskSet:
    """Tasks whose results nobody waits for; what one raises is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str | None = None) -> None:
        """Run a coroutine beside everything else."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Ask all to end, without waiting for it."""
        for task in self._tasks:
            task.cancel()

    async def aclose(self) -> None:
        """Cancel all and wait for their end, within `CLOSE_TIMEOUT`. Cancelling it is safe."""
        self.cancel()
        here = asyncio.current_task()
        if others := [task for task in self._tasks if task is not here]:
            _, late = await asyncio.wait(others, timeout=CLOSE_TIMEOUT)
            if late:
                log.error("These tasks did not end when they were cancelled: %s", late)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
