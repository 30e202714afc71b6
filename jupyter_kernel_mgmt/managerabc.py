"""What managers of the first version imported. New ones derive from the bases in `managerbase`.

Each method may be an ordinary one, as in 0.1, or a coroutine function, as from 0.2 on. What is not
overridden counts as missing. Unlike then there is no metaclass, and what is missing is named when a launch
hands the manager over.
"""

from typing import Any

from ._threads import in_thread


class KernelManagerABC:
    """Manages one kernel, in the original shape. Deprecated: those of today are in `managerbase`."""

    kernel_id: str | None = None

    def is_alive(self) -> Any:
        """Whether the kernel is alive."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the kernel's end, at most ``timeout`` seconds; True if it is still alive then.

        May give the exit code instead of False, and be without ``timeout``.
        """
        raise NotImplementedError

    def signal(self, signum: int) -> Any:
        """Send a signal to the kernel."""
        raise NotImplementedError

    def interrupt(self) -> Any:
        """Interrupt what runs; by default SIGINT is sent."""
        raise NotImplementedError

    def kill(self) -> Any:
        """End the kernel without asking; by default SIGKILL is sent."""
        raise NotImplementedError

    def cleanup(self) -> Any:
        """Release what the manager holds, such as files; by default nothing."""


KernelManager2ABC = KernelManagerABC
"""What it was called before 0.1."""


class AsyncManagerWrapper(KernelManagerABC):
    """Runs a blocking manager in the original shape in daemon threads; ``loop`` is not needed any more."""

    def __init__(self, wrapped: Any, loop: Any = None) -> None:
        self.wrapped = wrapped
        self.loop = loop

    async def is_alive(self) -> bool:
        """As the blocking one."""
        return bool(await in_thread(self.wrapped.is_alive))

    async def wait(self, timeout: float | None = None) -> Any:
        """As the blocking one. Cancelling stops the wait for it."""
        return await in_thread(lambda: self.wrapped.wait(timeout))

    async def signal(self, signum: int) -> Any:
        """As the blocking one."""
        return await in_thread(lambda: self.wrapped.signal(signum))

    async def interrupt(self) -> Any:
        """As the blocking one."""
        return await in_thread(self.wrapped.interrupt)

    async def kill(self) -> Any:
        """As the blocking one."""
        return await in_thread(self.wrapped.kill)

    async def cleanup(self) -> Any:
        """As the blocking one."""
        return await in_thread(self.wrapped.cleanup)
