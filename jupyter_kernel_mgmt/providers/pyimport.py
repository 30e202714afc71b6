"""`IPykernelProvider`: the ipykernel that this very interpreter can import, without a kernelspec."""

import sys
from collections.abc import Generator
from importlib.util import find_spec

from ..exceptions import NoSuchKernel
from ..launching import KernelTypeInfo, Launched, LaunchRequest
from ..providerbase import KernelProviderBase
from ..subproc import SubprocessLauncher

NAME = "kernel"
ARGV = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")


class IPykernelProvider(KernelProviderBase):
    """One kernel type, ``pyimport/kernel``, where ipykernel is installed beside this package."""

    id = "pyimport"

    def find_kernels(self) -> Generator[tuple[str, KernelTypeInfo], None, None]:
        """Yield the kernel type if there is an ipykernel."""
        if find_spec("ipykernel") is not None:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            yield NAME, KernelTypeInfo(display_name=f"Python {version} (here)", language="python", argv=ARGV)

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        """Start ipykernel. See `SubprocessLauncher.launch`; raises `NoSuchKernel` where there is none."""
        if name != NAME:
            raise NoSuchKernel(name, known=[NAME])
        if find_spec("ipykernel") is None:
            where = f"the packages of {sys.executable}; to get it: {sys.executable} -m pip install ipykernel"
            raise NoSuchKernel(name, searched=[where])
        return await SubprocessLauncher(ARGV, kernel_name="python3").launch(request)
