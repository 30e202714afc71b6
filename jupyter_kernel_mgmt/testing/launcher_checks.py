"""Does a launcher keep the promises of `KernelLauncherBase`? For the tests of those who write one."""

from collections.abc import Callable, Mapping
from typing import Any

from ..launcherbase import BlockingLauncherBase, KernelLauncherBase
from ..launching import Launched, LaunchRequest
from ..managerbase import missing_methods
from ._launch_checks import check_launches
from ._promises import require

AnyLauncher = KernelLauncherBase | BlockingLauncherBase


async def check_launcher(
    launcher: AnyLauncher | Callable[[], AnyLauncher],
    *,
    launch_params: Mapping[str, Any] | None = None,
    takes_any_parameter: bool = False,
    timeout: float = 60.0,
) -> None:
    """Check a launcher by launching, restarting, managing and cancelling kernels.

    ``launcher`` is one, or a callable without arguments that makes one for each launch, as providers do. The
    rest is as in `check_provider`. Starts about ten kernels, and leaves none when it is cancelled.

    Raises `AssertionError` for the first promise that is not kept.
    """

    async def launch(request: LaunchRequest) -> Launched:
        given: object = launcher
        is_one = isinstance(given, AnyLauncher) or not callable(given)
        return await _accept(given if is_one else launcher()).launch(request)  # type: ignore[operator] # see is_one

    await check_launches(
        launch, dict(launch_params or {}), takes_any_parameter=takes_any_parameter, timeout=timeout
    )


def _accept(launcher: object) -> KernelLauncherBase:
    """Check what a class must have, and adapt one that blocks."""
    kind = type(launcher).__name__
    base = BlockingLauncherBase if isinstance(launcher, BlockingLauncherBase) else KernelLauncherBase
    require(isinstance(launcher, base), f"derive {kind} from KernelLauncherBase or BlockingLauncherBase")
    require(not missing_methods(type(launcher), base, ("launch",)), f"give {kind} a method launch")
    assert isinstance(launcher, AnyLauncher), "it was just required"
    return launcher.as_async() if isinstance(launcher, BlockingLauncherBase) else launcher
