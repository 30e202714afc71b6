"""`check_launcher` passes what is good, and says of each broken promise what to do."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingLauncherBase,
    KernelLauncherBase,
    Launched,
    LaunchError,
    LaunchRequest,
)
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider, check_launcher

SHORT = 1.0
"""Seconds after which what hangs is given up, or looked for in vain."""

HANGING = frozenset({"Hangs", "LeavesTasks", "NotEnded"})


class Launcher(KernelLauncherBase):
    """A good one, to be spoilt."""

    def __init__(self) -> None:
        self.provider = FakeProvider()

    async def launch(self, request: LaunchRequest) -> Launched:
        return await self.provider.launch("kernel", request)


async def test_a_good_launcher_passes() -> None:
    """All its kernels are ended."""
    launcher = Launcher()
    await check_launcher(launcher, timeout=20)
    assert len(launcher.provider.managers) >= 7
    assert all(manager.closed for manager in launcher.provider.managers)


async def test_a_launcher_may_be_made_for_each_launch() -> None:
    """As providers do."""
    made = []

    def make() -> Launcher:
        made.append(Launcher())
        return made[-1]

    await check_launcher(make, timeout=20)
    assert len(made) == 1 + sum(len(launcher.provider.launches) for launcher in made)  # one was refused


async def test_parameters_are_given_to_each_launch() -> None:
    """Where a launcher needs some; unknown ones may be fine."""

    class Needs(Launcher):
        async def launch(self, request: LaunchRequest) -> Launched:
            if request.launch_params.get("needed") != 1:
                raise LaunchError("needed is missing")
            return await super().launch(LaunchRequest(kernel_id=request.kernel_id))

    await check_launcher(Needs(), launch_params={"needed": 1}, takes_any_parameter=True, timeout=20)


class OtherId(Launcher):
    async def launch(self, request: LaunchRequest) -> Launched:
        return await super().launch(LaunchRequest(launch_params=request.launch_params))


class IgnoresParameters(Launcher):
    async def launch(self, request: LaunchRequest) -> Launched:
        return await super().launch(LaunchRequest(kernel_id=request.kernel_id))


class Hangs(Launcher):
    async def launch(self, request: LaunchRequest) -> Launched:
        await asyncio.Event().wait()
        return await super().launch(request)


class LeavesTasks(Launcher):
    """What it starts goes on when the launch is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[asyncio.Task[Any]] = []

    async def launch(self, request: LaunchRequest) -> Launched:
        task = asyncio.create_task(asyncio.Event().wait(), name="left-behind")
        self.tasks.append(task)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        return await super().launch(request)


class NotEnded(Launcher):
    async def launch(self, request: LaunchRequest) -> Launched:
        launched = await super().launch(request)
        assert isinstance(launched.manager, FakeManager)
        launched.manager.ignored = frozenset({9})
        return launched


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (object, "derive object from KernelLauncherBase or BlockingLauncherBase"),
        (type("Empty", (KernelLauncherBase,), {}), "give Empty a method launch"),
        (type("Empty", (BlockingLauncherBase,), {}), "give Empty a method launch"),
        (OtherId, "give the manager the kernel_id of the request"),
        (IgnoresParameters, "an option is never ignored in silence"),
        (Hangs, r"make launch\(\) end"),
        (LeavesTasks, r"leave nothing behind when launch\(\) is cancelled"),
        (NotEnded, r"make wait\(\) after kill\(\) end"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_broken_promise_of_a_launcher_is_named(kind: Callable[[], Any], text: str) -> None:
    """With what to do."""
    launcher = kind()
    try:
        with pytest.raises(AssertionError, match=text):
            await check_launcher(launcher, timeout=SHORT if kind.__name__ in HANGING else 20)
    finally:
        for task in getattr(launcher, "tasks", []):
            task.cancel()
            await asyncio.wait([task])
    if isinstance(launcher, Launcher):
        assert all(manager.closed for manager in launcher.provider.managers)
