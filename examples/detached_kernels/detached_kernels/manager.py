"""`DetachedManager`: manages a kernel that need not be our child, for the one who started or adopted it."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import jupyter_kernel_mgmt as jkm
from jupyter_kernel_mgmt.managerbase import KILL

from .processes import Identity

KILL_TIMEOUT = 5.0
"""Seconds that closing waits for the end of a kernel that it has killed."""

TAIL = 4096
"""How many of the last bytes of a kernel's output are of interest."""


class DetachedManager(jkm.KernelManagerBase):
    """Whoever started the kernel ends it in `aclose`, unless `keep` was called; who adopted it lets it go.

    ``home`` is the private directory of the kernel, removed by whoever learns that it has ended. Must be
    made with the loop running.
    """

    def __init__(self, kernel_id: str, process: Identity, home: Path, *, owned: bool) -> None:
        self.kernel_id = kernel_id
        self.process = process
        self.home = home
        self.owned = owned
        self._end = asyncio.create_task(self._watch(), name=f"watch-{kernel_id}")

    def keep(self) -> None:
        """The kernel is to go on: from now on `aclose` lets it go."""
        self.owned = False

    async def is_alive(self) -> bool:
        return self.process.is_alive()

    async def wait(self) -> jkm.ExitInfo:
        """Raises `Unsupported` when the kernel is let go meanwhile, or was."""
        await asyncio.wait([self._end])
        if self._end.cancelled():
            raise jkm.Unsupported("wait", "the kernel was let go, and nobody here watches it")
        return self._end.result()

    async def signal(self, number: int) -> None:
        self.process.signal(number)

    async def output_tail(self) -> str:
        if self._end.done() and not self._end.cancelled():
            return self._end.result().output_tail
        return tail(self.home / "output")

    def to_dict(self) -> dict[str, Any]:
        return {"pid": self.process.pid, "started": self.process.started, "home": self.home.name}

    async def aclose(self) -> None:
        if self.owned:
            self.process.signal(KILL)
        else:
            self._end.cancel()
        try:
            await asyncio.wait([self._end], timeout=KILL_TIMEOUT)
        except asyncio.CancelledError:  # the end is a matter of milliseconds
            await asyncio.wait([self._end], timeout=KILL_TIMEOUT)
            raise

    async def _watch(self) -> jkm.ExitInfo:
        returncode = await self.process.wait()
        output = tail(self.home / "output")
        shutil.rmtree(self.home, ignore_errors=True)
        reason = None if returncode is not None else "it was started by another process"
        return jkm.ExitInfo(returncode, reason, output)


def tail(file: Path) -> str:
    """The end of a file; empty where there is none."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - TAIL))
            return opened.read().decode(errors="replace")
    except OSError:
        return ""
