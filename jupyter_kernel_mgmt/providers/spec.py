"""`KernelSpecProvider`: kernel types from kernelspecs, launched as child processes."""

import logging
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from ..exceptions import LaunchError, NoSuchKernel, Unsupported
from ..kernelspec import (
    BadKernelSpec,
    KernelSpec,
    find_kernelspecs,
    get_kernelspec,
    kernelspec_directories,
)
from ..launching import KernelTypeInfo, Launched, LaunchRequest
from ..providerbase import KernelProviderBase, refuse_options
from ..subproc import SubprocessLauncher
from ..subproc.helpers import LocalHelpers

log = logging.getLogger(__name__)


class KernelSpecProvider(KernelProviderBase):
    """Finds kernelspecs on Jupyter's data path, or in ``directories`` where they are given.

    A kernel.json that cannot be used is logged and skipped. ``allow_unconstrained_parameters`` allows launch
    parameters whose text no schema limits: it is for applications whose users may run any command anyway.
    """

    id = "spec"

    def __init__(
        self, directories: list[Path] | None = None, *, allow_unconstrained_parameters: bool = False
    ) -> None:
        self.directories = directories
        self.allow_unconstrained_parameters = allow_unconstrained_parameters
        self._helpers = LocalHelpers()

    def load_config(self, config: Mapping[str, Any]) -> None:
        """Take the option ``allow_unconstrained_parameters``, true or false."""
        name = "allow_unconstrained_parameters"
        refuse_options(config, (name,))
        allowed = config.get(name, self.allow_unconstrained_parameters)
        if not isinstance(allowed, bool):
            raise TypeError(f"{name}: must be true or false, not {allowed!r}")
        self.allow_unconstrained_parameters = allowed

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
            allow_unconstrained=self.allow_unconstrained_parameters,
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
