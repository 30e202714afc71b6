"""`Interrupts`: sent only to what runs and is meant, and the outcome is what became of it."""

import asyncio
from collections.abc import Callable

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    Execution,
    ExecutionResult,
    InterruptOutcome,
    KernelDied,
    KernelUnresponsive,
    _interrupts,
)
from jupyter_kernel_mgmt._interrupts import Interrupts
from jupyter_kernel_mgmt._router import Request
from jupyter_kernel_mgmt._under_way import UnderWay
from jupyter_protocol import Message, messages

GUARD = 20
"""Seconds after which a test that waits for something has failed."""

FAILURES = [
    (lambda result: KernelDied(None, result), InterruptOutcome.DIED),
    (lambda result: KernelUnresponsive(1.0, result), InterruptOutcome.IGNORED),
]


async def not_to_be_called(execution: Execution) -> None:
    raise AssertionError(execution)


class Bench:
    """`Interrupts` and what they act on; ``sent`` is set with each interrupt, ``on_send`` called."""

    def __init__(self) -> None:
        self.under_way = UnderWay(lambda request: None, lambda request: None)
        self.interrupts = Interrupts(self.under_way, self.under_way.until, probe=self.probe)
        self.interrupts.send = self.send
        self.sent = asyncio.Event()
        self.count = 0
        self.probes = 0
        self.answers = asyncio.Event()
        self.on_send: Callable[[], None] = lambda: None

    async def send(self) -> None:
        self.count += 1
        self.sent.set()
        self.on_send()

    async def probe(self) -> None:
        self.probes += 1
        await self.answers.wait()

    def execute(self) -> tuple[Request, Execution]:
        request = Request(messages.execute_request("code").msg_id, "shell", needs_idle=True)
        execution = Execution(request.msg_id, output_limit=None, interrupt=not_to_be_called)
        self.under_way.add_execution(request, execution)
        return request, execution

    def say(self, msg_id: str, *words: str, subshell_id: str | None = None) -> None:
        header = {"msg_id": msg_id, "msg_type": "execute_request", "subshell_id": subshell_id}
        parent = Message({}, header)
        for word in words:
            if word == "reply":
                self.arrive("shell", messages.execute_reply(1, parent=parent))
            elif word == "input":
                self.arrive("iopub", messages.execute_input("code", 1, parent=parent))
            else:
                self.arrive("iopub", messages.new_message("status", {"execution_state": word}, parent=parent))

    def arrive(self, channel: str, message: Message) -> None:
        self.under_way.received(channel, message)
        self.under_way.look_at_conditions()

    def one(self, request: Request, grace: float = GUARD) -> "asyncio.Task[InterruptOutcome | None]":
        return asyncio.create_task(self.interrupts.one(request, grace))

    def everything(self, grace: float = GUARD) -> "asyncio.Task[InterruptOutcome]":
        return asyncio.create_task(self.interrupts.everything(grace))


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(_interrupts, "SETTLE", 0)
    return Bench()


async def turns(count: int = 5) -> None:
    """Whatever could happen without a message has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


async def sent(bench: Bench) -> None:
    async with asyncio.timeout(GUARD):
        await bench.sent.wait()


# One request


async def test_what_runs_is_interrupted_and_waited_for(bench: Bench) -> None:
    """Idle is the end of it; the execution knows that it was interrupted from the sending on."""
    request, execution = bench.execute()
    bench.say(request.msg_id, "busy", "input")
    marked: list[bool] = []
    bench.on_send = lambda: marked.append(execution.interrupted)
    outcome = bench.one(request)
    await sent(bench)
    await turns()
    assert not outcome.done()
    bench.say(request.msg_id, "idle")

    assert await outcome is InterruptOutcome.IDLE
    assert (bench.count, marked) == (1, [True])


async def test_before_it_runs_nothing_is_sent(bench: Bench) -> None:
    """The interrupt would hit another one."""
    first, _ = bench.execute()
    second, execution = bench.execute()
    bench.say(first.msg_id, "busy", "input")
    outcome = bench.one(second)
    await turns()
    bench.say(first.msg_id, "idle", "reply")
    await turns()
    assert bench.count == 0
    assert not execution.interrupted
    bench.say(second.msg_id, "busy", "input")
    await sent(bench)
    bench.say(second.msg_id, "idle")

    assert await outcome is InterruptOutcome.IDLE
    assert bench.count == 1


async def test_while_another_one_runs_beside_it_nothing_is_sent(bench: Bench) -> None:
    """In a subshell, anybody's: the interrupt might hit that one."""
    request, _ = bench.execute()
    bench.say("theirs", "busy", subshell_id="s")
    bench.say(request.msg_id, "busy", "input")
    outcome = bench.one(request)
    await turns()
    assert bench.count == 0
    bench.say("theirs", "idle", subshell_id="s")
    await sent(bench)
    bench.say(request.msg_id, "idle")
    assert await outcome is InterruptOutcome.IDLE


async def test_what_is_busy_behind_another_one_does_not_run_yet(bench: Bench) -> None:
    """xeus-python says busy as soon as a request comes in: the interrupt would hit the one before it."""
    first, _ = bench.execute()
    second, execution = bench.execute()
    bench.say(first.msg_id, "busy", "input")
    bench.say(second.msg_id, "busy", "input")
    outcome = bench.one(second)
    await turns()
    assert bench.count == 0
    bench.say(first.msg_id, "idle", "reply")
    await sent(bench)
    bench.say(second.msg_id, "idle")

    assert await outcome is InterruptOutcome.IDLE
    assert execution.interrupted


async def test_it_waits_until_the_code_is_shown(bench: Bench) -> None:
    """ipykernel loses an interrupt that comes between its busy and its preparations for one."""
    request, _ = bench.execute()
    bench.say(request.msg_id, "busy")
    outcome = bench.one(request)
    await turns()
    assert bench.count == 0
    bench.say(request.msg_id, "input")
    await sent(bench)
    bench.say(request.msg_id, "idle")
    assert await outcome is InterruptOutcome.IDLE


async def test_it_does_not_wait_for_ever_for_the_code_to_be_shown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some kernels do not show it."""
    monkeypatch.setattr(_interrupts, "BEGIN_GRACE", 0.001)
    request, _ = bench.execute()
    bench.say(request.msg_id, "busy")
    outcome = bench.one(request)
    await sent(bench)
    bench.say(request.msg_id, "idle")
    assert await outcome is InterruptOutcome.IDLE


@pytest.mark.parametrize("word", ["idle", "reply"])
async def test_what_ends_meanwhile_is_not_interrupted(bench: Bench, word: str) -> None:
    """While it waits for the code to be shown; by idle or by the reply, whichever is read first."""
    request, execution = bench.execute()
    bench.say(request.msg_id, "busy")
    outcome = bench.one(request)
    await turns()
    bench.say(request.msg_id, word)
    await turns()
    bench.say(request.msg_id, "idle", "reply")

    assert await outcome in (None, InterruptOutcome.IDLE)
    assert bench.count == 0
    assert (await execution).status == "ok"


@pytest.mark.parametrize("word", ["idle", "reply"])
async def test_what_has_ended_is_not_interrupted(bench: Bench, word: str) -> None:
    """Half of its answer is there: the interrupt would hit what comes next."""
    request, execution = bench.execute()
    bench.say(request.msg_id, "busy", "input", word)
    outcome = bench.one(request)
    await turns()
    assert bench.count == 0
    bench.say(request.msg_id, "idle", "reply")

    assert await outcome in (None, InterruptOutcome.IDLE)
    assert bench.count == 0
    assert not execution.interrupted


async def test_what_runs_on_has_ignored_it(bench: Bench) -> None:
    """After the grace."""
    request, _ = bench.execute()
    bench.say(request.msg_id, "busy", "input")

    assert await bench.one(request, 0.001) is InterruptOutcome.IGNORED
    assert bench.count == 1


async def test_what_must_be_said_just_before_is_said_only_if_it_is_sent(bench: Bench) -> None:
    """``on_send``: not while it is held back, and not for what has ended."""
    said: list[int] = []
    request, _ = bench.execute()
    outcome = asyncio.create_task(bench.interrupts.one(request, GUARD, lambda: said.append(bench.count)))
    await turns()
    assert said == []
    bench.say(request.msg_id, "busy", "input")
    await sent(bench)
    assert said == [0]
    bench.say(request.msg_id, "idle")
    await outcome

    assert await bench.interrupts.one(request, GUARD, lambda: said.append(-1)) is not InterruptOutcome.IGNORED
    assert said == [0]


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(("make_error", "outcome"), FAILURES, ids=["died", "silent"])
async def test_a_kernel_that_is_lost_meanwhile_is_told_as_such(
    bench: Bench,
    make_error: Callable[[ExecutionResult | None], Exception],
    outcome: InterruptOutcome,
    running: bool,
) -> None:
    """Dead, or without a sign of life; before or after the interrupt."""
    request, execution = bench.execute()
    if running:
        bench.say(request.msg_id, "busy", "input")
    waiting = bench.one(request)
    await turns()
    bench.under_way.fail(make_error)

    assert await waiting is outcome
    assert bench.count == int(running)
    with pytest.raises((KernelDied, KernelUnresponsive)):
        await execution


async def test_a_request_that_is_lost_alone_has_no_outcome(bench: Bench) -> None:
    """Whoever waits for it gets its error."""
    request, execution = bench.execute()
    waiting = bench.one(request)
    await turns()
    bench.under_way.fail(lambda result: KernelDied(None, result), [request.msg_id])

    async with asyncio.timeout(GUARD):
        assert await waiting is None
    with pytest.raises(KernelDied):
        await execution


async def test_cancelling_ends_only_the_wait(bench: Bench) -> None:
    """One that is held back is then not sent; the execution is not touched."""
    request, execution = bench.execute()
    waiting = bench.one(request)
    await turns()
    waiting.cancel()
    await asyncio.wait([waiting])
    bench.say(request.msg_id, "busy", "input", "idle", "reply")

    assert bench.count == 0
    assert (await execution).status == "ok"


# Everything


async def test_all_that_runs_is_interrupted_by_one_and_waited_for(bench: Bench) -> None:
    """Ours are marked; what others run is waited for too, what is queued is neither."""
    ours, execution = bench.execute()
    queued, waits = bench.execute()
    bench.say(ours.msg_id, "busy", "input")
    bench.say("theirs", "busy", subshell_id="s")
    outcome = bench.everything()
    await sent(bench)
    assert (execution.interrupted, waits.interrupted) == (True, False)
    bench.say(ours.msg_id, "idle")
    bench.say(queued.msg_id, "busy")
    await turns()
    assert not outcome.done()
    bench.say("theirs", "idle", subshell_id="s")

    assert await outcome is InterruptOutcome.IDLE
    assert (bench.count, bench.probes) == (1, 0)


async def test_a_kernel_that_answers_on_shell_runs_nothing_and_is_sent_nothing(bench: Bench) -> None:
    """Some die of an interrupt even then."""
    bench.answers.set()
    assert await bench.everything() is InterruptOutcome.IDLE
    assert (bench.count, bench.probes) == (0, 1)


async def test_one_that_does_not_may_run_what_nobody_here_saw_begin(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is interrupted, and an answer shows that it survived."""
    monkeypatch.setattr(_interrupts, "BEGIN_GRACE", 0.001)
    outcome = bench.everything()
    await sent(bench)
    await turns()
    assert (outcome.done(), bench.probes) == (False, 2)
    bench.answers.set()
    assert await outcome is InterruptOutcome.IDLE


async def test_without_an_answer_it_was_ignored(bench: Bench) -> None:
    """After the grace, whether something runs or not."""
    assert await bench.everything(0.001) is InterruptOutcome.IGNORED
    bench.say("theirs", "busy")
    assert await bench.everything(0.001) is InterruptOutcome.IGNORED


@pytest.mark.parametrize(("make_error", "outcome"), FAILURES, ids=["died", "silent"])
async def test_the_loss_of_the_kernel_is_an_outcome(
    bench: Bench, make_error: Callable[[ExecutionResult | None], Exception], outcome: InterruptOutcome
) -> None:
    """Not an error."""
    bench.say("theirs", "busy")
    waiting = bench.everything()
    await sent(bench)
    await turns()
    bench.under_way.fail(make_error)
    assert await waiting is outcome


async def test_a_client_that_is_closed_cannot_tell(bench: Bench) -> None:
    """What becomes of the kernel is not known then."""
    bench.say("theirs", "busy")
    waiting = bench.everything()
    await sent(bench)
    await turns()
    bench.under_way.fail(lambda result: ClientClosed(result=result))
    with pytest.raises(ClientClosed):
        await waiting


async def test_before_anything_can_be_sent_nothing_is() -> None:
    """The default ``send`` does nothing."""
    under_way = UnderWay(lambda request: None, lambda request: None)
    interrupts = Interrupts(under_way, under_way.until, probe=asyncio.Event().wait)
    assert await interrupts.everything(0.001) is InterruptOutcome.IGNORED


async def test_code_that_has_just_begun_is_left_a_moment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its code runs it might be hurt; what ends by itself meanwhile is sent nothing."""
    monkeypatch.setattr(_interrupts, "SETTLE", GUARD)
    request, _ = bench.execute()
    bench.say(request.msg_id, "busy", "input")
    outcome = bench.one(request)
    await turns()
    bench.say(request.msg_id, "reply")
    assert await outcome is None
    assert bench.count == 0


async def test_what_waits_behind_code_that_nobody_here_saw_begin_does_not_hold_back_the_interrupt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel that was busy when we connected."""
    monkeypatch.setattr(_interrupts, "BEGIN_GRACE", 0.001)
    bench.execute()
    outcome = bench.everything()
    await sent(bench)
    bench.answers.set()
    assert await outcome is InterruptOutcome.IDLE
