"""What knows kernel types and launches them: the base classes for providers.

A provider is found through an entry point of the group `ENTRY_POINT_GROUP` whose name is its id.
`KernelProviderBase` is for asyncio code, `BlockingProviderBase` for code that blocks. Both are plain
classes without a metaclass, so that they combine with traitlets' configurables, and abstract middle
classes are fine: what a class lacks is reported when a finder takes it.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._threads import in_thread, iterate_in_thread
from .exceptions import NoSuchResource, Unsupported
from .launcherbase import launch_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from .launching import KernelTypeInfo, Launched, LaunchRequest, RunningKernel

ENTRY_POINT_GROUP = "jupyter_kernel_mgmt.kernel_type_providers"

REQUIRED = ("find_kernels", "launch")
"""The methods that every provider needs."""


class KernelProviderBase:
    """Finds and launches kernel types. Subclasses need ``id``, ``find_kernels`` and ``launch``.

    Cancelling a question, such as `resources` or a step of `find_running`, must harm nothing.
    """

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

    def load_config(self, config: "Mapping[str, Any]") -> None:
        """Take options, before anything else is asked. By default there are none.

        One that is also a traitlets ``Configurable`` has its traits set instead of this being called, unless
        it has a ``load_config`` of its own. Raises `ValueError` or `TypeError`, beginning with the option's
        name and a colon; must not block.
        """
        refuse_options(config)

    def look_near(self, directory: "Path") -> bool:
        """Find from now on also what belongs to the project that an absolute directory is in.

        Somebody has a notebook there. Returns whether `find_kernels` may find more than before; then it is
        asked anew. By default no project has kernels of its own. Must not block.
        """
        return False

    def watched(self) -> "Iterable[Path] | None":
        """Files and directories on whose times of change depends what `find_kernels` finds.

        Those that do not exist yet count too. While none of them changes, nor this process's directory and
        variables, a finder answers from what was found before. None, the default: that cannot be told, and
        each search is made anew. Runs in a thread, after `find_kernels` and beside it.
        """
        return None

    async def refresh(self) -> None:
        """Forget what is cached here, so that the next `find_kernels` looks anew; by default nothing."""

    async def resources(self, name: str) -> "Sequence[str]":
        """The names of the files that belong to a kernel type, such as ``logo-64x64.png``; by default none.

        Raises `NoSuchKernel`.
        """
        return ()

    async def resource(self, name: str, filename: str) -> bytes:
        """The content of one of them, wherever it comes from. Raises `NoSuchKernel` or `NoSuchResource`."""
        raise NoSuchResource(f"{self.id}/{name}", filename)

    def find_running(self) -> "AsyncIterator[RunningKernel] | Iterable[RunningKernel]":
        """Yield the kernels that are running already and can be adopted; by default none.

        Like `find_kernels` an async generator or, where nothing blocks, an ordinary one.
        """
        return ()

    async def adopt(self, record: "Mapping[str, Any]") -> "Launched":
        """Take up a kernel that runs, from what `Launched.to_dict` or `find_running` gave.

        The new manager may do all that the old one could, and its ``aclose`` lets the kernel go on. Raises
        `LaunchError` for a kernel that is gone, `Unsupported` where nothing can be adopted, which is the
        default, and `ValueError` for what is no record. Cancelling it harms nothing.
        """
        raise Unsupported("adopt", f"provider {self.id!r} adopts no kernels")

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

    def load_config(self, config: "Mapping[str, Any]") -> None:
        """Take options, before anything else is asked. Must not block. See `KernelProviderBase`."""
        refuse_options(config)

    def look_near(self, directory: "Path") -> bool:
        """Find also what belongs to a directory's project; whether that is new. Must not block."""
        return False

    def watched(self) -> "Iterable[Path] | None":
        """Files and directories on which depends what `find_kernels` finds; None: that cannot be told."""
        return None

    def refresh(self) -> None:
        """Forget what is cached here; by default nothing."""

    def resources(self, name: str) -> "Sequence[str]":
        """The names of the files that belong to a kernel type; by default none."""
        return ()

    def resource(self, name: str, filename: str) -> bytes:
        """The content of one of them. Raises `NoSuchKernel` or `NoSuchResource`."""
        raise NoSuchResource(f"{self.id}/{name}", filename)

    def find_running(self) -> "Iterable[RunningKernel]":
        """Yield the kernels that are running already and can be adopted; by default none."""
        return ()

    def adopt(self, record: "Mapping[str, Any]") -> "Launched":
        """Take up a kernel that runs; by default `Unsupported` is raised. See `KernelProviderBase`."""
        raise Unsupported("adopt", f"provider {self.id!r} adopts no kernels")

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

    def load_config(self, config: "Mapping[str, Any]") -> None:
        self.blocking.load_config(config)

    def look_near(self, directory: "Path") -> bool:
        return self.blocking.look_near(directory)

    def watched(self) -> "Iterable[Path] | None":
        return self.blocking.watched()

    async def refresh(self) -> None:
        await in_thread(self.blocking.refresh, name=f"refresh-{self.id}")

    async def resources(self, name: str) -> "Sequence[str]":
        return await in_thread(lambda: self.blocking.resources(name), name=f"resources-{self.id}")

    async def resource(self, name: str, filename: str) -> bytes:
        return await in_thread(lambda: self.blocking.resource(name, filename), name=f"resource-{self.id}")

    def find_running(self) -> "AsyncIterator[RunningKernel]":
        return iterate_in_thread(self.blocking.find_running, name=f"find-running-{self.id}")

    async def adopt(self, record: "Mapping[str, Any]") -> "Launched":
        return await launch_in_thread(lambda: self.blocking.adopt(record))

    async def aclose(self) -> None:
        await in_thread(self.blocking.aclose, name=f"close-provider-{self.id}")


def refuse_options(config: "Mapping[str, Any]", known: "Collection[str]" = ()) -> None:
    """Raise `ValueError` for the first option that is not among the known ones, with what there is."""
    for name in config:
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "there are none"
            raise ValueError(f"{name}: there is no such option; {there}")
