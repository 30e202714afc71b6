"""`UnderWay`: messages take their effect on requests and wake all who wait; half answers are bounded."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import Execution, ExecutionResult, KernelDied, NoReply, _under_way
from jupyter_kernel_mgmt._router import Request
from jupyter_kernel_mgmt._under_way import UnderWay
from jupyter_protocol import Message, messages

GUARD = 20
"""Seconds after which a test that waits for something has failed."""


async def not_to_be_sent(execution: Execution) -> None:
    raise AssertionError(execution)


class Bench:
    """An `UnderWay` with what it told, and what a kernel may say to it."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.under_way = UnderWay(
            on_started=lambda request: self.started.append(request.msg_id),
            on_ended=lambda request: self.ended.append(request.msg_id),
        )

    def execute(self) -> tuple[Message, Execution]:
        message = messages.execute_request("code")
        execution = Execution(message.msg_id, output_limit=None, interrupt=not_to_be_sent)
        self.under_way.add_execution(Request(message.msg_id, "shell", needs_idle=True), execution)
        return message, execution

    def ask(self) -> tuple[Message, "asyncio.Task[Message]"]:
        message = messages.kernel_info_request()
        waiting = self.under_way.reply_to(Request(message.msg_id, "shell", needs_idle=False))
        return message, asyncio.ensure_future(waiting)

    def say(self, request: Message, *words: str) -> None:
        for word in words:
            channel, message = SAID[word](request)
            self.under_way.received(channel, message)
            self.under_way.look_at_conditions()


SAID: dict[str, Callable[[Message], tuple[str, Message]]] = {
    "busy": lambda parent: ("iopub", messages.status("busy", parent=parent)),
    "idle": lambda parent: ("iopub", messages.status("idle", parent=parent)),
    "output": lambda parent: ("iopub", messages.stream("stdout", "x", parent=parent)),
    "reply": lambda parent: ("shell", messages.execute_reply(1, parent=parent)),
    "info": lambda parent: ("shell", messages.new_reply("kernel_info_reply", {}, parent=parent)),
}


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half of an answer is given up at once."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", 0.001)
    monkeypatch.setattr(_under_way, "REPLY_GRACE", 0.001)


def died(result: ExecutionResult | None) -> Exception:
    return KernelDied(None, result)


async def ended(execution: Execution) -> ExecutionResult:
    async with asyncio.timeout(GUARD):
        return await execution


# Beginning and end


async def test_a_beginning_is_told_once_and_an_end_once(bench: Bench) -> None:
    """However many messages say so; the request is then forgotten."""
    message, execution = bench.execute()
    assert bench.under_way.executing
    assert bench.under_way.execution(message.msg_id) is execution
    assert bench.started == []
    bench.say(message, "busy", "output", "output", "busy", "idle")
    assert (bench.started, bench.ended) == ([message.msg_id], [])
    bench.say(message, "reply", "idle", "reply")

    assert (bench.started, bench.ended) == ([message.msg_id], [message.msg_id])
    assert not bench.under_way.executing
    assert bench.under_way.execution(message.msg_id) is None
    assert bench.under_way.router.requests == {}
    assert (await execution).stdout == "xx"


@pytest.mark.parametrize("first", ["output", "idle", "reply"])
async def test_a_lost_busy_is_no_obstacle(bench: Bench, first: str) -> None:
    """The first message for a request tells that it was begun."""
    message, _ = bench.execute()
    bench.say(message, first)
    assert bench.started == [message.msg_id]


async def test_late_output_counts_until_both_halves_have_come(bench: Bench) -> None:
    """Between reply and idle it is the execution's; after both it is nobody's."""
    message, execution = bench.execute()
    bench.say(message, "busy", "reply", "output", "idle", "output")

    assert (await execution).stdout == "x"


async def test_a_reply_wakes_the_one_that_waits_for_it(bench: Bench) -> None:
    """Without idle, and with its own."""
    first, waits_first = bench.ask()
    second, waits_second = bench.ask()
    await asyncio.sleep(0)
    bench.say(second, "info")
    assert (await waits_second).parent_id == second.msg_id
    assert not waits_first.done()
    bench.say(first, "info")
    assert (await waits_first).parent_id == first.msg_id
    assert bench.under_way.router.requests == {}


async def test_a_cancelled_wait_leaves_nothing_behind(bench: Bench) -> None:
    """The reply that comes later is nobody's."""
    message, waiting = bench.ask()
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    assert bench.under_way.router.requests == {}
    assert bench.ended == [message.msg_id]
    bench.say(message, "busy", "info", "idle")
    assert bench.under_way.router.active == {}


# Only one half comes


@pytest.mark.usefixtures("impatient")
async def test_a_reply_without_idle_is_the_end_after_a_time(bench: Bench) -> None:
    """Marked, since output may be missing; the kernel counts as idle then, and who waits is woken."""
    message, execution = bench.execute()
    bench.say(message, "busy", "output", "reply")
    async with asyncio.timeout(GUARD):
        await bench.under_way.until(lambda: not bench.under_way.router.active)
    result = await ended(execution)

    assert (result.status, result.idle_seen, result.stdout) == ("ok", False, "x")
    assert bench.ended == [message.msg_id]


@pytest.mark.usefixtures("impatient")
async def test_an_execution_without_a_reply_is_an_error_after_a_time(bench: Bench) -> None:
    """It cannot be said to have ended well; its idle was seen."""
    message, execution = bench.execute()
    bench.say(message, "busy", "output", "idle")
    result = await ended(execution)

    assert (result.status, result.reply, result.idle_seen, result.stdout) == ("error", None, True, "x")


@pytest.mark.usefixtures("impatient")
async def test_another_request_without_a_reply_is_no_reply(bench: Bench) -> None:
    """After a time in which it might have come."""
    message, waiting = bench.ask()
    await asyncio.sleep(0)
    bench.say(message, "busy", "idle")
    with pytest.raises(NoReply):
        async with asyncio.timeout(GUARD):
            await waiting
    assert bench.under_way.router.requests == {}


@pytest.mark.parametrize("interrupted", [False, True])
async def test_an_interrupted_execution_has_the_shorter_grace(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    """Some kernels do not reply to what was interrupted; others are given more time for the reply."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", 0.001)
    monkeypatch.setattr(_under_way, "REPLY_GRACE", 0.001 if not interrupted else GUARD * 10)
    message, execution = bench.execute()
    if interrupted:
        execution.mark_interrupted()
    else:
        monkeypatch.setattr(_under_way, "IDLE_GRACE", GUARD * 10)
    bench.say(message, "busy", "idle")

    assert (await ended(execution)).status == ("interrupted" if interrupted else "error")


def grace_timers(bench: Bench) -> list[Any]:
    return list(bench.under_way._grace_timers.values())


@pytest.mark.parametrize("order", [("reply", "idle"), ("idle", "reply")], ids=" ".join)
async def test_the_other_half_stops_the_wait_for_it(bench: Bench, order: tuple[str, str]) -> None:
    """No timer stays behind."""
    message, execution = bench.execute()
    bench.say(message, "busy", order[0])
    (timer,) = grace_timers(bench)
    bench.say(message, order[1])

    assert timer.cancelled()
    assert grace_timers(bench) == []
    assert (await execution).idle_seen


async def test_idle_is_not_presumed_while_a_kernel_that_says_it_still_talks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may stand in a queue that is still being read; for one that never says idle nothing is read."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", GUARD)
    message, execution = bench.execute()
    bench.say(message, "busy", "reply")
    request = bench.under_way.router.requests[message.msg_id]

    request.seen_at -= 2 * GUARD  # long ago
    bench.say(messages.complete_request("theirs"), "busy", "idle")
    bench.under_way._grace_over(request, GUARD)
    assert not execution.done()

    bench.under_way.router.says_idle = False
    bench.under_way._grace_over(request, GUARD)
    assert execution.done()


# Giving up and failing


async def test_what_is_given_up_has_ended_for_its_caller_only(bench: Bench) -> None:
    """The request stays until the kernel is through with it; what comes is nobody's."""
    message, execution = bench.execute()
    woken = asyncio.create_task(bench.under_way.until(execution.done))
    await asyncio.sleep(0)
    bench.under_way.give_up(message.msg_id, "timeout")
    async with asyncio.timeout(GUARD):
        await woken
    bench.under_way.give_up(message.msg_id, "interrupted")
    result = await execution

    assert (result.status, result.reply, result.idle_seen) == ("timeout", None, False)
    assert not bench.under_way.executing
    assert message.msg_id in bench.under_way.router.requests
    bench.say(message, "busy", "output", "reply", "idle")
    assert (result.outputs, bench.under_way.router.requests) == ([], {})
    assert bench.started == bench.ended == [message.msg_id]


async def test_failing_all_fails_executions_replies_and_conditions(bench: Bench) -> None:
    """Each with an error of its own, that of an execution with its output; later requests are not."""
    message, execution = bench.execute()
    _, waiting = bench.ask()
    condition = asyncio.create_task(bench.under_way.until(lambda: False))
    await asyncio.sleep(0)
    bench.say(message, "busy", "output")
    bench.under_way.fail(died)
    with pytest.raises(KernelDied) as caught:
        await execution
    assert caught.value.result is not None
    assert caught.value.result.stdout == "x"
    for task in (waiting, condition):
        with pytest.raises(KernelDied) as caught:
            await task
        assert caught.value.result is None

    later, next_execution = bench.execute()
    bench.say(message, "idle", "reply")
    bench.say(later, "busy", "reply", "idle")
    assert (await next_execution).status == "ok"
    assert bench.under_way.router.requests == {}


async def test_failing_some_leaves_the_others_alone(bench: Bench) -> None:
    """But wakes those who wait for something about them."""
    lost, lost_execution = bench.execute()
    message, execution = bench.execute()
    never = asyncio.create_task(bench.under_way.until(lambda: False))
    about = asyncio.create_task(bench.under_way.until(lost_execution.done))
    await asyncio.sleep(0)
    bench.under_way.fail(died, [lost.msg_id, "unknown"])
    with pytest.raises(KernelDied):
        await lost_execution
    async with asyncio.timeout(GUARD):
        await about
    assert not never.done()
    bench.say(message, "busy", "reply", "idle")
    assert (await execution).status == "ok"
    never.cancel()
    await asyncio.wait([never])


async def test_a_failure_stops_the_wait_for_the_other_half(bench: Bench) -> None:
    """No timer fires later."""
    message, execution = bench.execute()
    bench.say(message, "busy", "reply")
    (timer,) = grace_timers(bench)
    bench.under_way.fail(died)
    assert timer.cancelled()
    with pytest.raises(KernelDied):
        await execution


# Conditions


async def test_a_condition_that_is_true_already_waits_for_nothing(bench: Bench) -> None:
    """Not even for a turn of the loop."""
    waiting = bench.under_way.until(lambda: True)
    with pytest.raises(StopIteration):
        waiting.send(None)


async def test_a_cancelled_condition_is_looked_at_no_more(bench: Bench) -> None:
    """Its callable may refer to what is gone."""
    looked: list[int] = []

    def condition() -> bool:
        looked.append(1)
        return False

    waiting = asyncio.create_task(bench.under_way.until(condition))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    looked.clear()
    bench.under_way.look_at_conditions()

    assert looked == []


# Displays


def show(display_id: str, text: str, parent: Message) -> Message:
    return messages.display_data({"text/plain": text}, transient={"display_id": display_id}, parent=parent)


def update(display_id: str, text: str, parent: Message) -> Message:
    return messages.update_display_data({"text/plain": text}, display_id, parent=parent)


async def test_an_update_reaches_what_shows_the_display_running_or_finished(bench: Bench) -> None:
    """Once where the updating code shows it itself, and not what shows another display."""
    requests, executions = zip(*(bench.execute() for _ in range(4)), strict=True)
    done, running, updating, other = requests
    for request in (done, running, updating):
        bench.under_way.received("iopub", show("d", "old", request))
    bench.under_way.received("iopub", show("another", "old", other))
    bench.say(done, "busy", "reply", "idle")
    bench.under_way.received("iopub", update("d", "new", updating))
    for request in requests[1:]:
        bench.say(request, "busy", "reply", "idle")

    shown = [[output["data"]["text/plain"] for output in (await e).outputs] for e in executions]
    assert shown == [["new"], ["new"], ["new"], ["old"]]
    streamed = [len([m async for m in execution]) for execution in executions]
    assert streamed == [1, 2, 2, 1]
