"""`EnvironmentsProvider`: kernel types from the environments of a user, a machine and a project."""

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._latest import Latest
from ..._threads import in_thread, iterate_in_thread
from ...exceptions import LaunchError, NoSuchKernel, NoSuchResource
from ...kernelspec.info import read_resource
from ...launching import KernelTypeInfo, Launched, LaunchRequest
from ...providerbase import KernelProviderBase
from ...subproc import SubprocessLauncher
from ...subproc.environment import inherit
from ...subproc.helpers import LocalHelpers
from .activations import Activations
from .contents import InnerKernel, kernels_inside
from .disk import Disk
from .naming import Named, candidates, named
from .options import Options, read_options
from .places import Places
from .survey import survey

NEAR = 100
"""Directories of notebooks that are remembered."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """Where the last whole search has looked, and where it began."""

    places: Places
    paths: frozenset[Path]


class EnvironmentsProvider(KernelProviderBase):
    """Finds the kernels inside of environments of conda, pixi, venv, virtualenv, uv, poetry and pipenv.

    What has no kernel yet is shown with an ``obstacle`` that says what to install. Kernels run in the
    environment's own interpreter, with what activating it changes. ``places`` makes the `Places` that a
    search begins from, from ``roots``, ``projects`` and ``near``; by default they are those of this process.
    Options of `load_config`: see `Options`.
    """

    id = "environments"

    def __init__(self, places: Callable[..., Places] = Places.here) -> None:
        self._places = places
        self._options = Options()
        self._activations = Activations()
        self._helpers = LocalHelpers()
        self._looked = Latest[_Looked]()
        self._near: tuple[Path, ...] = ()

    def load_config(self, config: Mapping[str, Any]) -> None:
        """Take the options that `Options` describes. Raises `ValueError` or `TypeError`."""
        self._options = read_options(config)

    async def find_kernels(self) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
        """Yield each kernel of each environment. Reads files, in a thread, and runs nothing."""
        async with aclosing(iterate_in_thread(self._find, name="find-environments")) as found:
            async for item in found:
                yield item

    def look_near(self, directory: Path) -> bool:
        """Find the environments of this directory's project too; the `NEAR` asked for last are kept."""
        if directory == self._now().cwd:
            return False
        is_new = directory not in self._near
        others = [near for near in self._near if near != directory]
        self._near = (*others[-NEAR + 1 :], directory)
        return is_new

    def watched(self) -> Iterable[Path] | None:
        """Where the last search looked; None before the first, and once it would begin elsewhere."""
        looked = self._looked.value
        return looked.paths if looked is not None and looked.places == self._now() else None

    async def refresh(self) -> None:
        """Forget what activating environments changes."""
        self._activations.forget()

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        """Start a kernel in its environment, activated. See `SubprocessLauncher.launch`.

        Raises `NoSuchKernel`, and `LaunchError` at once for one with an obstacle, and where an activation
        script fails. Cancelling leaves nothing.
        """
        one, kernel = await in_thread(lambda: self._get(name), name="find-environment")
        if kernel.obstacle:
            raise LaunchError(f"{one.display_name(kernel.title)}: {kernel.obstacle}")
        prefix = str(one.environment.prefix)
        variables = inherit(os.environ, request.env_policy)
        timeout = self._options.shell_timeout
        if (remaining := request.remaining()) is not None:
            timeout = min(timeout, remaining)
        request.progress(f"activating {one.environment.kind} environment {prefix}")
        changes = await self._activations.changes(one.environment, variables, timeout=timeout)
        launcher = SubprocessLauncher(
            kernel.argv,
            kernel_name=kernel.name,
            env=kernel.env,
            changes=changes,
            interrupt_mode=kernel.interrupt_mode,
            metadata=kernel.metadata,
            protocol_version=kernel.protocol_version,
            helpers=self._helpers,
            allow_unconstrained=self._options.allow_unconstrained_parameters,
            fields={"resource_dir": str(kernel.directory or ""), "prefix": prefix},
        )
        return await launcher.launch(request)

    async def resources(self, name: str) -> Sequence[str]:
        """The files beside the kernel's kernelspec. Raises `NoSuchKernel`."""
        _, kernel = await in_thread(lambda: self._get(name), name="find-environment")
        return kernel.resources

    async def resource(self, name: str, filename: str) -> bytes:
        """The content of one of them. Raises `NoSuchKernel` or `NoSuchResource`."""
        return await in_thread(lambda: self._resource(name, filename), name="read-resource")

    async def aclose(self) -> None:
        """Keep nothing for kernels to come; those that run keep what they need. Cancelling is safe."""
        await self._helpers.aclose()

    def _now(self) -> Places:
        near = tuple(sorted(self._near))  # for whichever of them was asked for last, nothing else is found
        return self._places(roots=self._options.roots, projects=self._options.projects, near=near)

    def _environments(self, places: Places, disk: Disk) -> list[Named]:
        return named(survey(places, disk, self._options.kinds), home=places.home)

    def _find(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        number, places, disk = self._looked.begin(), self._now(), Disk()
        for one in self._environments(places, disk):
            for kernel in kernels_inside(one.environment, disk):
                yield one.kernel_type(kernel.name), _info(one, kernel)
        self._looked.end(number, _Looked(places, frozenset(disk.looked)))

    def _get(self, name: str) -> tuple[Named, InnerKernel]:
        places, disk = self._now(), Disk()
        environments = self._environments(places, disk)
        for one, wanted in candidates(environments, name):
            for kernel in kernels_inside(one.environment, disk):
                if kernel.name == wanted:
                    return one, kernel
        known = [
            one.kernel_type(kernel.name)
            for one in environments
            for kernel in kernels_inside(one.environment, disk)
        ]
        raise NoSuchKernel(name, known=known, searched=[str(one.environment.prefix) for one in environments])

    def _resource(self, name: str, filename: str) -> bytes:
        _, kernel = self._get(name)
        if kernel.directory is None:
            raise NoSuchResource(f"{self.id}/{name}", filename)
        try:
            return read_resource(kernel.directory, filename)
        except OSError as error:
            raise NoSuchResource(f"{self.id}/{name}", filename) from error


def _info(one: Named, kernel: InnerKernel) -> KernelTypeInfo:
    return KernelTypeInfo(
        display_name=one.display_name(kernel.title),
        language=kernel.language,
        argv=kernel.argv,
        metadata=kernel.metadata,
        language_version=kernel.version,
        prefix=str(one.environment.prefix),
        resources=kernel.resources,
        obstacle=kernel.obstacle,
    )
