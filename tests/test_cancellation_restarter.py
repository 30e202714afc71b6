"""Restarters, cancelled at each point where they or what they started wait: nothing is left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jupyter_kernel_mgmt import (
    Backoff,
    ExitInfo,
    Kernel,
    KernelFinder,
    KernelRestarter,
    KernelState,
    Launched,
    StateChanged,
    launch,
)
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider, MemoryChannels

from ._cancelling import GUARD, Moment, Plan, all_moments, cancel_everywhere, comes_true

AT_ONCE = Backoff(initial=0)
CRASH = ExitInfo(-11)


async def turns(manager: FakeManager | None = None) -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@asynccontextmanager
async def launched(provider: FakeProvider) -> AsyncIterator[Kernel]:
    async with KernelFinder([provider]) as finder:
        async with launch("fake/kernel", finder=finder) as kernel:
            yield kernel
        assert all(manager.closed for manager in provider.managers)


async def until(source: Kernel | KernelRestarter, wanted: StateChanged) -> None:
    async with asyncio.timeout(GUARD):
        async for event in source.events():
            if event == wanted:
                return


async def is_whole_or_dead(kernel: Kernel, provider: FakeProvider) -> None:
    """No process that the kernel does not know of, and a restart by hand works."""

    def knows_how_it_is() -> bool:
        alive = [manager for manager in provider.managers if not manager._exited.done()]
        if kernel.state is KernelState.READY:  # also in the moment before it hears of a death
            return alive == [kernel.manager]
        return kernel.state is KernelState.DEAD and not alive

    await comes_true(knows_how_it_is)
    await kernel.restart()
    assert (await kernel.execute("x")).status == "ok"


@all_moments
async def test_a_block_in_which_a_kernel_crashes_and_comes_back(moment: Moment) -> None:
    """Wherever it was: looking, waiting, ending the old process, starting the next, or being closed."""

    async def scene(plan: Plan) -> None:
        provider = FakeProvider(on_launch=turns)
        async with launched(provider) as kernel:

            async def block() -> None:
                async with KernelRestarter(kernel, backoff=AT_ONCE):
                    provider.managers[0].die(CRASH)
                    await until(kernel, StateChanged(KernelState.READY, 2))

            await plan.run(block())
            await is_whole_or_dead(kernel, provider)

    await cancel_everywhere(scene, moment, at_least=10)


@all_moments
async def test_closing_while_a_restart_is_under_way(moment: Moment) -> None:
    """Cancelled or not, the restart has ended when the closing has, and the kernel is dead."""

    async def scene(plan: Plan) -> None:
        launching = asyncio.Event()

        async def hang(manager: FakeManager) -> None:
            launching.set()
            await asyncio.Event().wait()

        provider = FakeProvider()
        async with launched(provider) as kernel, KernelRestarter(kernel, backoff=AT_ONCE) as restarter:
            provider.on_launch = hang
            provider.managers[0].die(CRASH)
            async with asyncio.timeout(GUARD):
                await launching.wait()
            await plan.run(restarter.aclose())
            await plan.promise(lambda: kernel.state is KernelState.DEAD)
            task = restarter._task
            assert task is not None
            await plan.promise(task.done)
            provider.on_launch = None
            await is_whole_or_dead(kernel, provider)

    await cancel_everywhere(scene, moment)


@all_moments
@pytest.mark.parametrize("slow_release", [False, True])
async def test_a_block_with_a_manager_alone(slow_release: bool, moment: Moment) -> None:
    """What the restarter started is closed; the first manager stays its owner's."""

    class Slow(FakeManager):
        async def aclose(self) -> None:
            try:
                await turns()
            finally:
                await super().aclose()

    async def scene(plan: Plan) -> None:
        made: list[Launched] = []

        async def relaunch() -> Launched:
            await turns()
            manager = (Slow if slow_release else FakeManager)("id")
            made.append(Launched(channels=MemoryChannels(), manager=manager))
            return made[-1]

        first = FakeManager("id")

        async def block() -> None:
            async with KernelRestarter(first, relaunch=relaunch, backoff=AT_ONCE) as restarter:
                first.die(CRASH)
                await until(restarter, StateChanged(KernelState.STARTING, 2))
                made[0].manager.die(CRASH)  # type: ignore[union-attr]
                await until(restarter, StateChanged(KernelState.STARTING, 3))

        await plan.run(block())
        assert not first.closed
        for launched in made:
            await comes_true(lambda launched=launched: launched.manager.closed and launched.channels.closed)
            if moment != "twice":
                assert not await launched.manager.is_alive()  # type: ignore[union-attr]

    await cancel_everywhere(scene, moment, at_least=5)
