"""`Deadlines`: the clock of the queue and the clock of running, and what is done when they are over."""

import asyncio
import gc
import logging
import time
from typing import Any

import pytest

from jupyter_kernel_mgmt import Execution, ExecutionResult, KernelDied, _deadlines, _interrupts, _under_way
from jupyter_kernel_mgmt._deadlines import Deadlines
from jupyter_kernel_mgmt._interrupts import Interrupts
from jupyter_kernel_mgmt._router import Request
from jupyter_kernel_mgmt._tasks import TaskSet
from jupyter_kernel_mgmt._under_way import UnderWay
from jupyter_protocol import Message, messages

GUARD = 20
"""Seconds after which a test that waits for something has failed."""

SOON, LATER = 0.005, 0.05
"""Seconds. A timer of one that was started not after a timer of the other is over before that."""


async def not_to_be_called(execution: Execution) -> None:
    raise AssertionError(execution)


async def no_probe() -> None:
    raise AssertionError


class Bench:
    """`Deadlines` wired as in the client, over a kernel that says what it is told to say."""

    def __init__(self) -> None:
        self.under_way = UnderWay(
            lambda request: self.deadlines.started(request), lambda request: self.deadlines.ended(request)
        )
        self.interrupts = Interrupts(self.under_way, self.under_way.until, probe=no_probe)
        self.interrupts.send = self.send
        self.tasks = TaskSet()
        self.deadlines = Deadlines(self.under_way, self.interrupts, self.tasks)
        self.sent = asyncio.Event()
        self.count = 0

    async def send(self) -> None:
        self.count += 1
        self.sent.set()

    def execute(
        self, timeout: float | None = None, queue_timeout: float | None = None
    ) -> tuple[Request, Execution]:
        request = Request(messages.execute_request("code").msg_id, "shell", needs_idle=True)
        execution = Execution(request.msg_id, output_limit=None, interrupt=not_to_be_called)
        self.under_way.add_execution(request, execution)
        self.deadlines.sent(request, timeout, queue_timeout)
        return request, execution

    def say(self, request: Request, *words: str) -> None:
        parent = Message({}, {"msg_id": request.msg_id, "msg_type": "execute_request"})
        for word in words:
            if word == "reply":
                self.arrive("shell", messages.execute_reply(1, parent=parent))
            elif word == "error":
                self.arrive("shell", messages.new_reply("execute_reply", {"status": "error"}, parent=parent))
            elif word == "input":
                self.arrive("iopub", messages.execute_input("code", 1, parent=parent))
            else:
                self.arrive("iopub", messages.new_message("status", {"execution_state": word}, parent=parent))

    def arrive(self, channel: str, message: Message) -> None:
        self.under_way.received(channel, message)
        self.under_way.look_at_conditions()

    async def interrupted(self) -> None:
        async with asyncio.timeout(GUARD):
            await self.sent.wait()
        self.sent.clear()

    async def let_pass(self, seconds: float) -> None:
        """Until a clock that was started now for so many seconds is over: that of a request of its own."""
        _, witness = self.execute(queue_timeout=seconds)
        await result_of(witness)


async def result_of(execution: Execution) -> ExecutionResult:
    async with asyncio.timeout(GUARD):
        return await execution


@pytest.fixture
async def bench() -> Any:
    made = Bench()
    yield made
    await made.tasks.aclose()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ignores an interrupt is given up at once."""
    for module in (_deadlines, _interrupts):
        monkeypatch.setattr(module, "INTERRUPT_GRACE", LATER)
    monkeypatch.setattr(_interrupts, "BEGIN_GRACE", SOON / 5)


def block_the_loop(seconds: float) -> None:
    """As an application does that computes."""
    time.sleep(seconds)


# Running


async def test_what_runs_too_long_is_interrupted_and_ends_with_its_reply(bench: Bench) -> None:
    """The status is "timeout", and the reply is there."""
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "busy", "input")
    await bench.interrupted()
    assert not execution.done()
    bench.say(request, "error", "idle")
    result = await result_of(execution)

    assert (result.status, result.idle_seen, bench.count) == ("timeout", True, 1)
    assert result.reply is not None


async def test_the_clock_does_not_run_in_the_queue(bench: Bench) -> None:
    """It starts with the request's own busy."""
    request, execution = bench.execute(timeout=SOON)
    await bench.let_pass(LATER)
    assert (bench.count, execution.done()) == (0, False)
    bench.say(request, "busy", "input")
    await bench.interrupted()
    bench.say(request, "error", "idle")
    assert (await result_of(execution)).status == "timeout"


async def test_what_ends_in_time_is_left_alone(bench: Bench) -> None:
    """No interrupt is sent later."""
    request, execution = bench.execute(timeout=SOON, queue_timeout=SOON)
    bench.say(request, "busy", "input", "idle", "reply")
    assert (await result_of(execution)).status == "ok"
    await bench.let_pass(LATER)
    assert bench.count == 0


@pytest.mark.parametrize("half", ["idle", "reply"])
async def test_what_ends_in_time_is_left_alone_while_half_of_its_answer_is_missing(
    bench: Bench, half: str
) -> None:
    """The code has ended; that the rest comes late does not make it one that ran too long."""
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "busy", "input", half)
    await bench.let_pass(LATER)
    assert (bench.count, execution.done()) == (0, False)
    bench.say(request, "idle", "reply")

    assert (await result_of(execution)).status == "ok"


@pytest.mark.usefixtures("short_grace")
async def test_what_ignores_the_interrupt_ends_for_its_caller_without_a_reply(bench: Bench) -> None:
    """After the grace; the kernel goes on, and what comes then is nobody's."""
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "busy", "input")
    result = await result_of(execution)

    assert (result.status, result.reply, result.idle_seen, bench.count) == ("timeout", None, False, 1)
    assert request.msg_id in bench.under_way.router.requests
    bench.say(request, "reply", "idle")
    assert bench.under_way.router.requests == {}
    assert bench.count == 1


@pytest.mark.usefixtures("short_grace")
async def test_what_cannot_be_interrupted_ends_for_its_caller_too(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A manager of somebody else's that raises is logged."""

    async def fail() -> None:
        raise ValueError("a bug of the manager's")

    bench.interrupts.send = fail
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "busy", "input")
    result = await result_of(execution)

    assert (result.status, result.reply) == ("timeout", None)
    assert "a bug of the manager's" in caplog.text
    bench.say(request, "reply", "idle")


@pytest.mark.usefixtures("short_grace")
async def test_while_others_run_beside_it_no_interrupt_is_sent(bench: Bench) -> None:
    """It ends for its caller all the same."""
    other, beside = bench.execute()
    request, execution = bench.execute(timeout=SOON)
    bench.say(other, "busy", "input")
    bench.say(request, "busy", "input")
    assert (await result_of(execution)).status == "timeout"

    assert bench.count == 0
    bench.say(request, "idle", "reply")
    bench.say(other, "idle", "reply")
    assert (await result_of(beside)).status == "ok"


async def test_an_interrupted_kernel_that_does_not_reply_is_waited_for_a_moment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said idle: the result says so."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", SOON)
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "busy", "input")
    await bench.interrupted()
    bench.say(request, "idle")
    result = await result_of(execution)

    assert (result.status, result.reply, result.idle_seen) == ("timeout", None, True)


async def test_a_kernel_that_dies_of_it_is_dead(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """That is no time-out; the task that watched ends in silence."""
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "busy", "input")
    await bench.interrupted()
    bench.under_way.fail(lambda result: KernelDied(None, result))
    with pytest.raises(KernelDied):
        await result_of(execution)
    await bench.tasks.aclose()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("begun", [True, False])
async def test_no_clock_runs_for_what_has_ended(bench: Bench, begun: bool) -> None:
    """Answered or lost: nothing keeps the request."""
    request, execution = bench.execute(timeout=GUARD, queue_timeout=GUARD)
    if begun:
        bench.say(request, "busy", "reply", "idle")
        assert (await result_of(execution)).status == "ok"
    else:
        bench.under_way.fail(lambda result: KernelDied(None, result))
        with pytest.raises(KernelDied):
            await result_of(execution)
    del request
    gc.collect()
    kept = [thing.msg_id for thing in gc.get_objects() if isinstance(thing, Request)]
    assert execution.msg_id not in kept


# Waiting in the queue


async def test_what_waits_too_long_ends_at_once_and_is_interrupted_when_it_begins(bench: Bench) -> None:
    """Not before: the interrupt would hit what runs."""
    first, running = bench.execute()
    bench.say(first, "busy", "input")
    request, execution = bench.execute(queue_timeout=SOON)
    result = await result_of(execution)
    assert (result.status, result.reply, result.idle_seen) == ("timeout", None, False)
    await bench.let_pass(SOON)
    assert bench.count == 0

    bench.say(first, "idle", "reply")
    assert (await result_of(running)).status == "ok"
    bench.say(request, "busy", "input")
    await bench.interrupted()
    later, after = bench.execute()
    bench.say(request, "error", "idle")
    bench.say(later, "busy", "input", "idle", "reply")
    assert (await result_of(after)).status == "ok"
    assert bench.count == 1


async def test_what_was_given_up_and_is_aborted_is_not_interrupted(bench: Bench) -> None:
    """The reply may be read before its idle."""
    request, execution = bench.execute(queue_timeout=SOON)
    await result_of(execution)
    bench.say(request, "busy", "error")
    await bench.let_pass(SOON)
    bench.say(request, "idle")
    assert bench.count == 0


async def test_a_beginning_stops_the_clock_of_the_queue(bench: Bench) -> None:
    """It may then run as long as it likes."""
    request, execution = bench.execute(queue_timeout=SOON)
    bench.say(request, "busy")
    await bench.let_pass(LATER)
    assert (bench.count, execution.done()) == (0, False)
    bench.say(request, "idle", "reply")
    assert (await result_of(execution)).status == "ok"


# Cancelled


async def test_what_runs_is_interrupted_when_its_caller_is_cancelled(bench: Bench) -> None:
    """Others who wait for it see it end."""
    request, execution = bench.execute(timeout=GUARD)
    bench.say(request, "busy", "input")
    bench.deadlines.cancelled(request)
    await bench.interrupted()
    bench.say(request, "error", "idle")
    assert (await result_of(execution)).status == "interrupted"


async def test_several_cancellations_interrupt_once(bench: Bench) -> None:
    """The second interrupt might hit what comes next."""
    request, execution = bench.execute()
    bench.say(request, "busy", "input")
    bench.deadlines.cancelled(request)
    bench.deadlines.cancelled(request)
    await bench.interrupted()
    await bench.let_pass(SOON)
    bench.deadlines.cancelled(request)
    await bench.let_pass(SOON)
    bench.say(request, "error", "idle")
    await result_of(execution)
    assert bench.count == 1


async def test_what_is_queued_ends_as_interrupted_and_is_so_when_it_begins(bench: Bench) -> None:
    """For all who wait for it, at once; its clocks run no longer."""
    request, execution = bench.execute(timeout=SOON, queue_timeout=LATER)
    bench.deadlines.cancelled(request)
    result = await result_of(execution)
    assert (result.status, result.reply) == ("interrupted", None)
    bench.say(request, "busy", "input")
    await bench.interrupted()
    bench.say(request, "error", "idle")
    await bench.let_pass(LATER)
    assert bench.count == 1


# Kernels without status, loops without time


async def test_a_kernel_without_status_starts_the_clock_by_what_it_sends(bench: Bench) -> None:
    """Its first message for the request."""
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "input")
    await bench.interrupted()
    bench.say(request, "error")
    bench.say(request, "idle")
    assert (await result_of(execution)).status == "timeout"


@pytest.mark.usefixtures("short_grace")
async def test_a_kernel_known_to_be_without_status_has_the_clock_started_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing may ever tell: better too early than never. What tells all the same starts it anew."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", SOON)
    request, execution = bench.execute()
    bench.say(request, "reply")
    await result_of(execution)
    assert bench.under_way.router.never_says_status
    _, silent = bench.execute(timeout=SOON)
    assert (await result_of(silent)).status == "timeout"
    assert bench.count == 0

    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "input")
    await bench.interrupted()
    bench.say(request, "error")
    assert (await result_of(execution)).status == "timeout"


@pytest.mark.usefixtures("short_grace")
async def test_what_a_kernel_without_status_had_not_begun_in_time_is_interrupted_when_it_begins(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would keep the kernel busy although its caller was told that it took too long."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", SOON)
    learning, execution = bench.execute()
    bench.say(learning, "reply")
    await result_of(execution)
    request, execution = bench.execute(timeout=SOON)
    assert (await result_of(execution)).status == "timeout"
    assert bench.count == 0
    bench.say(request, "input")
    await bench.interrupted()
    bench.say(request, "error")


@pytest.mark.parametrize("clock", ["timeout", "queue_timeout"])
async def test_a_loop_that_was_blocked_reads_first_what_has_arrived(bench: Bench, clock: str) -> None:
    """The clock is over, but what says that it is too late stands in a queue."""
    request, execution = bench.execute(**{clock: SOON})
    loop = asyncio.get_running_loop()
    if clock == "timeout":
        bench.say(request, "busy", "input")
    block_the_loop(SOON + 4 * _deadlines.LAG)
    # In the next turn of the loop the clock is over; what has arrived is read some turns later.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (bench.count, execution.done()) == (0, False)
    loop.call_soon(bench.say, request, "busy", "input", "idle", "reply")

    assert (await result_of(execution)).status == "ok"
    assert bench.count == 0


async def test_a_loop_that_was_blocked_catches_up_once(bench: Bench) -> None:
    """Then the time is over, blocked again or not."""
    request, execution = bench.execute(timeout=SOON)
    bench.say(request, "busy", "input")
    block_the_loop(SOON + 2 * _deadlines.LAG)
    for _ in range(3):
        await asyncio.sleep(0)
    assert bench.count == 0
    block_the_loop(6 * _deadlines.LAG)
    for _ in range(5):
        await asyncio.sleep(0)
    assert bench.count == 1
    bench.say(request, "error", "idle")
    assert (await result_of(execution)).status == "timeout"
