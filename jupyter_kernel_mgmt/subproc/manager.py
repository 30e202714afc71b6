"""`SubprocessManager`: a kernel that is a child process of this one."""

import asyncio
import logging
import os
import signal
import subprocess
import sys

from ..launching import ExitInfo
from ..managerbase import KILL, KernelManagerBase, ProcessState
from .addresses import port_was_taken
from .guard import Ward
from .output import OutputPipe
from .place import Place
from .proc import look_at
from .watcher import has_ended, reap, watch_exit

log = logging.getLogger(__name__)

KILL_TIMEOUT = 5.0
"""Seconds that closing waits for a killed process; longer only if the operating system cannot end it."""


class SubprocessManager(KernelManagerBase):
    """Manages a child that leads a process group of its own. Owns the process, its output and its place.

    Must be made in the loop's thread. Its exit is an event; the rest of the group is killed with it, before
    the leader is reaped and the group's number could become somebody else's. A ``ward`` finds descendants
    that have left the group, after that.
    """

    def __init__(
        self,
        kernel_id: str,
        process: subprocess.Popen[bytes],
        output: OutputPipe,
        place: Place,
        ward: Ward | None = None,
    ) -> None:
        self.kernel_id = kernel_id
        self.place = place
        self._process = process
        self._output = output
        self._ward = ward
        self._released = False
        self._sweeping: asyncio.Task[None] | None = None
        self._exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
        self._stop_watching = watch_exit(process, self._ended)

    def __repr__(self) -> str:
        state = str(self._exited.result()) if self._exited.done() else "running"
        return f"<SubprocessManager pid={self._process.pid} {state}>"

    @property
    def pid(self) -> int:
        """The process id, also that of the process group."""
        return self._process.pid

    @property
    def exited(self) -> "asyncio.Future[ExitInfo]":
        """Done when the process has ended. To be looked at and waited for, not to be cancelled."""
        return self._exited

    async def is_alive(self) -> bool:
        """Whether the process is there, asked of the operating system now."""
        return not self._exited.done() and not has_ended(self._process)

    async def wait(self) -> ExitInfo:
        """Wait for the exit. Cancelling stops only this wait."""
        return await asyncio.shield(self._exited)

    async def signal(self, number: int) -> None:
        """Send a signal to the whole process group. Nothing happens when the kernel is gone."""
        if not self._exited.done():
            self._signal_group(number)

    async def output_tail(self) -> str:
        """The last 64 kB of what the process and its children wrote."""
        return self._output.tail()

    async def process_state(self) -> ProcessState | None:
        """Whether the process is stopped, and the processor time of it and its descendants.

        Linux only; None elsewhere, and once it has ended. Takes a fraction of a millisecond.
        """
        return None if self._exited.done() else look_at(self.pid)

    async def aclose(self) -> None:
        """End and reap the process group and its descendants, then release output and files.

        May be called again. Bounded by `KILL_TIMEOUT` and the ward's own limit. When cancelled it still
        waits for the exit, which after SIGKILL is a matter of milliseconds, so that nothing is left.
        """
        try:
            if not self._exited.done():
                self._signal_group(KILL)
                await self._until_exit()
            if self._sweeping is not None:
                await asyncio.wait([self._sweeping])
        finally:
            if not self._released:
                self._released = True
                self._output.close()
                await self.place.release()

    async def _until_exit(self) -> None:
        try:
            await asyncio.wait([self._exited], timeout=KILL_TIMEOUT)
        except asyncio.CancelledError:
            await asyncio.wait([self._exited], timeout=KILL_TIMEOUT)
            raise
        if not self._exited.done():
            log.error("Process %d has not ended after SIGKILL; it is still watched", self.pid)

    def _ended(self) -> None:
        """The process has ended: explain it, end its children, reap it."""
        if self._exited.done():
            return
        self._signal_group(KILL)
        returncode = reap(self._process)
        taken = returncode != 0 and port_was_taken(self.place.connection_info)
        info = ExitInfo(
            returncode,
            reason="another process took one of its ports" if taken else None,
            output_tail=self._output.tail(),
            retry=taken,
        )
        self._stop_watching()
        self._output.close()
        self._exited.set_result(info)
        if self._ward is not None:
            self._sweeping = asyncio.create_task(self._ward.end(), name=f"sweep-{self.kernel_id}")

    def _signal_group(self, number: int) -> None:
        try:
            if sys.platform == "win32":
                self._process.send_signal(signal.SIGTERM if number == signal.SIGINT else number)
            else:
                os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError) as error:  # macOS refuses for a group of zombies
            log.debug("Signal %d was not delivered to %d: %s", number, self.pid, error)
