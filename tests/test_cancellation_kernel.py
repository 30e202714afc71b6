"""Kernels and finders, cancelled at each point where they wait: nothing is left, or it still works."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingManagerBase,
    BlockingProviderBase,
    ExitInfo,
    InterruptOutcome,
    Kernel,
    KernelClient,
    KernelDied,
    KernelFinder,
    KernelProviderBase,
    KernelState,
    KernelTypeInfo,
    Launched,
    LaunchRequest,
    NoSuchKernel,
    _ending,
    connect,
    discovery,
    find_kernels,
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
    check_manager,
    check_provider,
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
    """A launch that takes a few turns of the loop."""
    for _ in range(3):
        await asyncio.sleep(0)


@asynccontextmanager
async def providing(quirks: Quirks | None = None) -> AsyncIterator[tuple[FakeProvider, KernelFinder]]:
    """A provider and its finder. In the end every kernel it started is gone, and so are the channels."""
    provider = FakeProvider(behave, on_launch=slowly, quirks=quirks)
    async with KernelFinder([provider]) as finder:
        yield provider, finder
        assert_gone(provider.managers)


def assert_gone(managers: Iterable[FakeManager]) -> None:
    for manager in managers:
        assert manager.closed
        assert manager.kernel is not None
        side: Any = manager.kernel.side
        assert side.closed


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
            assert_gone(provider.managers)
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
            await plan.promise(lambda: all(manager.closed for manager in provider.managers))
            assert_gone(provider.managers)

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

    monkeypatch.setattr(discovery, "installed_providers", lambda: {"fake": load})

    async def scene(plan: Plan) -> None:
        made.clear()
        kernel = await plan.run(launch("fake/kernel"))
        if kernel is not None:
            await works(kernel)
            await kernel.aclose()
        assert not discovery._shared
        assert all(provider.closed for provider in made if provider.launches)
        assert_gone(manager for provider in made for manager in provider.managers)

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
@pytest.mark.parametrize("code", ["code", "hang"])
@pytest.mark.parametrize("quirks", [None, Quirks(ignores_shutdown=True)])
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
            if "Kernel._restart" in plan.where and moment != "leaving":
                assert kernel.state is KernelState.DEAD
            if kernel.state is KernelState.DEAD:
                assert not any([await manager.is_alive() for manager in provider.managers])
                with pytest.raises(KernelDied):
                    await kernel.execute("code")
                assert kernel.client._channels is None
            await kernel.restart()
            await works(kernel)
            if code == "hang":
                with pytest.raises(KernelDied):
                    await execution
            assert_gone(provider.managers[:-1])

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
            await plan.promise(lambda: kernel.client._channels is None)
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


# Finding


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
        provider = FakeProvider(behave)
        await plan.run(check_provider(provider))
        await comes_true(lambda: all(manager.closed for manager in provider.managers))

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
