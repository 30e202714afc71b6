"""What manages one kernel's process, wherever it is: the base classes that providers subclass.

A manager neither launches nor talks. `KernelManagerBase` is for asyncio code, `BlockingManagerBase` for
code that blocks. Both are plain classes without a metaclass, so that they combine with others; methods
that a subclass lacks are named by `missing_methods`.
"""

import asyncio
import logging
import signal as signals
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ._threads import in_thread
from .exceptions import LaunchError, Unsupported

if TYPE_CHECKING:
    from .launching import ExitInfo, Launched

log = logging.getLogger(__name__)

RESTART_TIMEOUT = 5.0
"""Seconds that closing waits for a blocking restart, before it closes the manager beside it."""

WAIT_TIMEOUT = 1.0
"""Seconds that a blocking ``wait`` has to return once the kernel was closed."""

KILL = int(getattr(signals, "SIGKILL", signals.SIGTERM))


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What the operating system says of a kernel's process at one moment.

    ``stopped``: it cannot run until somebody lets it (SIGSTOP, a debugger). ``cpu_time``: processor time
    used so far in seconds, best with that of its children. ``running``: it has work to do or waits for a
    disk, so that it makes progress though ``cpu_time`` may not show it.
    """

    stopped: bool
    cpu_time: float
    running: bool = False


@runtime_checkable
class CanRestart(Protocol):
    """What a manager may offer besides: the next process in the place of this one, as in one container.

    `Kernel.restart` then asks the kernel to end with ``shutdown_request {restart: true}``, waits a bounded
    time for that, and leaves the rest to ``restart``. Source: JEP 118.
    """

    async def restart(self) -> "Launched | None":
        """End what is left of the process, if anything is, and start the next one.

        A `wait` from before answers for the old process, one from after for the new. None where the kernel
        is reached as before; otherwise a `Launched` with this manager and what is new: connection
        information or, for a kernel with channels of its own, open channels. Raises what a launch raises.
        When it fails or is cancelled, it leaves a process that `kill` ends, and `aclose` too, or none.
        """
        ...


class KernelManagerBase:
    """Manages one kernel. Subclasses need ``is_alive``, ``wait``, ``signal`` and ``aclose``.

    ``kernel_id`` is the identifier from the `LaunchRequest`. Cancelling a call must end its wait and harm
    nothing; what it asked for may have happened or not. Only `aclose` does its work all the same.
    """

    kernel_id: str = ""

    async def is_alive(self) -> bool:
        """Whether the process is there, as of now. Cancelling it is safe."""
        raise NotImplementedError

    async def wait(self) -> "ExitInfo":
        """Wait for the process's end, as an event and not by asking again and again.

        Answers any number of callers, also after the end. Cancelling it stops only this caller's wait.
        """
        raise NotImplementedError

    async def signal(self, number: int) -> None:
        """Send a signal to the kernel and its children. Nothing happens when it is gone.

        Raises `Unsupported` where signals cannot be sent.
        """
        raise NotImplementedError

    async def interrupt(self) -> None:
        """Interrupt what runs, in the kernel's own way; by default SIGINT."""
        await self.signal(signals.SIGINT)

    async def terminate(self) -> None:
        """Ask the process to end; by default SIGTERM."""
        await self.signal(signals.SIGTERM)

    async def kill(self) -> None:
        """End the process without asking; by default SIGKILL."""
        await self.signal(KILL)

    async def output_tail(self) -> str:
        """The end of what the process wrote to stdout and stderr; empty where that is not known."""
        return ""

    async def process_state(self) -> ProcessState | None:
        """What the process does right now; None where that is not known.

        Optional, for ``unresponsive_after``: asked at most a few times a second, and only while the kernel
        gives no other sign of life. Cancelling it is safe.
        """
        return None

    def to_dict(self) -> dict[str, Any]:
        """What a provider's ``adopt`` needs to manage the same kernel again: JSON values, without secrets.

        Optional, for kernels that may outlive us. Raises `Unsupported`, which is the default.
        """
        raise Unsupported("adopt", f"{type(self).__name__} keeps no record of its kernel")

    async def aclose(self) -> None:
        """Release everything. A kernel that we started is ended and reaped, one that was adopted let go.

        Bounded in time, may be called again, and releases everything even when cancelled.
        """
        raise NotImplementedError


class BlockingManagerBase:
    """Like `KernelManagerBase`, with ordinary methods that may block; each call runs in a daemon thread."""

    kernel_id: str = ""

    def is_alive(self) -> bool:
        """Whether the process is there, as of now."""
        raise NotImplementedError

    def wait(self) -> "ExitInfo":
        """Block until the process ended. Is called once for each, and runs beside the other methods."""
        raise NotImplementedError

    def signal(self, number: int) -> None:
        """Send a signal to the kernel and its children. Nothing happens when it is gone."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Interrupt what runs; by default SIGINT."""
        self.signal(signals.SIGINT)

    def terminate(self) -> None:
        """Ask the process to end; by default SIGTERM."""
        self.signal(signals.SIGTERM)

    def kill(self) -> None:
        """End the process without asking; by default SIGKILL."""
        self.signal(KILL)

    def output_tail(self) -> str:
        """The end of what the process wrote; empty where that is not known."""
        return ""

    def process_state(self) -> ProcessState | None:
        """What the process does right now; None where that is not known."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """What ``adopt`` needs to manage the same kernel again. Optional; must not block."""
        raise Unsupported("adopt", f"{type(self).__name__} keeps no record of its kernel")

    def aclose(self) -> None:
        """Release everything; end and reap a kernel that we started. May be called again."""
        raise NotImplementedError

    def as_async(self) -> KernelManagerBase:
        """This manager for asyncio code."""
        return RestartingThreadedManager(self) if hasattr(self, "restart") else ThreadedManager(self)


class ThreadedManager(KernelManagerBase):
    """Runs a `BlockingManagerBase` in threads. Cancelling a call stops the wait; the call itself runs on."""

    def __init__(self, blocking: BlockingManagerBase) -> None:
        self.blocking = blocking
        self.kernel_id = blocking.kernel_id
        self._waiting: asyncio.Task[ExitInfo] | None = None

    async def is_alive(self) -> bool:
        return await in_thread(self.blocking.is_alive, name="kernel-is-alive")

    async def wait(self) -> "ExitInfo":
        if self._waiting is None or self._waiting.cancelled():
            self._waiting = asyncio.create_task(in_thread(self.blocking.wait, name="kernel-wait"))
        return await asyncio.shield(self._waiting)

    async def signal(self, number: int) -> None:
        await in_thread(lambda: self.blocking.signal(number), name="kernel-signal")

    async def interrupt(self) -> None:
        await in_thread(self.blocking.interrupt, name="kernel-interrupt")

    async def terminate(self) -> None:
        await in_thread(self.blocking.terminate, name="kernel-terminate")

    async def kill(self) -> None:
        await in_thread(self.blocking.kill, name="kernel-kill")

    async def output_tail(self) -> str:
        return await in_thread(self.blocking.output_tail, name="kernel-output-tail")

    async def process_state(self) -> ProcessState | None:
        if type(self.blocking).process_state is BlockingManagerBase.process_state:
            return None  # known without a thread
        return await in_thread(self.blocking.process_state, name="kernel-process-state")

    def to_dict(self) -> dict[str, Any]:
        return self.blocking.to_dict()

    async def aclose(self) -> None:
        try:
            await in_thread(self._close, name="kernel-aclose")
            if self._waiting is not None:
                await asyncio.wait([self._waiting], timeout=WAIT_TIMEOUT)
        finally:
            if self._waiting is not None:
                self._waiting.cancel()
                await asyncio.wait([self._waiting])

    def _close(self) -> None:
        self.blocking.aclose()


class RestartingThreadedManager(ThreadedManager):
    """One whose blocking manager has a ``restart`` too: see `CanRestart`.

    A restart cannot be stopped in its thread. What one starts that was cancelled is killed as soon as it is
    there, and closed if the manager was closed before that.
    """

    def __init__(self, blocking: BlockingManagerBase) -> None:
        super().__init__(blocking)
        self._restarting: asyncio.Task[Launched | None] | None = None
        self._undoing: asyncio.Task[None] | None = None
        self._closed = False
        self._closing = threading.Lock()

    async def restart(self) -> "Launched | None":
        while self._undoing is not None and not self._undoing.done():
            await asyncio.wait([self._undoing])
        if self._closed:
            raise LaunchError("the manager is closed")
        restarting = self._restarting = asyncio.create_task(self._restart_in_thread())
        try:
            await asyncio.wait([restarting])
            if restarting.cancelled():
                raise LaunchError("the manager was closed meanwhile")
            launched = restarting.result()
            if self._waiting is not None:
                await asyncio.wait([self._waiting], timeout=WAIT_TIMEOUT)
                if self._waiting.done():  # else it began so late that it waits for the new process
                    self._waiting = None
        except asyncio.CancelledError:
            self._undoing = asyncio.create_task(self._undo(restarting), name="kernel-restart-undo")
            raise
        if launched is not None:
            launched.manager = self
        return launched

    async def kill(self) -> None:
        """As the blocking one; and wait until what a cancelled restart may still start is killed too."""
        await super().kill()
        if self._undoing is not None:
            await asyncio.wait([self._undoing])

    async def aclose(self) -> None:
        """As the blocking one, after a restart; if that takes long, now and once more in the end."""
        left = [task for task in (self._undoing, self._restarting) if task is not None]
        try:
            if left:
                await asyncio.wait(left, timeout=RESTART_TIMEOUT)
        finally:
            self._closed = True
            for task in left:
                task.cancel()
            try:
                if left:
                    await asyncio.wait(left)
            finally:
                await super().aclose()

    async def _restart_in_thread(self) -> "Launched | None":
        loop = asyncio.get_running_loop()

        def restart() -> "Launched | None":
            try:
                launched: Launched | None = self.blocking.restart()  # type: ignore[attr-defined] # see as_async
                return launched
            finally:
                if self._closed:
                    self._close()

        def abandoned(launched: "Launched | None") -> None:
            if launched is not None and launched.channels is not None and not loop.is_closed():
                asyncio.run_coroutine_threadsafe(launched.channels.aclose(discard=True), loop)

        return await in_thread(restart, abandoned=abandoned, name="kernel-restart")

    async def _undo(self, restarting: "asyncio.Task[Launched | None]") -> None:
        """End what a restart starts that nobody waits for any more."""
        try:
            launched = await restarting
            if launched is not None and launched.channels is not None:
                await launched.channels.aclose(discard=True)
        except Exception:  # of somebody else's manager
            log.exception("A restart of kernel %s, which was cancelled, failed", self.kernel_id)
        try:
            await super().kill()
        except Exception:  # the same
            log.exception("What a cancelled restart of kernel %s started was not killed", self.kernel_id)

    def _close(self) -> None:
        with self._closing:  # the end of a late restart may be in the same moment
            super()._close()


def missing_methods(kind: type, base: type, names: tuple[str, ...]) -> list[str]:
    """Which of these methods a subclass does not have of its own."""
    return [name for name in names if getattr(kind, name, None) is getattr(base, name)]
