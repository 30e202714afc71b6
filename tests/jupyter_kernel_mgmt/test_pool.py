"""Pools of kernels, over fakes that fail, hang and die when a test says so."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    ExitInfo,
    Kernel,
    KernelDied,
    KernelFinder,
    KernelPool,
    KernelState,
    LaunchError,
    NoSuchKernel,
    NoSuchProvider,
    NotOwned,
    Unsupported,
    _pooled_kernel,
    launch,
)
from jupyter_kernel_mgmt._pool_preparing import PREPARING
from jupyter_kernel_mgmt.pool import LaunchOptions
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider, FakeRun, Quirks

GUARD = 20


async def behave(run: FakeRun) -> None:
    """Prints the code; "hang" never ends, "prepare: no" fails."""
    run.write(run.code)
    if run.code == "hang":
        await asyncio.Event().wait()
    if run.code == "comm":
        run.open_comm("nobody knows it")
    if "no" in run.code:
        raise FileNotFoundError("there is no such directory")


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(behave)


@asynccontextmanager
async def pool_of(provider: FakeProvider, **options: Any) -> AsyncIterator[KernelPool]:
    """A pool, full unless a kernel type is given; afterwards nothing of it is left."""
    kernel_type = options.pop("kernel_type", None)
    before = asyncio.all_tasks()
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        async with KernelPool(kernel_type or "fake/kernel", finder=finder, **{"size": 1, **options}) as pool:
            if kernel_type is None and provider.on_launch is None:
                await pool.filled()
            yield pool
        assert asyncio.all_tasks() == before | {asyncio.current_task()}
    assert all([manager.closed and not await manager.is_alive() for manager in provider.managers])
    metrics = pool.metrics
    assert (metrics.ready, metrics.starting, metrics.lent, metrics.ending, metrics.waiting) == (0,) * 5


async def until(condition: Callable[[], object]) -> None:
    """What goes on in the background has come so far."""
    while not condition():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


@pytest.fixture
def prepares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake kernels can change directory and environment."""
    monkeypatch.setitem(PREPARING, "fake", lambda cwd, env: f"prepare: {cwd} {dict(env)}")  # type: ignore[arg-type]


# On loan


async def test_a_kernel_on_loan_works_and_is_not_its_holders(provider):
    async with pool_of(provider) as pool, pool.acquire() as kernel:
        assert (await kernel.execute("hello")).stdout == "hello"
        assert kernel.kernel_id == provider.managers[0].kernel_id
        assert kernel.kernel_type == "fake/kernel"
        assert not kernel.owned
        for action in (kernel.shutdown, kernel.restart):
            with pytest.raises(NotOwned):
                await action()
        assert (await kernel.execute("more")).status == "ok"


async def test_a_kernel_is_checked_when_it_is_handed_out_with_one_request(provider):
    async with pool_of(provider) as pool:
        received = provider.kernels[0].received
        before = len(received)
        async with pool.acquire():
            assert [message.msg_type for _, message in received[before:]] == ["kernel_info_request"]


async def test_a_kernel_is_checked_and_prepared_with_one_request(provider, prepares):
    """Silently: it leaves no trace in the history."""
    async with pool_of(provider) as pool:
        received = provider.kernels[0].received
        before = len(received)
        async with pool.acquire(cwd="/somewhere", env={"A": "b"}) as kernel:
            ((channel, message),) = received[before:]
            assert channel == "shell"
            assert message.content["code"] == "prepare: /somewhere {'A': 'b'}"
            assert message.content["silent"]
            assert not message.content["store_history"]
            assert (await kernel.execute("1")).execution_count == 1


async def test_a_directory_is_understood_as_our_own_process_would(provider, prepares):
    async with pool_of(provider) as pool, pool.acquire(cwd="here"):
        code = provider.kernels[0].requests("execute_request")[-1].content["code"]
        assert code == f"prepare: {Path.cwd() / 'here'} {{}}"


@pytest.mark.parametrize("option", [{"cwd": "/"}, {"env": {"A": "b"}}])
async def test_a_kernel_that_cannot_change_them_says_so_by_name_and_stays_in_stock(provider, option):
    async with pool_of(provider) as pool:
        with pytest.raises(Unsupported, match="'fake' cannot change it") as caught:
            async with pool.acquire(**option):
                pass
        assert caught.value.option == next(iter(option))
        async with pool.acquire() as kernel:
            assert (await kernel.execute("x")).status == "ok"
        assert len(provider.managers) <= 2
        assert pool.metrics.taken_back == 1


async def test_a_directory_that_is_none_is_an_error_and_the_kernel_stays_in_stock(provider, prepares):
    async with pool_of(provider) as pool:
        with pytest.raises(LaunchError, match="FileNotFoundError: there is no such directory"):
            async with pool.acquire(cwd="/no"):
                pass
        await pool.filled()
        assert pool.metrics.taken_back == 1
        async with pool.acquire() as kernel:
            assert kernel.kernel_id == provider.managers[0].kernel_id


async def test_what_the_holder_has_is_closed_at_the_end_of_the_block(provider):
    async with pool_of(provider) as pool:
        async with pool.acquire() as kernel:
            running = kernel.execute("hang")
        assert kernel.state is KernelState.CLOSED
        with pytest.raises(ClientClosed):
            await running
        with pytest.raises(ClientClosed):
            kernel.execute("x")


async def test_a_holder_who_closes_the_kernel_only_disconnects(provider):
    async with pool_of(provider) as pool, pool.acquire() as kernel:
        await kernel.aclose()
        assert await provider.managers[0].is_alive()


async def test_comms_and_questions_are_answered_by_the_holder_and_not_by_the_pool(provider):
    """Both have a client on the same kernel, and the pool's would refuse."""
    opened: list[str] = []

    async def answer(prompt: str, password: bool) -> str:
        return "an answer"

    async def ask(run: FakeRun) -> None:
        if run.code == "comm":
            run.open_comm("target")
        else:
            run.write(await run.input("?"))

    provider.behaviour = ask
    async with pool_of(provider, stdin=answer) as pool, pool.acquire() as kernel:
        assert (await kernel.execute("ask")).stdout == "an answer"
        kernel.client.on_comm("target", lambda comm, message: opened.append(comm.comm_id))
        await kernel.execute("comm")
        await kernel.kernel_info()
        assert len(opened) == 1
        assert not provider.kernels[0].requests("comm_close")
        assert len([m for c, m in provider.kernels[0].received if c == "stdin"]) == 1


async def test_the_death_of_a_kernel_on_loan_is_told_to_its_holder_with_its_last_words(provider):
    async with pool_of(provider) as pool:
        async with pool.acquire() as kernel:
            execution = kernel.execute("hang")
            async for _ in execution:
                break
            provider.managers[0].die(ExitInfo(3))
            with pytest.raises(KernelDied) as caught:
                await execution
            assert caught.value.exit_info == ExitInfo(3)
            assert caught.value.result.stdout == "hang"
            assert (await kernel.wait()).returncode == 3
        async with pool.acquire() as kernel:
            assert (await kernel.execute("x")).status == "ok"


# Coming back


async def test_a_kernel_that_ran_code_is_ended_and_replaced(provider):
    async with pool_of(provider) as pool:
        async with pool.acquire() as kernel:
            await kernel.execute("x")
        await until(lambda: provider.managers[0].closed)
        async with pool.acquire() as kernel:
            assert kernel.kernel_id == provider.managers[1].kernel_id
        assert provider.kernels[0].requests("shutdown_request"), "it was asked politely"


async def test_a_kernel_whose_holder_executed_nothing_goes_back(provider, prepares):
    """To ask for completions is not to execute."""
    async with pool_of(provider, limit=1) as pool:
        for _ in range(3):
            async with pool.acquire() as kernel:
                await kernel.complete("x")
                await kernel.kernel_info()
        assert len(provider.managers) == 1


@pytest.mark.parametrize("action", ["execute", "comm", "debug"])
async def test_whatever_may_leave_a_trace_is_use(provider, action):
    async with pool_of(provider, limit=1) as pool:
        async with pool.acquire() as kernel:
            if action == "execute":
                await kernel.execute("x")
            elif action == "comm":
                kernel.client.open_comm("target")
            else:
                asking = asyncio.create_task(kernel.debug({"command": "evaluate"}))
                await provider.kernels[0].wait_for("debug_request")
                asking.cancel()
        async with pool.acquire() as kernel:
            assert kernel.kernel_id == provider.managers[1].kernel_id


async def test_a_kernel_may_serve_several_holders_by_choice_each_prepared_anew(provider, prepares):
    """Each gets a kernel object of its own: what the one before has is closed for good."""
    async with pool_of(provider, limit=1, max_uses=2) as pool:
        async with pool.acquire(cwd="/one", env={"A": "b"}) as first:
            await first.execute("x")
        async with pool.acquire() as second:
            await second.execute("y")
            assert second.kernel_id == first.kernel_id
            assert first.state is KernelState.CLOSED
            with pytest.raises(ClientClosed):
                first.execute("z")
        codes = [message.content["code"] for message in provider.kernels[0].requests("execute_request")]
        assert codes == ["prepare: None {}", "prepare: /one {'A': 'b'}", "x", "prepare: None {}", "y"]
        async with pool.acquire() as third:
            assert third.kernel_id != first.kernel_id


async def test_a_kernel_that_still_runs_its_holders_code_is_ended_and_interrupted_before(provider):
    async with pool_of(provider, limit=1, max_uses=10) as pool:
        async with pool.acquire() as kernel:
            execution = kernel.execute("hang")
            async for _ in execution:
                break
        async with pool.acquire() as kernel:
            assert kernel.kernel_id == provider.managers[1].kernel_id
        assert provider.managers[0].signals == [2]


async def test_a_holder_who_is_cancelled_leaves_the_kernel_to_the_pool(provider):
    async with pool_of(provider) as pool:

        async def hold() -> None:
            async with pool.acquire() as kernel:
                await kernel.execute("hang")

        holding = asyncio.create_task(hold())
        await provider.kernels[0].wait_for("execute_request")
        holding.cancel()
        await asyncio.wait([holding])
        await until(lambda: provider.managers[0].closed)
        assert pool.metrics.lent == 0


# Stock


async def test_the_stock_is_filled_in_the_background_while_a_kernel_is_lent(provider):
    async with pool_of(provider) as pool, pool.acquire():
        await pool.filled()
        assert (pool.metrics.ready, pool.metrics.lent) == (1, 1)


async def test_a_kernel_that_dies_in_stock_is_replaced_and_never_handed_out(provider):
    async with pool_of(provider) as pool:
        provider.managers[0].die(ExitInfo(-9))
        await until(lambda: pool.metrics.died)
        async with pool.acquire() as kernel:
            assert kernel.kernel_id == provider.managers[1].kernel_id


async def test_a_death_that_nobody_has_noticed_yet_is_found_by_the_check(provider):
    async with pool_of(provider, size=2) as pool:
        provider.managers[0].die(ExitInfo(-9))
        async with pool.acquire() as kernel:
            assert kernel.kernel_id == provider.managers[1].kernel_id
            assert (await kernel.execute("x")).status == "ok"


async def test_a_kernel_that_does_not_answer_is_replaced(provider, monkeypatch):
    monkeypatch.setattr(_pooled_kernel, "CHECK_TIMEOUT", 1)
    async with pool_of(provider, size=2) as pool:
        provider.kernels[0].quirks = Quirks(silent=True)
        async with pool.acquire() as kernel:
            assert kernel.kernel_id == provider.managers[1].kernel_id
        assert (pool.metrics.unfit, pool.metrics.handed_out) == (1, 1)
        provider.managers[0].die()  # it would not heed the polite request either


async def test_somebody_whose_kernel_is_of_no_use_keeps_his_place_in_the_queue(provider):
    async with pool_of(provider, limit=1) as pool:
        got: list[str] = []

        async def want(name: str) -> None:
            async with pool.acquire():
                got.append(name)

        provider.kernels[0].quirks = Quirks(silent=True)
        first = asyncio.create_task(want("first"))
        await until(lambda: pool.metrics.lent)
        second = asyncio.create_task(want("second"))
        await until(lambda: pool.metrics.waiting)
        provider.managers[0].die()
        await asyncio.wait([first, second])
        assert got == ["first", "second"]
        assert pool.metrics.unfit == 1


async def test_a_kernel_is_replaced_when_it_is_too_old(provider):
    async with pool_of(provider, max_age=0.01) as pool:
        await until(lambda: pool.metrics.outlived >= 2)
        await until(lambda: provider.managers[0].closed)
        assert pool.metrics.ready >= 1
        async with pool.acquire() as kernel:
            assert kernel.kernel_id != provider.managers[0].kernel_id


# Many who want one


async def test_thirty_tasks_share_three_kernels_in_the_order_in_which_they_came(provider):
    """Never more than the limit at once, each kernel used once, and nobody is forgotten."""
    order: list[int] = []
    at_once: list[int] = []
    used: list[str] = []
    alive: list[int] = []

    async with pool_of(provider, size=3, limit=3) as pool:

        async def work(number: int) -> None:
            async with pool.acquire() as kernel:
                order.append(number)
                at_once.append(pool.metrics.lent)
                alive.append(sum([await manager.is_alive() for manager in provider.managers]))
                assert (await kernel.execute(f"{number}")).stdout == f"{number}"
                used.append(kernel.kernel_id)

        await asyncio.gather(*[work(number) for number in range(30)])
        assert pool.metrics.handed_out == 30
    assert order == list(range(30))
    assert max(at_once) == 3
    assert max(alive) == 3
    assert len(set(used)) == 30


async def test_somebody_who_stops_waiting_keeps_nobody_else_from_the_kernel(provider):
    async with pool_of(provider, limit=1) as pool:
        got: list[str] = []

        async def want(name: str) -> None:
            async with pool.acquire():
                got.append(name)

        async with pool.acquire():
            tasks = [asyncio.create_task(want(name)) for name in ("first", "second", "third")]
            await until(lambda: pool.metrics.waiting == 3)
            tasks[0].cancel()
            await asyncio.wait(tasks[:1])
            assert pool.metrics.waiting == 2
        await asyncio.wait(tasks)
        assert got == ["second", "third"]


async def test_a_kernel_that_was_given_to_somebody_at_the_moment_he_left_goes_to_the_next(provider):
    async with pool_of(provider, limit=1) as pool:
        got: list[str] = []

        async def want(name: str) -> None:
            async with pool.acquire():
                got.append(name)

        async with AsyncExitStack() as stack:
            await stack.enter_async_context(pool.acquire())
            first, second = asyncio.create_task(want("first")), asyncio.create_task(want("second"))
            await until(lambda: pool.metrics.waiting == 2)
            (waiter, _) = pool._stock._waiting
            waiter.add_done_callback(lambda _: first.cancel())
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert got == ["second"]


async def test_who_waits_too_long_is_told_how_things_are(provider):
    async with pool_of(provider, limit=1) as pool, pool.acquire():
        with pytest.raises(TimeoutError, match=r"no kernel was ready within 0.01 s: .*1 lent, 0 waiting"):
            async with pool.acquire(timeout=0.01):
                pass
        with pytest.raises(TimeoutError):
            async with pool.acquire(timeout=0):
                pass
    async with pool_of(provider, limit=1) as pool, pool.acquire(timeout=0) as kernel:
        assert kernel.state is KernelState.READY


# Launches that fail


@pytest.mark.parametrize(
    ("kernel_type", "error"),
    [("fake/kernle", NoSuchKernel), ("fake", NoSuchProvider), ("fork/kernel", NoSuchProvider)],
)
async def test_a_kernel_type_that_does_not_exist_is_told_to_everybody_who_asks(provider, kernel_type, error):
    """At once, each with an error of its own; a wish that comes later is answered too."""
    async with pool_of(provider, kernel_type=kernel_type) as pool:

        async def want() -> None:
            async with pool.acquire():
                pass

        errors = await asyncio.gather(*[want() for _ in range(3)], pool.filled(), return_exceptions=True)
        assert [type(found) for found in errors] == [error] * 4
        assert len(set(map(id, errors))) == 4
        if error is NoSuchKernel:
            assert errors[0].suggestions == ["fake/kernel"]
        with pytest.raises(error):
            await want()


async def test_an_option_that_the_provider_does_not_know_is_told_at_once(provider):
    async with pool_of(provider, kernel_type="fake/kernel", launch_params={"n": 1}) as pool:
        with pytest.raises(Unsupported, match="launch_params"):
            async with pool.acquire():
                pass


async def test_who_waits_is_told_after_three_launches_in_a_row_that_failed(provider):
    async def fail(manager: FakeManager) -> None:
        raise LaunchError("not today", exit_info=ExitInfo(1))

    provider.on_launch = fail
    async with pool_of(provider) as pool:
        with pytest.raises(LaunchError, match="not today") as caught:
            async with pool.acquire():
                pass
        assert caught.value.exit_info == ExitInfo(1)
        assert pool.metrics.failed == 3


async def test_launches_that_fail_now_and_then_are_not_told(provider, caplog):
    launches = 0

    async def fail_twice(manager: FakeManager) -> None:
        nonlocal launches
        launches += 1
        if launches < 3:
            raise LaunchError("not yet")

    provider.on_launch = fail_twice
    async with pool_of(provider) as pool, pool.acquire() as kernel:
        assert kernel.state is KernelState.READY
        assert pool.metrics.failed == 2
    assert f"A kernel of the pool of {pool.kernel_type} could not be launched: not yet" in caplog.text


async def test_what_a_broken_provider_raises_is_told_as_a_launch_error(provider):
    async def fail(manager: FakeManager) -> None:
        raise ZeroDivisionError("a bug")

    provider.on_launch = fail
    async with pool_of(provider) as pool:
        with pytest.raises(LaunchError, match="ZeroDivisionError: a bug") as caught:
            await pool.filled()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_kernels_that_never_pass_the_check_are_not_tried_for_ever(provider, monkeypatch):
    monkeypatch.setattr(_pooled_kernel, "CHECK_TIMEOUT", 0.05)
    async with pool_of(provider, size=3) as pool:
        for kernel in provider.kernels:
            kernel.quirks = Quirks(silent=True)
        with pytest.raises(LaunchError, match="3 kernels in a row were of no use"):
            async with pool.acquire():
                pass
        assert pool.metrics.unfit == 3
        for manager in provider.managers:
            manager.die()


# The pool itself


async def test_closing_ends_all_kernels_and_lent_ones_too(provider):
    async with pool_of(provider, size=2) as pool:
        async with pool.acquire() as kernel:
            execution = kernel.execute("hang")
            await pool.aclose()
            with pytest.raises(ClientClosed):
                await execution
            assert all(manager.closed for manager in provider.managers)
            await pool.aclose()
        with pytest.raises(ClientClosed, match="the pool is closed"):
            async with pool.acquire():
                pass


async def test_closing_ends_kernels_in_parallel(provider):
    """Each is asked before any has ended."""
    async with pool_of(provider, size=3) as pool:
        everybody = asyncio.Barrier(3)

        def end_with_the_others(manager: FakeManager) -> Callable[[bool], None]:
            async def meet() -> None:
                await everybody.wait()
                manager.die()

            return lambda restart: tasks.append(asyncio.create_task(meet()))

        tasks: list[asyncio.Task[None]] = []
        for manager in provider.managers:
            manager.kernel.on_shutdown = end_with_the_others(manager)
        await pool.aclose()
        assert [manager.signals for manager in provider.managers] == [[], [], []]
        await asyncio.gather(*tasks)


async def test_closing_sends_away_who_waits_and_ends_launches(provider):
    launching = asyncio.Event()

    async def hang(manager: FakeManager) -> None:
        launching.set()
        await asyncio.Event().wait()

    provider.on_launch = hang
    async with pool_of(provider) as pool:
        waiting = asyncio.create_task(pool.acquire().__aenter__())
        filling = asyncio.create_task(pool.filled())
        await launching.wait()
        await pool.aclose()
        for task in (waiting, filling):
            with pytest.raises(ClientClosed, match="the pool was closed"):
                await task


async def test_a_pool_is_entered_once_and_used_where_it_was_entered(provider):
    pool = KernelPool("fake/kernel", size=1, finder=KernelFinder([provider]))
    assert repr(pool) == "<KernelPool fake/kernel not entered, 0 lent, 0 waiting>"
    with pytest.raises(RuntimeError, match="in which it was entered"):
        async with pool.acquire():
            pass
    async with pool:
        with pytest.raises(RuntimeError, match="once"):
            await pool.__aenter__()
        await pool.filled()
        assert repr(pool) == "<KernelPool fake/kernel 1 ready, 0 lent, 0 waiting>"
    assert repr(pool) == "<KernelPool fake/kernel closed, 0 lent, 0 waiting>"


async def test_what_is_told_to_the_pool_reaches_launches_and_holders(provider):
    seen: list[str] = []
    options = {"cwd": "/tmp", "env": {"A": "b"}, "trace": lambda entry: seen.append(entry.direction)}
    async with pool_of(provider, **options) as pool, pool.acquire() as kernel:
        await kernel.execute("x")
        assert provider.launches[0].cwd == Path("/tmp")
        assert provider.launches[0].env == {"A": "b"}
        assert kernel.client.trace is options["trace"]
        assert seen


def test_a_pool_takes_every_option_of_launch_but_the_listener():
    of_launch = inspect.signature(launch).parameters.keys()
    assert LaunchOptions.__annotations__.keys() == of_launch - {"kernel_type", "on_event"}


async def test_a_holder_sees_where_the_kernel_is_and_an_event_stream(provider):
    async with pool_of(provider) as pool:
        async with pool.acquire() as kernel:
            assert isinstance(kernel, Kernel)
            assert kernel.manager is provider.managers[0]
        states = [event.state async for event in kernel.events() if hasattr(event, "state")]
        assert states == [KernelState.STARTING, KernelState.READY, KernelState.CLOSED]
