"""`KernelClient` over channels in memory: attaching, refusing, closing, handlers, streams, stdin."""

import asyncio
import logging
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    InterruptOutcome,
    KernelClient,
    KernelDied,
    KernelRestarted,
    NoReply,
    _under_way,
)
from jupyter_kernel_mgmt.results import ExecutionResult
from jupyter_kernel_mgmt.testing import FakeKernel, FakeRun, MemoryChannels, Quirks
from jupyter_protocol import ChannelClosed, InvalidMessage, Message, messages

HANG = "hang"


async def behave(run: FakeRun) -> None:
    """Prints the code; "hang" never ends, "ask" asks once and "ask twice" twice, "secret" for a password."""
    if run.code == HANG:
        run.write("hanging\n")
        await asyncio.Event().wait()
    elif run.code == "secret":
        run.result(await run.input("pin", password=True))
    elif run.code.startswith("ask"):
        answers = [await run.input(f"{n}?") for n in range(2 if run.code == "ask twice" else 1)]
        run.result(" ".join(answers))
    else:
        run.write(run.code)


def died(result: ExecutionResult | None) -> Exception:
    return KernelDied(None, result)


async def hanging(client: KernelClient) -> Any:
    """An execution that hangs, once it has begun."""
    execution = client.execute(HANG)
    await anext(execution.__aiter__())
    return execution


# Attaching, refusing, detaching, closing


async def test_a_client_without_channels_refuses_everything() -> None:
    """At once: nothing is queued for a kernel that is not there."""
    async with KernelClient() as client:
        with pytest.raises(ClientClosed, match="no channels"):
            client.execute("x")
        with pytest.raises(ClientClosed):
            await client.kernel_info()
        with pytest.raises(ClientClosed):
            client.send("shell", messages.kernel_info_request())
        with pytest.raises(ClientClosed):
            await client.request_shutdown()
        assert repr(client) == "<KernelClient detached, 0 requests>"


async def test_refusing_fails_all_that_wait_and_all_that_comes() -> None:
    """Executions with their output so far, other requests, conditions; each with an error of its own."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel, behave), KernelClient(channels) as client:
        execution = await hanging(client)
        info = asyncio.create_task(client.kernel_info())
        condition = asyncio.create_task(client.until(lambda: False))
        await asyncio.sleep(0)
        client.refuse(died)

        with pytest.raises(KernelDied) as caught:
            await execution
        assert caught.value.result is not None
        assert caught.value.result.stdout == "hanging\n"
        for waiting in (info, condition):
            with pytest.raises(KernelDied) as caught:
                await waiting
            assert caught.value.result is None
        with pytest.raises(KernelDied):
            client.execute("x")
        with pytest.raises(KernelDied):
            await client.until(lambda: False)
        assert repr(client).endswith("0 requests>")


async def test_a_client_that_refuses_can_still_ask_for_the_end() -> None:
    """Shutdown requests go out, and the reply comes."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel), KernelClient(channels) as client:
        client.refuse(died)

        assert (await client.request_shutdown()).msg_type == "shutdown_reply"


async def test_detaching_closes_the_channels_and_new_ones_serve_on() -> None:
    """With the handlers and stdin there are; ids of the old kernel mean nothing any more."""
    first, second = MemoryChannels(), MemoryChannels()
    seen: list[str] = []

    async def stdin(prompt: str, password: bool) -> str:
        return "answer"

    async with (
        FakeKernel(first.kernel, behave),
        FakeKernel(second.kernel, behave),
        KernelClient(first, stdin=stdin) as client,
    ):
        client.add_handler(lambda channel, m: seen.append(m.content["text"]) if "text" in m.content else None)
        execution = await hanging(client)
        await client.detach(died)
        assert first.closed
        with pytest.raises(KernelDied):
            await execution

        client.attach(second)
        assert client.execution_state == "idle"
        assert (await client.execute("ask")).text == "answer"
        await client.execute("new")
        assert seen == ["hanging\n", "new"]


async def test_attaching_twice_is_a_mistake() -> None:
    """The first channels would be lost."""
    async with KernelClient(MemoryChannels()) as client:
        with pytest.raises(RuntimeError, match="detach"):
            client.attach(MemoryChannels())


async def test_closing_fails_what_waits_and_closes_the_channels() -> None:
    """With `ClientClosed` and the output so far; twice is fine, and nothing can be attached then."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel, behave), KernelClient(channels) as client:
        execution = await hanging(client)
        info = asyncio.create_task(client.kernel_info())
        await asyncio.sleep(0)
        await client.aclose()
        await client.aclose()

        with pytest.raises(ClientClosed) as caught:
            await execution
        assert caught.value.result is not None
        assert caught.value.result.stdout == "hanging\n"
        with pytest.raises(ClientClosed):
            await info
        with pytest.raises(ChannelClosed):
            client.execute("x")
        with pytest.raises(ClientClosed):
            client.attach(MemoryChannels())
        assert channels.closed
        assert repr(client) == "<KernelClient closed, 0 requests>"


class StuckChannels(MemoryChannels):
    """Channels whose closing hangs until it is cancelled."""

    async def aclose(self, *, discard: bool = False) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await super().aclose(discard=discard)


async def test_a_close_that_is_cancelled_has_failed_all_that_wait() -> None:
    """And has ended the tasks that answer the kernel's questions."""
    channels = StuckChannels()
    asked = asyncio.Event()
    ended: list[str] = []

    async def stdin(prompt: str, password: bool) -> str:
        try:
            asked.set()
            return await asyncio.Event().wait() or ""
        finally:
            ended.append(prompt)

    async with FakeKernel(channels.kernel, behave):
        client = KernelClient(channels, stdin=stdin)
        execution = client.execute("ask")
        await asked.wait()
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

        with pytest.raises(ClientClosed):
            await execution
        assert ended == ["0?"]
        assert channels.closed


async def test_channels_that_break_fail_all_that_wait() -> None:
    """With what broke them as the cause; later requests too."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel, behave), KernelClient(channels) as client:
        execution = await hanging(client)
        reason = ConnectionResetError("gone")
        channels.kernel.close(reason)

        with pytest.raises(ClientClosed, match="lost") as caught:
            await execution
        assert caught.value.__cause__ is reason
        assert caught.value.result is not None
        assert caught.value.result.stdout == "hanging\n"
        with pytest.raises(ClientClosed):
            await client.kernel_info()


async def test_broken_channels_are_closed_with_the_client() -> None:
    """They may hold something to release, even though the far end is gone."""
    channels = MemoryChannels()
    async with KernelClient(channels):
        channels.kernel.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert channels._closed


async def test_a_message_that_cannot_be_sent_is_not_waited_for() -> None:
    """The error goes to the caller, and no request stays behind."""
    async with KernelClient(MemoryChannels()) as client:
        with pytest.raises(InvalidMessage):
            client.execute("x", user_expressions={"a": object()})  # type: ignore[dict-item]
        with pytest.raises(InvalidMessage):
            await client.history(n=object())
        assert repr(client).endswith("0 requests>")


async def test_cancelling_a_request_disturbs_no_other(talk: Any) -> None:
    """Its reply, when it comes, goes to handlers alone."""
    client, kernel = await talk(behave)
    seen: list[str | None] = []
    client.add_handler(lambda channel, m: seen.append(m.parent_id), ["shell"])
    cancelled = asyncio.create_task(client.comm_info("a"))
    other = asyncio.create_task(client.comm_info("b"))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled

    reply = await other
    asked = [m.msg_id for m in kernel.requests("comm_info_request")]
    assert reply.parent_id == asked[1]
    assert seen == asked


async def test_what_is_sent_says_whether_anybody_answers_questions(talk: Any) -> None:
    """``allow_stdin``, as of the moment of sending; and other options as they were given."""
    client, kernel = await talk(behave)

    async def stdin(prompt: str, password: bool) -> str:
        return ""

    await client.execute("a")
    client.stdin = stdin
    await client.execute(
        "b", silent=True, store_history=False, user_expressions={"k": "v"}, stop_on_error=True
    )

    first, second = (m.content for m in kernel.requests("execute_request"))
    assert first == {
        "code": "a",
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": False,
    }
    assert second == {
        "code": "b",
        "silent": True,
        "store_history": False,
        "user_expressions": {"k": "v"},
        "allow_stdin": True,
        "stop_on_error": True,
    }


# Interrupts, and what the kernel is at


async def test_interrupting_an_idle_kernel_asks_whether_it_still_answers(talk: Any) -> None:
    """And does no more: some die of an interrupt even then."""
    client, kernel = await talk(behave)

    assert await client.interrupt() is InterruptOutcome.IDLE
    assert [m.msg_type for _, m in kernel.received] == ["kernel_info_request"]


async def test_interrupting_a_kernel_that_answers_nothing_is_ignored(talk: Any) -> None:
    """After the grace."""
    client, _ = await talk(behave, Quirks(silent=True))

    assert await client.interrupt(grace=0.01) is InterruptOutcome.IGNORED


async def test_interrupting_a_dead_kernel_tells_that_it_died(talk: Any) -> None:
    """Without raising."""
    client, _ = await talk(behave)
    await client.detach(died)

    assert await client.interrupt() is InterruptOutcome.DIED


async def test_code_of_others_is_interrupted_and_waited_for(talk: Any) -> None:
    """Interrupting means what runs, whoever asked for it."""
    client, kernel = await talk(behave)
    foreign = messages.execute_request("theirs")
    kernel.send("iopub", messages.status("busy", parent=foreign))
    await client.until(lambda: client.executing)
    assert client.execution_state == "busy"
    interrupting = asyncio.create_task(client.interrupt())
    await kernel.wait_for("interrupt_request")
    kernel.send("iopub", messages.status("idle", parent=foreign))

    assert await interrupting is InterruptOutcome.IDLE


async def test_execution_state_is_reported_when_it_changes(talk: Any) -> None:
    """Once for each change."""
    client, _ = await talk(behave)
    states: list[str] = []
    client.on_execution_state = states.append
    await client.execute("a")
    await client.execute("b")

    assert states == ["busy", "idle", "busy", "idle"]


async def test_until_looks_after_handlers_have_seen_the_message(talk: Any) -> None:
    """So that a condition on what handlers note is true when it should be."""
    client, _ = await talk(behave)
    seen: list[Message] = []
    client.add_handler(lambda channel, message: seen.append(message), ["iopub"])
    waiting = asyncio.create_task(client.until(lambda: any(m.msg_type == "stream" for m in seen)))
    await client.execute("x")

    await waiting
    await client.until(lambda: True)


async def test_settling_waits_for_what_still_arrives(talk: Any) -> None:
    """Messages that are on their way have arrived afterwards."""
    client, kernel = await talk(behave)
    seen: list[str] = []
    client.add_handler(lambda channel, m: seen.append(m.content["text"]), ["iopub"])
    for n in range(200):
        kernel.send("iopub", messages.stream("stdout", str(n)))

    await client.settle()

    assert seen == [str(n) for n in range(200)]


# Handlers and streams


async def test_handlers_get_messages_of_their_channels_in_order(talk: Any) -> None:
    """All channels by default; a removed one gets no more."""
    client, _ = await talk(behave)
    everything: list[str] = []
    replies: list[str] = []
    order: list[str] = []

    def on_everything(channel: str, message: Message) -> None:
        everything.append(channel)
        order.append("first")

    def on_reply(channel: str, message: Message) -> None:
        replies.append(message.msg_type)
        order.append("second")

    client.add_handler(on_everything)
    client.add_handler(on_reply, ["shell"])
    await client.kernel_info()
    await client.until(lambda: everything.count("iopub") == 2)
    assert sorted(everything) == ["iopub", "iopub", "shell"]
    assert replies == ["kernel_info_reply"]
    assert order.index("second") == order.index("first", everything.index("shell")) + 1

    client.remove_handler(on_reply)
    client.remove_handler(on_reply)
    await client.kernel_info()
    assert replies == ["kernel_info_reply"]


async def test_a_handler_that_raises_is_logged_and_stops_nothing(
    talk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither other handlers nor requests."""
    client, _ = await talk(behave)
    seen: list[str] = []

    def bad(channel: str, message: Message) -> None:
        raise ValueError("a bug of the application's")

    client.add_handler(bad, ["shell"])
    client.add_handler(lambda channel, message: seen.append(channel), ["shell"])

    assert (await client.execute("x")).stdout == "x"
    assert seen == ["shell"]
    assert "a bug of the application's" in caplog.text


async def test_a_handler_may_remove_itself_and_add_others(talk: Any) -> None:
    """While it is called; the change counts from the next message on."""
    client, _ = await talk(behave)
    calls: list[str] = []

    def late(channel: str, message: Message) -> None:
        calls.append("late")

    def once(channel: str, message: Message) -> None:
        calls.append("once")
        client.remove_handler(once)
        client.add_handler(late, ["shell"])

    client.add_handler(once, ["shell"])
    await client.kernel_info()
    assert calls == ["once"]
    await client.kernel_info()
    assert calls == ["once", "late"]


async def test_a_stream_gives_messages_from_its_entering_to_its_leaving(talk: Any) -> None:
    """Of the channels that were asked for."""
    client, _ = await talk(behave)
    await client.execute("before")
    async with client.messages() as stream:
        await client.execute("inside")
    await client.execute("after")

    got = [message async for _, message in stream]
    assert [m.content["text"] for m in got if m.msg_type == "stream"] == ["inside"]
    assert {m.msg_type for m in got} == {"status", "execute_input", "stream"}


async def test_a_stream_is_bounded_and_counts_what_it_dropped(talk: Any) -> None:
    """The oldest go first."""
    client, kernel = await talk(behave)
    async with client.messages(limit=3) as stream:
        for n in range(10):
            kernel.send("iopub", messages.stream("stdout", str(n)))
        await client.settle()

    assert [m.content["text"] async for _, m in stream] == ["7", "8", "9"]
    assert stream.dropped == 7


async def test_cancelling_a_read_of_a_stream_loses_nothing(talk: Any) -> None:
    """The message stays for the next read, and other readers go on."""
    client, kernel = await talk(behave)
    async with client.messages() as stream, client.messages() as other:
        reading = asyncio.create_task(anext(stream))
        also = asyncio.create_task(anext(other))
        await asyncio.sleep(0)
        reading.cancel()
        kernel.send("iopub", messages.stream("stdout", "x"))
        with pytest.raises(asyncio.CancelledError):
            await reading

        assert (await anext(stream))[1].content["text"] == "x"
        assert (await also)[1].content["text"] == "x"


async def test_streams_go_on_through_new_channels_and_end_with_the_client() -> None:
    """A restart does not end them, closing does; what waits is read first."""
    first, second = MemoryChannels(), MemoryChannels()
    async with FakeKernel(first.kernel, behave), FakeKernel(second.kernel, behave):
        client = KernelClient(first)
        async with client.messages() as stream:
            await client.execute("a")
            await client.detach(died)
            client.attach(second)
            await client.execute("b")
            reading = asyncio.create_task(collect(stream))
            await client.aclose()
            assert await reading == ["a", "b"]


async def collect(stream: Any) -> list[str]:
    return [m.content["text"] async for _, m in stream if m.msg_type == "stream"]


# stdin


async def test_questions_are_answered_by_the_application(talk: Any) -> None:
    """As many as the code asks, with prompt and password flag."""
    asked: list[tuple[str, bool]] = []

    async def stdin(prompt: str, password: bool) -> str:
        asked.append((prompt, password))
        return f"answer {len(asked)}"

    client, kernel = await talk(behave, stdin=stdin)

    assert (await client.execute("ask twice")).text == "answer 1 answer 2"
    assert (await client.execute("secret")).text == "answer 3"
    assert asked == [("0?", False), ("1?", False), ("pin", True)]
    replies = kernel.requests("input_reply")
    assert [m.parent_header["msg_type"] for m in replies] == ["input_request"] * 3


async def test_a_question_that_nobody_answers_is_logged(talk: Any, caplog: pytest.LogCaptureFixture) -> None:
    """From a kernel that asks although it was told not to."""
    client, kernel = await talk(behave)
    request = asyncio.create_task(client.complete("x"))
    received = await kernel.wait_for("complete_request")
    kernel.send("stdin", messages.input_request("?", parent=received))
    await request
    await client.settle()

    assert "nobody answers" in caplog.text
    assert kernel.requests("input_reply") == []


async def test_an_answer_that_fails_interrupts_the_code_that_asked(
    talk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an answer the kernel would wait for ever."""

    async def stdin(prompt: str, password: bool) -> str:
        raise ValueError("no terminal")

    client, _ = await talk(behave, stdin=stdin)

    result = await client.execute("ask")

    assert result.status in ("interrupted", "error")
    assert "no terminal" in caplog.text


async def test_an_answer_of_the_wrong_type_interrupts_too(
    talk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be sent is a failure of the application's as well."""

    async def stdin(prompt: str, password: bool) -> Any:
        return object()

    client, _ = await talk(behave, stdin=stdin)
    result = await client.execute("ask")

    assert result.status in ("interrupted", "error")
    assert "stdin failed" in caplog.text


@pytest.mark.parametrize("end", ["interrupt", "refuse", "close"])
async def test_a_question_is_withdrawn_when_its_request_ends(talk: Any, end: str) -> None:
    """Whoever asks the user is cancelled, and no answer is sent."""
    asked, withdrawn = asyncio.Event(), asyncio.Event()

    async def stdin(prompt: str, password: bool) -> str:
        try:
            asked.set()
            await asyncio.Event().wait()
        finally:
            withdrawn.set()
        return ""

    client, kernel = await talk(behave, stdin=stdin)
    execution = client.execute("ask")
    await asked.wait()
    if end == "interrupt":
        await execution.interrupt()
    elif end == "refuse":
        client.refuse(died)
    else:
        await client.aclose()
    async with asyncio.timeout(20):
        await withdrawn.wait()

    assert kernel.requests("input_reply") == []
    if end != "interrupt":
        with pytest.raises((KernelDied, ClientClosed)):
            await execution


async def test_closing_waits_for_the_application_to_put_its_dialogue_away(talk: Any) -> None:
    """No task goes on after it."""
    asked, put_away = asyncio.Event(), asyncio.Event()

    async def stdin(prompt: str, password: bool) -> str:
        try:
            asked.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            put_away.set()
        return ""

    client, _ = await talk(behave, stdin=stdin)
    execution = client.execute("ask")
    await asked.wait()
    await client.aclose()

    assert put_away.is_set()
    with pytest.raises(ClientClosed):
        await execution


async def test_an_answer_that_comes_too_late_goes_nowhere(
    talk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An application that shields its dialogue answers a kernel that is gone; nobody is hurt."""
    asked, answer = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def stdin(prompt: str, password: bool) -> str:
        asked.set()
        while True:
            try:
                return await asyncio.shield(answer)
            except asyncio.CancelledError:
                answer.set_result("late")

    client, kernel = await talk(behave, stdin=stdin)
    execution = client.execute("ask")
    await asked.wait()
    await client.detach(died)
    with pytest.raises(KernelDied):
        await execution

    assert kernel.requests("input_reply") == []
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


# Kernels that others restart


def noted(client: KernelClient) -> list[str]:
    """What ``on_replaced`` is told, once a time."""
    calls: list[str] = []
    client.on_replaced = lambda: calls.append("replaced")
    return calls


async def test_a_restart_by_somebody_else_fails_what_had_begun_at_once(talk: Any) -> None:
    """By the new kernel's first message, whatever it is; with the output so far, and told once."""
    client, kernel = await talk(behave)
    calls = noted(client)
    execution = await hanging(client)
    kernel.restart()
    kernel.send("iopub", messages.status("starting"))
    with pytest.raises(KernelRestarted) as caught:
        await execution

    assert caught.value.result is not None
    assert caught.value.result.stdout == "hanging\n"
    assert (client.executing, client.execution_state) == (False, "idle")
    assert (await client.execute("new")).stdout == "new"
    assert calls == ["replaced"]


async def test_what_the_new_kernel_handles_is_not_lost(talk: Any) -> None:
    """It is what shows the restart; what was sent before it on the same channel is lost."""
    client, kernel = await talk(behave)
    calls = noted(client)
    running = await hanging(client)
    queued = client.execute("queued")
    await kernel.wait_for("execute_request", count=2)
    kernel.restart()
    after = client.execute("after")

    assert (await after).stdout == "after"
    for lost in (running, queued):
        with pytest.raises(KernelRestarted):
            await lost
    assert calls == ["replaced"]


@pytest.mark.parametrize("arrives", [True, False])
async def test_the_fate_of_what_was_not_begun_is_found_out(talk: Any, arrives: bool) -> None:
    """It may still be on its way to the new kernel: an answer to a later request shows that it is not."""
    client, kernel = await talk(behave)
    running = await hanging(client)
    queued = client.execute("queued")
    on_its_way = await kernel.wait_for("execute_request", count=2)
    interrupting = asyncio.create_task(queued.interrupt())
    await asyncio.sleep(0)
    kernel.restart()
    if arrives:
        interrupting.cancel()
        kernel.quirks = Quirks(holds_idle=True)  # so that it is still under way when the answer comes
        kernel.side.on_message("shell", on_its_way)
    kernel.send("iopub", messages.status("starting"))
    with pytest.raises(KernelRestarted):
        await running
    await kernel.wait_for("kernel_info_request")

    if arrives:
        await client.settle()
        kernel.quirks = Quirks()
        kernel.release_idles()
        assert (await queued).stdout == "queued"
    else:
        with pytest.raises(KernelRestarted):
            await queued
        async with asyncio.timeout(20):
            assert await interrupting is InterruptOutcome.DIED
    assert (await client.execute("new")).stdout == "new"
    assert repr(client).endswith("0 requests>")


async def test_an_answer_on_control_does_not_judge_what_is_on_its_way_on_shell(talk: Any) -> None:
    """Channels have no mutual order."""
    client, kernel = await talk(behave)
    await client.kernel_info()
    kernel.quirks = Quirks(silent=True)
    execution = client.execute("slow to arrive")
    on_its_way = await kernel.wait_for("execute_request")
    kernel.quirks = Quirks()
    kernel.restart()
    await client._ask(messages.kernel_info_request(), "control")
    kernel.side.on_message("shell", on_its_way)

    assert (await execution).stdout == "slow to arrive"


async def test_late_words_of_the_old_kernel_go_to_handlers_only(talk: Any) -> None:
    """They are no second restart, and do not make the new kernel busy."""
    client, kernel = await talk(behave)
    calls = noted(client)
    heard: list[str] = []
    client.add_handler(lambda channel, m: heard.append(m.content.get("text", "")), ["iopub"])
    await client.execute("x")
    old = kernel.side.session.session_id
    kernel.restart()
    new = kernel.session_id
    running = await hanging(client)
    kernel.session_id = old
    kernel.send("iopub", messages.status("busy", parent=messages.execute_request("theirs")))
    kernel.send("iopub", messages.stream("stdout", "late"))
    kernel.session_id = new
    await client.settle()

    assert heard[-1] == "late"
    assert (calls, running.done()) == (["replaced"], False)
    assert await running.interrupt() is InterruptOutcome.IDLE
    assert (await running).status == "interrupted"


async def test_a_kernel_that_copies_the_session_of_requests_is_never_taken_for_another(talk: Any) -> None:
    """It has no session of its own: with another client of it, the sessions seem to change all the time."""
    client, kernel = await talk(behave)
    calls = noted(client)
    running = await hanging(client)
    for session in ("theirs", "another one's"):
        parent = Message({}, {"msg_id": "m", "msg_type": "execute_request", "session": session})
        kernel.session_id = session
        for _ in range(2):
            kernel.send("iopub", messages.stream("stdout", "x", parent=parent))
    kernel.session_id = None
    await client.settle()

    assert (calls, running.done()) == ([], False)


async def test_a_welcome_without_a_session_is_no_restart(talk: Any) -> None:
    """xeus sends one to each new subscriber."""
    client, kernel = await talk(behave)
    calls = noted(client)
    running = await hanging(client)
    kernel.session_id = ""
    kernel.send("iopub", messages.new_message("iopub_welcome", {}))
    kernel.session_id = None
    kernel.send("iopub", messages.stream("stdout", "x"))
    await client.settle()

    assert (calls, running.done()) == ([], False)


async def test_comms_end_with_a_restart_by_somebody_else(talk: Any) -> None:
    """And comms of the new kernel are served."""
    client, kernel = await talk(behave)
    kernel.comms.targets["t"] = lambda comm, message: None
    comm = client.open_comm("t")
    await client.kernel_info()
    kernel.restart()
    kernel.send("iopub", messages.status("starting"))
    await client.settle()

    assert comm.closed
    with pytest.raises(KernelRestarted):
        await anext(comm)
    assert not client.open_comm("t").closed


async def test_new_channels_are_no_restart_by_somebody_else() -> None:
    """Whoever attaches them knows."""
    first, second = MemoryChannels(), MemoryChannels()
    async with (
        FakeKernel(first.kernel, behave),
        FakeKernel(second.kernel, behave),
        KernelClient(first) as client,
    ):
        calls = noted(client)
        await client.execute("x")
        await client.detach(died)
        client.attach(second)
        await client.execute("x")

        assert calls == []


# Kernels that are silent for a time


async def test_failing_what_waits_does_not_concern_what_comes_later(talk: Any) -> None:
    """The kernel may go on: late answers go to handlers only, and it becomes idle when it says so."""
    seen: list[str | None] = []
    opened = asyncio.Event()

    async def wait(run: FakeRun) -> None:
        run.write("before\n")
        if run.code == "first":
            await opened.wait()
        run.write("after\n")

    client, kernel = await talk(wait)
    client.add_handler(lambda channel, m: seen.append(m.parent_id), ["shell"])
    execution = client.execute("first")
    await anext(execution.__aiter__())
    info = asyncio.create_task(client.kernel_info())
    condition = asyncio.create_task(client.until(lambda: False))
    await asyncio.sleep(0)
    client.fail_waiting(died)
    client.fail_waiting(died)
    with pytest.raises(KernelDied) as caught:
        await execution
    assert caught.value.result is not None
    assert caught.value.result.stdout == "before\n"
    for waiting in (info, condition):
        with pytest.raises(KernelDied):
            await waiting

    assert client.executing
    later = client.execute("later")
    opened.set()
    assert (await later).stdout == "before\nafter\n"
    asked = kernel.requests("execute_request")
    assert seen == [asked[0].msg_id, kernel.requests("kernel_info_request")[0].msg_id, asked[1].msg_id]
    assert client.execution_state == "idle"
    assert repr(client).endswith("0 requests>")


async def test_a_request_that_the_kernel_does_not_answer_is_no_reply(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that it is done with it; others wait no shorter for that."""
    monkeypatch.setattr(_under_way, "REPLY_GRACE", 0.005)
    client, _ = await talk(behave)
    with pytest.raises(NoReply):
        await client.debug({"command": "initialize"})
    assert (await client.execute("x")).stdout == "x"


async def test_a_presumed_idle_is_reported(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever shows the state of a kernel that never says idle does not show it busy for ever."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", 0.005)
    client, _ = await talk(behave, Quirks(says_idle=False))
    states: list[str] = []
    client.on_execution_state = states.append
    await client.execute("x")

    assert client.execution_state == "idle"
    assert states == ["busy", "idle"]


async def test_an_interrupt_of_a_kernel_without_status_is_known_for_what_it_was(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not say what runs, but we know what it began of ours."""
    monkeypatch.setattr(_under_way, "IDLE_GRACE", 0.005)
    client, _ = await talk(behave, Quirks(says_status=False))
    await client.kernel_info()  # whose answer shows that it says nothing
    execution = await hanging(client)

    assert await client.interrupt() is InterruptOutcome.IDLE
    assert (await execution).status == "interrupted"


# The wire


async def test_a_trace_sees_what_passes_while_it_is_set(talk: Any) -> None:
    """In order, both directions; None ends it."""
    client, _ = await talk(behave)
    seen: list[Any] = []
    assert client.trace is None
    client.trace = seen.append
    assert client.trace is not None
    await client.execute("x")
    count = len(seen)
    client.trace = None
    await client.execute("y")

    shown = [(entry.direction, entry.channel, entry.msg_type) for entry in seen]
    assert shown[0] == ("sent", "shell", "execute_request")
    assert sorted(shown[1:]) == sorted(
        [("received", "iopub", kind) for kind in ("status", "execute_input", "stream", "status")]
        + [("received", "shell", "execute_reply")]
    )
    assert len(seen) == count


async def test_what_cannot_be_sent_is_not_traced() -> None:
    """It did not pass."""
    async with KernelClient(MemoryChannels()) as client:
        seen: list[Any] = []
        client.trace = seen.append
        with pytest.raises(InvalidMessage):
            client.execute("x", user_expressions={"a": object()})  # type: ignore[dict-item]
        assert seen == []


async def test_a_close_waits_for_the_tasks_that_interrupt(talk: Any) -> None:
    """None goes on after it, even where it needs a while to let go."""
    client, _ = await talk(behave)
    interrupting, let_go = asyncio.Event(), asyncio.Event()

    async def interrupt() -> None:
        try:
            interrupting.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            let_go.set()

    client.interrupter = interrupt
    execution = client.execute(HANG, timeout=0.005)
    await interrupting.wait()
    await client.aclose()

    assert let_go.is_set()
    with pytest.raises(ClientClosed):
        await execution
