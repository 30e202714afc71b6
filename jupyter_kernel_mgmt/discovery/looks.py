"""`Looks`: whether files are as they were, asked for one provider after the other."""

import asyncio

from .._threads import in_thread
from .times import Times

PATIENCE = 0.02
"""Seconds that a look waits for those before it: one may hang, as on a disk that is gone."""


class Looks:
    """The looks of one finder.

    Threads that look at the same time take turns at the interpreter after each file, which takes two or three
    times as long as one after the other.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def unchanged(self, times: Times, *, name: str) -> bool:
        """Whether all are as they were; in a thread. Cancelling is safe."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turn.acquire()
        except TimeoutError:
            return await in_thread(times.unchanged, name=name)
        try:
            return await in_thread(times.unchanged, name=name)
        finally:
            self._turn.release()
