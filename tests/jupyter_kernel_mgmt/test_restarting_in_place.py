"""Managers that start the next process themselves, in the place of the old one: see `CanRestart`."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    Backoff,
    BlockingManagerBase,
    ExitInfo,
    Kernel,
    KernelExited,
    KernelRestarted,
    KernelRestarter,
    KernelState,
    Launched,
    LaunchError,
    RestartFailed,
    StateChanged,
)
from jupyter_kernel_mgmt.testing import FakeKernel, FakeManager, FakeRun, MemoryChannels

GUARD = 20
CRASH = ExitInfo(-11)


async def behave(run: FakeRun) -> None:
    run.write(run.code)
    if run.code == "hang":
        await asyncio.Event().wait()


class InPlace(FakeManager):
    """Brings back a fake kernel of the same id, with channels of its own."""

    def __init__(self) -> None:
        super().__init__("the id")
        self.restarts = 0
        self.problem: Exception | None = None
        self.gives_channels = True
        self.on_begun: Callable[[], Awaitable[None]] | None = None

    async def begin(self) -> Launched:
        channels = MemoryChannels()
        self.kernel = FakeKernel(channels.kernel, behave)
        self.kernel.on_shutdown = lambda restart: self.die(ExitInfo(0, reason=f"restart={restart}"))
        await self.kernel.__aenter__()
        return Launched(channels=channels, manager=self)

    async def restart(self) -> Launched | None:
        await self.kill()
        self.restarts += 1
        if self.problem is not None:
            raise self.problem
        self._exited = asyncio.get_running_loop().create_future()
        launched = await self.begin()
        if self.on_begun is not None:
            await self.on_begun()
        if self.gives_channels:
            return launched
        assert launched.channels is not None
        await launched.channels.aclose(discard=True)
        return None


@pytest.fixture
async def manager() -> InPlace:
    return InPlace()


@pytest.fixture
async def kernel(manager: InPlace) -> AsyncIterator[Kernel]:
    async with asyncio.timeout(GUARD):
        async with await Kernel.from_launched(await manager.begin()) as kernel:
            yield kernel
    assert manager.closed


async def story(kernel: Kernel) -> list[StateChanged | KernelExited]:
    await kernel.aclose()
    return [event async for event in kernel.events() if isinstance(event, StateChanged | KernelExited)]


async def test_the_kernel_is_asked_to_make_room_and_its_manager_does_the_rest(
    kernel: Kernel, manager: InPlace
) -> None:
    """The manager and the client stay; who waits is told; the old process's exit too."""
    asked = manager.kernel
    assert asked is not None
    execution = kernel.execute("hang")
    await anext(execution.__aiter__())
    await kernel.restart()

    with pytest.raises(KernelRestarted) as caught:
        await execution
    assert caught.value.result is not None
    assert caught.value.result.stdout == "hang"
    assert [message.content for message in asked.requests("shutdown_request")] == [{"restart": True}]
    assert kernel.manager is manager
    assert not manager.closed
    assert (await kernel.execute("x")).stdout == "x"
    assert await story(kernel) == [
        StateChanged(KernelState.STARTING, 1),
        StateChanged(KernelState.READY, 1),
        StateChanged(KernelState.RESTARTING, 1),
        KernelExited(ExitInfo(0, reason="restart=True"), 1, expected=True),
        StateChanged(KernelState.READY, 2),
        KernelExited(ExitInfo(0, reason="restart=False"), 2, expected=True),
        StateChanged(KernelState.CLOSED, 2),
    ]


async def test_it_is_not_signalled_before_its_manager_restarts_it(
    kernel: Kernel, manager: InPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it does not heed the request: ending what is left is the manager's."""
    monkeypatch.setattr("jupyter_kernel_mgmt._ending.EXIT_TIMEOUT", 0.01)
    assert manager.kernel is not None
    manager.kernel.on_shutdown = lambda restart: None
    signals: list[list[int]] = []
    restart = manager.restart

    async def watched() -> Launched | None:
        signals.append(list(manager.signals))
        return await restart()

    manager.restart = watched  # type: ignore[method-assign]
    await kernel.restart()
    assert signals == [[]]
    assert (await kernel.execute("x")).stdout == "x"


async def test_a_kernel_that_crashed_is_not_asked(kernel: Kernel, manager: InPlace) -> None:
    """With a restarter, it comes back in place."""
    crashed = manager.kernel
    assert crashed is not None
    async with KernelRestarter(kernel, backoff=Backoff(initial=0)):
        manager.die(CRASH)
        async for event in kernel.events():
            if event == StateChanged(KernelState.READY, 2):
                break
    assert manager.restarts == 1
    assert not crashed.requests("shutdown_request")
    assert (await kernel.execute("x")).stdout == "x"


async def test_a_restart_that_fails_leaves_a_dead_kernel_that_can_be_restarted(
    kernel: Kernel, manager: InPlace
) -> None:
    manager.problem = OSError("no room")
    with pytest.raises(RestartFailed, match="no room"):
        await kernel.restart()
    assert kernel.state is KernelState.DEAD
    manager.problem = None
    await kernel.restart()
    assert (await kernel.execute("x")).stdout == "x"


async def test_a_kernel_with_channels_of_its_own_needs_new_ones(kernel: Kernel, manager: InPlace) -> None:
    manager.gives_channels = False
    with pytest.raises(RestartFailed, match="with new ones"):
        await kernel.restart()
    assert kernel.state is KernelState.DEAD


async def test_a_restart_that_fails_late_leaves_no_process(kernel: Kernel, manager: InPlace) -> None:
    """When the next one is there already, and the manager thinks better of it."""

    async def fail() -> None:
        raise OSError("it is not healthy")

    manager.on_begun = fail
    with pytest.raises(RestartFailed, match="not healthy"):
        await kernel.restart()
    assert kernel.state is KernelState.DEAD
    assert manager.restarts == 1
    assert not await manager.is_alive()


async def test_a_restart_that_is_cancelled_late_leaves_no_process(kernel: Kernel, manager: InPlace) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    manager.on_begun = hang
    restarting = asyncio.create_task(kernel.restart())
    await begun.wait()
    restarting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await restarting
    assert kernel.state is KernelState.DEAD
    assert not await manager.is_alive()


async def test_a_restart_that_takes_too_long_leaves_no_process(
    manager: InPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_kernel_mgmt._succession.LAUNCH_GRACE", 0.0)
    manager.on_begun = asyncio.Event().wait  # type: ignore[assignment]
    async with await Kernel.from_launched(await manager.begin(), startup_timeout=0.5) as kernel:
        with pytest.raises(RestartFailed, match=r"within 0\.5 s"):
            await kernel.restart()
        assert kernel.state is KernelState.DEAD
        assert not await manager.is_alive()


class Blocking(BlockingManagerBase):
    """A process that does not exist, whose manager blocks."""

    kernel_id = "the id"

    def __init__(self) -> None:
        self._ended = threading.Event()
        self.process = 1
        self.waited_for = threading.Semaphore(0)

    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def wait(self) -> ExitInfo:
        ended, process = self._ended, self.process
        self.waited_for.release()
        ended.wait()
        return ExitInfo(process)

    def signal(self, number: int) -> None:
        self._ended.set()

    def aclose(self) -> None:
        self._ended.set()


class BlockingInPlace(Blocking):
    """And that starts it again."""

    def restart(self) -> Launched | None:
        self._ended.set()
        self._ended = threading.Event()
        self.process += 1
        return Launched(channels=MemoryChannels(), manager=self) if self.process == 3 else None


async def test_a_blocking_manager_restarts_in_a_thread() -> None:
    """Who waited before hears of the old process, who waits after that of the new one."""
    blocking = BlockingInPlace()
    manager = blocking.as_async()
    assert not hasattr(Blocking().as_async(), "restart")
    async with asyncio.timeout(GUARD):
        first = asyncio.create_task(manager.wait())
        await asyncio.to_thread(blocking.waited_for.acquire)
        assert await manager.restart() is None  # type: ignore[attr-defined]
        assert (await first).returncode == 1
        second = asyncio.create_task(manager.wait())
        await asyncio.to_thread(blocking.waited_for.acquire)
        launched = await manager.restart()  # type: ignore[attr-defined]
        assert launched.manager is manager
        assert (await second).returncode == 2
        await manager.aclose()
        assert (await manager.wait()).returncode == 3


class Slow(Blocking):
    """A restart that goes on until it is let go. ``done`` is what was done, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.channels = MemoryChannels()
        self.problem: Exception | None = None
        self.done: list[str] = []
        self.closed = threading.Semaphore(0)

    def restart(self) -> Launched | None:
        self._ended.set()
        self.entered.set()
        assert self.let_go.wait(GUARD)
        self._ended = threading.Event()
        self.done.append("restart")
        if self.problem is not None:
            raise self.problem
        return Launched(channels=self.channels, manager=self)

    def kill(self) -> None:
        self.done.append("kill")
        super().kill()

    def aclose(self) -> None:
        self.done.append("aclose")
        super().aclose()
        self.closed.release()


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.let_go.set()


async def cancelled_restart(slow: Slow) -> Any:
    """Its manager; the restart goes on in its thread."""
    manager: Any = slow.as_async()
    restarting = asyncio.create_task(manager.restart())
    assert await asyncio.to_thread(slow.entered.wait, GUARD)
    restarting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await restarting
    return manager


@pytest.mark.parametrize("problem", [None, OSError("it is not healthy")])
async def test_what_a_cancelled_restart_in_a_thread_starts_is_killed(
    slow: Slow, problem: Exception | None
) -> None:
    """Whoever kills it waits for that, and so does the next restart; nobody gets the channels."""
    slow.problem = problem
    manager = await cancelled_restart(slow)
    killing, again = asyncio.create_task(manager.kill()), asyncio.create_task(manager.restart())
    while not slow.done:  # noqa: ASYNC110 - nobody could set an event
        await asyncio.sleep(0.001)
    slow.let_go.set()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([killing, again])
        assert slow.done == ["kill", "restart", "kill", "restart"]
        assert slow.channels.closed is (problem is None)
        await manager.aclose()
    assert again.exception() is problem


async def test_closing_waits_for_a_cancelled_restart(slow: Slow) -> None:
    """And ends what that has started."""
    manager = await cancelled_restart(slow)
    closing = asyncio.create_task(manager.aclose())
    for _ in range(9):
        await asyncio.sleep(0)
    slow.let_go.set()
    async with asyncio.timeout(GUARD):
        await closing
    assert slow.done == ["restart", "kill", "aclose"]
    assert not slow.is_alive()
    with pytest.raises(LaunchError, match="closed"):
        await manager.restart()


@pytest.mark.parametrize("problem", [None, OSError("it is not healthy")])
@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_restart_that_ends_after_closing_leaves_nothing(
    slow: Slow, cancelled: bool, problem: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing does not wait for ever; who waits for the restart still is told."""
    monkeypatch.setattr("jupyter_kernel_mgmt.managerbase.RESTART_TIMEOUT", 0.01)
    slow.problem = problem
    restarting = None
    if cancelled:
        manager = await cancelled_restart(slow)
    else:
        manager = slow.as_async()
        restarting = asyncio.create_task(manager.restart())
        assert await asyncio.to_thread(slow.entered.wait, GUARD)
    async with asyncio.timeout(GUARD):
        await manager.aclose()
        assert slow.done == ["aclose"]
        if restarting is not None:
            with pytest.raises(LaunchError, match="closed meanwhile"):
                await restarting
        slow.let_go.set()
        for _ in range(2):
            assert await asyncio.to_thread(slow.closed.acquire, timeout=GUARD)
        assert slow.done == ["aclose", "restart", "aclose"]
        assert not slow.is_alive()
        while problem is None and not slow.channels.closed:  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0.001)
