"""Executions and their results, over channels in memory."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    Execution,
    ExecutionAborted,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionResult,
    ExecutionTimeout,
    InterruptOutcome,
    KernelDied,
    OutputDropped,
    _deadlines,
    _interrupts,
    _output_log,
    _under_way,
)
from jupyter_kernel_mgmt import client as client_module
from jupyter_kernel_mgmt.testing import FakeRun, Quirks
from jupyter_protocol import Message, messages


async def echo(run: FakeRun) -> None:
    """Prints the code, and gives it as the value; "fail" raises."""
    await asyncio.sleep(0)
    run.write(f"{run.code}\n")
    if run.code.startswith("fail"):
        raise ValueError(run.code)
    run.result(run.code)


class Gate:
    """A behaviour that prints, then waits until it is opened, then prints again."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, run: FakeRun) -> None:
        run.write("before\n")
        self.reached.set()
        await self.opened.wait()
        run.write("after\n")


def texts(items: list[Message | OutputDropped]) -> list[str]:
    return [f"-{i.count}" if isinstance(i, OutputDropped) else i.content.get("text", "") for i in items]


async def test_a_hundred_requests_in_flight_each_get_their_own_answer(talk: Any) -> None:
    """Reply and outputs, and also between other requests."""
    client, _ = await talk(echo)
    executions = [client.execute(f"code {n}") for n in range(100)]
    others = [asyncio.create_task(client.complete(f"code {n}")) for n in range(100)]

    for n, execution in reversed(list(enumerate(executions))):
        result = await execution
        assert (result.status, result.text, result.stdout) == ("ok", f"code {n}", f"code {n}\n")
        assert result.execution_count == n + 1
        assert result.reply.parent_id == execution.msg_id
    for n, other in enumerate(others):
        assert (await other).content["matches"] == [f"code {n}…"]


async def test_an_error_aborts_nothing_else(talk: Any) -> None:
    """By default each request stands for itself."""
    client, _ = await talk(echo)
    results = await asyncio.gather(*(client.execute(code) for code in ("a", "fail", "b", "fail 2", "c")))

    assert [result.status for result in results] == ["ok", "error", "ok", "error", "ok"]
    assert [result.error and result.error.evalue for result in results] == [
        None,
        "fail",
        None,
        "fail 2",
        None,
    ]


@pytest.mark.parametrize("word", ["aborted", "abort"])
async def test_what_an_error_aborts_was_aborted(talk: Any, word: Any) -> None:
    """Kernels spell it in two ways."""
    client, _ = await talk(echo, Quirks(aborted_word=word))
    failing, behind = client.execute("fail", stop_on_error=True), client.execute("a")

    assert (await failing).status == "error"
    assert (await behind).status == "aborted"


async def test_it_may_be_awaited_again_and_by_several(talk: Any) -> None:
    """Each gets the same result."""
    gate = Gate()
    client, _ = await talk(gate)
    execution = client.execute("x")

    async def wait() -> ExecutionResult:
        return await execution

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await gate.reached.wait()
    gate.opened.set()
    results = [await task for task in waiting]
    results.append(await execution)

    assert all(result is results[0] for result in results)
    assert execution.done()


async def test_cancelling_one_awaiter_leaves_the_others_and_the_kernel_alone(talk: Any) -> None:
    """Only its own wait ends; nothing is sent to the kernel."""
    gate = Gate()
    client, kernel = await talk(gate)
    execution = client.execute("x")

    async def wait() -> ExecutionResult:
        return await execution

    cancelled, staying = asyncio.create_task(wait()), asyncio.create_task(wait())
    await gate.reached.wait()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    gate.opened.set()

    assert (await staying).stdout == "before\nafter\n"
    assert [m.msg_type for _, m in kernel.received] == ["execute_request"]


async def test_wait_for_ends_only_the_wait(talk: Any) -> None:
    """A deadline of the caller's does not touch the execution."""
    gate = Gate()
    client, _ = await talk(gate)
    execution = client.execute("x")
    await gate.reached.wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await execution
    gate.opened.set()

    assert (await execution).status == "ok"


async def test_iterating_gives_output_as_it_arrives(talk: Any) -> None:
    """While the code still runs."""
    gate = Gate()
    client, _ = await talk(gate)
    execution = client.execute("x")
    seen = []
    async for message in execution:
        seen.append(message.content["text"])
        if len(seen) == 1:
            assert not execution.done()
            gate.opened.set()

    assert seen == ["before\n", "after\n"]


async def test_iterating_during_and_after_gives_the_same(talk: Any) -> None:
    """Any number of readers, from the first message on."""
    gate = Gate()
    client, _ = await talk(gate)
    execution = client.execute("x")

    async def read() -> list[str]:
        return texts([item async for item in execution])

    early = asyncio.create_task(read())
    await gate.reached.wait()
    middle = asyncio.create_task(read())
    gate.opened.set()
    await execution

    assert await early == await middle == await read() == ["before\n", "after\n"]


async def test_cancelling_a_reader_loses_nothing_for_others(talk: Any) -> None:
    """Not even when it waits for the very next message."""
    gate = Gate()
    client, _ = await talk(gate)
    execution = client.execute("x")

    async def read() -> list[str]:
        return texts([item async for item in execution])

    leaving, staying = asyncio.create_task(read()), asyncio.create_task(read())
    await gate.reached.wait()
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    gate.opened.set()

    assert await staying == ["before\n", "after\n"]


async def flood(run: FakeRun) -> None:
    for number in range(1000):
        run.publish(messages.display_data({"text/plain": f"{number:04}"}, parent=run.request))


async def test_output_over_the_limit_keeps_head_and_tail_and_counts_the_rest(talk: Any) -> None:
    """In the result, and for a reader that comes later."""
    client, _ = await talk(flood)
    execution = client.execute("x", output_limit=400_000)
    result = await execution
    kept = [output["data"]["text/plain"] for output in result.outputs]
    read = [item async for item in execution]
    gaps = [item for item in read if isinstance(item, OutputDropped)]

    assert result.status == "ok"
    assert kept[0] == "0000"
    assert kept[-1] == "0999"
    assert len(kept) + result.dropped == 1000
    assert 0 < len(kept) < 1000
    assert gaps == [OutputDropped(result.dropped)]
    assert len(read) == len(kept) + 1


async def test_a_reader_that_is_overtaken_gets_the_count_of_what_it_missed(talk: Any) -> None:
    """Once, in the place of what was dropped; what it read before does not count."""
    gate = Gate()

    async def behave(run: FakeRun) -> None:
        await flood(run)
        gate.reached.set()
        await gate.opened.wait()
        await flood(run)

    client, _ = await talk(behave)
    execution = client.execute("x", output_limit=400_000)
    reader = execution.__aiter__()
    first = [await anext(reader) for _ in range(5)]
    await gate.reached.wait()
    gate.opened.set()
    result = await execution
    rest = [item async for item in reader]
    gaps = [item for item in rest if isinstance(item, OutputDropped)]

    assert [m.content["data"]["text/plain"] for m in first] == ["0000", "0001", "0002", "0003", "0004"]
    assert gaps == [OutputDropped(result.dropped)]
    assert 5 + len(rest) - 1 + result.dropped == 2000


async def test_without_a_limit_everything_is_kept(talk: Any) -> None:
    """``output_limit=None``."""
    client, _ = await talk(flood)

    result = await client.execute("x", output_limit=None)

    assert (len(result.outputs), result.dropped) == (1000, 0)


async def test_output_that_comes_after_the_reply_counts(talk: Any) -> None:
    """Channels have no mutual order: the end is reply and idle."""
    client, _ = await talk(echo, Quirks(replies_before_busy=True))

    assert (await client.execute("x")).stdout == "x\n"


async def test_a_kernel_that_never_says_idle_is_presumed_so(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a time without messages; the next request is answered too."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", 0.01)
    client, _ = await talk(echo, Quirks(says_idle=False))

    assert (await client.execute("x")).stdout == "x\n"
    assert client.execution_state == "idle"
    assert (await client.execute("y")).stdout == "y\n"


async def test_a_reply_without_status_is_a_good_one(talk: Any) -> None:
    """Some kernels say nothing where all went well."""
    client, _ = await talk(echo, Quirks(says_status_in_replies=False))

    assert (await client.execute("x")).status == "ok"


async def lost(make: Callable[[], Any], talk: Any) -> Any:
    """An execution that had output when its kernel was lost."""
    gate = Gate()
    client, _ = await talk(gate)
    execution = client.execute("x")
    reader = execution.__aiter__()
    await anext(reader)
    client.refuse(lambda result: make()(result))
    return execution, reader


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda result: KernelDied(None, result), KernelDied),
        (lambda result: ClientClosed(result=result), ClientClosed),
    ],
    ids=["died", "closed"],
)
async def test_no_answer_is_an_error_with_the_output_so_far(talk: Any, make: Any, kind: Any) -> None:
    """For everybody who waits, each time, and for readers after what they can still read."""
    execution, reader = await lost(lambda: make, talk)

    for _ in range(2):
        with pytest.raises(kind) as caught:
            await execution
        result = caught.value.result
        assert (result.status, result.stdout, result.reply) == (None, "before\n", None)
    with pytest.raises(kind):
        await anext(reader)
    if kind is KernelDied:
        assert await execution.interrupt() is InterruptOutcome.DIED
    else:  # of a kernel that we no longer talk to, nobody can say what an interrupt would do
        with pytest.raises(kind):
            await execution.interrupt()


async def test_a_lost_execution_that_nobody_awaits_is_no_noise(
    talk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """No "exception was never retrieved"."""
    execution, reader = await lost(lambda: lambda result: KernelDied(None, result), talk)
    await reader.aclose()
    del execution, reader
    await asyncio.sleep(0)

    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("word", ["error", "abort"])
async def test_interrupting_what_runs(talk: Any, word: Any) -> None:
    """The outcome is idle and the result interrupted, whatever the kernel's word for it."""
    gate = Gate()
    client, kernel = await talk(gate, Quirks(interrupted_word=word))
    execution = client.execute("x")
    await gate.reached.wait()

    assert await execution.interrupt() is InterruptOutcome.IDLE
    result = await execution
    assert (result.status, result.stdout) == ("interrupted", "before\n")
    assert len(kernel.requests("interrupt_request")) == 1


async def test_code_that_ended_well_all_the_same_was_not_interrupted(talk: Any) -> None:
    """Some kernels answer "ok" to code that was interrupted, and some code catches it."""
    gate = Gate()
    client, _ = await talk(gate, Quirks(interrupted_word="ok"))
    execution = client.execute("x")
    await gate.reached.wait()
    await execution.interrupt()

    assert (await execution).status == "ok"


async def test_an_interrupt_that_is_ignored_says_so(talk: Any) -> None:
    """And the code runs on."""
    gate = Gate()
    client, _ = await talk(gate, Quirks(ignores_interrupts=True))
    execution = client.execute("x")
    await gate.reached.wait()

    assert await client.interrupt(grace=0.01) is InterruptOutcome.IGNORED
    gate.opened.set()
    assert (await execution).stdout == "before\nafter\n"


async def test_an_interrupt_that_kills_says_so(talk: Any) -> None:
    """xeus-python dies of it."""
    gate = Gate()
    client, _ = await talk(gate)
    execution = client.execute("x")
    await gate.reached.wait()

    async def kill() -> None:
        client.refuse(lambda result: KernelDied(None, result))

    client.interrupter = kill

    assert await execution.interrupt() is InterruptOutcome.DIED
    with pytest.raises(KernelDied):
        await execution


async def test_the_interrupt_of_a_queued_execution_is_held_back_until_it_runs(talk: Any) -> None:
    """It would stop the one that is running."""
    gates = {"first": Gate(), "second": Gate()}

    async def behave(run: FakeRun) -> None:
        await gates[run.code](run)

    client, kernel = await talk(behave)
    first, second = client.execute("first"), client.execute("second")
    await gates["first"].reached.wait()
    interrupting = asyncio.create_task(second.interrupt())
    # When a message sent later has arrived, a premature interrupt would have, too.
    await client._ask(messages.kernel_info_request(), "control")
    assert kernel.requests("interrupt_request") == []

    gates["first"].opened.set()
    assert await interrupting is InterruptOutcome.IDLE
    assert (await first).status == "ok"
    assert (await second).status == "interrupted"


async def test_interrupting_what_has_ended_sends_nothing(talk: Any) -> None:
    """The outcome is idle."""
    client, kernel = await talk(echo)
    execution = client.execute("x")
    await execution

    assert await execution.interrupt() is InterruptOutcome.IDLE
    assert kernel.requests("interrupt_request") == []


async def test_a_held_back_interrupt_of_what_is_aborted_sends_nothing(talk: Any) -> None:
    """There is nothing left to interrupt."""
    gate = Gate()

    async def behave(run: FakeRun) -> None:
        if run.code == "first":
            await gate(run)
            raise ValueError

    client, _ = await talk(behave)
    first, second = client.execute("first", stop_on_error=True), client.execute("second")
    await gate.reached.wait()
    interrupting = asyncio.create_task(second.interrupt())
    await asyncio.sleep(0)
    gate.opened.set()

    assert await interrupting is InterruptOutcome.IDLE
    assert ((await first).status, (await second).status) == ("error", "aborted")


async def test_a_status_in_the_result_becomes_an_error_when_asked() -> None:
    """`raise_for_status` gives back a good result, and raises for any other with the whole result in it."""
    kinds = {
        "error": ExecutionError,
        "interrupted": ExecutionInterrupted,
        "timeout": ExecutionTimeout,
        "aborted": ExecutionAborted,
    }
    good = ExecutionResult("ok", 1, [], None, None, 0)
    assert good.raise_for_status() is good
    for status, kind in kinds.items():
        bad = ExecutionResult(status, None, [], None, None, 0)
        with pytest.raises(kind) as caught:
            bad.raise_for_status()
        assert caught.value.result is bad


async def test_an_error_reads_as_in_the_kernel(talk: Any) -> None:
    """Name, value and traceback."""
    client, _ = await talk(echo)
    result = await client.execute("fail")

    with pytest.raises(ExecutionError, match="ValueError: fail"):
        result.raise_for_status()


def finished(content: dict[str, Any], *outputs: Message) -> ExecutionResult:
    """The result of a reply with this content after these outputs."""

    async def never(execution: Execution) -> InterruptOutcome:
        raise AssertionError

    async def main() -> ExecutionResult:
        execution = Execution("id", output_limit=None, interrupt=never)
        for output in outputs:
            execution.add_output(output)
        execution.finish(messages.new_message("execute_reply", content))
        return await execution

    return asyncio.run(main())


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"status": None, "execution_count": "x"},
        {"status": 3},
        {"status": ["ok"]},
        {"status": "error"},
        {"status": "error", "ename": 3, "evalue": None, "traceback": "line"},
        {"status": "error", "ename": None, "evalue": {"a": 1}, "traceback": [1, None]},
        {"status": "surprising"},
    ],
    ids=repr,
)
def test_a_malformed_reply_is_a_result_all_the_same(content: dict[str, Any]) -> None:
    """Its status is one of those that are documented, its fields have their types."""
    result = finished(content)

    assert result.status in ("ok", "error", "aborted", "interrupted")
    assert result.execution_count is None
    if result.error is not None:
        assert isinstance(result.error.ename, str)
        assert all(isinstance(line, str) for line in result.error.traceback)
        assert str(ExecutionError(result))


def test_an_error_that_is_only_in_the_outputs_is_found() -> None:
    """Some kernels put it only there."""
    result = finished({"status": "error"}, messages.error("NameError", "x", ["line"]))

    assert result.error is not None
    assert (result.error.ename, result.error.evalue, result.error.traceback) == ("NameError", "x", ("line",))


def test_the_shortcuts_of_a_result() -> None:
    """Streams apart from each other, and the value as data and text."""
    result = finished(
        {"status": "ok", "execution_count": 3},
        messages.stream("stdout", "a"),
        messages.stream("stderr", "b"),
        messages.execute_result(3, {"text/plain": "42", "text/html": "<b>"}),
        messages.stream("stdout", "c"),
    )

    assert (result.stdout, result.stderr, result.text) == ("ac", "b", "42")
    assert result.data == {"text/plain": "42", "text/html": "<b>"}
    assert result.execution_count == 3
    assert (finished({}).text, finished({}).data) == ("", {})


def test_a_value_without_readable_text_has_none() -> None:
    """``text`` is text, whatever a kernel puts there."""
    for data in ({"text/plain": None}, {"text/plain": 3}, {}, None, "x"):
        result = finished({}, messages.new_message("execute_result", {"data": data}))
        assert isinstance(result.text, str)


async def test_repr_shows_the_state(talk: Any) -> None:
    """Pending, a status, or the name of the error."""
    gate = Gate()
    client, _ = await talk(gate)
    done, lost = client.execute("a"), client.execute("b")
    assert repr(done).endswith("pending>")
    gate.opened.set()
    await done
    assert repr(done) == f"<Execution {done.msg_id} ok>"
    client.refuse(lambda result: KernelDied(None, result))
    with pytest.raises(KernelDied):
        await lost
    assert repr(lost) == f"<Execution {lost.msg_id} KernelDied>"


async def test_a_held_back_interrupt_tells_of_a_death(talk: Any) -> None:
    """The kernel died before it came to the execution."""
    gate = Gate()
    client, _ = await talk(gate)
    client.execute("first")
    second = client.execute("second")
    await gate.reached.wait()
    interrupting = asyncio.create_task(second.interrupt())
    await asyncio.sleep(0)
    client.refuse(lambda result: KernelDied(None, result))

    assert await interrupting is InterruptOutcome.DIED


# Time


@pytest.fixture
def short_graces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is waited for in vain is given up after moments."""
    for module in (_deadlines, _interrupts, client_module):
        monkeypatch.setattr(module, "INTERRUPT_GRACE", LATER)
    for name in ("IDLE_GRACE", "REPLY_GRACE"):
        monkeypatch.setattr(_under_way, name, SOON)


SOON, LATER = 0.005, 0.05
"""Seconds. Of two clocks that start together, or this one earlier, the one of SOON is over first."""


class Gates:
    """A behaviour with a gate for each piece of code."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def __getitem__(self, code: str) -> Gate:
        return self._gates.setdefault(code, Gate())

    async def __call__(self, run: FakeRun) -> None:
        await self[run.code](run)


async def test_code_that_takes_too_long_is_interrupted(talk: Any) -> None:
    """The status says so, the reply is the kernel's, and the output so far is there."""
    client, kernel = await talk(Gate())
    result = await client.execute("x", timeout=SOON)

    assert (result.status, result.stdout, result.idle_seen) == ("timeout", "before\n", True)
    assert result.reply.content["ename"] == "KeyboardInterrupt"
    assert len(kernel.requests("interrupt_request")) == 1
    with pytest.raises(ExecutionTimeout, match="was interrupted"):
        result.raise_for_status()


async def test_the_clock_starts_when_the_code_begins_not_while_it_waits(talk: Any) -> None:
    """What runs before it takes none of its time."""
    gates = Gates()
    client, kernel = await talk(gates)
    first, second = client.execute("first"), client.execute("second", timeout=SOON)
    await gates["first"].reached.wait()
    assert (await client.execute("witness", queue_timeout=LATER)).status == "timeout"
    assert not second.done()
    assert kernel.requests("interrupt_request") == []
    gates["first"].opened.set()

    assert (await first).status == "ok"
    assert (await second).status == "timeout"


@pytest.mark.usefixtures("short_graces")
async def test_code_that_ignores_the_interrupt_is_given_up_after_the_grace(talk: Any) -> None:
    """Without a reply; it runs on, its later output goes to handlers, and the next code waits for it."""
    gates = Gates()
    client, kernel = await talk(gates, Quirks(ignores_interrupts=True))
    heard: list[str] = []
    client.add_handler(lambda channel, m: heard.append(m.content.get("text", "")), ["iopub"])
    execution = client.execute("x", timeout=SOON)
    result = await execution
    assert (result.status, result.reply, result.idle_seen) == ("timeout", None, False)
    with pytest.raises(ExecutionTimeout, match="did not answer"):
        result.raise_for_status()

    following = client.execute("y")
    assert client.executing
    for gate in (gates["x"], gates["y"]):
        gate.opened.set()
    assert (await following).status == "ok"
    assert [text for text in heard if text] == ["before\n", "after\n"] * 2
    assert result.stdout == "before\n"
    assert len(kernel.requests("interrupt_request")) == 1


async def test_code_that_ends_in_time_is_not_interrupted_later(talk: Any) -> None:
    """Its clocks end with it."""
    gate = Gate()
    client, kernel = await talk(echo)
    assert (await client.execute("x", timeout=LATER, queue_timeout=LATER)).status == "ok"
    kernel.behaviour = gate
    second = client.execute("y")
    await gate.reached.wait()
    for _ in range(2):
        assert (await client.execute("witness", queue_timeout=LATER)).status == "timeout"
    gate.opened.set()

    assert (await second).status == "ok"
    assert kernel.requests("interrupt_request") == []


def block_the_loop(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.parametrize("clock", ["timeout", "queue_timeout"])
async def test_a_loop_that_was_blocked_gets_time_to_read_what_has_arrived(talk: Any, clock: str) -> None:
    """The end came in time and was only not read."""
    gate = Gate()
    client, kernel = await talk(gate)
    execution = client.execute("x", **{clock: LATER})
    gate.opened.set()
    if clock == "timeout":
        await anext(execution.__aiter__())
    block_the_loop(LATER + 4 * _deadlines.LAG)

    assert (await execution).status == "ok"
    assert kernel.requests("interrupt_request") == []


async def test_code_that_waits_too_long_ends_at_once_and_is_interrupted_when_it_begins(talk: Any) -> None:
    """For its caller; what runs before and after it is not harmed."""
    gates = Gates()
    client, kernel = await talk(gates)
    first, second = client.execute("first"), client.execute("second", queue_timeout=SOON)
    third = client.execute("third")
    result = await second
    assert (result.status, result.reply, result.idle_seen, result.outputs) == ("timeout", None, False, [])
    assert kernel.requests("interrupt_request") == []
    assert not gates["second"].reached.is_set()

    for name in ("first", "third"):
        gates[name].opened.set()
    assert (await first).stdout == "before\nafter\n"
    assert (await third).stdout == "before\nafter\n"
    assert gates["second"].reached.is_set()
    assert len(kernel.requests("interrupt_request")) == 1
    assert repr(client).endswith("0 requests>")


# Cancelling what is to be interrupted


async def wait_for_it(execution: Execution) -> ExecutionResult:
    return await execution


async def read_it(execution: Execution) -> list[str]:
    return texts([item async for item in execution])


async def cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("use", [wait_for_it, read_it])
async def test_a_cancelled_waiter_or_reader_interrupts_what_runs(talk: Any, use: Any) -> None:
    """Others who wait for it get the truth."""
    gate = Gate()
    client, kernel = await talk(gate)
    execution = client.execute("x", interrupt_on_cancel=True)
    leaving, staying = asyncio.create_task(use(execution)), asyncio.create_task(wait_for_it(execution))
    await gate.reached.wait()
    await client.until(lambda: client.executing)
    await cancelled(leaving)

    result = await staying
    assert (result.status, result.stdout) == ("interrupted", "before\n")
    assert result.reply is not None
    assert len(kernel.requests("interrupt_request")) == 1


async def test_several_cancelled_waiters_interrupt_once(talk: Any) -> None:
    """The second interrupt would hit what comes next."""
    gates = Gates()
    client, kernel = await talk(gates)
    execution, following = client.execute("x", interrupt_on_cancel=True), client.execute("y")
    waiting = [asyncio.create_task(use(execution)) for use in (wait_for_it, wait_for_it, read_it)]
    await gates["x"].reached.wait()
    await client.until(lambda: client.executing)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    gates["y"].opened.set()

    assert (await execution).status == "interrupted"
    assert (await following).status == "ok"
    assert len(kernel.requests("interrupt_request")) == 1


async def test_a_cancelled_waiter_of_what_is_queued_ends_it_for_all(talk: Any) -> None:
    """At once, without a reply; it is interrupted as soon as it begins, and nothing else is."""
    gates = Gates()
    client, kernel = await talk(gates)
    first, second = client.execute("first"), client.execute("second", interrupt_on_cancel=True)
    third = client.execute("third")
    leaving, staying = (asyncio.create_task(wait_for_it(second)) for _ in range(2))
    await gates["first"].reached.wait()
    await asyncio.sleep(0)
    await cancelled(leaving)
    result = await staying
    assert (result.status, result.reply) == ("interrupted", None)
    assert kernel.requests("interrupt_request") == []

    for name in ("first", "third"):
        gates[name].opened.set()
    assert [(await execution).status for execution in (first, third)] == ["ok", "ok"]
    assert len(kernel.requests("interrupt_request")) == 1


async def test_a_wait_that_is_cancelled_after_the_end_interrupts_nothing(talk: Any) -> None:
    """There is nothing left to interrupt, even where the waiter has not been woken yet."""
    client, kernel = await talk(echo)
    execution = client.execute("x", interrupt_on_cancel=True)
    await execution
    waiting = asyncio.create_task(wait_for_it(execution))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await client.kernel_info()

    assert kernel.requests("interrupt_request") == []


# Kernels that leave out half of the story


@pytest.mark.usefixtures("short_graces")
async def test_a_kernel_without_any_status_is_answered_for_by_time(talk: Any) -> None:
    """Marked, since output may be missing; the clock of running starts all the same."""
    gates = Gates()
    client, kernel = await talk(gates, Quirks(says_status=False))
    gates["x"].opened.set()
    result = await client.execute("x")
    assert (result.status, result.idle_seen, result.stdout) == ("ok", False, "before\nafter\n")
    assert client.execution_state == "idle"

    for timed in ("first", "second"):
        result = await client.execute(timed, timeout=LATER)
        assert result.status == "timeout"
        assert gates[timed].reached.is_set()
    assert len(kernel.requests("interrupt_request")) == 2


async def test_code_that_has_ended_is_not_timed_out_for_a_missing_idle(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply shows that it runs no longer."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", 2 * LATER)
    client, kernel = await talk(echo, Quirks(says_idle=False))

    assert (await client.execute("x", timeout=LATER)).status == "ok"
    assert kernel.requests("interrupt_request") == []


async def answer_by_hand(client: Any, kernel: Any, **options: Any) -> tuple[Execution, Message]:
    """An execution that the kernel got and does nothing about."""
    kernel.quirks = Quirks(silent=True)
    execution = client.execute("x", **options)
    request = await kernel.wait_for("execute_request")
    kernel.quirks = Quirks()
    return execution, request


@pytest.mark.usefixtures("short_graces")
async def test_code_without_a_reply_has_failed(talk: Any) -> None:
    """After a time: it cannot be said to have ended well. What it printed is there."""
    client, kernel = await talk()
    execution, request = await answer_by_hand(client, kernel)
    for state in ("busy", "idle"):
        kernel.send("iopub", messages.stream("stdout", state, parent=request))
        kernel.send("iopub", messages.new_message("status", {"execution_state": state}, parent=request))
    result = await execution

    assert (result.status, result.reply, result.idle_seen) == ("error", None, True)
    assert (result.stdout, result.error) == ("busyidle", None)
    with pytest.raises(ExecutionError, match="failed"):
        result.raise_for_status()


async def test_interrupted_code_without_a_reply_was_interrupted(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some kernels send none then."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", SOON)
    client, kernel = await talk()
    execution, request = await answer_by_hand(client, kernel)
    kernel.send("iopub", messages.status("busy", parent=request))
    kernel.send("iopub", messages.execute_input("x", 1, parent=request))
    await client.until(lambda: client.executing)
    interrupting = asyncio.create_task(execution.interrupt())
    await kernel.wait_for("interrupt_request")
    kernel.send("iopub", messages.status("idle", parent=request))

    assert await interrupting is InterruptOutcome.IDLE
    result = await execution
    assert (result.status, result.reply, result.idle_seen) == ("interrupted", None, True)


async def test_an_idle_that_comes_late_is_waited_for(talk: Any) -> None:
    """Output before it belongs to the code, as from its threads."""

    client, kernel = await talk(echo, Quirks(holds_idle=True))
    execution = client.execute("x")
    reader = execution.__aiter__()
    await anext(reader)
    await client.kernel_info()
    assert not execution.done()
    (request,) = kernel.requests("execute_request")
    kernel.send("iopub", messages.stream("stdout", "late", parent=request))
    kernel.release_idles()
    result = await execution

    assert (result.stdout, result.idle_seen) == ("x\nlate", True)


async def test_output_after_the_end_goes_to_handlers_only(talk: Any) -> None:
    """The result does not change any more."""
    client, kernel = await talk(echo)
    heard: list[str] = []
    client.add_handler(lambda channel, m: heard.append(m.content.get("text", "")), ["iopub"])
    execution = client.execute("x")
    result = await execution
    (request,) = kernel.requests("execute_request")
    kernel.send("iopub", messages.stream("stdout", "late", parent=request))
    await client.settle()

    assert heard[-1] == "late"
    assert (result.stdout, await read_it(execution)) == ("x\n", ["x\n", ""])


# Displays


async def show(run: FakeRun) -> None:
    """Code is of words: show:id:text, update:id:text, clear, clear-wait, print:text, wait:gate."""
    for word in run.code.split():
        what, _, rest = word.partition(":")
        name, _, text = rest.partition(":")
        if what == "show":
            run.display({"text/plain": text}, display_id=name)
        elif what == "update":
            run.update_display({"text/plain": text}, name)
        elif what == "print":
            run.write(name)
        elif what.startswith("clear"):
            run.clear_output(wait=what == "clear-wait")


def shown(result: ExecutionResult) -> list[str]:
    return [output.get("text") or output["data"]["text/plain"] for output in result.outputs]


async def test_later_code_updates_what_is_shown_under_its_display_id(talk: Any) -> None:
    """In the results of all executions that show it; the update itself is no output."""
    client, _ = await talk(show)
    first = await client.execute("show:a:1 show:b:1 show:a:2")
    second = await client.execute("show:a:3 update:a:4")
    third = await client.execute("update:b:5 update:unknown:6")

    assert (shown(first), shown(second), shown(third)) == (["4", "5", "4"], ["4"], [])


async def test_what_another_execution_updates_reaches_one_that_still_runs(talk: Any) -> None:
    """In its stream, and in its result; what does not show the display hears nothing."""
    gate = Gate()

    async def behave(run: FakeRun) -> None:
        run.display({"text/plain": "old"}, display_id=run.code)
        await gate(run)

    client, kernel = await talk(behave)
    execution = client.execute("d")
    await gate.reached.wait()
    for display_id in ("d", "another"):
        kernel.send("iopub", messages.update_display_data({"text/plain": "new"}, display_id))
    gate.opened.set()
    result = await execution

    assert shown(result) == ["new", "before\nafter\n"]
    types = [message.msg_type async for message in execution]
    assert sorted(types) == ["display_data", "stream", "stream", "update_display_data"]


async def test_code_that_only_updates_a_display_does_not_show_it(talk: Any) -> None:
    """What others do to it later is none of its business."""
    gates = Gates()

    async def behave(run: FakeRun) -> None:
        run.update_display({"text/plain": "new"}, "d")
        await gates[run.code](run)

    client, kernel = await talk(behave)
    execution = client.execute("x")
    await gates["x"].reached.wait()
    kernel.send("iopub", messages.update_display_data({"text/plain": "newer"}, "d"))
    gates["x"].opened.set()
    await execution

    types = [message.msg_type async for message in execution]
    assert types == ["update_display_data", "stream", "stream"]


async def test_a_result_that_its_caller_dropped_is_forgotten(talk: Any) -> None:
    """A client that runs for weeks does not keep what it was shown."""
    client, _ = await talk(show)
    kept = await client.execute("show:a:1")
    dropped = ref(await client.execute("show:a:1 show:b:1"))
    gc.collect()
    assert dropped() is None
    assert len(client._under_way._displays) == 1
    await client.execute("update:a:2")
    assert shown(kept) == ["2"]


@pytest.mark.parametrize(
    ("code", "outputs", "after_update"),
    [
        ("show:a:1 clear", [], []),
        ("show:a:1 clear-wait", ["1"], ["new"]),
        ("show:a:1 clear-wait show:b:2", ["2"], ["2"]),
        ("show:a:1 clear-wait update:a:2", ["2"], ["new"]),
        ("show:a:1 clear-wait show:a:2", ["2"], ["new"]),
        ("show:a:1 clear show:a:2", ["2"], ["new"]),
        ("show:a:1 clear update:a:2", [], []),
        ("print:x clear print:y", ["y"], ["y"]),
        ("print:x clear-wait clear print:y show:a:1", ["y", "1"], ["y", "new"]),
    ],
)
async def test_what_was_cleared_is_not_shown_and_not_updated(
    talk: Any, code: str, outputs: list[str], after_update: list[str]
) -> None:
    """A clear that waits takes effect with the next output; an update is none."""
    client, _ = await talk(show)
    result = await client.execute(code)
    assert shown(result) == outputs
    await client.execute("update:a:new")
    assert shown(result) == after_update


# Limits that executions share


async def test_executions_share_a_budget_and_whoever_holds_most_gives_up(talk: Any) -> None:
    """The one that floods loses output; others, what has no limit and replies are never lost."""
    gate = Gate()

    async def behave(run: FakeRun) -> None:
        await (gate(run) if run.code == "last" else flood(run))

    client, kernel = await talk(behave, output_budget=200 * (_output_log.MESSAGE_OVERHEAD + 200))
    kernel.quirks = Quirks(holds_idle=True)  # so that all are under way together
    flooding, everything = client.execute("flood"), client.execute("flood", output_limit=None)
    last = client.execute("last")
    gate.opened.set()
    await client.kernel_info()
    await client.settle()
    kernel.release_idles()
    results = [await execution for execution in (flooding, everything, last)]

    assert [result.status for result in results] == ["ok"] * 3
    assert results[0].dropped > 700
    assert len(results[0].outputs) + results[0].dropped == 1000
    assert (results[1].dropped, len(results[1].outputs)) == (0, 1000)
    assert (results[2].dropped, results[2].stdout) == (0, "before\nafter\n")
    assert client._budget.used == 0


async def test_the_budget_is_free_again_when_an_execution_is_given_up_or_lost(talk: Any) -> None:
    """Not only at a good end."""
    client, _ = await talk(Gate())
    execution = client.execute("x")
    await anext(execution.__aiter__())
    assert client._budget.used > 0
    client.fail_waiting(lambda result: KernelDied(None, result))
    assert client._budget.used == 0
    with pytest.raises(KernelDied):
        await execution
