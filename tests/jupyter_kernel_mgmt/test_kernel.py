"""The life of a `Kernel`, through its states, over fake kernels that are launched in the normal way."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    ExecutionStateChanged,
    ExitInfo,
    InterruptOutcome,
    Kernel,
    KernelDied,
    KernelExited,
    KernelFinder,
    KernelRestarted,
    KernelState,
    LaunchError,
    LaunchRequest,
    RestartFailed,
    StartupTimeout,
    StateChanged,
    Unsupported,
    _ending,
    _under_way,
    launch,
)
from jupyter_kernel_mgmt._succession import LAUNCH_ATTEMPTS
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider, FakeRun, Quirks
from jupyter_protocol import messages

GUARD = 20
SIGKILL = int(getattr(signal, "SIGKILL", signal.SIGTERM))
SIGTERM = int(signal.SIGTERM)

Open = Callable[..., Awaitable[Kernel]]


async def behave(run: FakeRun) -> None:
    """Prints the code; "hang" never ends, "ask" asks for a line."""
    run.write(run.code)
    if run.code == "hang":
        await asyncio.Event().wait()
    elif run.code == "ask":
        run.result(await run.input("?"))


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(behave)


@pytest.fixture
async def opened(provider: FakeProvider) -> AsyncIterator[Open]:
    """Launches kernels; they are closed after the test, and then nothing of them is left."""
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
    assert all(manager.closed for manager in provider.managers)
    assert all(fake.side.closed for fake in provider.kernels)  # type: ignore[attr-defined]
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


async def hanging(kernel: Kernel) -> Any:
    """An execution that hangs, once it has begun."""
    execution = kernel.execute("hang")
    await anext(execution.__aiter__())
    return execution


async def until(kernel: Kernel, state: KernelState, generation: int = 1) -> None:
    """Wait for a state, as an application would."""
    async with asyncio.timeout(GUARD):
        async for event in kernel.events():
            if event == StateChanged(state, generation):
                return
    raise AssertionError(f"{kernel!r} never was {state}")


async def story(kernel: Kernel) -> list[Any]:
    """All events of a closed kernel that are about its processes."""
    return [e async for e in kernel.events() if isinstance(e, StateChanged | KernelExited)]


# Dying


async def test_a_death_fails_every_waiter_with_how_it_ended_and_the_output_so_far(
    opened: Open, provider: FakeProvider
) -> None:
    """At once, and whoever comes later too."""
    kernel = await opened()
    execution = await hanging(kernel)
    others = [
        asyncio.create_task(kernel.complete("x")),
        asyncio.create_task(kernel.client.until(lambda: False)),
    ]
    await asyncio.sleep(0)
    info = ExitInfo(-SIGKILL, reason="out of memory", output_tail="last words")
    provider.managers[0].die(info)

    async with asyncio.timeout(GUARD):
        with pytest.raises(KernelDied, match="out of memory") as caught:
            await execution
        for other in others:
            with pytest.raises(KernelDied):
                await other
    assert caught.value.exit_info == info
    assert caught.value.result is not None
    assert caught.value.result.stdout == "hang"
    assert kernel.state is KernelState.DEAD
    with pytest.raises(KernelDied, match="out of memory"):
        kernel.execute("x")
    assert await kernel.wait() == info
    assert await kernel.interrupt() is InterruptOutcome.DIED
    await kernel.aclose()
    assert await story(kernel) == [
        StateChanged(KernelState.STARTING, 1),
        StateChanged(KernelState.READY, 1),
        KernelExited(info, 1, expected=False),
        StateChanged(KernelState.DEAD, 1),
        StateChanged(KernelState.CLOSED, 1),
    ]


async def test_last_words_that_are_still_on_their_way_arrive(
    opened: Open, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel sent before its end is not cut off by the news of its end, which may come first."""
    monkeypatch.setattr(_under_way, "SETTLE_QUIET", 0.2)
    kernel = await opened()
    execution = await hanging(kernel)
    fake = provider.kernels[0]
    request = fake.requests("execute_request")[0]
    provider.managers[0].die()
    for n in range(100):
        fake.side.send("iopub", messages.stream("stdout", f" {n}", parent=request))
        await asyncio.sleep(0)

    with pytest.raises(KernelDied) as caught:
        await execution
    assert caught.value.result is not None
    assert caught.value.result.stdout.endswith(" 98 99")


async def test_a_dead_kernel_can_be_restarted(opened: Open, provider: FakeProvider) -> None:
    """Without asking the old process for anything."""
    kernel = await opened()
    provider.managers[0].die()
    await until(kernel, KernelState.DEAD)
    await kernel.restart()

    assert (await kernel.execute("x")).stdout == "x"
    assert kernel.state is KernelState.READY
    assert provider.kernels[0].requests("shutdown_request") == []


async def test_waiting_is_for_the_process_that_is_current(opened: Open, provider: FakeProvider) -> None:
    """Across a restart it tells of the old one."""
    kernel = await opened()
    first = asyncio.create_task(kernel.wait())
    await asyncio.sleep(0)
    await kernel.restart()
    second = asyncio.create_task(kernel.wait())
    assert await first == ExitInfo(0)
    assert not second.done()
    provider.managers[1].die(ExitInfo(3))

    assert await second == ExitInfo(3)


# Restarting


async def test_a_restart_keeps_the_client_its_handlers_and_stdin(
    opened: Open, provider: FakeProvider
) -> None:
    """And the kernel_id and the whole request; the channels are new."""

    async def stdin(prompt: str, password: bool) -> str:
        return "answer"

    kernel = await opened(stdin=stdin, env={"A": "b"}, cwd="/tmp")
    client, kernel_id, seen = kernel.client, kernel.kernel_id, []
    kernel.client.add_handler(lambda channel, m: seen.append(m.msg_type), ["stdin"])
    await kernel.restart()
    first, second = provider.launches

    assert kernel.client is client
    assert kernel.kernel_id == kernel_id
    assert (await kernel.execute("ask")).text == "answer"
    assert "input_request" in seen
    assert (first.kernel_id, first.env, first.cwd) == (second.kernel_id, second.env, second.cwd)
    assert first.previous is None
    assert second.previous is not None
    assert second.previous.manager is provider.managers[0]
    assert kernel.manager is provider.managers[1]
    assert provider.managers[0].closed
    assert provider.kernels[0].requests("shutdown_request")[0].content == {"restart": True}


async def test_a_restart_tells_who_waits_and_goes_on_from_one(opened: Open, provider: FakeProvider) -> None:
    """`KernelRestarted` with the output so far; nothing is queued meanwhile."""
    kernel = await opened()
    execution = await hanging(kernel)
    launching, go_on = asyncio.Event(), asyncio.Event()

    async def slow(manager: FakeManager) -> None:
        launching.set()
        await go_on.wait()

    provider.on_launch = slow
    restarting = asyncio.create_task(kernel.restart())
    await launching.wait()
    assert kernel.state is KernelState.RESTARTING
    with pytest.raises(KernelRestarted) as caught:
        await execution
    assert caught.value.result is not None
    assert caught.value.result.stdout == "hang"
    with pytest.raises(KernelRestarted):
        kernel.execute("x")
    go_on.set()
    await restarting

    assert (await kernel.execute("x")).execution_count == 1


async def test_generations_are_counted_in_the_story(opened: Open) -> None:
    """One stream through all of them."""
    kernel = await opened()
    await kernel.restart()
    await kernel.restart()
    await kernel.aclose()

    expected: list[Any] = [StateChanged(KernelState.STARTING, 1), StateChanged(KernelState.READY, 1)]
    for old in (1, 2):
        expected += [
            StateChanged(KernelState.RESTARTING, old),
            KernelExited(ExitInfo(0), old, expected=True),
            StateChanged(KernelState.READY, old + 1),
        ]
    told = await story(kernel)
    assert told[: len(expected)] == expected
    assert told[-1] == StateChanged(KernelState.CLOSED, 3)


async def test_concurrent_restarts_happen_one_after_the_other(opened: Open, provider: FakeProvider) -> None:
    """Each is a whole restart, and never are two kernels alive."""
    kernel = await opened()

    async def only_one(manager: FakeManager) -> None:
        assert [await other.is_alive() for other in provider.managers[:-1]].count(True) == 0

    provider.on_launch = only_one
    await asyncio.gather(*(kernel.restart() for _ in range(3)))

    assert kernel.state is KernelState.READY
    assert len(provider.managers) == 4


@pytest.mark.parametrize("turns", range(0, 80, 4))
async def test_a_restart_cancelled_at_any_moment_leaves_a_dead_kernel_or_a_whole_one(
    opened: Open, provider: FakeProvider, turns: int
) -> None:
    """Never a process that nobody knows of; and the next restart works."""
    kernel = await opened()
    restarting = asyncio.create_task(kernel.restart())
    for _ in range(turns):
        await asyncio.sleep(0)
    restarting.cancel()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([restarting])
        alive = [manager for manager in provider.managers if await manager.is_alive()]

        if kernel.state is KernelState.READY:
            assert alive == [kernel.manager]
        else:
            assert kernel.state is KernelState.DEAD
            assert alive == []
            with pytest.raises(KernelDied):
                kernel.execute("x")
        await kernel.restart()
        assert (await kernel.execute("x")).stdout == "x"


async def test_a_restart_without_anybody_to_relaunch_is_unsupported(provider: FakeProvider) -> None:
    """And leaves the kernel as it is."""
    launched = await provider.launch("kernel", LaunchRequest())
    async with await Kernel.from_launched(launched) as kernel:
        with pytest.raises(Unsupported, match="relaunch"):
            await kernel.restart()
        assert (await kernel.execute("x")).stdout == "x"


async def test_from_launched_with_a_relaunch_restarts(provider: FakeProvider) -> None:
    """It is given what the new one follows."""
    seen = []

    async def relaunch(previous: Any) -> Any:
        seen.append(previous)
        return await provider.launch("kernel", LaunchRequest(previous=previous))

    launched = await provider.launch("kernel", LaunchRequest())
    async with await Kernel.from_launched(launched, relaunch=relaunch) as kernel:
        await kernel.restart()
        assert (await kernel.execute("x")).stdout == "x"
    assert seen == [launched]
    assert [manager.closed for manager in provider.managers] == [True, True]


async def test_from_launched_ends_what_it_could_not_make_ready(provider: FakeProvider) -> None:
    """It was handed over."""
    provider.quirks = Quirks(silent=True)
    launched = await provider.launch("kernel", LaunchRequest())
    with pytest.raises(StartupTimeout):
        await Kernel.from_launched(launched, startup_timeout=0.05)

    assert provider.managers[0].closed


@pytest.mark.usefixtures("impatient")
async def test_a_restart_that_fails_leaves_a_dead_kernel(opened: Open, provider: FakeProvider) -> None:
    """`RestartFailed` with the cause; what waits was told of the restart; a later one may work."""
    kernel = await opened()

    async def fail(manager: FakeManager) -> None:
        raise LaunchError("no room")

    provider.on_launch = fail
    with pytest.raises(RestartFailed, match="no room") as caught:
        await kernel.restart()
    assert isinstance(caught.value.__cause__, LaunchError)
    assert kernel.state is KernelState.DEAD
    with pytest.raises(KernelDied):
        kernel.execute("x")
    assert await kernel.shutdown() in (None, ExitInfo(0))

    provider.on_launch = None
    await kernel.restart()
    assert (await kernel.execute("x")).stdout == "x"


async def test_a_restart_whose_kernel_is_not_ready_in_time_fails(
    opened: Open, provider: FakeProvider
) -> None:
    """And leaves no process."""
    kernel = await opened(startup_timeout=1.0)
    provider.quirks = Quirks(silent=True)
    with pytest.raises(RestartFailed) as caught:
        await kernel.restart()

    assert isinstance(caught.value.__cause__, StartupTimeout)
    assert kernel.state is KernelState.DEAD
    assert [await manager.is_alive() for manager in provider.managers] == [False, False]


# Launching again


@pytest.mark.parametrize("failures", [1, 4, 5, 100])
async def test_a_launch_is_tried_again_where_the_exit_says_so(
    opened: Open, provider: FakeProvider, failures: int
) -> None:
    """At most `LAUNCH_ATTEMPTS` times, each with the one before as the previous; others at once fail."""
    left = failures

    async def die(manager: FakeManager) -> None:
        nonlocal left
        if left:
            left -= 1
            manager.die(ExitInfo(1, reason="a port was taken", retry=True))

    provider.on_launch = die
    async with asyncio.timeout(GUARD):
        if failures < LAUNCH_ATTEMPTS:
            kernel = await opened()
            assert (await kernel.execute("x")).stdout == "x"
            attempts = failures + 1
        else:
            with pytest.raises(LaunchError, match="a port was taken"):
                await opened()
            attempts = LAUNCH_ATTEMPTS

    assert len(provider.launches) == attempts
    previous = [request.previous and request.previous.manager for request in provider.launches]
    assert previous == [None, *provider.managers[: attempts - 1]]


async def test_a_launch_that_fails_for_good_is_not_tried_again(opened: Open, provider: FakeProvider) -> None:
    """The same would happen."""

    async def die(manager: FakeManager) -> None:
        manager.die(ExitInfo(1, reason="no licence"))

    provider.on_launch = die
    with pytest.raises(LaunchError, match="no licence"):
        await opened()

    assert len(provider.launches) == 1


# Ending


async def test_shutdown_asks_and_tells_how_it_ended(opened: Open, provider: FakeProvider) -> None:
    """Afterwards the kernel is dead, and a restart works; again it changes nothing."""
    kernel = await opened()
    execution = await hanging(kernel)
    assert await kernel.shutdown() == ExitInfo(0)
    with pytest.raises(KernelDied) as caught:
        await execution
    assert not isinstance(caught.value, KernelRestarted)
    assert kernel.state is KernelState.DEAD
    assert await kernel.shutdown() == ExitInfo(0)
    assert provider.kernels[0].requests("shutdown_request")[0].content == {"restart": False}
    assert SIGKILL not in provider.managers[0].signals
    await kernel.restart()
    assert (await kernel.execute("x")).stdout == "x"
    await kernel.aclose()

    exits = [event for event in await story(kernel) if isinstance(event, KernelExited)]
    assert (exits[0].generation, exits[0].expected) == (1, True)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("quirks", "ignored", "signals"),
    [
        (Quirks(), [], []),
        (Quirks(ignores_shutdown=True), [], [SIGTERM]),
        (Quirks(silent=True), [], [SIGTERM]),
        (Quirks(silent=True), [SIGTERM], [SIGTERM, SIGKILL]),
    ],
    ids=["asked", "ignores-the-request", "silent", "ignores-sigterm"],
)
async def test_ending_goes_from_asking_to_killing(
    opened: Open, provider: FakeProvider, quirks: Quirks, ignored: list[int], signals: list[int]
) -> None:
    """One step at a time, and no further than needed."""
    kernel = await opened()
    provider.kernels[0].quirks = quirks
    provider.managers[0].ignored = frozenset(ignored)
    info = await kernel.shutdown()

    assert provider.managers[0].signals == signals
    assert info is not None
    assert info.returncode == (-signals[-1] if signals else 0)


async def test_a_busy_kernel_is_interrupted_before_it_is_asked(opened: Open, provider: FakeProvider) -> None:
    """So that it can end politely."""
    kernel = await opened()
    execution = await hanging(kernel)
    await kernel.shutdown()
    with pytest.raises(KernelDied):
        await execution

    assert provider.managers[0].signals == [signal.SIGINT]


async def test_closing_ends_the_kernel_and_closes_everything(opened: Open, provider: FakeProvider) -> None:
    """Politely; what waits gets `ClientClosed`; twice is fine, and several at once."""
    kernel = await opened()
    execution = await hanging(kernel)
    await asyncio.gather(*(kernel.aclose() for _ in range(3)))
    await kernel.aclose()

    with pytest.raises(ClientClosed) as caught:
        await execution
    assert caught.value.result is not None
    assert caught.value.result.stdout == "hang"
    assert kernel.state is KernelState.CLOSED
    assert provider.managers[0].closed
    assert len(provider.kernels[0].requests("shutdown_request")) == 1
    with pytest.raises(ClientClosed):
        kernel.execute("x")
    for action in (kernel.restart, kernel.shutdown):
        with pytest.raises(ClientClosed):
            await action()
    assert await kernel.wait() == ExitInfo(0)


@pytest.mark.usefixtures("impatient")
async def test_closing_while_a_restart_hangs_ends_both(opened: Open, provider: FakeProvider) -> None:
    """Whoever restarted gets `ClientClosed`."""
    kernel = await opened()
    launching = asyncio.Event()

    async def hang(manager: FakeManager) -> None:
        launching.set()
        await asyncio.Event().wait()

    provider.on_launch = hang
    restarting = asyncio.create_task(kernel.restart())
    queued = asyncio.create_task(kernel.restart())
    await launching.wait()
    async with asyncio.timeout(GUARD):
        await kernel.aclose()

    for task in (restarting, queued):
        with pytest.raises(ClientClosed):
            await task
    assert kernel.state is KernelState.CLOSED
    assert [manager.closed for manager in provider.managers] == [True, True]


@pytest.mark.parametrize("turns", range(1, 40, 2))
async def test_closing_that_is_cancelled_kills_instead(
    opened: Open, provider: FakeProvider, turns: int
) -> None:
    """At whatever moment: nothing is left behind."""
    kernel = await opened()
    provider.kernels[0].quirks = Quirks(ignores_shutdown=True)
    closing = asyncio.create_task(kernel.aclose())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([closing])

    assert closing.cancelled()
    assert kernel.state is KernelState.CLOSED
    assert provider.managers[0].closed
    assert provider.kernels[0].side.closed  # type: ignore[attr-defined]


async def test_a_shutdown_that_is_cancelled_kills(opened: Open, provider: FakeProvider) -> None:
    """The kernel is dead all the same."""
    kernel = await opened()
    provider.kernels[0].quirks = Quirks(ignores_shutdown=True)
    ending = asyncio.create_task(kernel.shutdown())
    await provider.kernels[0].wait_for("shutdown_request")
    ending.cancel()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([ending])

    assert ending.cancelled()
    assert kernel.state is KernelState.DEAD
    assert not await provider.managers[0].is_alive()


async def test_a_kernel_that_dies_while_it_is_being_asked_to_end_has_ended(
    opened: Open, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit races the asking: nobody waits for the answer then."""
    monkeypatch.setattr(_ending, "REPLY_TIMEOUT", 1000)
    kernel = await opened()
    provider.kernels[0].quirks = Quirks(ignores_shutdown=True)
    ending = asyncio.create_task(kernel.shutdown())
    await provider.kernels[0].wait_for("shutdown_request")
    provider.managers[0].die(ExitInfo(7))

    async with asyncio.timeout(GUARD):
        assert await ending == ExitInfo(7)
    assert provider.managers[0].signals == []


# Talking and watching


async def test_interrupting_goes_the_way_the_kernel_wants(opened: Open, provider: FakeProvider) -> None:
    """A signal or a message."""
    kernel = await opened()
    execution = await hanging(kernel)
    assert await kernel.interrupt() is InterruptOutcome.IDLE
    assert (await execution).status == "interrupted"
    assert provider.managers[0].signals == [signal.SIGINT]
    assert provider.kernels[0].requests("interrupt_request") == []

    provider.interrupt_mode = "message"
    other = await opened()
    execution = await hanging(other)
    assert await execution.interrupt() is InterruptOutcome.IDLE
    assert (await execution).status == "interrupted"
    assert provider.managers[1].signals == []
    assert len(provider.kernels[1].requests("interrupt_request")) == 1


async def test_an_interrupt_that_kills_is_told(opened: Open, provider: FakeProvider) -> None:
    """xeus-python ends on SIGINT."""
    kernel = await opened()
    execution = await hanging(kernel)
    provider.kernels[0].interrupt = lambda: provider.managers[0].die(  # type: ignore[method-assign]
        ExitInfo(-signal.SIGINT)
    )

    assert await kernel.interrupt() is InterruptOutcome.DIED
    with pytest.raises(KernelDied, match="SIGINT"):
        await execution


async def test_after_a_restart_signals_go_to_the_new_process(opened: Open, provider: FakeProvider) -> None:
    """And not to the manager of the old one."""
    kernel = await opened()
    await kernel.restart()
    await hanging(kernel)
    await kernel.interrupt()

    assert provider.managers[0].signals == []
    assert provider.managers[1].signals == [signal.SIGINT]


async def test_a_kernel_offers_the_requests_of_its_client(opened: Open) -> None:
    """Its state too."""
    kernel = await opened()
    assert (await kernel.complete("x")).msg_type == "complete_reply"
    assert (await kernel.kernel_info()).msg_type == "kernel_info_reply"
    execution = await hanging(kernel)
    assert kernel.execution_state == kernel.client.execution_state == "busy"
    await execution.interrupt()
    assert kernel.execution_state == "idle"


async def test_busy_and_idle_are_in_the_stream_of_events(opened: Open) -> None:
    """Beside everything else."""
    kernel = await opened()
    await kernel.client.settle()
    before = len([e for e in await peek(kernel) if isinstance(e, ExecutionStateChanged)])
    await kernel.execute("x")
    changes = [e for e in await peek(kernel) if isinstance(e, ExecutionStateChanged)]

    assert changes[before:] == [ExecutionStateChanged("busy"), ExecutionStateChanged("idle")]


async def peek(kernel: Kernel) -> list[Any]:
    """The events so far."""
    seen: list[Any] = []
    events = kernel.events()
    while True:
        step = asyncio.create_task(anext(events))
        for _ in range(3):
            await asyncio.sleep(0)
        if not step.done():
            step.cancel()
            await asyncio.wait([step])
            return seen
        seen.append(step.result())


async def test_a_lost_connection_is_an_error_for_requests_and_a_restart_repairs_it(
    opened: Open, provider: FakeProvider
) -> None:
    """The process is still there."""
    kernel = await opened()
    execution = await hanging(kernel)
    provider.kernels[0].side.close()  # type: ignore[attr-defined]
    with pytest.raises(ClientClosed, match="connection"):
        await execution
    assert await provider.managers[0].is_alive()
    await kernel.restart()

    assert (await kernel.execute("x")).stdout == "x"


@pytest.mark.parametrize("end", ["shutdown", "aclose", "restart"])
async def test_open_subshells_are_deleted_before_the_kernel_is_asked_to_end(
    end: str, opened: Open, provider: FakeProvider
) -> None:
    """But for those in which code runs: the kernel would wait for it. The next process has none."""
    provider.quirks = Quirks(supported_features=("kernel subshells",))
    kernel = await opened()
    idle, busy = await kernel.create_subshell(), await kernel.create_subshell()
    execution = kernel.execute("hang", subshell_id=busy)
    await anext(execution.__aiter__())
    await getattr(kernel, end)()
    ends = [
        (message.msg_type, message.content.get("subshell_id"))
        for _, message in provider.kernels[0].received
        if message.msg_type in ("delete_subshell_request", "shutdown_request")
    ]
    assert ends == [("delete_subshell_request", idle), ("shutdown_request", None)]
    if end == "restart":
        await kernel.shutdown()
        assert provider.kernels[1].requests("delete_subshell_request") == []


async def test_a_manager_whose_wait_fails_is_logged(
    opened: Open, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """The kernel can be used all the same, and be closed."""

    class Broken(FakeManager):
        async def wait(self) -> ExitInfo:
            raise OSError("the cluster went away")

    async def break_it(manager: FakeManager) -> None:
        manager.__class__ = Broken

    provider.on_launch = break_it
    kernel = await opened()
    assert (await kernel.execute("x")).stdout == "x"
    assert "the cluster went away" in caplog.text
    async with asyncio.timeout(GUARD):
        await kernel.aclose()


def test_a_kernel_that_is_never_closed_warns() -> None:
    """At the latest when its loop has ended."""

    async def open_one() -> None:
        await Kernel.from_launched(await FakeProvider().launch("kernel", LaunchRequest()))

    def forget_one() -> None:
        asyncio.run(open_one())
        gc.collect()

    with pytest.warns(ResourceWarning, match="never closed"):
        forget_one()


async def test_repr_tells_type_id_and_state(opened: Open) -> None:
    """For logs."""
    kernel = await opened()
    assert repr(kernel) == f"<Kernel fake/kernel {kernel.kernel_id} ready>"
    await kernel.aclose()
    assert repr(kernel).endswith("closed>")
