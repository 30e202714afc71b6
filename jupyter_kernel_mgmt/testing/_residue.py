"""`Residue`: what may be left behind by something that was cancelled: tasks, child processes, descriptors."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class Residue:
    """What this process holds at one moment, as far as the operating system tells."""

    tasks: "frozenset[asyncio.Task[Any]]"
    children: frozenset[int]
    descriptors: int

    @classmethod
    def now(cls) -> Self:
        """A look at the running loop and, on Linux, at /proc."""
        here = asyncio.current_task()
        tasks = frozenset(task for task in asyncio.all_tasks() if task is not here)
        return cls(tasks, _children(), _descriptors())

    async def wait_for_less(self, timeout: float) -> str:
        """Wait until there is no more than at the time of ``self``; empty, or what there is after all.

        What ends in threads tells nobody of its end, so this looks again and again.
        """
        end = time.monotonic() + timeout
        while (excess := self._excess(Residue.now())) and time.monotonic() < end:  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(_PAUSE)
        return excess

    def _excess(self, now: "Residue") -> str:
        found = [f"the task {task.get_name()!r}" for task in now.tasks - self.tasks]
        found += [f"the child process {pid}" for pid in now.children - self.children]
        if now.descriptors > self.descriptors:
            found.append(f"{now.descriptors - self.descriptors} open file descriptors")
        return ", ".join(found)


def _children() -> frozenset[int]:
    """The ids of our child processes, ended ones that were not reaped included; empty where unknown."""
    found: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(map(int, listing.read_text().split()))
        except OSError:  # the thread has just ended
            continue
    return frozenset(found)


def _descriptors() -> int:
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0
