"""What knows kernel types and launches them: the base classes for providers.

A provider is found through an entry point of the group `ENTRY_POINT_GROUP` whose name is its id.
`KernelProviderBase` is for asyncio code, `BlockingProviderBase` for code that blocks. Both are plain
classes without a metaclass, so that they combine with traitlets' configurables, and abstract middle
classes are fine: what a class lacks is reported when a finder takes it.
"""

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from ._threads import in_thread, iterate_in_thread
from .launcherbase import launch_in_thread

if TYPE_CHECKING:
    from .launching import KernelTypeInfo, Launched, LaunchRequest

ENTRY_POINT_GROUP = "jupyter_kernel_mgmt.kernel_type_providers"

REQUIRED = ("find_kernels", "launch")
"""The methods that every provider needs."""


class KernelProviderBase:
    """Finds and launches kernel types. Subclasses need ``id``, ``find_kernels`` and ``launch``."""

    id: str = ""
    """The first half of the kernel types' names: ``"spec"`` in ``"spec/python3"``."""

    def find_kernels(
        self,
    ) -> "AsyncIterator[tuple[str, KernelTypeInfo]] | Iterable[tuple[str, KernelTypeInfo]]":
        """Yield ``(name, info)`` for each kernel type, each as soon as it is found.

        May be an async generator or, where nothing blocks, an ordinary one. The search may be given up or
        cancelled at any point, and must leave nothing behind then.
        """
        raise NotImplementedError

    async def launch(self, name: str, request: "LaunchRequest") -> "Launched":
        """Start a kernel of the type with this name (without the id).

        Raises `NoSuchKernel`, `LaunchError`, or `Unsupported` naming a field of the request. Cancelling it
        must leave nothing behind.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Release what kernels shared; by default nothing. Kernels that still run keep what they need.

        May be called again, and must release everything even when cancelled.
        """


class BlockingProviderBase:
    """Like `KernelProviderBase`, with ordinary methods that may block; each call runs in a daemon thread."""

    id: str = ""
    """The first half of the kernel types' names."""

    def find_kernels(self) -> "Iterable[tuple[str, KernelTypeInfo]]":
        """Yield ``(name, info)`` for each kernel type."""
        raise NotImplementedError

    def launch(self, name: str, request: "LaunchRequest") -> "Launched":
        """Start a kernel. When the launch is cancelled meanwhile, the manager that comes back is closed."""
        raise NotImplementedError

    def aclose(self) -> None:
        """Release what kernels shared; by default nothing."""

    def as_async(self) -> KernelProviderBase:
        """This provider for asyncio code."""
        return ThreadedProvider(self)


class ThreadedProvider(KernelProviderBase):
    """Runs a `BlockingProviderBase` in threads. Cancelling a call stops the wait; the call runs on."""

    def __init__(self, blocking: BlockingProviderBase) -> None:
        self.blocking = blocking
        self.id = blocking.id

    def find_kernels(self) -> "AsyncIterator[tuple[str, KernelTypeInfo]]":
        return iterate_in_thread(self.blocking.find_kernels, name=f"find-kernels-{self.id}")

    async def launch(self, name: str, request: "LaunchRequest") -> "Launched":
        return await launch_in_thread(lambda: self.blocking.launch(name, request))

    async def aclose(self) -> None:
        await in_thread(self.blocking.aclose, name=f"close-provider-{self.id}")
