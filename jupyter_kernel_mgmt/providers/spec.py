"""`KernelSpecProvider`: kernel types from kernelspecs, launched as child processes."""

import logging
from collections.abc import AsyncGenerator
from pathlib import Path

from ..exceptions import LaunchError, NoSuchKernel, Unsupported
from ..kernelspec import (
    BadKernelSpec,
    KernelSpec,
    find_kernelspecs,
    get_kernelspec,
    kernelspec_directories,
)
from ..launching import KernelTypeInfo, Launched, LaunchRequest
from ..providerbase import KernelProviderBase
from ..subproc import SubprocessLauncher
from ..subproc.helpers import LocalHelpers

log = logging.getLogger(__name__)


class KernelSpecProvider(KernelProviderBase):
    """Finds kernelspecs on Jupyter's data path, or in ``directories`` where they are given.

    A kernel.json that cannot be used is logged and skipped.
    """

    id = "spec"

    def __init__(self, directories: list[Path] | None = None) -> None:
        self.directories = directories
        self._helpers = LocalHelpers()

    async def find_kernels(self) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
        """Yield a kernel type for each usable kernelspec."""
        for spec in find_kernelspecs(self.directories):
            if isinstance(spec, BadKernelSpec):
                log.warning("A kernelspec is skipped: %s", spec)
            else:
                yield spec.name, _info(spec)

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        """Start a kernel. See `SubprocessLauncher.launch`; `NoSuchKernel` says where was looked."""
        spec = self._get(name)
        provisioner = spec.metadata.get("kernel_provisioner")
        if provisioner is not None and not _is_local(provisioner):
            raise Unsupported(
                "kernel_provisioner",
                f"kernelspec {spec.name!r} asks for {provisioner!r}, which jupyter_client alone can run",
            )
        launcher = SubprocessLauncher(
            spec.command(),
            kernel_name=spec.name,
            env=spec.env,
            interrupt_mode=spec.interrupt_mode,
            metadata=spec.metadata,
            protocol_version=spec.protocol_version,
            helpers=self._helpers,
            fields={"resource_dir": str(spec.directory), "prefix": str(spec.prefix or "")},
        )
        return await launcher.launch(request)

    async def aclose(self) -> None:
        """Keep nothing for kernels to come; those that run keep what they need. Cancelling is safe."""
        await self._helpers.aclose()

    def _get(self, name: str) -> KernelSpec:
        try:
            return get_kernelspec(name, self.directories)
        except KeyError:
            specs = [s for s in find_kernelspecs(self.directories) if isinstance(s, KernelSpec)]
            searched = kernelspec_directories() if self.directories is None else self.directories
            raise NoSuchKernel(name, known=[s.name for s in specs], searched=[*map(str, searched)]) from None
        except BadKernelSpec as error:
            raise LaunchError(str(error)) from error


def _info(spec: KernelSpec) -> KernelTypeInfo:
    return KernelTypeInfo(
        display_name=spec.display_name, language=spec.language, argv=spec.argv, metadata=spec.metadata
    )


def _is_local(provisioner: object) -> bool:
    return isinstance(provisioner, dict) and provisioner.get("provisioner_name") == "local-provisioner"
