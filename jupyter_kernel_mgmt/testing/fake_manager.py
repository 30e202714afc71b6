"""`FakeManager`: manages a kernel that is no process and ends when it is told to."""

import asyncio
import signal as signals
import uuid
from collections.abc import Iterable
from typing import Any

from ..launching import ExitInfo
from ..managerbase import KILL, KernelManagerBase, ProcessState
from .fake_kernel import FakeKernel


class FakeManager(KernelManagerBase):
    """A `KernelManagerBase` without a process.

    ``signals`` records what was sent while the kernel was alive, in order. SIGINT interrupts the
    `FakeKernel` if there is one; SIGTERM and SIGKILL end it, as `die` does. Signals in ``ignored`` do
    nothing (SIGKILL cannot be among them). ``output`` is what `output_tail` gives and ``process`` what
    `process_state` does, None unless a test sets it. ``closed`` says whether `aclose` was called. Must be
    made with the loop running.
    """

    def __init__(
        self,
        kernel_id: str,
        *,
        kernel: FakeKernel | None = None,
        ignored: Iterable[int] = (),
        output: str = "",
    ) -> None:
        self.kernel_id = kernel_id
        self.kernel = kernel
        self.ignored = frozenset(ignored) - {KILL}
        self.output = output
        self.process: ProcessState | None = None
        self.process_id = uuid.uuid4().hex
        self.signals: list[int] = []
        self.closed = False
        self._exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        state = str(self._exited.result()) if self._exited.done() else "running"
        return f"<FakeManager {self.kernel_id} {state}>"

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self._exited.done()

    def die(self, exit_info: ExitInfo | None = None) -> None:
        """The kernel ends now; by default with exit code 0. Nothing happens when it has ended before."""
        if self._exited.done():
            return
        if self.kernel is not None:
            self.kernel.stop()
        self._exited.set_result(exit_info or ExitInfo(0, output_tail=self.output))

    async def is_alive(self) -> bool:
        return not self._exited.done()

    async def wait(self) -> ExitInfo:
        return await asyncio.shield(self._exited)

    async def signal(self, number: int) -> None:
        if self._exited.done():
            return
        self.signals.append(number)
        if number in self.ignored:
            return
        if number == signals.SIGINT:
            if self.kernel is not None:
                self.kernel.interrupt()
        elif number in (signals.SIGTERM, KILL):
            self.die(ExitInfo(-number, output_tail=self.output))

    async def output_tail(self) -> str:
        return self.output

    async def process_state(self) -> ProcessState | None:
        return None if self._exited.done() else self.process

    def to_dict(self) -> dict[str, Any]:
        return {"process_id": self.process_id}

    async def aclose(self) -> None:
        self.closed = True
        self.die(ExitInfo(-KILL, output_tail=self.output))
        if self.kernel is not None:
            await self.kernel.aclose()


class AdoptedFakeManager(KernelManagerBase):
    """Manages what a `FakeManager` has started, beside it or after it; `aclose` lets it go on."""

    def __init__(self, starter: FakeManager) -> None:
        self.kernel_id = starter.kernel_id
        self.starter = starter

    async def is_alive(self) -> bool:
        return await self.starter.is_alive()

    async def wait(self) -> ExitInfo:
        return await self.starter.wait()

    async def signal(self, number: int) -> None:
        await self.starter.signal(number)

    async def output_tail(self) -> str:
        return await self.starter.output_tail()

    def to_dict(self) -> dict[str, Any]:
        return self.starter.to_dict()

    async def aclose(self) -> None:
        """Nothing is held here."""
