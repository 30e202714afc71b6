"""What starts one kernel: the base classes for launchers, which providers compose.

`KernelLauncherBase` is for asyncio code, `BlockingLauncherBase` for code that blocks.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ._threads import in_thread
from .managerbase import ThreadedManager

if TYPE_CHECKING:
    from .launching import Launched, LaunchRequest


class KernelLauncherBase:
    """Starts kernels of one type. Subclasses need ``launch``."""

    async def launch(self, request: "LaunchRequest") -> "Launched":
        """Start a kernel and say how to reach and manage it; it need not be ready yet.

        Raises `LaunchError`, or `Unsupported` naming a field of the request. Cancelling it must leave
        nothing behind.
        """
        raise NotImplementedError


class BlockingLauncherBase:
    """Like `KernelLauncherBase`, with an ordinary ``launch`` that may block and runs in a daemon thread."""

    def launch(self, request: "LaunchRequest") -> "Launched":
        """Start a kernel. When the launch is cancelled meanwhile, the manager that comes back is closed."""
        raise NotImplementedError

    def as_async(self) -> KernelLauncherBase:
        """This launcher for asyncio code."""
        return ThreadedLauncher(self)


class ThreadedLauncher(KernelLauncherBase):
    """Runs a `BlockingLauncherBase` in threads."""

    def __init__(self, blocking: BlockingLauncherBase) -> None:
        self.blocking = blocking

    async def launch(self, request: "LaunchRequest") -> "Launched":
        """As the blocking one. Cancelling ends the wait at once, and the kernel if it still comes."""
        return await launch_in_thread(lambda: self.blocking.launch(request))


async def launch_in_thread(launch: Callable[[], "Launched"]) -> "Launched":
    """Run a blocking launch in a thread; what it returns after a cancellation is closed there."""
    loop = asyncio.get_running_loop()
    return await in_thread(launch, abandoned=lambda launched: _discard(launched, loop), name="kernel-launch")


def _discard(launched: "Launched", loop: asyncio.AbstractEventLoop) -> None:
    manager = launched.manager
    if isinstance(manager, ThreadedManager):
        manager.blocking.aclose()
        manager = None
    if loop.is_closed():  # what belongs to it cannot be closed any more
        return
    if launched.channels is not None:
        asyncio.run_coroutine_threadsafe(launched.channels.aclose(discard=True), loop)
    if manager is not None:
        asyncio.run_coroutine_threadsafe(manager.aclose(), loop)
