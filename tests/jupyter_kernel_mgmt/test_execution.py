"""Executions and their results, over channels in memory."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    Execution,
    ExecutionAborted,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionResult,
    InterruptOutcome,
    KernelDied,
    OutputDropped,
)
from jupyter_kernel_mgmt import _under_way
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
    kinds = {"error": ExecutionError, "interrupted": ExecutionInterrupted, "aborted": ExecutionAborted}
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
