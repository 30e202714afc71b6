"""When a kernel is called unresponsive: the decision, and what is done about it."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from jupyter_kernel_mgmt import (
    Kernel,
    KernelFinder,
    KernelUnresponsive,
    ProcessState,
    Responsive,
    Unresponsive,
    connect,
    launch,
)
from jupyter_kernel_mgmt._silence import SETTLED, WORKING_SHARE, Look, Silence
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider, FakeRun

GUARD = 20
LIMIT = 5.0

# One look a second.
NOTHING = Look(elapsed=1, interval=1, echoed=False, heard=False, busy=False)
BUSY = replace(NOTHING, busy=True)
UNKNOWN = replace(NOTHING, busy=None)
STOPPED = ProcessState(stopped=True, cpu_time=1.0)
SLEEPING = ProcessState(stopped=False, cpu_time=1.0)


def after(*looks: Look) -> Silence:
    silence = Silence(LIMIT)
    for look in looks:
        silence.take(look)
    return silence


def verdict(silence: Silence, look: Look, count: int = 6) -> bool:
    """Whether it is unresponsive after so many looks alike; all before the limit say no."""
    for _ in range(4):
        assert not silence.take(look)
    for _ in range(count - 4):
        silence.take(look)
    return silence.unresponsive


def with_process(look: Look, process: ProcessState) -> Look:
    return replace(look, process=process)


def echoes_while_busy() -> Silence:
    """A kernel that has shown that it does, in one long execution."""
    return after(*[replace(BUSY, echoed=True)] * (SETTLED + 1))


HABITS = {
    "never echoed": (),
    "echoed when idle": (replace(NOTHING, echoed=True),),
    "never said busy": (replace(UNKNOWN, echoed=True),),
}


@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
@pytest.mark.parametrize("look", [NOTHING, BUSY, UNKNOWN], ids=["idle", "busy", "unknown"])
def test_a_stopped_process_is_unresponsive(habit: tuple[Look, ...], look: Look) -> None:
    """Whatever the kernel's habits, and whatever it was doing."""
    assert verdict(after(*habit), with_process(look, STOPPED))


def test_a_stopped_process_whose_children_work_is_unresponsive() -> None:
    """They do not answer for it."""
    silence = Silence(LIMIT)
    looks = [with_process(NOTHING, ProcessState(stopped=True, cpu_time=n)) for n in range(5)]
    assert [silence.take(look) for look in looks] == [False] * 4 + [True]


@pytest.mark.parametrize("process", [None, SLEEPING], ids=["unknown process", "sleeping"])
def test_an_idle_kernel_that_echoed_ought_to_echo(process: ProcessState | None) -> None:
    """A process that sleeps is no excuse."""
    assert verdict(after(replace(NOTHING, echoed=True)), replace(NOTHING, process=process))


@pytest.mark.parametrize("process", [None, SLEEPING], ids=["unknown process", "sleeping"])
@pytest.mark.parametrize("look", [NOTHING, BUSY, UNKNOWN], ids=["idle", "busy", "unknown"])
def test_nothing_follows_from_a_heartbeat_that_never_was(look: Look, process: ProcessState | None) -> None:
    """Kernels without one are not called dead."""
    assert not verdict(after(), replace(look, process=process), 100)


@pytest.mark.parametrize("process", [None, SLEEPING], ids=["unknown process", "sleeping"])
@pytest.mark.parametrize("look", [BUSY, UNKNOWN], ids=["busy", "unknown"])
def test_a_busy_kernel_need_not_echo(look: Look, process: ProcessState | None) -> None:
    """Many do not, and one that never says busy may be."""
    assert not verdict(after(replace(NOTHING, echoed=True)), replace(look, process=process), 100)


def test_a_busy_kernel_that_used_to_echo_all_the_same_ought_to() -> None:
    """But only where its process is known to do nothing."""
    assert verdict(echoes_while_busy(), with_process(BUSY, SLEEPING))
    assert not verdict(echoes_while_busy(), BUSY, 100)


def test_a_kernel_that_was_mute_in_one_execution_may_be_in_another() -> None:
    """It echoed in some and not in others, as those do that have one thread and await in it."""
    silence = echoes_while_busy()
    for _ in range(SETTLED):
        silence.take(with_process(BUSY, SLEEPING))
    silence.take(replace(NOTHING, echoed=True))

    assert not verdict(silence, with_process(BUSY, SLEEPING), 100)


def test_having_been_stopped_is_no_habit() -> None:
    """A kernel that echoes while it is busy is still known as one after SIGCONT."""
    silence = echoes_while_busy()
    for _ in range(20):
        silence.take(with_process(BUSY, STOPPED))
    silence.take(replace(BUSY, echoed=True))

    assert verdict(silence, with_process(BUSY, SLEEPING))


ECHO, MESSAGE = replace(BUSY, echoed=True), replace(BUSY, heard=True)
OVERTAKING = {
    "as it begins": [ECHO, BUSY, BUSY],
    "as it ends": [BUSY] * (SETTLED - 1) + [ECHO, NOTHING],
    "with messages before it": [MESSAGE] * (SETTLED - 1) + [ECHO, BUSY],
    "with a message after it": [BUSY] * (SETTLED - 1) + [ECHO, MESSAGE],
    "after we were held up": [BUSY] * (SETTLED - 1) + [replace(ECHO, elapsed=9), BUSY],
}


@pytest.mark.parametrize("looks", OVERTAKING.values(), ids=OVERTAKING)
def test_an_echo_that_overtook_the_idle_shows_nothing(looks: list[Look]) -> None:
    """It may come from before or after the execution."""
    assert not verdict(after(*looks), with_process(BUSY, SLEEPING), 100)


@pytest.mark.parametrize(
    "process",
    [
        lambda n: ProcessState(stopped=False, cpu_time=n * (WORKING_SHARE + 0.01)),
        lambda n: ProcessState(stopped=False, cpu_time=-n),
        lambda n: ProcessState(stopped=False, cpu_time=1.0, running=True),
    ],
    ids=["uses the processor", "a child of it ended", "wants to run"],
)
@pytest.mark.parametrize("look", [NOTHING, BUSY], ids=["idle", "busy"])
def test_a_process_that_works_is_not_unresponsive(look: Look, process: Callable[[int], ProcessState]) -> None:
    """However long it does not echo, and though it used to."""
    silence = echoes_while_busy()
    assert not any(silence.take(with_process(look, process(n))) for n in range(100))


def test_waking_up_now_and_then_is_no_work() -> None:
    """Kernels have threads that look around."""
    silence = after(replace(NOTHING, echoed=True))
    looks = [with_process(NOTHING, ProcessState(stopped=False, cpu_time=n * 0.01)) for n in range(5)]
    assert [silence.take(look) for look in looks][-1]


@pytest.mark.parametrize("sign", ["echoed", "heard"])
def test_any_sign_of_life_begins_the_count_anew(sign: str) -> None:
    """And ends the silence of one that was unresponsive, or that only went on."""
    silence = after(replace(NOTHING, echoed=True))
    assert verdict(silence, NOTHING)
    assert not silence.take(replace(NOTHING, **{sign: True}))
    assert silence.seconds == 0
    assert verdict(silence, with_process(NOTHING, STOPPED))
    assert not silence.take(with_process(BUSY, SLEEPING))


def test_time_in_which_we_were_held_up_does_not_count() -> None:
    """A late look counts like one in time; what the kernel said meanwhile is read before the next."""
    silence = after(replace(NOTHING, echoed=True), replace(NOTHING, elapsed=25))
    assert silence.seconds == 1
    assert not silence.unresponsive


# What is done about it


async def behave(run: FakeRun) -> None:
    run.write("so far")
    await asyncio.Event().wait()


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(behave)


@pytest.fixture
async def opened(provider: FakeProvider) -> AsyncIterator[Callable[[], Awaitable[Kernel]]]:
    """Launches kernels that get a moment; they are closed after the test, and no task is left."""
    before = asyncio.all_tasks()
    async with KernelFinder([provider]) as finder:
        kernels: list[Kernel] = []

        async def make() -> Kernel:
            kernels.append(await launch("fake/kernel", finder=finder, unresponsive_after=0.05))
            return kernels[-1]

        yield make
        async with asyncio.timeout(GUARD):
            for kernel in kernels:
                await kernel.aclose()
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


async def until(kernel: Kernel, kind: type, count: int = 1) -> list[Unresponsive | Responsive]:
    """The events about silence, up to the one that was waited for."""
    seen: list[Unresponsive | Responsive] = []
    async with asyncio.timeout(GUARD):
        async for event in kernel.events():
            if isinstance(event, Unresponsive | Responsive):
                seen.append(event)
                count -= isinstance(event, kind)
            if not count:
                return seen
    raise AssertionError(f"no {kind.__name__} came from {kernel!r}")


Open = Callable[[], Awaitable[Kernel]]


async def test_all_who_wait_are_told_and_the_kernel_goes_on(opened: Open, provider: FakeProvider) -> None:
    """With the output so far; those who come later too, as long as it lasts; afterwards all is as before."""
    kernel = await opened()
    execution = kernel.execute("hang")
    await anext(execution.__aiter__())
    provider.managers[0].process = STOPPED
    condition = asyncio.create_task(kernel.client.until(lambda: False))

    async with asyncio.timeout(GUARD):
        with pytest.raises(KernelUnresponsive, match="no sign of life for") as caught:
            await execution
        with pytest.raises(KernelUnresponsive):
            await condition
        with pytest.raises(KernelUnresponsive):
            await kernel.client.until(lambda: False)
    [event] = await until(kernel, Unresponsive)
    assert isinstance(event, Unresponsive)
    assert caught.value.result is not None
    assert caught.value.result.stdout == "so far"
    assert caught.value.silence == event.silence
    assert event.silence >= 0.05
    provider.managers[0].process = SLEEPING
    assert await until(kernel, Responsive) == [event, Responsive(1)]
    assert provider.managers[0].signals == []
    await kernel.interrupt()
    assert (await kernel.kernel_info()).msg_type == "kernel_info_reply"


async def test_a_message_ends_it(opened: Open, provider: FakeProvider) -> None:
    """Whatever it is, and though the process still counts as stopped; if it goes on, it is told again."""
    kernel = await opened()
    provider.managers[0].process = STOPPED
    await until(kernel, Unresponsive)
    assert (await kernel.kernel_info()).msg_type == "kernel_info_reply"

    told = await until(kernel, Unresponsive, 2)
    assert [type(event) for event in told] == [Unresponsive, Responsive, Unresponsive]


async def test_an_unresponsive_kernel_is_not_asked_to_end(opened: Open, provider: FakeProvider) -> None:
    """It is killed; the next process is watched like the one before."""
    kernel = await opened()
    provider.managers[0].process = STOPPED
    await until(kernel, Unresponsive)
    await kernel.restart()
    assert provider.kernels[0].requests("shutdown_request") == []
    provider.managers[1].process = STOPPED

    assert [event.generation for event in await until(kernel, Unresponsive, 2)] == [1, 2]


async def test_a_manager_that_fails_says_nothing(
    opened: Open, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is logged once, and it is asked again."""
    kernel = await opened()
    manager, asked = provider.managers[0], asyncio.Event()

    async def fail() -> ProcessState | None:
        if caplog.text:
            asked.set()
        raise OSError("a bug of the provider's")

    manager.process_state = fail  # type: ignore[method-assign]
    async with asyncio.timeout(GUARD):
        await asked.wait()
        asked.clear()
        await asked.wait()
    del manager.process_state  # type: ignore[method-assign]
    manager.process = STOPPED
    await until(kernel, Unresponsive)
    assert len(caplog.records) == 1


async def test_the_dead_are_not_unresponsive(opened: Open, provider: FakeProvider) -> None:
    """Nobody looks at a process that has ended."""
    kernel = await opened()
    watch = kernel._generation._silence  # type: ignore[union-attr]
    assert watch is not None
    assert watch._task is not None
    provider.managers[0].die()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([watch._task])
    assert watch._task.cancelled()


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
@pytest.mark.parametrize(
    "opening", [lambda **options: launch("fake/kernel", **options), lambda **options: connect({}, **options)]
)
def test_only_a_time_makes_sense(opening: Callable[..., object], seconds: float) -> None:
    """Refused before anything is started."""
    with pytest.raises(ValueError, match="unresponsive_after"):
        opening(unresponsive_after=seconds)


async def test_a_fake_manager_says_what_a_test_wants() -> None:
    """And nothing once its kernel has ended."""
    manager = FakeManager("k")
    assert await manager.process_state() is None
    manager.process = STOPPED
    assert await manager.process_state() == STOPPED
    manager.die()
    assert await manager.process_state() is None
