"""`SubprocessManager`: a kernel that is a child process of this one."""

import asyncio
import logging

from ..managerbase import KILL
from .guard import Ward
from .local import LocalManager, to_its_end
from .place import Place
from .process import StartedProcess
from .watcher import has_ended, reap, watch_exit

log = logging.getLogger(__name__)

KILL_TIMEOUT = 5.0
"""Seconds that closing waits for a killed process; longer only if the operating system cannot end it."""


class SubprocessManager(LocalManager):
    """Manages a child that leads a process group of its own. Owns the process, its output and its place.

    Must be made in the loop's thread. Its exit is an event; the rest of the group is killed with it, before
    the leader is reaped and the group's number could become somebody else's. A ``ward`` finds descendants
    that have left the group, after that.
    """

    def __init__(
        self,
        kernel_id: str,
        started: StartedProcess,
        place: Place,
        ward: Ward | None = None,
    ) -> None:
        super().__init__(kernel_id, started.process.pid, started.output, place)
        self._process = started.process
        self._group = started.group
        self._ward = ward
        self._sweeping: asyncio.Task[None] | None = None
        self._stop_watching = watch_exit(started.process, self._ended)
        self._look_for_kills()

    async def is_alive(self) -> bool:
        """Whether the process is there, asked of the operating system now."""
        return not self._exited.done() and not has_ended(self._process)

    async def _signal(self, number: int) -> None:
        self._group.signal(number)

    async def aclose(self) -> None:
        """End and reap the process group and its descendants, then release output and files.

        May be called again. Bounded by `KILL_TIMEOUT` and the ward's own limit. When cancelled it still
        waits for all of it, which after SIGKILL is a matter of milliseconds, so that nothing is left.
        """
        try:
            await self._end()
        finally:
            try:
                if self._sweeping is not None:
                    await to_its_end(self._sweeping)
            finally:
                await self._release()

    async def _end(self) -> None:
        if not self._exited.done():
            self._killed = True
            self._group.signal(KILL)
            await to_its_end(self._exited, KILL_TIMEOUT)
        if not self._exited.done():
            log.error("Process %d has not ended after SIGKILL; it is still watched", self.pid)

    def _ended(self) -> None:
        """The process has ended: explain it, end its children, reap it."""
        if self._exited.done():
            return
        self._group.signal(KILL)
        returncode = reap(self._process)
        self._stop_watching()
        self._group.close()
        self._tell_exit(returncode)
        if self._ward is not None:
            self._sweeping = asyncio.create_task(self._ward.end(), name=f"sweep-{self.kernel_id}")
