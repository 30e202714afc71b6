"""Finders and conformance checks, cancelled at each point where they wait: nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    KernelClient,
    KernelFinder,
    KernelLauncherBase,
    KernelProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchRequest,
    NoSuchKernel,
    find_kernels,
)
from jupyter_kernel_mgmt.testing import (
    FakeKernel,
    FakeManager,
    FakeProvider,
    MemoryChannels,
    check_launcher,
    check_manager,
    check_provider,
)

from ._cancelling import Moment, Plan, all_moments, both_moments, cancel_everywhere, comes_true


class SlowProvider(KernelProviderBase):
    """Finds two types, with a pause before each. ``searching`` counts searches that are not over."""

    id = "slow"

    def __init__(self) -> None:
        self.searching = 0
        self.closed = False

    async def find_kernels(self) -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        self.searching += 1
        try:
            for name in ("a", "b"):
                await asyncio.sleep(0)
                yield name, KernelTypeInfo(display_name=name, language="none")
        finally:
            self.searching -= 1

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        await asyncio.sleep(0)
        raise NoSuchKernel(name)

    async def aclose(self) -> None:
        self.closed = True


async def find_with(finder: KernelFinder) -> list[str]:
    return [kernel_type async for kernel_type, _ in finder.find_kernels()]


async def find_all(finder: KernelFinder) -> list[str]:
    return [kernel_type async for kernel_type, _ in find_kernels(finder=finder)]


async def launch_unknown(finder: KernelFinder) -> list[str]:
    with pytest.raises(NoSuchKernel) as caught:
        await finder.launch("slow/c", LaunchRequest())
    return list(caught.value.known)


@both_moments
@pytest.mark.parametrize("find", [find_with, find_all, launch_unknown])
async def test_searching(find: Callable[[KernelFinder], Any], moment: Moment) -> None:
    """The search ends by itself, and the finder finds the same again."""

    async def scene(plan: Plan) -> None:
        provider = SlowProvider()
        async with KernelFinder([provider]) as finder:
            await plan.run(find(finder))
            assert await find(finder) == ["slow/a", "slow/b"]
            await comes_true(lambda: not finder._tasks)
            assert not provider.searching

    await cancel_everywhere(scene, moment)


@all_moments
async def test_closing_a_finder(moment: Moment) -> None:
    """Searches end, and may be waited for; closing again does the rest."""

    async def scene(plan: Plan) -> None:
        provider = SlowProvider()
        finder = KernelFinder([provider])
        search = finder.find_kernels()
        await anext(search)
        await plan.run(finder.aclose())
        assert provider.closed
        assert not finder._tasks
        assert not provider.searching
        await finder.aclose()

    await cancel_everywhere(scene, moment)


# The conformance checks


@both_moments
async def test_checking_a_provider(moment: Moment) -> None:
    """None of the kernels that it started is left."""

    async def scene(plan: Plan) -> None:
        provider = FakeProvider()
        await plan.run(check_provider(provider))
        await comes_true(lambda: all(manager.closed for manager in provider.managers))

    await cancel_everywhere(scene, moment, at_least=20)


@both_moments
async def test_checking_a_launcher(moment: Moment) -> None:
    """None of the kernels that it started is left."""

    class Launcher(KernelLauncherBase):
        def __init__(self) -> None:
            self.provider = FakeProvider()

        async def launch(self, request: LaunchRequest) -> Launched:
            return await self.provider.launch("kernel", request)

    async def scene(plan: Plan) -> None:
        launcher = Launcher()
        await plan.run(check_launcher(launcher))
        await comes_true(lambda: all(manager.closed for manager in launcher.provider.managers))

    await cancel_everywhere(scene, moment, at_least=20)


@both_moments
async def test_checking_a_manager(moment: Moment) -> None:
    """The manager of the moment is closed."""

    async def scene(plan: Plan) -> None:
        managers: list[FakeManager] = []

        async def make() -> FakeManager:
            await asyncio.sleep(0)
            managers.append(FakeManager("a"))
            return managers[-1]

        await plan.run(check_manager(make))
        assert all(manager.closed for manager in managers)

    await cancel_everywhere(scene, moment, at_least=10)


@both_moments
async def test_fakes(moment: Moment) -> None:
    """What a test waits for on the kernel's side is still told to others."""

    async def scene(plan: Plan) -> None:
        channels = MemoryChannels()
        async with FakeKernel(channels.kernel) as kernel, KernelClient(channels) as client:

            async def use() -> None:
                await kernel.wait_for("kernel_info_request")
                await kernel.aclose()

            other = asyncio.create_task(kernel.wait_for("kernel_info_request"))
            asking = asyncio.create_task(client.kernel_info())
            await plan.run(use())
            await other
            await asyncio.wait([asking], timeout=0)
            asking.cancel()
            await asyncio.wait([asking])

    await cancel_everywhere(scene, moment)
