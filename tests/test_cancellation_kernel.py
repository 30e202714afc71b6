"""Kernels and finders, cancelled at each point where they wait: nothing is left, or it still works."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingManagerBase,
    BlockingProviderBase,
    ExitInfo,
    InterruptOutcome,
    Kernel,
    KernelDied,
    KernelFinder,
    KernelState,
    KernelTypeInfo,
    Launched,
    LaunchRequest,
    _ending,
    connect,
    discovery,
    launch,
)
from jupyter_kernel_mgmt.events import StateChanged
from jupyter_kernel_mgmt.testing import (
    FakeKernel,
    FakeManager,
    FakeProvider,
    FakeRun,
    MemoryChannels,
    Quirks,
)

from ._cancelling import (
    GUARD,
    Moment,
    Plan,
    all_moments,
    both_moments,
    cancel_everywhere,
    comes_true,
    held_by,
)

SIGKILL = int(getattr(signal, "SIGKILL", signal.SIGTERM))


async def behave(run: FakeRun) -> None:
    """Prints the code; "hang" never ends."""
    run.write(run.code)
    if run.code == "hang":
        await asyncio.Event().wait()


async def slowly(manager: FakeManager) -> None:
    """A launch that takes a few turns of the loop, of a kernel that is killed as slowly."""
    kill = manager.kill

    async def kill_slowly() -> None:
        await turns(9)
        await kill()

    manager.kill = kill_slowly
    await turns(3)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def providing(quirks: Quirks | None = None) -> AsyncIterator[tuple[FakeProvider, KernelFinder]]:
    """A provider and its finder. In the end every kernel it started is gone, and so are the channels."""
    provider = FakeProvider(behave, on_launch=slowly, quirks=quirks)
    async with KernelFinder([provider]) as finder:
        yield provider, finder
        assert are_gone(provider.managers)


def are_gone(managers: Sequence[FakeManager]) -> bool:
    """Whether all were closed, and their channels too."""
    sides: list[Any] = [manager.kernel.side for manager in managers if manager.kernel is not None]
    return all(manager.closed for manager in managers) and all(side.closed for side in sides)


async def works(kernel: Kernel) -> None:
    """It is ready, runs code, and its client waits for nothing then."""
    assert kernel.state is KernelState.READY
    async with asyncio.timeout(GUARD):
        result = await kernel.execute("code")
    assert (result.status, result.stdout) == ("ok", "code")
    await comes_true(lambda: not held_by(kernel.client))
    assert not kernel.client._handlers._entries


# Coming into being


@all_moments
async def test_launching(moment: Moment) -> None:
    """Whatever was started is ended, and the finder launches the next one."""

    async def scene(plan: Plan) -> None:
        async with providing() as (provider, finder):
            kernel = await plan.run(launch("fake/kernel", finder=finder))
            if kernel is not None:
                await works(kernel)
                await kernel.aclose()
            assert are_gone(provider.managers)
            async with launch("fake/kernel", finder=finder) as another:
                await works(another)

    await cancel_everywhere(scene, moment, at_least=5)


@all_moments
async def test_a_kernel_for_a_block(moment: Moment) -> None:
    """Cancelled while it is entered, inside or left: the kernel ends with the block."""

    async def scene(plan: Plan) -> None:
        async with providing() as (provider, finder):

            async def block() -> None:
                async with launch("fake/kernel", finder=finder) as kernel:
                    await kernel.execute("code")

            await plan.run(block())
            await plan.promise(lambda: are_gone(provider.managers))

    await cancel_everywhere(scene, moment, at_least=7)


@all_moments
async def test_launching_with_the_shared_finder(moment: Moment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder that was made for it is closed with it, also while a thread still loads a provider."""
    made: list[FakeProvider] = []

    def load() -> Callable[[], FakeProvider]:
        def make() -> FakeProvider:
            made.append(FakeProvider(behave))
            return made[-1]

        return make

    monkeypatch.setattr(discovery.finder, "installed_providers", lambda: {"fake": load})

    async def scene(plan: Plan) -> None:
        made.clear()
        kernel = await plan.run(launch("fake/kernel"))
        if kernel is not None:
            await works(kernel)
            await kernel.aclose()
        assert not discovery.shared._shared
        assert all(provider.closed for provider in made if provider.launches)
        assert are_gone([manager for provider in made for manager in provider.managers])

    await cancel_everywhere(scene, moment)


@all_moments
async def test_taking_over_what_was_launched(moment: Moment) -> None:
    """It is ended: it is ours from the call on."""

    async def scene(plan: Plan) -> None:
        async with providing() as (_, finder):
            launched = await finder.launch("fake/kernel", LaunchRequest())
            kernel = await plan.run(Kernel.from_launched(launched))
            if kernel is not None:
                await works(kernel)
                await kernel.aclose()

    await cancel_everywhere(scene, moment)


@all_moments
async def test_connecting(moment: Moment) -> None:
    """The channels are closed; the kernel and its manager stay their owner's."""

    async def scene(plan: Plan) -> None:
        manager = FakeManager("theirs")
        channels = MemoryChannels()
        async with FakeKernel(channels.kernel, behave):
            kernel = await plan.run(connect(Launched(channels=channels, manager=manager)))
            if kernel is not None:
                await works(kernel)
                await kernel.aclose()
            assert channels.closed
            assert await manager.is_alive()
            assert not manager.closed

    await cancel_everywhere(scene, moment)


class Threaded(BlockingManagerBase):
    """A kernel that threads look after."""

    def __init__(self, manager: FakeManager, loop: asyncio.AbstractEventLoop) -> None:
        self.kernel_id = manager.kernel_id
        self._manager = manager
        self._loop = loop

    def is_alive(self) -> bool:
        return self._call(self._manager.is_alive())

    def wait(self) -> ExitInfo:
        return self._call(self._manager.wait())

    def signal(self, number: int) -> None:
        self._call(self._manager.signal(number))

    def aclose(self) -> None:
        self._call(self._manager.aclose())

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(GUARD)


class BlockingProvider(BlockingProviderBase):
    """Launches fake kernels in threads."""

    id = "blocking"

    def __init__(self) -> None:
        self.fake = FakeProvider(behave)
        self._loop = asyncio.get_running_loop()

    def find_kernels(self) -> Iterable[tuple[str, KernelTypeInfo]]:
        return self.fake.find_kernels()

    def launch(self, name: str, request: LaunchRequest) -> Launched:
        future = asyncio.run_coroutine_threadsafe(self.fake.launch(name, request), self._loop)
        launched = future.result(GUARD)
        assert isinstance(launched.manager, FakeManager)
        return Launched(channels=launched.channels, manager=Threaded(launched.manager, self._loop))


@both_moments
async def test_launching_in_a_thread(moment: Moment) -> None:
    """The thread cannot be cancelled: what it brings too late is closed."""

    async def scene(plan: Plan) -> None:
        provider = BlockingProvider()
        async with KernelFinder([provider]) as finder:
            kernel = await plan.run(launch("blocking/kernel", finder=finder))
            if kernel is not None:
                await works(kernel)
                await kernel.aclose()
            await comes_true(lambda: all(manager.closed for manager in provider.fake.managers))
            await comes_true(lambda: all(kernel.side.closed for kernel in provider.fake.kernels))

    await cancel_everywhere(scene, moment)


# Its life


@asynccontextmanager
async def launched(quirks: Quirks | None = None) -> AsyncIterator[tuple[Kernel, FakeProvider]]:
    async with providing(quirks) as (provider, finder), launch("fake/kernel", finder=finder) as kernel:
        yield kernel, provider


@all_moments
@pytest.mark.parametrize(("quirks", "code"), [(None, "hang"), (Quirks(ignores_shutdown=True), "code")])
async def test_restarting(
    quirks: Quirks | None, code: str, moment: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead and without a process, unless the next one was ready just then; and it can be restarted."""
    impatient(monkeypatch)

    async def scene(plan: Plan) -> None:
        async with launched(quirks) as (kernel, provider):
            execution = kernel.execute(code)
            await anext(execution.__aiter__())
            await plan.run(kernel.restart())
            if "Kernel._restart" in plan.where and moment == "arriving":
                assert kernel.state is KernelState.DEAD
            if kernel.state is KernelState.DEAD and moment != "twice":  # then some of it may be under way
                assert not any([await manager.is_alive() for manager in provider.managers])
                with pytest.raises(KernelDied):
                    await kernel.execute("code")
                assert kernel.client._line.channels is None
            async with asyncio.timeout(GUARD):
                await kernel.restart()
            await works(kernel)
            if code == "hang":
                with pytest.raises(KernelDied):
                    await execution
            assert are_gone(provider.managers[:-1])

    await cancel_everywhere(scene, moment, at_least=10)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that do not end have moments instead of seconds until the next step."""
    for name in ("REPLY_TIMEOUT", "EXIT_TIMEOUT", "TERMINATE_TIMEOUT", "KILL_TIMEOUT"):
        monkeypatch.setattr(_ending, name, 0.02)


@all_moments
@pytest.mark.parametrize("quirks", [None, Quirks(ignores_shutdown=True)])
async def test_shutting_down(quirks: Quirks | None, moment: Moment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is killed; those who wait are told, and a restart works."""
    impatient(monkeypatch)

    async def scene(plan: Plan) -> None:
        async with launched(quirks) as (kernel, provider):
            execution, exit = kernel.execute("hang"), asyncio.create_task(kernel.wait())
            await anext(execution.__aiter__())
            await plan.run(kernel.shutdown())
            await plan.promise(lambda: kernel.state is KernelState.DEAD)
            assert not await provider.managers[0].is_alive()
            assert isinstance(await exit, ExitInfo)
            with pytest.raises(KernelDied):
                await execution
            await kernel.restart()
            await works(kernel)

    await cancel_everywhere(scene, moment, at_least=3)


@all_moments
@pytest.mark.parametrize("quirks", [None, Quirks(ignores_shutdown=True)])
@pytest.mark.parametrize("owned", [True, False])
async def test_closing(
    owned: bool, quirks: Quirks | None, moment: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed all the same: killed where it was ours, else left alone."""
    impatient(monkeypatch)

    async def scene(plan: Plan) -> None:
        async with providing(quirks) as (provider, finder):
            made = await finder.launch("fake/kernel", LaunchRequest())
            kernel = await (Kernel.from_launched(made) if owned else connect(made))
            other = asyncio.create_task(kernel.wait())
            await plan.run(kernel.aclose())
            await plan.promise(lambda: kernel.state is KernelState.CLOSED)
            await plan.promise(lambda: kernel.client._line.channels is None)
            (manager,) = provider.managers
            await plan.promise(lambda: manager.closed is owned)
            assert await manager.is_alive() is not owned
            await kernel.aclose()
            if not owned:
                await manager.aclose()
            assert isinstance(await other, ExitInfo)

    await cancel_everywhere(scene, moment)


@both_moments
async def test_interrupting(moment: Moment) -> None:
    """The kernel works on, however far the interrupt got."""

    async def scene(plan: Plan) -> None:
        async with launched() as (kernel, _):
            execution = kernel.execute("hang")
            await anext(execution.__aiter__())
            outcome = await plan.run(kernel.interrupt())
            assert plan.cancelled or outcome is InterruptOutcome.IDLE
            await execution.interrupt()
            assert (await execution).status == "interrupted"
            await works(kernel)

    await cancel_everywhere(scene, moment)


@both_moments
async def test_waiting_for_the_end(moment: Moment) -> None:
    """Others still learn of it."""

    async def scene(plan: Plan) -> None:
        async with launched() as (kernel, provider):
            other = asyncio.create_task(kernel.wait())
            asyncio.get_running_loop().call_later(0.001, provider.managers[0].die)
            await plan.run(kernel.wait())
            assert (await other).returncode == 0

    await cancel_everywhere(scene, moment)


@both_moments
async def test_reading_events(moment: Moment) -> None:
    """Other readers, and those who begin anew, get all of them."""

    async def scene(plan: Plan) -> None:
        async with launched() as (kernel, _):

            async def states() -> list[KernelState]:
                return [event.state async for event in kernel.events() if isinstance(event, StateChanged)]

            other = asyncio.create_task(states())
            asyncio.get_running_loop().call_later(0.001, asyncio.create_task, kernel.aclose())
            await plan.run(states())
            expected = [KernelState.STARTING, KernelState.READY, KernelState.CLOSED]
            assert await other == await states() == expected

    await cancel_everywhere(scene, moment)
