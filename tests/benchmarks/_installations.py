"""Many kernelspecs and environments on the disk, and providers that do not behave."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from jupyter_kernel_mgmt import KernelProviderBase, KernelTypeInfo


def make_kernelspecs(directory: Path, count: int) -> None:
    """Kernelspecs as ipykernel installs them, in ``directory/kernels``; all an hour old."""
    for number in range(count):
        make_kernelspec(directory / "kernels" / f"kernel-{number:03}")
    _make_old(directory)


def make_kernelspec(home: Path) -> None:
    """One kernelspec."""
    home.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": home.name,
        "language": "python",
        "metadata": {"debugger": True},
    }
    (home / "kernel.json").write_text(json.dumps(spec))
    (home / "logo-64x64.png").write_bytes(b"not really")


def make_environments(directory: Path, count: int) -> None:
    """Virtual environments with an ipykernel, as far as can be seen without running them; an hour old."""
    for number in range(count):
        home = directory / f"env-{number:02}"
        packages = home / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        for name in ("ipykernel", "ipykernel-7.4.0.dist-info", "zmq", "tornado", "IPython"):
            (packages / name).mkdir(parents=True)
        (packages / "ipykernel_launcher.py").write_text("")
        (home / "bin").mkdir()
        (home / "bin" / "python").symlink_to(sys.executable)
        (home / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\nversion = 3.11.7\n")
        make_kernelspec(home / "share" / "jupyter" / "kernels" / "python3")
    _make_old(directory)


def _make_old(directory: Path) -> None:
    """As if nothing had been changed for an hour: what is younger may still be changing."""
    hour_ago = time.time() - 3600
    for path in [directory, *directory.rglob("*")]:
        os.utime(path, (hour_ago, hour_ago), follow_symlinks=False)


class Hangs(KernelProviderBase):
    """Never finds anything, nor says so."""

    id = "hangs"

    async def find_kernels(self) -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        await asyncio.get_running_loop().create_future()
        yield "never", KernelTypeInfo(display_name="never", language="none")

    async def launch(self, name: str, request: Any) -> Any:
        """Nothing can be launched."""
        raise NotImplementedError


class Raises(KernelProviderBase):
    """Fails at once."""

    id = "raises"

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        raise OSError("the catalogue is not there")

    async def launch(self, name: str, request: Any) -> Any:
        """Nothing can be launched."""
        raise NotImplementedError
