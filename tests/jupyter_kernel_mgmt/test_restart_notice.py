"""`RestartNotice`: another process has taken the place of the kernel that we talked to.

What the old one took along fails, at once or when that has been found out.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jupyter_kernel_mgmt import Execution, KernelDied, KernelRestarted, NoReply
from jupyter_kernel_mgmt._replacement import Origin
from jupyter_kernel_mgmt._restart_notice import RestartNotice
from jupyter_kernel_mgmt._router import Request
from jupyter_kernel_mgmt._tasks import TaskSet
from jupyter_kernel_mgmt._under_way import UnderWay
from jupyter_protocol import Message, messages

GUARD = 20
"""Seconds after which a test that waits for something has failed."""

CURRENT, NEW, STALE = Origin.CURRENT, Origin.NEW, Origin.STALE


async def not_to_be_sent(execution: Execution) -> None:
    raise AssertionError(execution)


def ignored(request: Request) -> None:
    """Nobody here has clocks."""


def died(result: object) -> Exception:
    return KernelDied(None)


class Bench:
    """A notice and what it looks after; ``asked`` are the questions it sent, with their channels."""

    def __init__(self) -> None:
        self.under_way = UnderWay(on_started=ignored, on_ended=ignored)
        self.tasks = TaskSet()
        self.notice = RestartNotice(self.under_way, self.tasks, self.ask)
        self.asked: asyncio.Queue[tuple[str, Message]] = asyncio.Queue()
        self.deaf: dict[str, Exception] = {}
        self.waiting: list[asyncio.Task[Message]] = []

    async def ask(self, message: Message, channel: str) -> Message:
        self.asked.put_nowait((channel, message))
        if channel in self.deaf:
            raise self.deaf[channel]
        return await self.under_way.reply_to(Request(message.msg_id, channel, needs_idle=False))

    def execute(self) -> tuple[Message, Execution]:
        message = messages.execute_request("code")
        execution = Execution(message.msg_id, output_limit=None, interrupt=not_to_be_sent)
        self.under_way.add_execution(Request(message.msg_id, "shell", needs_idle=True), execution)
        return message, execution

    async def debug(self) -> tuple[Message, "asyncio.Task[Message]"]:
        message = messages.debug_request({"command": "threads"})
        waiting = asyncio.create_task(
            self.under_way.reply_to(Request(message.msg_id, "control", needs_idle=False))
        )
        self.waiting.append(waiting)
        await asyncio.sleep(0)  # it has begun to wait
        return message, waiting

    def hear(self, session: str, word: str, parent: Message | None = None, channel: str = "shell") -> Origin:
        """As the client does: look first; what is stale has no effect."""
        where, message = said(word, parent, channel)
        message.header["session"] = session
        origin = self.notice.look(message)
        if origin is not STALE:
            self.under_way.received(where, message)
            self.under_way.look_at_conditions()
        return origin

    async def question(self) -> tuple[str, Message]:
        """The next one, once it is asked."""
        async with asyncio.timeout(GUARD):
            return await self.asked.get()


def said(word: str, parent: Message | None, channel: str) -> tuple[str, Message]:
    if word == "reply":
        assert parent is not None
        return channel, messages.new_reply(parent.msg_type.replace("_request", "_reply"), {}, parent=parent)
    if word in ("busy", "idle"):
        return "iopub", messages.status(word, parent=parent)  # type: ignore[arg-type]
    if word.startswith("update"):
        return "iopub", messages.update_display_data({"text/plain": word}, "shown", parent=parent)
    if word == "show":
        transient = {"display_id": "shown"}
        return "iopub", messages.display_data({"text/plain": word}, transient=transient, parent=parent)
    return "iopub", messages.stream("stdout", word, parent=parent)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Closed after the test, when everything that waits has failed."""
    bench = Bench()
    yield bench
    bench.under_way.fail(died)
    await bench.tasks.aclose()
    await asyncio.gather(*bench.waiting, return_exceptions=True)


async def lost(waiting: Any) -> KernelRestarted:
    """It ends because of the restart."""
    async with asyncio.timeout(GUARD):
        with pytest.raises(KernelRestarted) as caught:
            await waiting
    return caught.value


async def idle(bench: Bench) -> None:
    """Nothing that the notice started is under way, and it asks nothing more."""
    while bench.tasks._tasks:
        await asyncio.wait(list(bench.tasks._tasks), timeout=GUARD)
    assert bench.asked.empty()


# What is surely lost


async def test_what_had_begun_fails_at_once_with_its_output(bench: Bench) -> None:
    """By the first message of the other process, before that takes its effect; nobody needs to be asked."""
    message, execution = bench.execute()
    bench.hear("old", "busy", message)
    bench.hear("old", "so far", message)
    origin = bench.hear("new", "whatever")

    assert (origin, execution.done()) == (NEW, True)
    error = await lost(execution)
    assert error.result is not None
    assert error.result.stdout == "so far"
    await idle(bench)


async def test_with_nothing_under_way_nothing_happens(bench: Bench) -> None:
    """The change is told all the same."""
    assert [bench.hear(session, "x") for session in ("old", "new", "new")] == [CURRENT, NEW, CURRENT]
    await idle(bench)


async def test_what_the_new_process_handles_and_what_follows_it_live_on(bench: Bench) -> None:
    """What was sent before it on its channel has gone down with the old one."""
    before, handled, after = bench.execute(), bench.execute(), bench.execute()
    bench.hear("old", "x")
    bench.hear("new", "busy", handled[0])

    assert [execution.done() for _, execution in (before, handled, after)] == [True, False, False]
    await lost(before[1])
    await idle(bench)
    for message, execution in (handled, after):
        bench.hear("new", "reply", message)
        bench.hear("new", "idle", message)
        assert (await execution).status == "ok"


async def test_what_the_old_process_was_doing_is_forgotten(bench: Bench) -> None:
    """It makes the new one not busy, and what it showed is updated by nobody."""
    shown, execution = bench.execute()
    for word in ("busy", "show", "reply", "idle"):
        bench.hear("old", word, shown)
    result = await execution
    theirs = messages.execute_request("theirs")
    bench.hear("old", "busy", theirs)
    bench.hear("old", "update once", theirs)
    assert bench.under_way.running() == {theirs.msg_id}
    bench.hear("new", "update twice")

    assert bench.under_way.running() == set()
    assert [output["data"] for output in result.outputs] == [{"text/plain": "update once"}]


# What is found out


@pytest.mark.parametrize("arrives", [True, False])
async def test_what_was_not_begun_is_lost_if_the_answer_to_a_question_overtakes_it(
    bench: Bench, arrives: bool
) -> None:
    """Each channel keeps its order: what has arrived has begun before the kernel answers what came later."""
    message, execution = bench.execute()
    bench.hear("old", "x")
    bench.hear("new", "x")
    channel, question = await bench.question()
    assert (channel, question.msg_type, execution.done()) == ("shell", "kernel_info_request", False)
    if arrives:
        bench.hear("new", "busy", message)
    bench.hear("new", "reply", question)
    await idle(bench)

    assert execution.done() == (not arrives)
    if not arrives:
        await lost(execution)


async def test_each_channel_is_asked_once_and_judged_by_itself(bench: Bench) -> None:
    """However many requests wait on it; channels have no mutual order."""
    executions = [bench.execute()[1] for _ in range(3)]
    debugging = [(await bench.debug())[1] for _ in range(2)]
    bench.hear("old", "x")
    bench.hear("new", "x")
    questions: dict[str, Message] = {}
    channel, question = await bench.question()
    assert channel == "shell"
    bench.hear("new", "reply", question)
    for execution in executions:
        await lost(execution)
    assert not any(waiting.done() for waiting in debugging)
    questions.update([await bench.question()])
    bench.hear("new", "reply", questions["control"], "control")
    for waiting in debugging:
        await lost(waiting)
    await idle(bench)


async def test_only_channels_on_which_something_waits_are_asked(bench: Bench) -> None:
    """What is known to be lost or handled raises no question."""
    begun, execution = bench.execute()
    _, debugging = await bench.debug()
    bench.hear("old", "busy", begun)
    bench.hear("new", "x")
    await lost(execution)
    channel, question = await bench.question()
    assert channel == "control"
    bench.hear("new", "reply", question, "control")
    await lost(debugging)
    await idle(bench)


async def test_a_channel_that_answers_nothing_holds_up_no_other(bench: Bench) -> None:
    """Some kernels answer on only one of them."""
    _, debugging = await bench.debug()
    _, execution = bench.execute()
    bench.hear("old", "x")
    bench.hear("new", "x")
    asked = dict([await bench.question(), await bench.question()])
    bench.hear("new", "reply", asked["shell"])

    await lost(execution)
    assert not debugging.done()


async def test_where_nothing_can_be_found_out_requests_wait_on(bench: Bench) -> None:
    """A kernel that does not answer the question may still answer them; other channels are judged."""
    bench.deaf["control"] = NoReply("the kernel handled the request and did not reply")
    _, debugging = await bench.debug()
    _, execution = bench.execute()
    bench.hear("old", "x")
    bench.hear("new", "x")
    asked = dict([await bench.question(), await bench.question()])
    bench.hear("new", "reply", asked["shell"])
    await lost(execution)
    await idle(bench)

    assert not debugging.done()


async def test_who_no_longer_waits_is_not_told(bench: Bench) -> None:
    """A request that was given up or answered while the kernel was asked keeps its end."""
    (_, given_up), (answered, execution) = bench.execute(), bench.execute()
    _, cancelled = await bench.debug()
    bench.hear("old", "x")
    bench.hear("new", "x")
    _, question = await bench.question()
    bench.under_way.give_up(given_up.msg_id, "timeout")
    cancelled.cancel()
    bench.hear("new", "reply", answered)
    bench.hear("new", "idle", answered)
    bench.hear("new", "reply", question)

    assert (await given_up).status == "timeout"
    assert (await execution).status == "ok"
    with pytest.raises(asyncio.CancelledError):
        await cancelled


# Late words, and one replacement after the other


async def test_late_words_of_the_old_process_change_nothing(bench: Bench) -> None:
    """Neither for requests that are open nor for what the kernel is known to do; they raise no question."""
    message, execution = bench.execute()
    bench.hear("old", "x")
    bench.hear("new", "busy", message)
    origins = [bench.hear("old", word, message) for word in ("late", "idle", "reply")]
    origins += [bench.hear("old", "busy", messages.execute_request("theirs"))]

    assert origins == [STALE] * 4
    assert bench.under_way.running() == {message.msg_id}
    bench.hear("new", "reply", message)
    bench.hear("new", "idle", message)
    assert (await execution).outputs == []
    await idle(bench)


async def test_each_of_several_replacements_is_one(bench: Bench) -> None:
    """Whatever each had begun is lost with it, and no earlier one comes back."""
    for session, next_session in [("a", "b"), ("b", "c"), ("c", "d")]:
        message, execution = bench.execute()
        bench.hear(session, "busy", message)
        assert bench.hear(next_session, "x") is NEW
        await lost(execution)

    assert [bench.hear(session, "x") for session in "abcd"] == [STALE, STALE, STALE, CURRENT]
    await idle(bench)


async def test_a_question_that_is_lost_in_the_next_replacement_is_asked_again(bench: Bench) -> None:
    """What waits for its answer is not forgotten, and an answer of the process in between counts no more."""
    _, execution = bench.execute()
    bench.hear("a", "x")
    bench.hear("b", "x")
    _, first = await bench.question()
    bench.hear("b", "busy", first)
    bench.hear("c", "x")
    _, second = await bench.question()
    assert bench.hear("b", "reply", first) is STALE
    assert not execution.done()
    bench.hear("c", "reply", second)

    await lost(execution)
    await idle(bench)


async def test_another_connection_begins_anew(bench: Bench) -> None:
    """Whoever made it knows of that: its first session is no change, and none is stale."""
    assert [bench.hear(session, "x") for session in ("a", "b", "a")] == [CURRENT, NEW, STALE]
    bench.notice.start()
    message, execution = bench.execute()
    bench.hear("a", "busy", message)

    assert bench.hear("b", "x") is NEW
    await lost(execution)


# Kernels without sessions of their own


async def test_a_kernel_that_copies_sessions_takes_nothing_along(bench: Bench) -> None:
    """With several clients its session seems to change with every message (IRkernel)."""
    message, execution = bench.execute()
    theirs = messages.execute_request("theirs")
    message.header["session"], theirs.header["session"] = "ours", "theirs"
    origins = []
    for parent, words in [(message, ("busy", "1")), (theirs, ("x", "y")), (message, ("2", "reply", "idle"))]:
        origins += [bench.hear(parent.header["session"], word, parent) for word in words]

    assert origins == [CURRENT] * 7
    assert (await execution).stdout == "12"
    await idle(bench)


async def test_copied_sessions_hide_no_restart_of_a_kernel_that_has_one(bench: Bench) -> None:
    """Replies may copy what the rest does not: only what is no copy tells who is there."""
    message, execution = bench.execute()
    message.header["session"] = "ours"
    assert bench.hear("old", "busy", message) is CURRENT
    assert bench.hear("ours", "copied", message) is CURRENT
    assert bench.hear("", "without", message) is CURRENT
    assert not execution.done()
    assert bench.hear("new", "x") is NEW

    assert (await lost(execution)).result.stdout == "copiedwithout"  # type: ignore[union-attr]
