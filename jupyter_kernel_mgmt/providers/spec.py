"""`KernelSpecProvider`: kernel types from kernelspecs, launched as child processes."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._latest import Latest
from .._threads import in_thread, iterate_in_thread
from ..exceptions import LaunchError, NoSuchResource, Unsupported
from ..kernelspec import (
    BadKernelSpec,
    KernelSpec,
    find_kernelspec,
    find_kernelspecs,
    get_kernelspec,
    kernelspec_directories,
    kernelspec_names,
    no_such_kernelspec,
)
from ..kernelspec.checks import provisioner_obstacle
from ..kernelspec.info import depends_on, info_of, read_resource, resource_names
from ..launching import KernelTypeInfo, Launched, LaunchRequest
from ..providerbase import KernelProviderBase, refuse_options
from ..subproc import SubprocessLauncher
from ..subproc.helpers import LocalHelpers


class KernelSpecProvider(KernelProviderBase):
    """Finds kernelspecs on Jupyter's data path, or in ``directories`` where they are given.

    One that cannot be launched is found too: its `KernelTypeInfo.obstacle` says why. That is a kernel.json
    which cannot be used, or one with a ``kernel_provisioner`` other than jupyter_client's local one.
    ``allow_unconstrained_parameters`` allows launch parameters whose text no schema limits: it is for
    applications whose users may run any command anyway.
    """

    id = "spec"

    def __init__(
        self, directories: list[Path] | None = None, *, allow_unconstrained_parameters: bool = False
    ) -> None:
        self.directories = directories
        self.allow_unconstrained_parameters = allow_unconstrained_parameters
        self._helpers = LocalHelpers()
        self._depends = Latest[set[Path]]()  # on what a search did, beside the files of the kernelspecs

    def load_config(self, config: Mapping[str, Any]) -> None:
        """Take the option ``allow_unconstrained_parameters``, true or false."""
        name = "allow_unconstrained_parameters"
        refuse_options(config, (name,))
        allowed = config.get(name, self.allow_unconstrained_parameters)
        if not isinstance(allowed, bool):
            raise TypeError(f"{name}: must be true or false, not {allowed!r}")
        self.allow_unconstrained_parameters = allowed

    def find_kernels(self) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
        """Yield a kernel type for each kernelspec. Files are read in a thread."""
        return iterate_in_thread(self._found, name=f"find-kernels-{self.id}")

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        """Start a kernel. See `SubprocessLauncher.launch`; `NoSuchKernel` says where was looked."""
        spec = await in_thread(lambda: self._get(name), name=f"get-kernelspec-{name}")
        if obstacle := provisioner_obstacle(spec):
            raise Unsupported("kernel_provisioner", obstacle)
        launcher = SubprocessLauncher(
            spec.command(),
            kernel_name=spec.name,
            env=spec.env,
            interrupt_mode=spec.interrupt_mode,
            metadata=spec.metadata,
            protocol_version=spec.protocol_version,
            helpers=self._helpers,
            allow_unconstrained=self.allow_unconstrained_parameters,
            fields={"resource_dir": str(spec.directory), "prefix": str(spec.prefix or "")},
        )
        return await launcher.launch(request)

    def watched(self) -> list[Path]:
        """All directories that kernelspecs are looked for in, their own, and what is read for each."""
        watched = []
        for directory in self._directories():
            specs = [directory / name for name in kernelspec_names(directory)]
            watched += [directory, *specs, *(spec / "kernel.json" for spec in specs)]
        return [*watched, *(self._depends.value or ())]

    async def resources(self, name: str) -> Sequence[str]:
        """The names of the plain files beside kernel.json: logos, scripts. Raises `NoSuchKernel`."""
        return await in_thread(lambda: resource_names(self._find(name)), name=f"resources-{self.id}")

    async def resource(self, name: str, filename: str) -> bytes:
        """The content of one of them, by exactly its name. Raises `NoSuchKernel` or `NoSuchResource`."""
        try:
            return await in_thread(
                lambda: read_resource(self._find(name), filename), name=f"resource-{self.id}"
            )
        except OSError as error:
            raise NoSuchResource(f"{self.id}/{name}", filename) from error

    async def aclose(self) -> None:
        """Keep nothing for kernels to come; those that run keep what they need. Cancelling is safe."""
        await self._helpers.aclose()

    def _directories(self) -> Sequence[Path]:
        return kernelspec_directories() if self.directories is None else self.directories

    def _found(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        number, depends = self._depends.begin(), set[Path]()
        for found in find_kernelspecs(self._directories()):
            info = info_of(found)
            depends.update(depends_on(found, info))
            yield found.name, info
        self._depends.end(number, depends)

    def _find(self, name: str) -> Path:
        try:
            return find_kernelspec(name, self._directories())
        except KeyError:
            raise no_such_kernelspec(name, self._directories()) from None

    def _get(self, name: str) -> KernelSpec:
        try:
            return get_kernelspec(name, self._directories())
        except KeyError:
            raise no_such_kernelspec(name, self._directories()) from None
        except BadKernelSpec as error:
            raise LaunchError(str(error)) from error
