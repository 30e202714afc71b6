"""A real kernel whose manager starts the next process itself, under the same addresses and key."""

import sys

from jupyter_kernel_mgmt import (
    ExitInfo,
    Kernel,
    KernelManagerBase,
    Launched,
    LaunchRequest,
    SubprocessLauncher,
)

from ._kinds import PYIMPORT, require

ARGV = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")


class InPlace(KernelManagerBase):
    """Manages one process after the other."""

    def __init__(self, kernel_id: str) -> None:
        self.kernel_id = kernel_id
        self._launcher = SubprocessLauncher(ARGV)
        self._launched: Launched | None = None

    @property
    def current(self) -> KernelManagerBase:
        assert self._launched is not None
        assert self._launched.manager is not None
        return self._launched.manager

    async def begin(self) -> Launched:
        request = LaunchRequest(kernel_id=self.kernel_id, previous=self._launched)
        launched = await self._launcher.launch(request)
        if self._launched is not None:
            await self.current.aclose()
        self._launched = launched
        return Launched(connection_info=launched.connection_info, manager=self)

    async def restart(self) -> Launched | None:
        await self.begin()
        return None

    async def is_alive(self) -> bool:
        return await self.current.is_alive()

    async def wait(self) -> ExitInfo:
        return await self.current.wait()

    async def signal(self, number: int) -> None:
        await self.current.signal(number)

    async def aclose(self) -> None:
        await self.current.aclose()


async def test_a_kernel_is_restarted_in_place_and_is_reached_as_before():
    """Its memory is new, all else is as it was."""
    require(PYIMPORT.kernel_type)
    manager = InPlace("in-place")
    async with await Kernel.from_launched(await manager.begin()) as kernel:
        before = kernel.connection_info
        assert (await kernel.execute("kept = 1; import os; print(os.getpid())")).status == "ok"
        await kernel.restart()
        assert kernel.manager is manager
        assert kernel.connection_info == before
        assert (await kernel.execute("kept")).status == "error"
        await manager.kill()
        await kernel.wait()
        await kernel.restart()
        assert (await kernel.execute("6 * 7")).text == "42"
