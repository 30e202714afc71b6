"""`LocalManager`: what managers of kernels on this machine have in common, whoever their parent is."""

import asyncio
from typing import Any

from ..launching import ExitInfo
from ..managerbase import KILL, KernelManagerBase, ProcessState
from . import memory
from .addresses import port_was_taken
from .output import OutputPipe
from .place import Place
from .proc import look_at


class LocalManager(KernelManagerBase):
    """Owns the output of a process that leads a group of its own, and a share of its place.

    ``pid`` is the process id, also that of the group. Belongs to the loop it is made in. Subclasses have
    `_signal`, call `_look_for_kills` when it is watched, `_tell_exit` once when the process has ended, and
    `_release` when they are closed.
    """

    def __init__(self, kernel_id: str, pid: int, output: OutputPipe, place: Place) -> None:
        self.kernel_id = kernel_id
        self.pid = pid
        self.place = place
        self._killed = False  # by us
        self._out_of_memory = memory.OutOfMemory(pid)
        self._next_look: asyncio.TimerHandle | None = None
        self._output = output
        self._released = False
        self._exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        state = str(self._exited.result()) if self._exited.done() else "running"
        return f"<{type(self).__name__} pid={self.pid} {state}>"

    @property
    def exited(self) -> "asyncio.Future[ExitInfo]":
        """Done when the process has ended. To be looked at and waited for, not to be cancelled."""
        return self._exited

    async def wait(self) -> ExitInfo:
        """Wait for the exit. Cancelling stops only this wait."""
        return await asyncio.shield(self._exited)

    async def signal(self, number: int) -> None:
        """Send a signal to the whole process group. Nothing happens when the kernel is gone."""
        if not self._exited.done():
            self._killed |= number == KILL
            await self._signal(number)

    async def _signal(self, number: int) -> None:
        raise NotImplementedError

    async def output_tail(self) -> str:
        """The last 64 kB of what the process and its children wrote."""
        return self._output.tail()

    async def process_state(self) -> ProcessState | None:
        """Whether the process is stopped, and the processor time of it and its descendants.

        Linux only; None elsewhere, and once it has ended. Takes a fraction of a millisecond.
        """
        return None if self._exited.done() else look_at(self.pid)

    def _look_for_kills(self) -> None:
        """From time to time, so that an old one, of something else, is not taken for this process's."""
        if self._out_of_memory.is_known:
            self._next_look = asyncio.get_running_loop().call_later(memory.INTERVAL, self._look)

    def _look(self) -> None:
        self._out_of_memory.look()
        self._look_for_kills()

    def _look_no_more(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()

    def _tell_exit(self, returncode: int | None, reason: str | None = None) -> None:
        """Explain the exit to all who wait for it; nothing more is read of the output."""
        taken = returncode != 0 and port_was_taken(self.place.connection_info)
        if taken:
            reason = "another process took one of its ports"
        elif returncode == -KILL and not self._killed:
            reason = self._out_of_memory.reason() or reason
        info = ExitInfo(
            returncode,
            reason=reason,
            output_tail=self._output.tail(),
            retry=taken,
        )
        self._output.close()
        self._look_no_more()
        self._exited.set_result(info)

    async def _release(self) -> None:
        if not self._released:
            self._released = True
            self._output.close()
            self._look_no_more()
            await self.place.release()


async def to_its_end(task: "asyncio.Future[Any]", timeout: float | None = None) -> None:
    """Wait for something that ends soon, whether that is cancelled or not: nothing is to be left."""
    try:
        await asyncio.wait([task], timeout=timeout)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=timeout)
        raise
