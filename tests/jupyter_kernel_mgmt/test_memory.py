"""`MemoryChannels` keeps the promises of `Channels`; those that sockets keep too are checked on both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.channels import Channels, ZMQChannels
from jupyter_kernel_mgmt.testing import MemoryChannels
from jupyter_kernel_mgmt.testing.fake_kernel import KernelSide
from jupyter_protocol import (
    ChannelClosed,
    ConnectionInfo,
    InvalidMessage,
    KernelSockets,
    Message,
    Session,
    messages,
)

Received = list[tuple[str, Message]]


class Inbox:
    """What arrives at one end, and waiting for it."""

    def __init__(self) -> None:
        self.items: Received = []
        self._changed = asyncio.Event()

    def __call__(self, channel: str, message: Message) -> None:
        self.items.append((channel, message))
        self._changed.set()

    def texts(self, channel: str) -> list[str]:
        return [m.content.get("text", "") for c, m in self.items if c == channel and m.msg_type == "stream"]

    async def wait(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    async def count(self, msg_type: str, count: int = 1) -> list[Message]:
        found: list[Message] = []

        def enough() -> bool:
            found[:] = [m for _, m in self.items if m.msg_type == msg_type]
            return len(found) >= count

        await self.wait(enough)
        return found


@dataclass
class Pair:
    """Both ends of connected channels, of either kind."""

    client: Channels
    kernel: KernelSide
    close_kernel: Callable[[], Awaitable[None]]


@pytest.fixture(params=["memory", "sockets"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """Channels in memory and over sockets, connected and subscribed."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            memory = MemoryChannels()
            stack.push_async_callback(memory.aclose)

            async def close() -> None:
                memory.kernel.close()

            yield Pair(memory, memory.kernel, close)
            return
        seen = Inbox()
        info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"))
        sockets = await stack.enter_async_context(KernelSockets(info, on_message=seen))
        client = await ZMQChannels.open(sockets.connection_info)
        stack.push_async_callback(client.aclose)
        welcome = Inbox()
        client.on_message = welcome
        await welcome.count("iopub_welcome")
        client.on_message = None
        yield Pair(client, sockets, sockets.aclose)


async def test_each_direction_keeps_its_order(pair: Pair) -> None:
    """On every channel, and replies reach the client that asked."""
    at_kernel, at_client = Inbox(), Inbox()
    pair.kernel.on_message, pair.client.on_message = at_kernel, at_client
    requests = [messages.execute_request(str(number)) for number in range(50)]
    for request in requests:
        pair.client.send("shell", request)
    received = await at_kernel.count("execute_request", 50)
    assert [m.content["code"] for m in received] == [str(number) for number in range(50)]

    for number, request in enumerate(received):
        pair.kernel.send("shell", messages.execute_reply(number, parent=request))
        pair.kernel.send("iopub", messages.stream("stdout", str(number), parent=request))
    replies = await at_client.count("execute_reply", 50)
    await at_client.count("stream", 50)

    assert [m.content["execution_count"] for m in replies] == list(range(50))
    assert [m.parent_id for m in replies] == [request.msg_id for request in requests]
    assert at_client.texts("iopub") == [str(number) for number in range(50)]


@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
async def test_what_arrives_looks_as_a_session_makes_it(pair: Pair, channel: str) -> None:
    """Session, user and version are filled in on the way; nothing is shared with the sender."""
    at_kernel, at_client = Inbox(), Inbox()
    pair.kernel.on_message, pair.client.on_message = at_kernel, at_client
    sent = messages.new_message("any_request", {"list": [1]}, metadata={"m": 1}, buffers=[b"ab"])
    pair.client.send(channel, sent)
    [got] = await at_kernel.count("any_request")
    pair.kernel.send(channel, messages.new_reply("any_reply", {"status": "ok"}, parent=got))
    [reply] = await at_client.count("any_reply")

    assert (got.content, got.metadata) == ({"list": [1]}, {"m": 1})
    assert list(map(bytes, got.buffers)) == [b"ab"]
    assert got.content["list"] is not sent.content["list"]
    assert {"session", "username", "version"} <= got.header.keys()
    assert got.idents
    assert got.size > 0
    assert reply.parent_header == got.header
    assert reply.session != got.session
    assert reply.idents == []


async def test_messages_that_arrive_early_wait_for_the_callback(pair: Pair) -> None:
    """In their order, before those that come later."""
    at_kernel, at_client = Inbox(), Inbox()
    pair.kernel.on_message = at_kernel
    pair.client.send("shell", messages.kernel_info_request())
    [request] = await at_kernel.count("kernel_info_request")
    for text in "abc":
        pair.kernel.send("iopub", messages.stream("stdout", text, parent=request))
    pair.client.send("control", messages.kernel_info_request())
    await at_kernel.count("kernel_info_request", 2)

    pair.client.on_message = at_client
    pair.kernel.send("iopub", messages.stream("stdout", "d", parent=request))
    await at_client.count("stream", 4)

    assert at_client.texts("iopub") == ["a", "b", "c", "d"]


@pytest.mark.parametrize("channel", ["iopub", "hb", "unknown"])
async def test_a_client_cannot_send_where_kernels_only_send(pair: Pair, channel: str) -> None:
    """It is told at once."""
    with pytest.raises(ChannelClosed, match=channel):
        pair.client.send(channel, messages.kernel_info_request())


async def test_what_cannot_be_packed_is_refused(pair: Pair) -> None:
    """At the sender, who made it."""
    with pytest.raises(InvalidMessage):
        pair.client.send("shell", messages.new_message("x", {"object": object()}))


async def test_a_reply_to_nobody_is_refused(pair: Pair) -> None:
    """It would be dropped without a word."""
    with pytest.raises(InvalidMessage, match="addressed to nobody"):
        pair.kernel.send("shell", messages.execute_reply(1))


async def test_a_closed_client_sends_and_gets_nothing(pair: Pair) -> None:
    """Closing again is fine, and calls no callback."""
    at_client, closings = Inbox(), []
    pair.client.on_message, pair.client.on_closed = at_client, closings.append
    await pair.client.aclose()
    await pair.client.aclose()

    with pytest.raises(ChannelClosed):
        pair.client.send("shell", messages.kernel_info_request())
    pair.kernel.send("iopub", messages.status("idle"))
    await asyncio.sleep(0)
    assert at_client.items == []
    assert closings == []


async def test_what_was_sent_before_closing_still_leaves(pair: Pair) -> None:
    """Unless it may be discarded."""
    at_kernel = Inbox()
    pair.kernel.on_message = at_kernel
    pair.client.send("control", messages.shutdown_request())
    await pair.client.aclose()

    await at_kernel.count("shutdown_request")


async def test_a_closed_kernel_sends_nothing(pair: Pair) -> None:
    """It is told so, whoever closed it."""
    await pair.close_kernel()

    with pytest.raises(ChannelClosed):
        pair.kernel.send("iopub", messages.status("idle"))


# Only in memory, where an end learns of the other one's closing:


async def test_closing_the_kernels_end_is_told_once_after_the_last_message() -> None:
    """With the error it was closed with; then nothing can be sent."""
    channels = MemoryChannels()
    order: list[object] = []
    channels.on_message = lambda channel, message: order.append(message.content["text"])
    channels.on_closed = order.append
    reason = OSError("the cable was cut")
    told = asyncio.get_running_loop().create_future()
    for text in "ab":
        channels.kernel.send("iopub", messages.stream("stdout", text))
    channels.kernel.close(reason)
    channels.kernel.close()
    asyncio.get_running_loop().call_soon(told.set_result, None)
    await told
    await asyncio.sleep(0)

    assert order == ["a", "b", reason]
    assert channels.closed
    with pytest.raises(ChannelClosed):
        channels.send("shell", messages.kernel_info_request())


async def test_an_early_end_waits_for_whoever_wants_to_know() -> None:
    """As early messages do, and comes after them."""
    channels = MemoryChannels()
    channels.kernel.send("iopub", messages.stream("stdout", "a"))
    channels.kernel.close()
    await asyncio.sleep(0)
    order: list[object] = []
    channels.on_closed = order.append
    channels.on_message = lambda channel, message: order.append(message.content["text"])
    for _ in range(5):
        await asyncio.sleep(0)

    assert order == ["a", None]


async def test_the_kernels_end_learns_that_the_client_closed() -> None:
    """After what was sent before; with ``discard`` without it."""
    for discard, expected in ((False, ["kernel_info_request", None]), (True, [None])):
        channels = MemoryChannels()
        order: list[object] = []
        channels.kernel.on_message = lambda channel, message, order=order: order.append(message.msg_type)
        channels.kernel.on_closed = order.append
        channels.send("shell", messages.kernel_info_request())
        await channels.aclose(discard=discard)
        for _ in range(5):
            await asyncio.sleep(0)

        assert order == expected


async def test_nothing_is_delivered_before_the_sender_has_returned() -> None:
    """As with sockets, a callback never runs inside somebody's send."""
    channels = MemoryChannels()
    order: list[str] = []
    channels.kernel.on_message = lambda channel, message: order.append("delivered")
    channels.send("shell", messages.kernel_info_request())
    order.append("sent")
    await asyncio.sleep(0)

    assert order == ["sent", "delivered"]


async def test_a_callback_that_raises_stops_nothing() -> None:
    """The loop hears of it, and the next message comes."""
    channels, seen = MemoryChannels(), []
    problems: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))

    def callback(channel: str, message: Message) -> None:
        seen.append(message.content["text"])
        raise ValueError(message.content["text"])

    channels.on_message = callback
    for text in "ab":
        channels.kernel.send("iopub", messages.stream("stdout", text))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert seen == ["a", "b"]
    assert [str(problem["exception"]) for problem in problems] == ["a", "b"]


async def test_a_reply_to_another_client_goes_nowhere() -> None:
    """A ROUTER drops what is for an identity it does not know."""
    mine, theirs = MemoryChannels(), MemoryChannels()
    requests, replies = Inbox(), Inbox()
    theirs.kernel.on_message, mine.on_message = requests, replies
    theirs.send("shell", messages.kernel_info_request())
    [request] = await requests.count("kernel_info_request")

    mine.kernel.send("shell", messages.new_reply("any_reply", {}, parent=request))
    mine.kernel.send("iopub", messages.status("idle"))
    await replies.count("status")

    assert [m.msg_type for _, m in replies.items] == ["status"]


async def test_sessions_may_be_given_and_must_share_a_key() -> None:
    """What is signed with another key is dropped, as sockets do."""
    channels = MemoryChannels(session=Session("one", session_id="mine"), kernel_session=Session("two"))
    seen = Inbox()
    channels.kernel.on_message = seen
    channels.send("shell", messages.kernel_info_request())
    await asyncio.sleep(0)
    assert seen.items == []

    same = MemoryChannels(session=Session("k", session_id="mine"), kernel_session=Session("k"))
    same.kernel.on_message = seen
    same.send("shell", messages.kernel_info_request())
    [request] = await seen.count("kernel_info_request")
    assert request.session == "mine"


async def test_repr_tells_whether_it_is_open() -> None:
    """For logs."""
    channels = MemoryChannels()
    assert repr(channels) == "<MemoryChannels open>"
    await channels.aclose()
    assert repr(channels) == "<MemoryChannels closed>"
