"""`Comm` and `Comms`: opened and closed by either side, lost with the kernel, never ours by mistake."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import ClientClosed, ExecutionError, KernelClient, KernelDied, KernelRestarted, comms
from jupyter_kernel_mgmt.comms import Comm
from jupyter_kernel_mgmt.results import ExecutionResult
from jupyter_kernel_mgmt.testing import FakeKernel, FakeRun, MemoryChannels
from jupyter_protocol import ChannelClosed, InvalidMessage, Message, messages

GUARD = 20
"""Seconds after which a test that waits for something has failed."""

Talk = Callable[..., Awaitable[tuple[KernelClient, FakeKernel]]]

SOMEBODY_ELSE = Message({}, {"msg_id": "theirs", "msg_type": "execute_request", "session": "another client"})


def died(result: ExecutionResult | None) -> Exception:
    return KernelDied(None, result)


def restarted(result: ExecutionResult | None) -> Exception:
    return KernelRestarted(None, result)


def data(message: Message) -> Any:
    return message.content["data"]


async def until_handled(client: KernelClient) -> None:
    """All that either side sent before has arrived at the other."""
    async with asyncio.timeout(GUARD):
        await client.kernel_info()
        await client.execute("")


async def open_from_kernel(run: FakeRun) -> None:
    """Code is the name of a target: opens a comm to it, sends two messages, and closes it for "…!"."""
    target_name, end = run.code.removesuffix("!"), run.code.endswith("!")
    if not target_name:
        return
    run.publish(messages.comm_open("c1", target_name, {"n": 0}, parent=run.request))
    for n in (1, 2):
        run.publish(messages.comm_msg("c1", {"n": n}, parent=run.request))
    if end:
        run.publish(messages.comm_close("c1", {"n": 3}, parent=run.request))


# Opened by us


async def test_what_we_open_send_and_close_reaches_the_kernel_in_order(talk: Talk) -> None:
    """With data, metadata and buffers, on shell; leaving the context closes."""
    client, kernel = await talk()
    kernel.comms.targets["t"] = lambda comm, message: None
    async with client.open_comm("t", {"a": 1}, metadata={"m": 1}, buffers=[b"one", b"two"]) as comm:
        comm.send({"b": 2}, metadata={"m": 2}, buffers=[memoryview(b"three")])
        assert (comm.target_name, comm.closed) == ("t", False)
    comm.close()
    await until_handled(client)

    assert comm.closed
    sent = [message for channel, message in kernel.received if channel == "shell"][:3]
    assert [message.msg_type for message in sent] == ["comm_open", "comm_msg", "comm_close"]
    assert [message.content["comm_id"] for message in sent] == [comm.comm_id] * 3
    assert sent[0].content["target_name"] == "t"
    assert [data(message) for message in sent] == [{"a": 1}, {"b": 2}, {}]
    assert [message.metadata for message in sent] == [{"m": 1}, {"m": 2}, {}]
    assert [list(map(bytes, message.buffers)) for message in sent] == [[b"one", b"two"], [b"three"], []]
    assert len(kernel.requests("comm_close")) == 1


async def test_what_the_kernel_answers_is_iterated_with_its_buffers(talk: Talk) -> None:
    """Nothing is lost from the opening on, whenever reading begins; handlers see the same messages."""
    client, kernel = await talk()
    kernel.comms.targets["echo"] = lambda comm, message: comm.send(data(message), buffers=message.buffers)
    seen: list[Message] = []
    client.add_handler(lambda channel, message: seen.append(message), ["iopub"])

    comm = client.open_comm("echo", {"n": 0})
    comm.send({"n": 1}, buffers=[bytes(range(256))])
    await until_handled(client)
    first, second = await anext(comm), await anext(comm)

    assert (data(first), data(second)) == ({"n": 0}, {"n": 1})
    assert list(map(bytes, second.buffers)) == [bytes(range(256))]
    assert [message for message in seen if message.msg_type == "comm_msg"] == [first, second]
    assert comm.dropped == 0


async def test_a_target_that_the_kernel_does_not_know_ends_the_comm(talk: Talk) -> None:
    """The kernel closes it; iteration ends at once, and there is nothing to send on."""
    client, _ = await talk()
    async with asyncio.timeout(GUARD):
        comm = client.open_comm("nothing like it")
        assert [message async for message in comm] == []
    assert comm.closed
    assert comm.close_message is not None
    with pytest.raises(ChannelClosed, match="nothing like it"):
        comm.send({})


async def test_the_kernel_closing_ends_iteration_after_what_came_before(talk: Talk) -> None:
    """Its last words are kept, and it is not told what it knows."""
    client, kernel = await talk()
    kernel.comms.targets["t"] = lambda comm, message: (comm.send({"n": 1}), comm.close({"why": "done"}))
    async with asyncio.timeout(GUARD), client.open_comm("t") as comm:
        assert [data(message) async for message in comm] == [{"n": 1}]
        assert [message async for message in comm] == []
    await until_handled(client)

    assert comm.close_message is not None
    assert data(comm.close_message) == {"why": "done"}
    assert kernel.requests("comm_close") == []
    assert repr(comm) == f"<Comm t {comm.comm_id} closed>"


async def test_closing_ends_our_readers_and_later_messages_are_ignored(talk: Talk) -> None:
    """A reader that waits is woken; messages that came before are still read."""
    client, kernel = await talk()
    comm = client.open_comm("silent", comm_id="mine")
    kernel.comms.targets["silent"] = lambda comm, message: None
    reader = asyncio.create_task(anext(comm, None))
    await kernel.wait_for("comm_open")
    comm.close({"bye": 1})
    assert await reader is None
    kernel.send("iopub", messages.comm_msg("mine", {}))
    await until_handled(client)

    assert await anext(comm, None) is None
    assert data(kernel.requests("comm_close")[0]) == {"bye": 1}


async def test_an_id_may_be_chosen_once() -> None:
    """While a comm with it is open; another one after that."""
    async with KernelClient(MemoryChannels()) as client:
        comm = client.open_comm("t", comm_id="mine")
        assert comm.comm_id == "mine"
        with pytest.raises(ValueError, match="mine"):
            client.open_comm("t", comm_id="mine")
        comm.close()
        assert client.open_comm("t", comm_id="mine").comm_id == "mine"
        comm.close()  # the old one again: the new one stays
        with pytest.raises(ValueError, match="mine"):
            client.open_comm("t", comm_id="mine")


async def test_data_that_cannot_be_packed_is_refused_and_changes_nothing(talk: Talk) -> None:
    """Neither opening nor closing has happened then."""
    client, kernel = await talk()
    kernel.comms.targets["t"] = lambda comm, message: None
    with pytest.raises(InvalidMessage):
        client.open_comm("t", {"no": object()}, comm_id="mine")
    async with client.open_comm("t", comm_id="mine") as comm:
        for use in (comm.send, comm.close):
            with pytest.raises(InvalidMessage):
                use({"no": object()})
        assert not comm.closed
        comm.send({"fine": 1})
    await until_handled(client)
    assert [data(message) for message in kernel.requests("comm_msg")] == [{"fine": 1}]


# Reading


async def test_a_cancelled_read_loses_nothing(talk: Talk) -> None:
    """The message is there for the next one, and other readers are not disturbed."""
    client, kernel = await talk()
    kernel.comms.targets["t"] = lambda comm, message: None
    comm = client.open_comm("t", comm_id="mine")
    first, second = (asyncio.create_task(anext(comm)) for _ in range(2))
    await kernel.wait_for("comm_open")
    first.cancel()
    await asyncio.wait([first])
    kernel.send("iopub", messages.comm_msg("mine", {"n": 1}))
    async with asyncio.timeout(GUARD):
        assert data(await second) == {"n": 1}


@pytest.mark.parametrize(("limit", "value"), [("COMM_LIMIT", 2), ("COMM_BYTES", 2000)])
async def test_a_reader_that_lags_behind_gets_the_newest_and_a_count(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """Bounded in messages and in bytes; the newest message is kept, however large."""
    client, kernel = await talk()
    kernel.comms.targets["t"] = lambda comm, message: None
    monkeypatch.setattr(comms, limit, value)
    comm = client.open_comm("t", comm_id="mine")
    await kernel.wait_for("comm_open")
    for n in range(5):
        kernel.send("iopub", messages.comm_msg("mine", {"n": n}, buffers=[bytes(900)]))
    await until_handled(client)
    assert comm.dropped == 3
    assert [data(await anext(comm))["n"] for _ in range(2)] == [3, 4]

    kernel.send("iopub", messages.comm_msg("mine", {"n": 5}, buffers=[bytes(9000)]))
    await until_handled(client)
    assert data(await anext(comm)) == {"n": 5}
    assert comm.dropped == 3


async def test_what_was_read_makes_room(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that keeps up loses nothing, however much it is in all."""
    client, kernel = await talk()
    kernel.comms.targets["t"] = lambda comm, message: None
    monkeypatch.setattr(comms, "COMM_BYTES", 2000)
    comm = client.open_comm("t", comm_id="mine")
    await kernel.wait_for("comm_open")
    for n in range(0, 10, 2):
        for k in (n, n + 1):
            kernel.send("iopub", messages.comm_msg("mine", {"n": k}, buffers=[bytes(900)]))
        await until_handled(client)
        assert [data(await anext(comm))["n"] for _ in range(2)] == [n, n + 1]
    assert comm.dropped == 0


# Opened by the kernel


@pytest.mark.parametrize("code", ["t", "t!"])
async def test_a_sync_handler_gets_the_comm_and_nothing_that_follows_is_lost(talk: Talk, code: str) -> None:
    """Messages right behind the comm_open, and a close right behind these, wait for a later reader."""
    client, _ = await talk(open_from_kernel)
    opened: list[tuple[Comm, Message]] = []
    client.on_comm("t", lambda comm, message: opened.append((comm, message)))
    await client.execute(code)

    ((comm, message),) = opened
    assert (comm.comm_id, comm.target_name, data(message)) == ("c1", "t", {"n": 0})
    assert comm.closed is code.endswith("!")
    assert [data(await anext(comm)) for _ in range(2)] == [{"n": 1}, {"n": 2}]


async def test_an_async_handler_runs_beside_everything_and_may_answer(talk: Talk) -> None:
    """It reads while requests go on, and its comm stays open when it returns."""
    client, kernel = await talk(open_from_kernel)
    handled: asyncio.Future[Comm] = asyncio.get_running_loop().create_future()

    async def handle(comm: Comm, message: Message) -> None:
        numbers = [data(await anext(comm))["n"] for _ in range(2)]
        comm.send({"sum": sum(numbers)}, buffers=[b"b"])
        handled.set_result(comm)

    client.on_comm("t", handle)
    await client.execute("t")
    async with asyncio.timeout(GUARD):
        comm = await handled
        answer = await kernel.wait_for("comm_msg")
    assert data(answer) == {"sum": 3}
    assert list(map(bytes, answer.buffers)) == [b"b"]
    assert not comm.closed


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_handler_that_fails_is_logged_and_its_comm_closed(
    talk: Talk, caplog: pytest.LogCaptureFixture, asynchronous: bool
) -> None:
    """Nothing else is stopped, and the kernel does not wait for a half that nobody has."""
    client, kernel = await talk(open_from_kernel)

    def fail(comm: Comm, message: Message) -> None:
        raise RuntimeError("mine")

    async def fail_later(comm: Comm, message: Message) -> None:
        fail(comm, message)

    client.on_comm("t", fail_later if asynchronous else fail)
    assert (await client.execute("t")).status == "ok"
    async with asyncio.timeout(GUARD):
        assert (await kernel.wait_for("comm_close")).content["comm_id"] == "c1"
    assert "mine" in caplog.text
    assert "A comm handler failed" in caplog.text


async def test_errors_of_other_things_than_the_comm_are_logged(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of this package that a handler lets through is a failure like any other."""

    async def behave(run: FakeRun) -> None:
        if run.code == "fail":
            raise ValueError("inner")
        await open_from_kernel(run)

    client, kernel = await talk(behave)

    async def handle(comm: Comm, message: Message) -> None:
        (await client.execute("fail")).raise_for_status()

    client.on_comm("t", handle)
    await client.execute("t")
    async with asyncio.timeout(GUARD):
        await kernel.wait_for("comm_close")
    assert ExecutionError.__name__ in caplog.text


async def test_a_handler_can_be_replaced_and_removed(talk: Talk) -> None:
    """The last one counts; without one the target is unknown."""
    client, kernel = await talk(open_from_kernel)
    called: list[str] = []
    client.on_comm("another", lambda comm, message: None)
    client.on_comm("t", lambda comm, message: called.append("first"))
    client.on_comm("t", lambda comm, message: called.append("second"))
    await client.execute("t!")
    client.on_comm("t", None)
    client.on_comm("t", None)
    await client.execute("t!")

    assert called == ["second"]
    assert len(kernel.requests("comm_close")) == 1


async def test_an_unknown_target_is_closed_if_a_request_of_ours_caused_it(talk: Talk) -> None:
    """The specification asks for that; it is answered once, whatever follows on the comm."""
    client, kernel = await talk(open_from_kernel)
    client.on_comm("t", lambda comm, message: None)
    await client.kernel_info()
    await client.execute("nobody has it")
    await until_handled(client)

    assert [message.content for message in kernel.requests("comm_close")] == [{"comm_id": "c1", "data": {}}]


async def test_a_client_that_has_nothing_to_do_with_comms_leaves_them_open(talk: Talk) -> None:
    """Although a request of ours caused it: another client of the kernel may show widgets."""
    client, kernel = await talk(open_from_kernel)
    await client.kernel_info()
    await client.execute("a widget")
    client.on_comm("t", lambda comm, message: None)
    client.on_comm("t", None)
    await client.execute("a widget")
    await until_handled(client)

    assert kernel.requests("comm_close") == []


@pytest.mark.parametrize("parent", [None, SOMEBODY_ELSE], ids=["nobody", "somebody else"])
async def test_an_unknown_target_is_left_to_others_if_others_caused_it(
    talk: Talk, parent: Message | None
) -> None:
    """Another client of the kernel may know it: comms that are not ours are ignored altogether."""
    client, kernel = await talk()
    client.on_comm("t", lambda comm, message: None)
    await client.kernel_info()
    kernel.send("iopub", messages.comm_open("theirs", "their target", parent=parent))
    kernel.send("iopub", messages.comm_msg("theirs", {}, parent=parent))
    kernel.send("iopub", messages.comm_close("theirs", parent=parent))
    await until_handled(client)

    assert kernel.requests("comm_close") == []


async def test_a_comm_that_others_caused_is_handled_where_its_target_is_known(talk: Talk) -> None:
    """As in a page that shows what another one runs."""
    client, kernel = await talk()
    opened: list[Comm] = []
    client.on_comm("t", lambda comm, message: opened.append(comm))
    await client.kernel_info()
    kernel.send("iopub", messages.comm_open("c1", "t", parent=SOMEBODY_ELSE))
    await until_handled(client)

    assert [comm.comm_id for comm in opened] == ["c1"]


async def test_an_open_comm_is_not_opened_again(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    """A second comm_open with its id is logged and ignored; the comm goes on."""
    client, _ = await talk(open_from_kernel)
    opened: list[Comm] = []
    client.on_comm("t", lambda comm, message: opened.append(comm))
    await client.execute("t")
    await client.execute("t")

    (comm,) = opened
    assert [data(await anext(comm))["n"] for _ in range(4)] == [1, 2, 1, 2]
    assert "opened a comm that is open" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"comm_id": 7, "target_name": "t"},
        {"comm_id": ["c"]},
        {"comm_id": "c"},
        {"comm_id": "c", "target_name": {}},
    ],
)
@pytest.mark.parametrize("msg_type", ["comm_open", "comm_msg", "comm_close", "comm_unheard_of"])
async def test_malformed_comm_messages_stop_nothing(
    talk: Talk, caplog: pytest.LogCaptureFixture, msg_type: str, content: dict[str, Any]
) -> None:
    """Kernels are not trusted to follow the specification."""
    client, kernel = await talk()
    opened: list[Comm] = []
    client.on_comm("t", lambda comm, message: opened.append(comm))
    kernel.send("iopub", messages.new_message(msg_type, content))
    await until_handled(client)
    assert opened == []
    assert [r for r in caplog.records if r.name.startswith("jupyter")] == []


# The end of the kernel or the client


@pytest.mark.parametrize(("make_error", "error"), [(died, KernelDied), (restarted, KernelRestarted)])
async def test_a_comm_is_lost_with_its_kernel(make_error: Any, error: type[Exception]) -> None:
    """Readers get what came before and then the error, as often as they ask; closing raises nothing."""
    first, second = MemoryChannels(), MemoryChannels()
    async with (
        FakeKernel(first.kernel) as kernel,
        FakeKernel(second.kernel) as new,
        KernelClient(first) as client,
    ):
        kernel.comms.targets["t"] = lambda comm, message: comm.send({"n": 1})
        comm, other = client.open_comm("t"), client.open_comm("t")
        await until_handled(client)
        assert data(await anext(other)) == {"n": 1}
        waiting = asyncio.create_task(anext(other))
        await asyncio.sleep(0)
        await client.detach(make_error)
        client.attach(second)

        with pytest.raises(error):
            await waiting
        assert data(await anext(comm)) == {"n": 1}
        for _ in range(2):
            with pytest.raises(error):
                await anext(comm)
            with pytest.raises(error):
                comm.send({})
        assert comm.closed
        assert repr(comm).endswith("lost>")
        comm.close()
        await until_handled(client)
        assert new.requests("comm_msg") == new.requests("comm_close") == []


async def test_handlers_serve_the_next_kernel() -> None:
    """They stay through a restart, and so does the answer to unknown targets; what is late is ignored."""
    first, second = MemoryChannels(), MemoryChannels()
    opened: list[Comm] = []
    async with (
        FakeKernel(first.kernel, open_from_kernel) as old,
        FakeKernel(second.kernel, open_from_kernel) as new,
        KernelClient(first) as client,
    ):
        client.on_comm("t", lambda comm, message: opened.append(comm))
        await client.execute("t")
        client.refuse(died)
        old.send("iopub", messages.comm_open("late", "t"))
        await client.request_shutdown()
        assert [comm.comm_id for comm in opened] == ["c1"]

        await client.detach(died)
        client.attach(second)
        await client.execute("t!")
        await client.execute("nobody has it")
        await until_handled(client)
        assert [comm.comm_id for comm in opened] == ["c1", "c1"]
        assert (opened[1].closed, len(new.requests("comm_close"))) == (True, 1)


async def test_a_restart_that_somebody_else_made_ends_comms(talk: Talk) -> None:
    """Noticed by the new kernel's first message; comms of that kernel are served over the same channels."""
    client, kernel = await talk(open_from_kernel)
    kernel.comms.targets["echo"] = lambda comm, message: comm.send(data(message))
    opened: list[Comm] = []
    client.on_comm("t", lambda comm, message: opened.append(comm))
    comm = client.open_comm("echo", {"n": 1})
    await until_handled(client)
    kernel.restart()
    await until_handled(client)

    assert data(await anext(comm)) == {"n": 1}
    with pytest.raises(KernelRestarted):
        await anext(comm)
    async with asyncio.timeout(GUARD):
        assert data(await anext(client.open_comm("echo", {"n": 2}))) == {"n": 2}
    await client.execute("t")
    assert [data(await anext(opened[0]))["n"] for _ in range(2)] == [1, 2]


async def test_a_handler_learns_that_the_kernel_died_and_may_clean_up(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    """Its task runs on after a death; the error of its comm ends it without noise."""
    client, _ = await talk(open_from_kernel)
    ended: asyncio.Future[type[BaseException]] = asyncio.get_running_loop().create_future()

    async def handle(comm: Comm, message: Message) -> None:
        try:
            async for _ in comm:
                pass
        except KernelDied as error:
            await asyncio.sleep(0)
            ended.set_result(type(error))
            raise

    client.on_comm("t", handle)
    with caplog.at_level(logging.INFO):
        await client.execute("t")
        await client.detach(died)
        async with asyncio.timeout(GUARD):
            assert await ended is KernelDied
    assert [r for r in caplog.records if r.name.startswith("jupyter")] == []


async def test_closing_the_client_ends_comms_and_handlers(talk: Talk) -> None:
    """Tasks are cancelled and awaited, readers get `ClientClosed`, and nothing can be opened."""
    client, kernel = await talk(open_from_kernel)
    kernel.comms.targets["silent"] = lambda comm, message: None
    steps: list[str] = []

    async def handle(comm: Comm, message: Message) -> None:
        try:
            steps.append("begun")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    client.on_comm("t", handle)
    await client.execute("t")
    await until_handled(client)
    comm = client.open_comm("silent")
    reader = asyncio.create_task(anext(comm))
    await asyncio.sleep(0)
    await client.aclose()

    assert steps == ["begun", "cleaned up"]
    with pytest.raises(ClientClosed):
        await reader
    with pytest.raises(ClientClosed):
        comm.send({})
    with pytest.raises(ClientClosed):
        client.open_comm("t")
    comm.close()


async def test_a_connection_that_is_lost_ends_comms(talk: Talk) -> None:
    """Readers get `ClientClosed`, and closing is no error."""
    client, kernel = await talk()
    comm = client.open_comm("t")
    kernel.side.close()  # type: ignore[attr-defined]
    async with asyncio.timeout(GUARD):
        with pytest.raises(ClientClosed):
            await anext(comm)
    async with comm:
        pass
    assert comm.closed


async def test_closing_a_comm_that_cannot_be_sent_on_is_no_error() -> None:
    """There is nobody to be told; the comm is closed all the same."""
    channels = MemoryChannels()
    async with KernelClient(channels) as client:
        async with client.open_comm("t") as comm:
            await channels.aclose()
        assert comm.closed
        assert await anext(comm, None) is None
