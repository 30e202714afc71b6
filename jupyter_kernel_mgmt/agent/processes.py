"""`AgentProcess`: a process that an agent started for us."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..launching import ExitInfo

if TYPE_CHECKING:
    from .near_end import Agent

log = logging.getLogger(__name__)


class AgentProcess:
    """One process, in a group of its own. Its agent owns it, and ends it when the agent is closed.

    ``pid`` and ``start`` (its start as /proc gives it, or None) are those of the agent's machine. ``mark``
    is what its descendants carry as ``JUPYTER_KERNEL_MARK``.
    """

    def __init__(self, agent: "Agent", id: str, mark: str) -> None:
        self.agent = agent
        self.id = id
        self.mark = mark
        self.pid = 0
        self.start: int | None = None
        self.files: tuple[str, ...] = ()
        self.directories: tuple[str, ...] = ()
        self.on_output: Callable[[bytes], None] | None = None
        self._exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        state = str(self._exited.result()) if self._exited.done() else "running"
        return f"<AgentProcess {self.id} pid={self.pid} {state}>"

    @property
    def exit_info(self) -> ExitInfo | None:
        """How it ended; None while it runs, as far as the agent has said."""
        return self._exited.result() if self._exited.done() else None

    async def wait(self) -> ExitInfo:
        """Wait for the end of the process, its group and all that carries its mark; its files are gone then.

        ``output_tail`` is empty where the output went to a descriptor. ``returncode`` is None, with a
        reason, where the agent ended first. Cancelling stops only this wait.
        """
        return await asyncio.shield(self._exited)

    def on_exit(self, callback: Callable[[ExitInfo], None]) -> None:
        """Call back with how it ended, soon after that; at once, on the next turn, if it has ended."""
        self._exited.add_done_callback(lambda exited: callback(exited.result()))

    async def signal(self, number: int) -> None:
        """Send a signal to the process group. Nothing happens when it has ended.

        Raises `KernelError` where the operating system refuses. Cancelling it leaves open whether it was
        sent.
        """
        await self.agent.signal(self.id, number)

    async def end(self) -> None:
        """Kill the process, its group, its descendants and whatever carries its mark; `wait` tells more."""
        await self.agent.end(self.id)

    def ended(self, info: ExitInfo) -> None:
        """For the agent: how it ended. The first time counts."""
        if not self._exited.done():
            self._exited.set_result(info)

    def wrote(self, data: bytes) -> None:
        """For the agent: a piece of streamed output."""
        if self.on_output is None:
            return
        try:
            self.on_output(data)
        except Exception:  # the application's code
            log.exception("The callback for the output of %s failed", self.id)
