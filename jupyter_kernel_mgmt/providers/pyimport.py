"""`IPykernelProvider`: the ipykernel that this very interpreter can import, without a kernelspec."""

import sys
from collections.abc import Generator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from ..exceptions import NoSuchKernel
from ..launching import KernelTypeInfo, Launched, LaunchRequest
from ..providerbase import KernelProviderBase
from ..subproc import SubprocessLauncher
from ..subproc.helpers import LocalHelpers
from ..subproc.ipykernel import START_IPYKERNEL

NAME = "kernel"
CURVE_VERSION = 7  # of ipykernel: the first that can encrypt
ARGV = (sys.executable, START_IPYKERNEL, "-f", "{connection_file}")


class IPykernelProvider(KernelProviderBase):
    """One kernel type, ``pyimport/kernel``, where ipykernel is installed beside this package."""

    id = "pyimport"

    def __init__(self) -> None:
        self._helpers = LocalHelpers()

    def find_kernels(self) -> Generator[tuple[str, KernelTypeInfo], None, None]:
        """Yield the kernel type if there is an ipykernel."""
        if find_spec("ipykernel") is not None:
            metadata = _metadata()
            number = f"{sys.version_info.major}.{sys.version_info.minor}"
            name = f"Python {number} (here)"
            yield NAME, KernelTypeInfo(display_name=name, language="python", argv=ARGV, metadata=metadata)

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        """Start ipykernel. See `SubprocessLauncher.launch`; raises `NoSuchKernel` where there is none."""
        if name != NAME:
            raise NoSuchKernel(name, known=[NAME])
        if find_spec("ipykernel") is None:
            where = f"the packages of {sys.executable}; to get it: {sys.executable} -m pip install ipykernel"
            raise NoSuchKernel(name, searched=[where])
        launcher = SubprocessLauncher(
            ARGV, kernel_name="python3", metadata=_metadata(), helpers=self._helpers
        )
        return await launcher.launch(request)

    async def aclose(self) -> None:
        """Keep nothing for kernels to come; those that run keep what they need. Cancelling is safe."""
        await self._helpers.aclose()


def _metadata() -> dict[str, Any]:
    """As in the kernelspec that ipykernel installs, without reading one; and how it can be reached."""
    try:
        major = int(version("ipykernel").partition(".")[0])
    except (PackageNotFoundError, ValueError):  # a checkout on the path
        major = 0
    curve = {"supported_encryption": ["curve"]} if major >= CURVE_VERSION else {}
    return {"debugger": True, "supported_transports": ["ipc", "own-ports"], **curve}
