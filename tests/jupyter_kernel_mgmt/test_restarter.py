"""Kernels and managers that are looked after, over fakes that die when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    Backoff,
    BlockingManagerBase,
    ExitInfo,
    Kernel,
    KernelDied,
    KernelEvent,
    KernelExited,
    KernelFinder,
    KernelRestarted,
    KernelRestarter,
    KernelState,
    KernelUnresponsive,
    Launched,
    LaunchError,
    LaunchRequest,
    NotOwned,
    ProcessState,
    Responsive,
    RestartFailed,
    RestartGaveUp,
    RestartScheduled,
    StateChanged,
    Unresponsive,
    Unsupported,
    connect,
    launch,
)
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider, FakeRun, MemoryChannels, Quirks
from jupyter_protocol import messages

GUARD = 20
AT_ONCE = Backoff(initial=0)
NEVER = Backoff(initial=10_000, maximum=10_000)
"""For restarts that are to be called off."""

CRASH = ExitInfo(-11, output_tail="last words")


async def behave(run: FakeRun) -> None:
    """Prints the code; "hang" never ends."""
    run.write(run.code)
    if run.code == "hang":
        await asyncio.Event().wait()


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(behave)


Open = Callable[..., Awaitable[Kernel]]


@pytest.fixture
async def opened(provider: FakeProvider) -> AsyncIterator[Open]:
    """Launches kernels; they are closed after the test, and then nothing of them or of restarters is left."""
    before = asyncio.all_tasks()
    kernels: list[Kernel] = []
    async with KernelFinder([provider]) as finder:

        async def make(**options: Any) -> Kernel:
            kernel = await launch("fake/kernel", finder=finder, **options)
            kernels.append(kernel)
            return kernel

        yield make
        async with asyncio.timeout(GUARD):
            for kernel in kernels:
                await kernel.aclose()
    assert all([manager.closed and not await manager.is_alive() for manager in provider.managers])
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


Source = Kernel | KernelRestarter


async def until(source: Source, wanted: KernelEvent | type[KernelEvent]) -> list[KernelEvent]:
    """The events up to one of them, or one of that type, as an application would wait for it."""
    seen = []
    async with asyncio.timeout(GUARD):
        async for event in source.events():
            seen.append(event)
            if event == wanted or (isinstance(wanted, type) and isinstance(event, wanted)):
                return seen
    raise AssertionError(f"{wanted} never came; there were {seen}")


def ready(generation: int) -> StateChanged:
    return StateChanged(KernelState.READY, generation)


def dead(generation: int) -> StateChanged:
    return StateChanged(KernelState.DEAD, generation)


async def story(source: Source, *wanted: type) -> list[KernelEvent]:
    """Of the events of something that was closed, those of some types."""
    return [event async for event in source.events() if isinstance(event, wanted)]


async def idle(kernel: Kernel) -> None:
    """Whatever might still happen in answer to what happened has happened."""
    for _ in range(50):
        await asyncio.sleep(0)
    await kernel.client.settle()


# A kernel that crashes


async def test_a_kernel_that_crashes_is_restarted_and_all_of_it_is_told(
    opened: Open, provider: FakeProvider
) -> None:
    """The same kernel_id, client and request; in the one stream, in order."""
    kernel = await opened(env={"A": "b"}, cwd="/tmp")
    client, kernel_id = kernel.client, kernel.kernel_id
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        provider.managers[0].die(CRASH)
        await until(kernel, ready(2))
        assert (await kernel.execute("x")).stdout == "x"
    assert not kernel.client._handlers._entries
    await kernel.aclose()

    first, second = provider.launches
    assert (kernel.client, provider.managers[1].kernel_id) == (client, kernel_id)
    assert (first.kernel_id, first.env, first.cwd) == (second.kernel_id, second.env, second.cwd)
    assert second.previous is not None
    told = await story(kernel, StateChanged, KernelExited, RestartScheduled, RestartGaveUp)
    assert told == [
        StateChanged(KernelState.STARTING, 1),
        ready(1),
        KernelExited(CRASH, 1, expected=False),
        dead(1),
        RestartScheduled(1, 1, 0),
        StateChanged(KernelState.RESTARTING, 1),
        ready(2),
        KernelExited(ExitInfo(0), 2, expected=True),
        StateChanged(KernelState.CLOSED, 2),
    ]


async def test_who_waits_is_told_of_the_death_and_not_of_the_restart(
    opened: Open, provider: FakeProvider
) -> None:
    """At once: before any restart begins."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=NEVER):
        execution = kernel.execute("hang")
        await anext(execution.__aiter__())
        provider.managers[0].die(CRASH)
        async with asyncio.timeout(GUARD):
            with pytest.raises(KernelDied) as caught:
                await execution
        assert type(caught.value) is KernelDied
        assert caught.value.exit_info == CRASH
        await until(kernel, RestartScheduled)
        with pytest.raises(KernelDied):
            kernel.execute("x")


async def test_a_kernel_that_dies_again_and_again_comes_back_up_to_the_limit(
    opened: Open, provider: FakeProvider
) -> None:
    """Then it is left dead; it can still be restarted by hand, and is looked after again from there."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE, restart_limit=3):
        for generation in (1, 2, 3, 4):
            await until(kernel, ready(generation))
            provider.managers[-1].die(CRASH)
        gave_up = (await until(kernel, RestartGaveUp))[-1]
        assert gave_up == RestartGaveUp(4, 3, "3 restarts did not help")
        assert kernel.state is KernelState.DEAD
        await kernel.restart()
        provider.managers[-1].die(CRASH)
        await until(kernel, RestartScheduled(5, 1, 0))
        await until(kernel, ready(6))
        assert (await kernel.execute("x")).stdout == "x"
    assert len(provider.managers) == 6


async def test_the_count_begins_anew_after_a_window_of_being_well(
    opened: Open, provider: FakeProvider
) -> None:
    """By the loop's clock, which moves a little between events."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE, restart_limit=1, window=1e-9):
        for generation in range(1, 6):
            await until(kernel, ready(generation))
            assert (await kernel.execute("x")).stdout == "x"
            provider.managers[-1].die(CRASH)
        await until(kernel, RestartScheduled(5, 1, 0))
        await until(kernel, ready(6))


async def test_a_kernel_that_dies_while_it_starts_costs_an_attempt(
    opened: Open, provider: FakeProvider
) -> None:
    """And so does one that cannot be started, or has no process at all; the next attempt waits longer."""
    kernel = await opened()
    ways = iter(["dies", "fails", "dies", "works"])

    async def trouble(manager: FakeManager) -> None:
        match next(ways):
            case "dies":
                manager.die(CRASH)
            case "fails":
                raise LaunchError("no room")

    provider.on_launch = trouble
    backoff = Backoff(initial=0.001, factor=2, jitter=0)
    async with KernelRestarter(kernel, backoff=backoff):
        provider.managers[0].die(CRASH)
        seen = await until(kernel, RestartScheduled(3, 4, 0.008))
        await until(kernel, ready(4))
        assert (await kernel.execute("x")).stdout == "x"
    assert [event for event in seen if isinstance(event, RestartScheduled)] == [
        RestartScheduled(1, 1, 0.001),
        RestartScheduled(2, 2, 0.002),
        RestartScheduled(2, 3, 0.004),
        RestartScheduled(3, 4, 0.008),
    ]


async def test_a_kernel_that_never_starts_again_is_given_up(opened: Open, provider: FakeProvider) -> None:
    """A crash loop ends, and leaves no process."""
    kernel = await opened()

    async def die(manager: FakeManager) -> None:
        manager.die(CRASH)

    provider.on_launch = die
    async with KernelRestarter(kernel, backoff=AT_ONCE, restart_limit=4):
        provider.managers[0].die(CRASH)
        assert (await until(kernel, RestartGaveUp))[-1] == RestartGaveUp(5, 4, "4 restarts did not help")
        await idle(kernel)
        assert kernel.state is KernelState.DEAD
        assert len(provider.managers) == 5
        assert not any([await manager.is_alive() for manager in provider.managers])


async def test_a_kernel_that_is_not_ready_in_time_costs_an_attempt(
    opened: Open, provider: FakeProvider
) -> None:
    """It is ended on purpose, and yet it is not what anybody wanted."""
    kernel = await opened(startup_timeout=0.1)
    provider.quirks = Quirks(silent=True)
    async with KernelRestarter(kernel, backoff=AT_ONCE, restart_limit=2):
        provider.managers[0].die(CRASH)
        assert (await until(kernel, RestartGaveUp))[-1] == RestartGaveUp(3, 2, "2 restarts did not help")
    assert not any([await manager.is_alive() for manager in provider.managers])


async def test_a_restart_is_for_the_generation_that_was_seen(opened: Open, provider: FakeProvider) -> None:
    """Not for a later one that broke since: that has a decision of its own to come."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=NEVER) as restarter:
        await kernel.restart()
        provider.managers[1].die(CRASH)
        assert (await until(kernel, RestartScheduled))[-1] == restarter._policy.plan
        await restarter._subject.restart(1)
        assert kernel.state is KernelState.DEAD
        await restarter._subject.restart(2)
        assert kernel.state is KernelState.READY


async def test_a_restart_that_has_to_wait_for_its_turn_is_decided_on_once(
    opened: Open, provider: FakeProvider
) -> None:
    """Whatever else happens to the kernel meanwhile."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE) as restarter:
        async with kernel._lock:
            provider.managers[0].die(CRASH)
            await until(kernel, RestartScheduled)
            await idle(kernel)
            assert "restarting generation 1" in repr(restarter)
            kernel._events.emit(Responsive(1))
            await idle(kernel)
        seen = await until(kernel, ready(2))
    assert [type(event) for event in seen].count(RestartScheduled) == 1


async def test_one_that_died_before_is_restarted_too(opened: Open, provider: FakeProvider) -> None:
    """The restarter may come late."""
    kernel = await opened()
    provider.managers[0].die(CRASH)
    await until(kernel, dead(1))
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        await until(kernel, ready(2))


async def test_two_restarters_restart_once(opened: Open, provider: FakeProvider) -> None:
    """Each acts on the generation that it saw die, and no other."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE), KernelRestarter(kernel, backoff=AT_ONCE):
        provider.managers[0].die(CRASH)
        await until(kernel, ready(2))
        await idle(kernel)
    assert len(provider.managers) == 2


# What was meant


async def test_a_kernel_that_was_shut_down_is_not_revived(opened: Open, provider: FakeProvider) -> None:
    """While it ran, while it was dead already, or before the restarter came."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        await kernel.shutdown()
        await idle(kernel)
        await kernel.restart()
        await kernel.shutdown()
        await idle(kernel)
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        await idle(kernel)
    assert kernel.state is KernelState.DEAD
    assert len(provider.managers) == 2
    await kernel.aclose()
    assert await story(kernel, RestartScheduled, RestartGaveUp) == []


async def test_a_shutdown_during_the_backoff_calls_the_restart_off(
    opened: Open, provider: FakeProvider
) -> None:
    """At the latest when it was due, and that is told."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=Backoff(initial=0.01, jitter=0)):
        provider.managers[0].die(CRASH)
        await until(kernel, RestartScheduled)
        assert await kernel.shutdown() == CRASH
        assert (await until(kernel, RestartGaveUp))[-1] == RestartGaveUp(1, 0, "it was shut down")
    assert kernel.state is KernelState.DEAD
    assert len(provider.managers) == 1


@pytest.mark.parametrize("restart", [False, True])
async def test_a_shutdown_by_another_client_is_meant_unless_it_asks_for_a_restart(
    opened: Open, provider: FakeProvider, restart: bool
) -> None:
    """All clients hear of it by the reply on iopub, before the kernel ends."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        reply = messages.shutdown_reply(restart=restart)
        provider.kernels[0].side.send("iopub", reply)  # type: ignore[attr-defined]
        provider.managers[0].die(ExitInfo(0))
        await until(kernel, dead(1))
        if restart:
            await until(kernel, ready(2))
        await idle(kernel)
    assert len(provider.managers) == 1 + restart


async def test_a_kernel_that_is_closed_ends_its_restarter(opened: Open, provider: FakeProvider) -> None:
    """In whatever order the two are closed, and while a restart is due or under way."""
    for backoff in (AT_ONCE, NEVER):
        kernel = await opened()
        before = len(provider.managers)
        async with KernelRestarter(kernel, backoff=backoff) as restarter:
            provider.managers[-1].die(CRASH)
            if backoff is NEVER:
                await until(kernel, RestartScheduled)
            else:
                launching = asyncio.Event()

                async def hang(manager: FakeManager, launching: asyncio.Event = launching) -> None:
                    launching.set()
                    await asyncio.Event().wait()

                provider.on_launch = hang
                async with asyncio.timeout(GUARD):
                    await launching.wait()
            async with asyncio.timeout(GUARD):
                await kernel.aclose()
                assert restarter._task is not None
                await asyncio.wait([restarter._task])
            assert restarter._task.exception() is None
        assert len(provider.managers) == before + (backoff is AT_ONCE)
        provider.on_launch = None


async def test_a_restart_by_somebody_else_is_left_to_them(opened: Open, provider: FakeProvider) -> None:
    """During the back-off, and also when ours was about to begin behind theirs."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=NEVER) as restarter:
        provider.managers[0].die(CRASH)
        await until(kernel, RestartScheduled)
        await kernel.restart()
        await idle(kernel)
        assert restarter._policy.plan is None
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        provider.managers[1].die(CRASH)
        await until(kernel, dead(2))
        await kernel.restart()
        await until(kernel, ready(3))
        await idle(kernel)
        assert (await kernel.execute("x")).stdout == "x"
    assert len(provider.managers) == 3


@pytest.mark.parametrize("turns", range(24))
async def test_however_they_interleave_one_crash_makes_one_process_more(
    opened: Open, provider: FakeProvider, turns: int
) -> None:
    """Somebody restarts a dead kernel at any moment of our restart: a whole kernel comes of it, and one only.

    Theirs is a whole restart even where ours came first, as between any two who call it; ours is none
    where theirs came first.
    """
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE) as restarter:
        provider.managers[0].die(CRASH)
        await until(kernel, dead(1))
        for _ in range(turns):
            await asyncio.sleep(0)
        ours_came_first = restarter._restarting is not None or kernel.state is KernelState.READY
        await kernel.restart()
        await idle(kernel)
        assert (await kernel.execute("x")).stdout == "x"
    alive = [manager for manager in provider.managers if await manager.is_alive()]
    assert alive == [kernel.manager]
    assert len(provider.managers) == 2 + ours_came_first


async def test_a_crash_during_a_restart_by_somebody_else_is_a_crash(
    opened: Open, provider: FakeProvider
) -> None:
    """They get `RestartFailed`, and the kernel comes back."""
    kernel = await opened()

    async def die_once(manager: FakeManager) -> None:
        provider.on_launch = None
        manager.die(CRASH)

    provider.on_launch = die_once
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        with pytest.raises(RestartFailed):
            await kernel.restart()
        await until(kernel, ready(3))
        assert (await kernel.execute("x")).stdout == "x"


async def test_a_restart_that_somebody_gave_up_is_not_ours_to_finish(
    opened: Open, provider: FakeProvider
) -> None:
    """They were told, or told us: the kernel stays dead."""
    kernel = await opened()

    async def fail(manager: FakeManager) -> None:
        raise LaunchError("no room")

    provider.on_launch = fail
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        with pytest.raises(RestartFailed):
            await kernel.restart()
        await idle(kernel)
        assert kernel.state is KernelState.DEAD
    assert len(provider.launches) == 2


async def test_a_shutdown_during_our_restart_comes_after_it(opened: Open, provider: FakeProvider) -> None:
    """Start, stop and restart are serialised; what was asked for last is what remains."""
    kernel = await opened()
    launching, go_on = asyncio.Event(), asyncio.Event()

    async def slow(manager: FakeManager) -> None:
        launching.set()
        await go_on.wait()

    provider.on_launch = slow
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        provider.managers[0].die(CRASH)
        async with asyncio.timeout(GUARD):
            await launching.wait()
        ending = asyncio.create_task(kernel.shutdown())
        await asyncio.sleep(0)
        go_on.set()
        assert await ending == ExitInfo(0)
        await idle(kernel)
        assert kernel.state is KernelState.DEAD
    assert len(provider.managers) == 2


# A kernel that is silent


async def test_an_unresponsive_kernel_is_killed_and_restarted_if_asked_for(
    opened: Open, provider: FakeProvider
) -> None:
    """Without being asked to end; who waits gets one of the two errors, whichever comes first."""
    kernel = await opened(unresponsive_after=0.05)
    async with KernelRestarter(kernel, backoff=AT_ONCE, restart_unresponsive=True):
        waiting = asyncio.create_task(kernel.complete("x"))
        provider.kernels[0].stop()
        provider.managers[0].process = ProcessState(stopped=True, cpu_time=0)
        seen = await until(kernel, ready(2))
        with pytest.raises((KernelUnresponsive, KernelRestarted)):
            await waiting
        assert (await kernel.execute("x")).stdout == "x"
    assert [type(event) for event in seen if isinstance(event, Unresponsive | RestartScheduled)] == [
        Unresponsive,
        RestartScheduled,
    ]
    assert provider.managers[0].signals == [9]
    assert provider.kernels[0].requests("shutdown_request") == []


async def test_an_unresponsive_kernel_is_left_alone_otherwise(opened: Open, provider: FakeProvider) -> None:
    """It may come back."""
    kernel = await opened(unresponsive_after=0.05)
    async with KernelRestarter(kernel, backoff=AT_ONCE):
        provider.managers[0].process = ProcessState(stopped=True, cpu_time=0)
        await until(kernel, Unresponsive)
        await idle(kernel)
    assert kernel.state is KernelState.READY
    assert len(provider.managers) == 1


async def test_an_unresponsive_kernel_that_comes_back_in_time_is_spared(
    opened: Open, provider: FakeProvider
) -> None:
    """The restart is called off."""
    kernel = await opened(unresponsive_after=0.05)
    async with KernelRestarter(kernel, backoff=NEVER, restart_unresponsive=True) as restarter:
        provider.managers[0].process = ProcessState(stopped=True, cpu_time=0)
        await until(kernel, RestartScheduled)
        provider.managers[0].process = ProcessState(stopped=False, cpu_time=1, running=True)
        await until(kernel, Responsive)
        await idle(kernel)
        assert restarter._policy.plan is None
    assert (await kernel.execute("x")).stdout == "x"
    assert len(provider.managers) == 1


# Closing


async def test_closing_calls_off_what_was_planned_and_tells(opened: Open, provider: FakeProvider) -> None:
    """Twice is fine, and several at once."""
    kernel = await opened()
    restarter = KernelRestarter(kernel, backoff=NEVER)
    assert "not entered" in repr(restarter)
    async with restarter:
        assert repr(restarter) == "<KernelRestarter generation 1 well>"
        provider.managers[0].die(CRASH)
        await until(kernel, RestartScheduled)
        await asyncio.gather(restarter.aclose(), restarter.aclose())
    await until(kernel, RestartGaveUp(1, 0, "the restarter was closed"))
    assert "closed" in repr(restarter)
    assert kernel.state is KernelState.DEAD
    with pytest.raises(RuntimeError, match="once"):
        await restarter.__aenter__()


@pytest.mark.parametrize("turns", range(0, 80, 4))
async def test_closing_at_any_moment_leaves_a_dead_kernel_or_a_whole_one(
    opened: Open, provider: FakeProvider, turns: int
) -> None:
    """And never a process or task that nobody knows of; what was cut short is told."""
    kernel = await opened()
    async with KernelRestarter(kernel, backoff=AT_ONCE) as restarter:
        provider.managers[0].die(CRASH)
        for _ in range(turns):
            await asyncio.sleep(0)
        closing = asyncio.create_task(restarter.aclose())
        if turns % 8:
            await asyncio.sleep(0)
            closing.cancel()
        async with asyncio.timeout(GUARD):
            await asyncio.wait([closing])
    await idle(kernel)
    planned = any(isinstance(event, RestartScheduled) for _, event in kernel._events._kept)
    whole = kernel.state is KernelState.READY
    alive = [manager for manager in provider.managers if await manager.is_alive()]
    assert alive == ([kernel.manager] if whole else [])
    assert whole or kernel.state is KernelState.DEAD
    await kernel.restart()
    assert (await kernel.execute("x")).stdout == "x"
    await kernel.aclose()
    told = await story(kernel, RestartScheduled, RestartGaveUp)
    assert len(told) == (0 if not planned else 1 if whole else 2)


# What cannot be


async def test_what_cannot_be_restarted_is_refused_on_entering(opened: Open, provider: FakeProvider) -> None:
    """By name, and nothing is left behind."""
    made = await provider.launch("kernel", LaunchRequest())
    async with await Kernel.from_launched(made) as kernel:
        with pytest.raises(Unsupported, match="relaunch"):
            async with KernelRestarter(kernel):
                pass
        async with connect(await provider.launch("kernel", LaunchRequest())) as foreign:
            with pytest.raises(NotOwned):
                await KernelRestarter(foreign).__aenter__()
    await provider.managers[-1].aclose()
    with pytest.raises(Unsupported, match="unresponsive_after"):
        await KernelRestarter(await opened(), restart_unresponsive=True).__aenter__()
    with pytest.raises(Unsupported, match="restart"):
        await KernelRestarter(FakeManager("id")).__aenter__()
    with pytest.raises(Unsupported, match="restart_unresponsive"):
        KernelRestarter(FakeManager("id"), restart_unresponsive=True)


async def test_options_that_make_no_sense_are_refused(opened: Open) -> None:
    """When it is made."""

    async def relaunch() -> Launched:
        raise AssertionError

    kernel = await opened()
    with pytest.raises(TypeError, match="relaunch"):
        KernelRestarter(kernel, relaunch=relaunch)
    with pytest.raises(ValueError, match="restart_limit"):
        KernelRestarter(kernel, restart_limit=-1)
    with pytest.raises(ValueError, match="window"):
        KernelRestarter(kernel, window=0)


# A manager alone


@dataclass
class Factory:
    """A relaunch callable; ``managers`` are those of the kernels it started, in order."""

    managers: list[FakeManager] = field(default_factory=list)
    channels: list[MemoryChannels] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)

    async def __call__(self) -> Launched:
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble.pop()
        self.managers.append(FakeManager("id"))
        self.channels.append(MemoryChannels())
        return Launched(channels=self.channels[-1], manager=self.managers[-1])


@asynccontextmanager
async def first_manager(kind: type[FakeManager] = FakeManager) -> AsyncIterator[FakeManager]:
    before = asyncio.all_tasks()
    manager = kind("id")
    yield manager
    await manager.aclose()
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


def running(generation: int) -> StateChanged:
    return StateChanged(KernelState.STARTING, generation)


async def test_a_manager_alone_gets_another_kernel_in_its_place() -> None:
    """From ``relaunch``, told in a stream of the restarter's own; the ones it started end with it."""
    relaunch = Factory()
    async with first_manager() as manager:
        async with KernelRestarter(manager, relaunch=relaunch, backoff=AT_ONCE) as restarter:
            assert restarter.launched is None
            manager.die(CRASH)
            await until(restarter, running(2))
            assert restarter.launched is not None
            assert restarter.launched.manager is relaunch.managers[0]
            relaunch.managers[0].die(CRASH)
            await until(restarter, running(3))
            assert await relaunch.managers[1].is_alive()
        assert [m.closed for m in (manager, *relaunch.managers)] == [False, True, True]
        assert [channels.closed for channels in relaunch.channels] == [True, True]
    assert [event async for event in restarter.events()] == [
        running(1),
        KernelExited(CRASH, 1, expected=False),
        dead(1),
        RestartScheduled(1, 1, 0),
        StateChanged(KernelState.RESTARTING, 1),
        running(2),
        KernelExited(CRASH, 2, expected=False),
        dead(2),
        RestartScheduled(2, 2, 0),
        StateChanged(KernelState.RESTARTING, 2),
        running(3),
        StateChanged(KernelState.CLOSED, 3),
    ]


async def test_a_manager_alone_whose_kernel_does_not_come_back_is_given_up() -> None:
    """What raises costs an attempt, as does what starts and ends, or has no manager."""
    relaunch = Factory(trouble=[OSError("no room"), LaunchError("no licence")])
    async with first_manager() as manager:
        async with KernelRestarter(manager, relaunch=relaunch, backoff=AT_ONCE, restart_limit=3) as restarter:
            manager.die(CRASH)
            await until(restarter, running(2))
            relaunch.managers[0].die(CRASH)
            assert (await until(restarter, RestartGaveUp))[-1] == RestartGaveUp(
                2, 3, "3 restarts did not help"
            )
        assert len(relaunch.managers) == 1

    async def nobody() -> Launched:
        return Launched(channels=MemoryChannels(), manager=None)

    async with (
        first_manager() as manager,
        KernelRestarter(manager, relaunch=nobody, backoff=AT_ONCE, restart_limit=2) as restarter,
    ):
        manager.die(CRASH)
        await until(restarter, RestartGaveUp)


class Restartable(FakeManager):
    """Brings its process back by itself."""

    restarts = 0

    async def restart(self) -> None:
        self.restarts += 1
        self._exited = asyncio.get_running_loop().create_future()


async def test_a_manager_that_can_restart_is_asked_to() -> None:
    """Again and again; its process stays its owner's."""
    async with first_manager(Restartable) as manager:
        async with KernelRestarter(manager, backoff=AT_ONCE) as restarter:
            manager.die(CRASH)
            await until(restarter, running(2))
            manager.die(CRASH)
            await until(restarter, running(3))
        assert manager.restarts == 2  # type: ignore[attr-defined]
        assert await manager.is_alive()
        assert not manager.closed


async def test_a_blocking_manager_is_looked_after_in_threads() -> None:
    """Like any other."""

    class Blocking(BlockingManagerBase):
        kernel_id = "id"

        def wait(self) -> ExitInfo:
            return CRASH

    relaunch = Factory()
    async with KernelRestarter(Blocking(), relaunch=relaunch, backoff=AT_ONCE) as restarter:
        await until(restarter, running(2))
    assert relaunch.managers[0].closed


async def test_a_manager_that_cannot_be_watched_is_logged_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody knows whether its kernel is there."""

    class Broken(FakeManager):
        async def wait(self) -> ExitInfo:
            raise OSError("the cluster went away")

    relaunch = Factory()
    async with (
        first_manager(Broken) as manager,
        KernelRestarter(manager, relaunch=relaunch, backoff=AT_ONCE) as restarter,
    ):
        assert restarter._task is not None
        async with asyncio.timeout(GUARD):
            await asyncio.wait([restarter._task])
    assert "the cluster went away" in caplog.text
    assert relaunch.managers == []


async def test_what_cannot_be_released_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """And does not keep the restarter from closing."""

    class Stuck(FakeManager):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("the directory is busy")

    async def relaunch() -> Launched:
        return Launched(channels=MemoryChannels(), manager=Stuck("id"))

    async with (
        first_manager() as manager,
        KernelRestarter(manager, relaunch=relaunch, backoff=AT_ONCE) as restarter,
    ):
        manager.die(CRASH)
        await until(restarter, running(2))
    assert "the directory is busy" in caplog.text


@pytest.mark.parametrize("turns", range(24))
async def test_closing_a_managers_restarter_at_any_moment_leaves_nothing_it_started(turns: int) -> None:
    """Neither process nor channels nor task."""
    relaunch = Factory()
    async with first_manager() as manager:
        async with KernelRestarter(manager, relaunch=relaunch, backoff=AT_ONCE) as restarter:
            manager.die(CRASH)
            for _ in range(turns):
                await asyncio.sleep(0)
            closing = asyncio.create_task(restarter.aclose())
            if turns % 2:
                await asyncio.sleep(0)
                closing.cancel()
            await asyncio.wait([closing])
        assert all(made.closed for made in [*relaunch.managers, *relaunch.channels])
