"""What providers of the first version imported from ``discovery``: bases in the original shape.

All are deprecated. Those of today, with the same names, are in the package itself.
"""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

from .. import managerabc
from ..exceptions import Unsupported
from ..kernelspec import KernelSpec, find_kernelspecs, get_kernelspec
from ..launching import LaunchRequest
from ..managerbase import KernelManagerBase
from ..providerbase import KernelProviderBase as ProviderOfToday
from ..providers import pyimport, spec


class KernelProviderBase:
    """Finds and launches kernel types, in the original shape; without a metaclass."""

    id: str | None = None

    def find_kernels(self) -> Any:
        """Yield ``(name, dict)`` for each kernel type."""
        raise NotImplementedError

    def launch(self, name: str, cwd: str | None = None, launch_params: dict[str, Any] | None = None) -> Any:
        """Start a kernel; connection information as a dict, and its manager. May be a coroutine function."""
        raise NotImplementedError

    def launch_async(self, name: str, cwd: str | None = None) -> Any:
        """As ``launch``, where that is not overridden."""
        raise NotImplementedError

    def load_config(self, config: Any = None) -> None:
        """Take a traitlets ``Config`` with sections by class name, or None; by default nothing."""


class _Launching(KernelProviderBase):
    """What launches with a provider of today, and gives it back in the original shape."""

    provider: ProviderOfToday

    async def launch(
        self, name: str, cwd: str | None = None, launch_params: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], "LocalManager"]:
        """Start a kernel as a child process. Raises what a launch of today raises."""
        request = LaunchRequest(cwd=None if cwd is None else Path(cwd), launch_params=launch_params or {})
        launched = await self.provider.launch(name, request)
        assert launched.manager is not None, "they manage what they launch"
        assert launched.connection_info is not None, "and reach it over sockets"
        return launched.connection_info.to_dict(), LocalManager(launched.manager)

    async def aclose(self) -> None:
        """Release what kernels shared."""
        await self.provider.aclose()


class KernelSpecProvider(_Launching):
    """Kernel types from kernelspecs. ``search_path`` are the directories to look in, by default Jupyter's.

    Raises `Unsupported` for a subclass with a ``kernel_file`` other than kernel.json.
    """

    id = "spec"
    kernel_file = "kernel.json"

    def __init__(self, search_path: Iterable[str] | None = None) -> None:
        if self.kernel_file != "kernel.json":
            raise Unsupported("kernel_file", f"kernelspecs are read from kernel.json, not {self.kernel_file}")
        directories = None if search_path is None else [Path(directory) for directory in search_path]
        self.provider = spec.KernelSpecProvider(directories)
        self.ksm = KernelSpecs(directories)

    def find_kernels(self) -> Generator[tuple[str, dict[str, Any]], None, None]:
        """Yield those that can be used."""
        for found in find_kernelspecs(self.ksm.directories):
            if isinstance(found, KernelSpec):
                yield found.name, _attributes(found)


class KernelSpecs:
    """What providers used of the ``ksm`` of a `KernelSpecProvider`: kernelspecs by name."""

    def __init__(self, directories: list[Path] | None) -> None:
        self.directories = directories

    def find_kernel_specs(self) -> dict[str, str]:
        """The directories of all that can be used, by name."""
        found = find_kernelspecs(self.directories)
        return {item.name: str(item.directory) for item in found if isinstance(item, KernelSpec)}

    def get_kernel_spec(self, name: str) -> KernelSpec:
        """One of them. Raises `KeyError` or `BadKernelSpec`."""
        return get_kernelspec(name, self.directories)


class IPykernelProvider(_Launching):
    """The ipykernel that this interpreter can import."""

    id = "pyimport"

    def __init__(self) -> None:
        self.provider = pyimport.IPykernelProvider()

    def find_kernels(self) -> Generator[tuple[str, dict[str, Any]], None, None]:
        """Yield the kernel type if there is an ipykernel."""
        for name, info in pyimport.IPykernelProvider().find_kernels():
            yield (
                name,
                {
                    "display_name": info.display_name,
                    "language_info": {"name": info.language},
                    "argv": list(info.argv),
                    "metadata": dict(info.metadata),
                },
            )


class LocalManager(managerabc.KernelManagerABC):
    """A manager of today in the original shape, with coroutine functions."""

    def __init__(self, manager: KernelManagerBase) -> None:
        self.manager = manager
        self.kernel_id = manager.kernel_id

    async def is_alive(self) -> bool:
        """Whether the process is there."""
        return await self.manager.is_alive()

    async def wait(self, timeout: float | None = None) -> Any:
        """Wait for its end without a limit: how it ended."""
        return await self.manager.wait()

    async def signal(self, signum: int) -> None:
        """Send a signal."""
        await self.manager.signal(signum)

    async def interrupt(self) -> None:
        """Interrupt what runs."""
        await self.manager.interrupt()

    async def kill(self) -> None:
        """End the process without asking."""
        await self.manager.kill()

    async def cleanup(self) -> None:
        """Release everything."""
        await self.manager.aclose()


def _attributes(found: KernelSpec) -> dict[str, Any]:
    return {
        "display_name": found.display_name,
        "language_info": {"name": found.language},
        "argv": list(found.argv),
        "resource_dir": str(found.directory),
        "metadata": dict(found.metadata),
    }
