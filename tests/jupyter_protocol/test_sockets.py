"""Both ends on real ZMQ sockets."""

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zmq

from jupyter_protocol import (
    CHANNELS,
    ChannelClosed,
    ClientSockets,
    ConnectionInfo,
    InvalidMessage,
    KernelSockets,
    Message,
    Session,
    messages,
)
from jupyter_protocol.sockets import base as base_module
from jupyter_protocol.sockets import client as client_module
from jupyter_protocol.sockets.context import SharedContext

GUARD = 60
REQUESTS = ("shell", "control", "stdin")

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


class Inbox:
    """An ``on_message`` that collects; `until` waits for something to be true of it."""

    def __init__(self) -> None:
        self.items: list[tuple[str, Message]] = []
        self._arrival = asyncio.Event()

    def __call__(self, channel: str, message: Message) -> None:
        self.items.append((channel, message))
        self._arrival.set()

    def types(self, channel: str) -> list[str]:
        return [message.msg_type for name, message in self.items if name == channel]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._arrival.clear()
            await self._arrival.wait()

    async def first(self, channel: str, msg_type: str) -> Message:
        """The first message of that type on that channel."""

        def found() -> list[Message]:
            return [m for name, m in self.items if name == channel and m.msg_type == msg_type]

        await self.until(lambda: bool(found()))
        return found()[0]


@pytest.fixture(params=["tcp", pytest.param("ipc", marks=posix_only)])
def info(request: pytest.FixtureRequest, tmp_path: Path) -> ConnectionInfo:
    """For a kernel that chooses its own ports."""
    return where(request.param, tmp_path)


@pytest.fixture
def tcp() -> ConnectionInfo:
    return ConnectionInfo()


def where(transport: str, tmp_path: Path) -> ConnectionInfo:
    return ConnectionInfo(transport="ipc", ip=str(tmp_path / "k")) if transport == "ipc" else ConnectionInfo()


@asynccontextmanager
async def joined(
    info: ConnectionInfo,
    on_request: Callable[[str, Message], None] | None,
    on_answer: Callable[[str, Message], None] | None,
) -> AsyncIterator[tuple[KernelSockets, ClientSockets]]:
    """A kernel and a client, within a time limit."""
    async with (
        asyncio.timeout(GUARD),
        KernelSockets(info, on_message=on_request) as kernel,
        ClientSockets(kernel.connection_info, on_message=on_answer) as client,
    ):
        yield kernel, client


@contextlib.contextmanager
def raw(*kinds: int) -> Iterator[list["zmq.Socket[bytes]"]]:
    """Bare sockets with which to play somebody hostile."""
    with contextlib.ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        made = [stack.enter_context(context.socket(kind)) for kind in kinds]
        for one in made:
            one.linger = 0
            one.rcvtimeo = GUARD * 250  # a thread that receives has ended before the test gives up
        yield made


async def turns(number: int) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def becomes(condition: Callable[[], object]) -> None:
    """For what nobody reports: look at each turn of the loop."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Our own log lines: asyncio's debug mode adds some on a busy machine."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("jupyter_protocol")]


def readable(sockets: ClientSockets, channel: str) -> int:
    return int(sockets._pumps[channel]._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN


# --- travelling


async def test_every_channel_carries_messages_both_ways(info: ConnectionInfo) -> None:
    """Requests, addressed replies, an input request and its answer, and iopub."""
    requests, answers = Inbox(), Inbox()
    async with joined(info, requests, answers) as (kernel, client):
        await answers.first("iopub", "iopub_welcome")
        client.send("shell", messages.execute_request("input()", buffers=[b"raw"]))
        client.send("control", messages.kernel_info_request())
        request = await requests.first("shell", "execute_request")
        assert request.buffers == [b"raw"]
        kernel.send("stdin", messages.input_request("? ", parent=request))
        asked = await answers.first("stdin", "input_request")
        client.send("stdin", messages.input_reply("yes", parent=asked))
        answer = await requests.first("stdin", "input_reply")
        kernel.send(
            "iopub", messages.stream("stdout", answer.content["value"], parent=request, buffers=[b"out"])
        )
        kernel.send("shell", messages.execute_reply(1, parent=request))
        kernel.send(
            "control",
            messages.kernel_info_reply(
                "k", "1", {}, parent=await requests.first("control", "kernel_info_request")
            ),
        )
        output = await answers.first("iopub", "stream")
        reply = await answers.first("shell", "execute_reply")
        await answers.first("control", "kernel_info_reply")

        assert (output.content["text"], output.buffers) == ("yes", [b"out"])
        assert reply.parent_header == output.parent_header == request.header
        assert reply.session == kernel.session.session_id
        assert not kernel.refused + client.refused


async def test_messages_may_be_iterated_over(info: ConnectionInfo) -> None:
    """Both ends; closing ends the iteration after what had arrived."""
    async with joined(info, None, None) as (kernel, client):
        for number in range(10):
            client.send("shell", messages.execute_request(str(number)))
        codes = []
        async for channel, message in kernel:
            codes.append((channel, message.content["code"]))
            if len(codes) == 9:
                break
        assert codes == [("shell", str(number)) for number in range(9)]
        await becomes(lambda: kernel._waiting)
        await kernel.aclose()
        assert [message.content["code"] async for _, message in kernel] == ["9"]
        assert [channel async for channel, _ in kernel] == []


@pytest.mark.parametrize("iterated", [False, True], ids=["callback", "iterated"])
async def test_nothing_is_lost_when_much_arrives_while_the_loop_is_blocked(iterated: bool) -> None:
    """Thousands of messages on iopub, sent without a turn of the loop, arrive in order."""
    count = 4_000 if iterated else 20_000
    inbox = Inbox()
    async with joined(ConnectionInfo(), None, None if iterated else inbox) as (kernel, client):
        if iterated:
            assert (await anext(client))[1].msg_type == "iopub_welcome"
        else:
            await inbox.first("iopub", "iopub_welcome")
        for number in range(count):
            kernel.send("iopub", messages.status("busy", metadata={"n": number}))
        if iterated:
            received = [(await anext(client))[1] for _ in range(count)]
        else:
            await inbox.until(lambda: len(inbox.items) == count + 1)
            received = [message for _, message in inbox.items[1:]]
    assert [message.metadata["n"] for message in received] == list(range(count))


async def test_the_receive_queue_of_iopub_is_unlimited_and_so_are_the_kernels_send_queues(
    tcp: ConnectionInfo,
) -> None:
    """A limit on either side would drop output silently."""
    async with joined(tcp, None, None) as (kernel, client):
        assert client._pumps["iopub"]._socket.getsockopt(zmq.RCVHWM) == 0
        assert {pump._socket.getsockopt(zmq.SNDHWM) for pump in kernel._pumps.values()} == {0}


async def test_a_flood_on_iopub_delays_no_reply(tcp: ConnectionInfo) -> None:
    """The reply arrives long before the end of the flood that was sent before it."""
    requests, answers = Inbox(), Inbox()
    async with joined(tcp, requests, answers) as (kernel, client):
        client.send("shell", messages.kernel_info_request())
        request = await requests.first("shell", "kernel_info_request")
        await answers.first("iopub", "iopub_welcome")
        client._pumps["iopub"].pause()
        for _ in range(5_000):
            kernel.send("iopub", messages.status("busy"))
        await becomes(lambda: readable(client, "iopub"))
        kernel.send("shell", messages.kernel_info_reply("k", "1", {}, parent=request))
        while not readable(client, "shell"):
            pass  # without a turn of the loop, which would deliver it
        client._pumps["iopub"].resume()
        client._pumps["shell"]._schedule()
        await answers.until(lambda: len(answers.items) == 5_002)
    channels = [channel for channel, _ in answers.items]
    assert channels.index("shell") < 1_000


async def test_requests_and_replies_sent_inside_callbacks_never_stall(info: ConnectionInfo) -> None:
    """Three hundred rounds on alternating channels; each sent when reply and idle of the last have come."""
    rounds = 300
    done = asyncio.Event()
    waiting: set[str] = set()
    count = 0

    def answer(channel: str, request: Message) -> None:
        kernel.send("iopub", messages.status("busy", parent=request))
        kernel.send("iopub", messages.stream("stdout", "x", parent=request))
        kernel.send(channel, messages.execute_reply(1, parent=request))
        kernel.send("iopub", messages.status("idle", parent=request))

    def ask() -> None:
        nonlocal count, waiting
        count += 1
        if count > rounds:
            done.set()
            return
        waiting = {"reply", "idle"}
        client.send("control" if count % 2 else "shell", messages.execute_request(str(count)))

    def hear(channel: str, message: Message) -> None:
        if message.msg_type == "iopub_welcome":
            ask()
            return
        if message.msg_type == "execute_reply":
            waiting.discard("reply")
        elif message.content.get("execution_state") == "idle":
            waiting.discard("idle")
        else:
            return
        if not waiting:
            ask()

    async with joined(info, answer, hear) as (kernel, client):
        await done.wait()
        assert not client.refused + kernel.refused


async def test_a_thread_sends_through_the_loop_and_keeps_its_order(info: ConnectionInfo) -> None:
    """And what it sends comes before what is sent once it has ended."""
    requests, answers = Inbox(), Inbox()
    async with joined(info, requests, answers) as (kernel, client):
        await answers.first("iopub", "iopub_welcome")
        client.send("shell", messages.execute_request("1"))
        request = await requests.first("shell", "execute_request")
        loop = asyncio.get_running_loop()

        def work() -> None:
            for number in range(1_000):
                output = messages.stream("stdout", str(number), parent=request)
                loop.call_soon_threadsafe(kernel.send, "iopub", output)
            with pytest.raises(RuntimeError, match="call_soon_threadsafe"):
                kernel.send("iopub", messages.status("busy"))

        await asyncio.to_thread(work)
        kernel.send("iopub", messages.status("idle", parent=request))
        await answers.first("iopub", "status")
    outputs = [message for _, message in answers.items[1:]]
    assert [message.content.get("text") for message in outputs] == [*map(str, range(1_000)), None]


async def test_replies_go_to_whom_they_are_addressed_and_iopub_to_all(info: ConnectionInfo) -> None:
    """Two clients of one kernel."""
    requests, one, two = Inbox(), Inbox(), Inbox()
    async with (
        joined(info, requests, one) as (kernel, first),
        ClientSockets(kernel.connection_info, on_message=two),
    ):
        await one.first("iopub", "iopub_welcome")
        await two.first("iopub", "iopub_welcome")
        first.send("shell", messages.kernel_info_request())
        request = await requests.first("shell", "kernel_info_request")
        kernel.send("shell", messages.error_reply(request, "E", "v"))
        kernel.send("iopub", messages.status("idle", parent=request))
        await one.first("shell", "kernel_info_reply")
        await one.first("iopub", "status")
        await two.first("iopub", "status")
        assert two.types("shell") == []


async def test_every_subscriber_is_welcomed(info: ConnectionInfo) -> None:
    """Also the second and third, and one that was there before the kernel's loop ran."""
    async with joined(info, None, None) as (kernel, client):
        for _ in range(3):
            inbox = Inbox()
            async with ClientSockets(kernel.connection_info, on_message=inbox):
                welcome = await inbox.first("iopub", "iopub_welcome")
                assert (welcome.content, welcome.parent_header) == ({"subscription": ""}, {})
        assert (await anext(client))[1].msg_type == "iopub_welcome"


@pytest.mark.parametrize("topic", [b"stream", b"\xff\xfe", b"<IDS|MSG>"], ids=ascii)
async def test_a_subscriber_to_a_topic_is_welcomed_with_it(topic: bytes, tcp: ConnectionInfo) -> None:
    """Whatever bytes the topic is made of."""
    async with joined(tcp, None, None) as (kernel, _):
        with raw(zmq.SUB) as [subscriber]:
            subscriber.subscribe(topic)
            subscriber.connect(kernel.connection_info.url("iopub"))
            frames = await asyncio.to_thread(subscriber.recv_multipart)
            subscriber.unsubscribe(topic)
    assert frames[0] == topic
    welcome = Session(tcp.key).deserialize(frames[1:])
    assert welcome.content == {"subscription": topic.decode(errors="replace")}


async def test_requests_sent_before_the_kernel_is_there_arrive(info: ConnectionInfo) -> None:
    """Clients may come first."""
    requests = Inbox()
    async with asyncio.timeout(GUARD):
        async with KernelSockets(info) as chosen:
            ports = chosen.connection_info
        async with ClientSockets(ports) as client:
            client.send("shell", messages.kernel_info_request())
            async with KernelSockets(ports, on_message=requests) as kernel:
                assert kernel.connection_info == ports
                await requests.first("shell", "kernel_info_request")
                assert (await anext(client))[1].msg_type == "iopub_welcome"


async def test_a_client_that_comes_back_with_its_identity_is_served(tcp: ConnectionInfo) -> None:
    """Even when the kernel has not noticed that the old connection is dead."""
    requests = Inbox()
    async with joined(tcp, requests, None) as (kernel, _):
        with raw(zmq.DEALER, zmq.DEALER) as dealers:
            for number, dealer in enumerate(dealers):
                dealer.identity = b"the same"
                dealer.connect(kernel.connection_info.url("shell"))
                request = messages.execute_request(str(number))
                dealer.send_multipart(Session(tcp.key).serialize(request))
                await requests.until(lambda count=number + 1: len(requests.items) == count)
                kernel.send("shell", messages.execute_reply(1, parent=requests.items[-1][1]))
                reply = Session(tcp.key).deserialize(await asyncio.to_thread(dealer.recv_multipart))
                assert reply.parent_id == request.msg_id


async def test_the_packer_is_taken_from_the_connection_information() -> None:
    """Both ends speak msgpack, bytes and all."""
    requests = Inbox()
    async with joined(ConnectionInfo(packer="msgpack"), requests, None) as (_, client):
        client.send("shell", messages.comm_msg("c", {"raw": b"\xff"}))
        assert (await requests.first("shell", "comm_msg")).content["data"] == {"raw": b"\xff"}


# --- cancelling, pausing, pressing back


async def test_cancelling_the_consumer_loses_nothing(info: ConnectionInfo) -> None:
    """Cancelled at every possible moment, over and over, by task and by deadline."""
    count = 1_000
    numbers: list[int] = []
    async with joined(info, None, None) as (kernel, client):
        assert (await anext(client))[1].msg_type == "iopub_welcome"

        async def consume() -> None:
            async for _, message in client:
                numbers.append(message.metadata["n"])

        sent = 0
        step = 0
        while len(numbers) < count:
            step += 1
            for _ in range(min(step % 7, count - sent)):
                kernel.send("iopub", messages.status("busy", metadata={"n": sent}))
                sent += 1
            if step % 2:
                task = asyncio.create_task(consume())
                await turns(step % 5)
                task.cancel()
                await asyncio.wait([task])
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        await consume()
    assert numbers == list(range(count))


async def test_several_consumers_share_the_messages(tcp: ConnectionInfo) -> None:
    """Each message goes to one of them, and closing ends all."""
    async with joined(tcp, None, None) as (kernel, client):
        got: list[int] = []

        async def consume() -> None:
            async for _, message in client:
                if message.msg_type == "status":
                    got.append(message.metadata["n"])
                if len(got) == 100:
                    await client.aclose()

        consumers = [asyncio.create_task(consume()) for _ in range(5)]
        welcomed = Inbox()
        async with ClientSockets(kernel.connection_info, on_message=welcomed):
            await welcomed.until(lambda: len(welcomed.items) > 0)
        for number in range(100):
            kernel.send("iopub", messages.status("busy", metadata={"n": number}))
        await asyncio.gather(*consumers)
        assert got == list(range(100))


async def test_a_consumer_that_is_slow_makes_zmq_wait(tcp: ConnectionInfo) -> None:
    """About a thousand messages are taken in advance, never all; then all arrive in order."""
    count = 5_000
    async with joined(tcp, None, None) as (kernel, client):
        assert (await anext(client))[1].msg_type == "iopub_welcome"
        for number in range(count):
            kernel.send("iopub", messages.status("busy", metadata={"n": number}))
        await becomes(lambda: len(client._waiting) >= 1_000)
        await turns(50)
        assert len(client._waiting) == 1_000
        received = []
        for _ in range(count):
            received.append((await anext(client))[1].metadata["n"])
            assert len(client._waiting) <= 1_000
    assert received == list(range(count))


@posix_only
async def test_drain_presses_back_when_the_kernel_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It returns when the kernel reads again; nothing is lost or reordered."""
    monkeypatch.setattr(client_module, "SEND_QUEUE", 2)
    info = where("ipc", tmp_path).with_port("shell", 1)
    text = "x" * 100_000
    with raw(zmq.ROUTER) as [router]:
        router.rcvhwm = 1
        router.bind(info.url("shell"))
        async with asyncio.timeout(GUARD), ClientSockets(info) as client:
            client.linger = 0
            await client.drain()
            for number in range(100):
                client.send("shell", messages.execute_request(text, metadata={"n": number}))
            draining = asyncio.create_task(client.drain())
            await turns(50)
            assert not draining.done()
            cancelled = asyncio.create_task(client.drain())
            await turns(2)
            cancelled.cancel()
            receiver = Session(info.key)
            received = await asyncio.to_thread(lambda: [router.recv_multipart() for _ in range(100)])
            await draining
    assert [receiver.deserialize(frames).metadata["n"] for frames in received] == list(range(100))


@posix_only
async def test_closing_lets_what_waits_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what ZMQ had no room for yet; the kernel reads while the client closes."""
    monkeypatch.setattr(client_module, "SEND_QUEUE", 2)
    monkeypatch.setattr(base_module, "LINGER", GUARD * 1000)
    requests = Inbox()
    async with asyncio.timeout(GUARD), KernelSockets(where("ipc", tmp_path), on_message=requests) as kernel:
        async with ClientSockets(kernel.connection_info) as client:
            client.linger = GUARD * 1000
            for number in range(500):
                client.send("shell", messages.execute_request("x" * 10_000, metadata={"n": number}))
        await requests.until(lambda: len(requests.items) == 500)
    assert [message.metadata["n"] for _, message in requests.items] == list(range(500))


async def test_closing_delivers_nothing_more(tcp: ConnectionInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    """While unsent messages leave, callbacks are no longer called."""
    monkeypatch.setattr(client_module, "SEND_QUEUE", 1)
    answers = Inbox()
    async with joined(tcp, None, answers) as (kernel, client):
        await answers.first("iopub", "iopub_welcome")
        for _ in range(200):
            client.send("shell", messages.kernel_info_request())
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        before = len(answers.items)
        for _ in range(10):
            kernel.send("iopub", messages.status("idle"))
        await closing
        assert len(answers.items) == before


# --- hostile and broken peers


def hostile_frames(key: str) -> tuple[list[list[bytes]], list[bytes]]:
    """What is to be refused, each kind twice, and a genuine message that stands before its replays."""
    genuine = [bytes(frame) for frame in Session(key).serialize(messages.status("busy"))]
    forged = [bytes(frame) for frame in Session("another key").serialize(messages.status("busy"))]
    bad = [
        [b"garbage"],
        [b""],
        [b"a", b"b", b"<IDS|MSG>"],
        [genuine[0], b"", *genuine[2:]],
        forged,
        genuine,
        genuine,
    ]
    return bad, genuine


REFUSED = {"MalformedMessage": 3, "InvalidSignature": 2, "DuplicateSignature": 2}


@pytest.mark.parametrize("channel", REQUESTS)
async def test_a_kernel_refuses_hostile_frames_and_loses_nothing_else(
    channel: str, tcp: ConnectionInfo, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted, logged once per kind without the key, and the next request is served."""
    requests = Inbox()
    with caplog.at_level(logging.WARNING):
        async with joined(tcp, requests, None) as (kernel, client):
            with raw(zmq.DEALER) as [dealer]:
                dealer.connect(kernel.connection_info.url(channel))
                bad, genuine = hostile_frames(tcp.key)
                for frames in [genuine, *bad]:
                    dealer.send_multipart(frames)
                last = Session(tcp.key).serialize(messages.interrupt_request())
                dealer.send_multipart(last)
                await requests.first(channel, "interrupt_request")
            client.send(channel, messages.kernel_info_request())
            await requests.first(channel, "kernel_info_request")
            assert kernel.refused == Counter(REFUSED)
            assert requests.types(channel) == ["status", "interrupt_request", "kernel_info_request"]
    assert len(logged(caplog)) == 3
    assert all(f"on {channel}:" in line for line in logged(caplog))
    assert tcp.key not in caplog.text


async def test_a_kernel_refuses_hostile_frames_on_iopub(
    tcp: ConnectionInfo, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients have nothing to say there but that they subscribe."""
    with raw(zmq.XSUB) as [talker]:
        async with joined(tcp, None, None) as (kernel, client):
            assert (await anext(client))[1].msg_type == "iopub_welcome"
            talker.connect(kernel.connection_info.url("iopub"))
            talker.send_multipart([b"\x05garbage", b"more"])
            talker.send(b"")
            talker.send(b"\x01mine")
            await asyncio.to_thread(talker.recv_multipart)
            kernel.send("iopub", messages.status("busy"))
            async for _, message in client:
                if message.msg_type == "status":
                    break
            assert set(kernel.refused) == {"MalformedMessage"}
    assert len(logged(caplog)) == 1


@pytest.mark.parametrize("channel", [*REQUESTS, "iopub"])
async def test_a_client_refuses_hostile_frames_and_loses_nothing_else(
    channel: str, tcp: ConnectionInfo, caplog: pytest.LogCaptureFixture
) -> None:
    """The same on every channel of the other end."""
    answers = Inbox()
    with raw(zmq.XPUB if channel == "iopub" else zmq.ROUTER) as [kernel], caplog.at_level(logging.WARNING):
        port = kernel.bind_to_random_port("tcp://127.0.0.1")
        info = tcp.with_port(channel, port)
        async with asyncio.timeout(GUARD), ClientSockets(info, on_message=answers) as client:
            client.linger = 0
            if channel != "iopub":
                client.send(channel, messages.kernel_info_request())
            first = await asyncio.to_thread(kernel.recv_multipart)
            address = [] if channel == "iopub" else first[:1]
            bad, genuine = hostile_frames(tcp.key)
            last = Session(tcp.key).serialize(messages.clear_output())
            for frames in [genuine, *bad, last]:
                kernel.send_multipart([*address, *frames])
            await answers.first(channel, "clear_output")
            assert client.refused == Counter(REFUSED)
            assert answers.types(channel) == ["status", "clear_output"]
    assert len(logged(caplog)) == 3
    assert tcp.key not in caplog.text


async def test_a_message_that_cannot_be_sent_disturbs_no_other(info: ConnectionInfo) -> None:
    """Unpackable content, a buffer ZMQ refuses, a reply to nobody: each is an error and nothing is sent."""
    requests, answers = Inbox(), Inbox()
    async with joined(info, requests, answers) as (kernel, client):
        with pytest.raises(InvalidMessage, match="content"):
            client.send("shell", messages.comm_msg("c", {"bad": object()}))
        with pytest.raises(InvalidMessage, match="buffer 0"):
            client.send("shell", messages.comm_msg("c", {}, buffers=[memoryview(b"abcd")[::2]]))
        client.send("shell", messages.kernel_info_request())
        request = await requests.first("shell", "kernel_info_request")
        for channel in REQUESTS:
            with pytest.raises(InvalidMessage, match="addressed to nobody"):
                kernel.send(channel, messages.execute_reply(1))
        with pytest.raises(InvalidMessage, match="the message is addressed to nobody"):
            kernel.send("shell", Message({}, {}))
        for header in ({}, {"msg_type": None}, {"msg_type": "\ud800"}):
            with pytest.raises(InvalidMessage, match="header needs a msg_type"):
                kernel.send("iopub", Message({}, header))
        for end, channel in ((kernel, "iopub"), (kernel, "shell"), (client, "shell")):
            with pytest.raises(InvalidMessage, match="header is not an object"):
                end.send(channel, Message({}, None))  # type: ignore[arg-type]
        kernel.send("shell", messages.error_reply(request, "E", "v"))
        await answers.first("shell", "kernel_info_reply")
        assert len(requests.items) == 1


async def test_a_reply_to_a_client_that_is_gone_is_no_error(info: ConnectionInfo) -> None:
    """It is dropped, and others are served."""
    requests, answers = Inbox(), Inbox()
    async with joined(info, requests, answers) as (kernel, client):
        async with ClientSockets(kernel.connection_info) as gone:
            gone.send("shell", messages.interrupt_request())
            request = await requests.first("shell", "interrupt_request")
        kernel.send("shell", messages.interrupt_reply(parent=request))
        client.send("shell", messages.kernel_info_request())
        other = await requests.first("shell", "kernel_info_request")
        kernel.send("shell", messages.error_reply(other, "E", "v"))
        await answers.first("shell", "kernel_info_reply")


async def test_a_callback_that_fails_is_logged_and_the_next_message_delivered(
    tcp: ConnectionInfo, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends no reader."""
    requests = Inbox()

    def fail(channel: str, message: Message) -> None:
        requests(channel, message)
        raise ZeroDivisionError

    async with joined(tcp, fail, None) as (_, client):
        for _ in range(3):
            client.send("shell", messages.kernel_info_request())
        await requests.until(lambda: len(requests.items) == 3)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError] * 3


# --- addresses and encryption


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "localhost"])
async def test_ports_are_those_really_bound(ip: str) -> None:
    """Chosen by the system, all different; a port that was given stays."""
    if ip == "::1":
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    requests = Inbox()
    async with joined(ConnectionInfo(ip=ip), requests, None) as (kernel, client):
        ports = [kernel.connection_info.port(channel) for channel in CHANNELS]
        assert len(set(ports)) == 5
        assert 0 not in ports
        client.send("shell", messages.kernel_info_request())
        await requests.first("shell", "kernel_info_request")
        assert kernel.connection_info.key == client.connection_info.key
    async with KernelSockets(kernel.connection_info) as again:
        assert again.connection_info == kernel.connection_info


async def test_connecting_to_ports_that_are_not_known_yet_is_an_error(tcp: ConnectionInfo) -> None:
    """ZMQ would wait there for ever, without a word."""
    sockets = ClientSockets(tcp.with_port("hb", 1))
    with pytest.raises(ValueError, match="the ports are all 0"):
        await sockets.__aenter__()
    assert sockets.closed


async def test_a_channel_without_a_port_is_left_out(tcp: ConnectionInfo) -> None:
    """Whoever only listens to iopub needs no more than its port."""
    async with (
        asyncio.timeout(GUARD),
        KernelSockets(tcp) as kernel,
        ClientSockets(ConnectionInfo(iopub_port=kernel.connection_info.iopub_port, key=tcp.key)) as client,
    ):
        assert (await anext(client))[1].msg_type == "iopub_welcome"
        with pytest.raises(ChannelClosed, match="'shell' cannot be sent on: it is not one of iopub"):
            client.send("shell", messages.kernel_info_request())


@posix_only
@pytest.mark.parametrize("given", [{"shell_port": 2}, {"hb_port": 1, "control_port": 6}, {"iopub_port": 7}])
async def test_numbers_that_are_filled_in_are_those_of_no_other_channel(
    given: dict[str, int], tmp_path: Path
) -> None:
    """Two channels on one path would be one of them only."""
    info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"), **given)  # type: ignore[arg-type]
    async with joined(info, None, None) as (kernel, client):
        numbers = {channel: kernel.connection_info.port(channel) for channel in CHANNELS}
        assert len(set(numbers.values()) - {0}) == len(CHANNELS)
        assert {name: getattr(kernel.connection_info, name) for name in given} == given
        client.send("shell", messages.kernel_info_request())
        assert (await anext(kernel))[0] == "shell"


@posix_only
async def test_ipc_sockets_are_files_that_are_removed(tmp_path: Path) -> None:
    """Numbers that are 0 are filled in."""
    async with joined(where("ipc", tmp_path), None, None) as (kernel, client):
        names = {f"k-{kernel.connection_info.port(channel)}" for channel in CHANNELS}
        assert (
            {path.name for path in tmp_path.iterdir()} == names == {f"k-{number}" for number in range(1, 6)}
        )
        assert (await anext(client))[1].msg_type == "iopub_welcome"
    assert list(tmp_path.iterdir()) == []


async def test_a_port_in_use_is_an_oserror_that_names_it_and_leaves_nothing_behind(
    tcp: ConnectionInfo,
) -> None:
    """The sockets bound before it are closed again."""
    async with KernelSockets(tcp) as kernel:
        taken = kernel.connection_info.hb_port
        for channel in CHANNELS:
            other = KernelSockets(ConnectionInfo(**{f"{channel}_port": taken}))
            with pytest.raises(OSError, match=str(taken)):
                await other.__aenter__()
            assert other.closed
            assert other._pumps == {}
    assert SharedContext._current is None


@posix_only
@pytest.mark.parametrize("ends", [ClientSockets, KernelSockets])
async def test_a_path_that_is_too_long_is_an_oserror(ends: type[ClientSockets], tmp_path: Path) -> None:
    """As for any other file."""
    with pytest.raises(OSError, match=r"too long|longer than"):
        await ends(where("ipc", tmp_path / ("x" * 120))).__aenter__()


@pytest.mark.skipif(not zmq.has("curve"), reason="this ZMQ has no encryption")
class TestCurve:
    """Encryption."""

    async def test_a_client_with_the_public_key_is_served_and_one_without_gets_nothing(self) -> None:
        """Nor does one with another kernel's key; the secret key is not needed by clients."""
        public, secret = zmq.curve_keypair()
        requests, answers, excluded = Inbox(), Inbox(), Inbox()
        info = ConnectionInfo(curve_publickey=public.decode(), curve_secretkey=secret.decode())
        async with asyncio.timeout(GUARD), KernelSockets(info, on_message=requests) as kernel:
            values = kernel.connection_info.to_dict()
            del values["curve_secretkey"]
            good = ConnectionInfo.from_dict(values)
            plain = ConnectionInfo.from_dict({**values, "curve_publickey": None})
            wrong = ConnectionInfo.from_dict({**values, "curve_publickey": zmq.curve_keypair()[0].decode()})
            async with (
                ClientSockets(plain, on_message=excluded) as one,
                ClientSockets(wrong, on_message=excluded) as two,
                ClientSockets(good, on_message=answers) as client,
            ):
                for outsider in (one, two):
                    outsider.linger = 0
                    outsider.send("shell", messages.shutdown_request())
                await answers.first("iopub", "iopub_welcome")
                for _ in range(20):
                    client.send("shell", messages.kernel_info_request())
                    kernel.send("iopub", messages.status("busy"))
                await requests.until(lambda: len(requests.items) >= 20)
                await answers.until(lambda: len(answers.items) >= 21)
        assert set(requests.types("shell")) == {"kernel_info_request"}
        assert excluded.items == []

    @pytest.mark.parametrize(
        ("given", "missing"),
        [("curve_publickey", "curve_secretkey"), ("curve_secretkey", "curve_publickey")],
    )
    async def test_a_kernel_with_one_key_is_refused(self, given: str, missing: str) -> None:
        """Binding in the clear would be worse than not binding."""
        info = ConnectionInfo.from_dict({given: zmq.curve_keypair()[0].decode()})
        with pytest.raises(ValueError, match=f"{missing} is missing"):
            await KernelSockets(info).__aenter__()
        assert SharedContext._current is None

    @pytest.mark.parametrize("ends", [ClientSockets, KernelSockets])
    async def test_a_key_that_is_no_key_is_refused_without_showing_it(
        self, ends: type[ClientSockets]
    ) -> None:
        """And everything is released."""
        info = ConnectionInfo(shell_port=1, curve_publickey="short", curve_secretkey="secret")
        with pytest.raises(OSError, match=r".") as caught:
            await ends(info).__aenter__()
        assert "secret" not in str(caught.value)
        assert SharedContext._current is None


# --- ownership and ends


async def test_use_before_opening_and_after_closing_is_channel_closed(info: ConnectionInfo) -> None:
    """Each operation says so; opening again is refused too."""
    async with KernelSockets(info) as kernel:
        client = ClientSockets(kernel.connection_info)
        for why in ("not open yet", "closed"):
            with pytest.raises(ChannelClosed, match=why):
                client.send("shell", messages.kernel_info_request())
            with pytest.raises(ChannelClosed, match=why):
                await client.drain()
            if why == "not open yet":
                with pytest.raises(ChannelClosed, match=why):
                    await anext(client)
                async with client:
                    pass
        assert [item async for item in client if item[1].msg_type != "iopub_welcome"] == []
        with pytest.raises(ChannelClosed, match="opened before"):
            await client.__aenter__()


async def test_opening_twice_is_refused_and_harms_nothing(tcp: ConnectionInfo) -> None:
    """The open ones stay open."""
    async with joined(tcp, None, None) as (_, client):
        with pytest.raises(ChannelClosed, match="opened before"):
            await client.__aenter__()
        assert (await anext(client))[1].msg_type == "iopub_welcome"


async def test_channels_that_cannot_be_sent_on_say_so(tcp: ConnectionInfo) -> None:
    """iopub for clients, the heartbeat for both, and what is no channel."""
    async with joined(tcp, None, None) as (kernel, client):
        for sockets, channel in [
            (client, "iopub"),
            (client, "hb"),
            (kernel, "hb"),
            (kernel, ""),
            (client, "Shell"),
        ]:
            with pytest.raises(ChannelClosed, match=repr(channel)):
                sockets.send(channel, messages.status("busy"))


async def test_iterating_and_callbacks_exclude_each_other(tcp: ConnectionInfo) -> None:
    """It would wait for ever."""
    async with joined(tcp, None, Inbox()) as (_, client):
        with pytest.raises(RuntimeError, match="on_message"):
            async for _ in client:
                pass


async def test_use_from_another_thread_or_loop_is_an_error(tcp: ConnectionInfo) -> None:
    """Of everything, and nothing happens."""
    requests = Inbox()
    async with joined(tcp, requests, None) as (kernel, client):

        def misuse(sockets: ClientSockets | KernelSockets) -> None:
            with pytest.raises(RuntimeError, match="another loop, thread or process"):
                sockets.send("shell", messages.interrupt_request())
            for use in (sockets.drain, sockets.__anext__, sockets.aclose):
                with pytest.raises(RuntimeError, match="another loop, thread or process"):
                    asyncio.run(use())  # type: ignore[arg-type]

        await asyncio.to_thread(misuse, client)
        await asyncio.to_thread(misuse, kernel)
        assert kernel._heartbeat is not None
        client.send("shell", messages.kernel_info_request())
        await requests.first("shell", "kernel_info_request")
        assert len(requests.items) == 1


async def test_sockets_can_still_be_closed_when_their_loop_is(tcp: ConnectionInfo) -> None:
    """Everything is released, from another loop."""

    def run() -> None:
        async def make() -> ClientSockets:
            return await ClientSockets(tcp.with_port("shell", 1)).__aenter__()

        client = asyncio.run(make())
        client.linger = 0
        asyncio.run(client.aclose())
        assert client.closed

    await asyncio.to_thread(run)
    assert SharedContext._current is None


async def test_sockets_can_still_be_closed_when_somebody_waited_on_a_loop_that_is(
    tcp: ConnectionInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a message or for room: nobody can be told any more, and everything is released all the same."""
    monkeypatch.setattr(client_module, "SEND_QUEUE", 1)
    new_loop = type(asyncio.get_running_loop())

    def run() -> None:
        loop = new_loop()

        async def wait() -> None:
            await client.__aenter__()
            client.send("shell", messages.kernel_info_request())
            client.send("shell", messages.kernel_info_request())
            waiting.extend(asyncio.ensure_future(one) for one in (anext(client), client.drain()))
            await turns(3)

        client = ClientSockets(tcp.with_port("shell", 1))
        waiting: list[asyncio.Future[object]] = []
        loop.run_until_complete(wait())
        pumps = list(client._pumps.values())
        assert client._arrival is not None
        assert any(pump._drained for pump in pumps)
        loop.close()
        client.linger = 0
        asyncio.run(client.aclose())
        asyncio.run(client.aclose())
        assert all(pump.closed for pump in pumps)
        for one in waiting:
            one._log_destroy_pending = False  # type: ignore[attr-defined]

    await asyncio.to_thread(run)
    assert SharedContext._current is None


FORK = """
import asyncio, os
from jupyter_protocol import ClientSockets, ConnectionInfo, KernelSockets, messages

async def talk():
    async with asyncio.timeout(30), KernelSockets(ConnectionInfo()) as kernel:
        async with ClientSockets(kernel.connection_info) as client:
            client.send("shell", messages.kernel_info_request())
            channel, message = await anext(kernel)
            assert message.msg_type == "kernel_info_request"

async def main():
    async with asyncio.timeout(30), KernelSockets(ConnectionInfo()) as kernel:
        async with ClientSockets(kernel.connection_info) as client:
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    client.send("shell", messages.shutdown_request())
                except RuntimeError:
                    import threading
                    def fresh():
                        nonlocal status
                        asyncio.run(talk())
                        status = 0
                    thread = threading.Thread(target=fresh); thread.start(); thread.join()
                os._exit(status)
            client.send("shell", messages.kernel_info_request())
            channel, message = await anext(kernel)
            assert message.msg_type == "kernel_info_request"
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

asyncio.run(main())
"""


@posix_only
def test_a_forked_child_can_use_sockets_of_its_own_and_not_its_parents() -> None:
    """The parent's go on working."""
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)


async def test_closing_is_idempotent_also_at_the_same_time(info: ConnectionInfo) -> None:
    """Any number of times, from any number of tasks, opened or not."""
    never = KernelSockets(info)
    await never.aclose()
    async with joined(info, None, None) as (kernel, client):
        await asyncio.gather(*(one.aclose() for one in (client, kernel) for _ in range(5)))
        await client.aclose()
        await kernel.aclose()
        assert client.closed
        assert kernel.closed


@pytest.mark.parametrize("late", range(6))
async def test_cancelling_the_closing_still_releases_everything(
    late: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is cancelled before it starts to wait, while messages leave, or while the context ends."""
    monkeypatch.setattr(client_module, "SEND_QUEUE", 1)
    with raw(zmq.ROUTER) as [router]:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        async with asyncio.timeout(GUARD):
            client = ClientSockets(ConnectionInfo(shell_port=port))
            kernel = KernelSockets(ConnectionInfo())
            await kernel.__aenter__()
            await client.__aenter__()
            pumps = [*client._pumps.values(), *kernel._pumps.values()]
            client.linger = 200
            for _ in range(late * 20):
                client.send("shell", messages.execute_request("x" * 100_000))
            tasks = [asyncio.create_task(one.aclose()) for one in (client, kernel)]
            await turns(late)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await client.aclose()
            await kernel.aclose()
            if late:  # a task that is cancelled before its first step does nothing at all
                assert all(task.done() for task in tasks)
            assert all(pump.closed for pump in pumps)
            assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts /proc/self/fd")
async def test_nothing_is_left_afterwards(info: ConnectionInfo) -> None:
    """No descriptor, thread or task, however the block was left."""

    async def once(how: BaseException | None) -> None:
        requests = Inbox()
        with contextlib.suppress(ZeroDivisionError, asyncio.CancelledError):
            async with joined(info, requests, None) as (_, client):
                client.send("shell", messages.kernel_info_request())
                await requests.first("shell", "kernel_info_request")
                if how is not None:
                    raise how

    async def settled() -> tuple[int, int, int]:
        for thread in threading.enumerate():
            if thread.name.startswith("zmq-"):
                await loop.run_in_executor(None, thread.join, GUARD)
        return descriptors(), threading.active_count(), len(asyncio.all_tasks())

    loop = asyncio.get_running_loop()
    await once(None)
    await loop.run_in_executor(None, descriptors)
    before = await settled()
    for how in (None, ZeroDivisionError(), asyncio.CancelledError()):
        await once(how)
    assert await settled() == before


async def test_a_failure_half_way_through_opening_releases_everything(
    tcp: ConnectionInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the heartbeat's thread does not start; an open socket would hold up the end of the process."""
    start = threading.Thread.start

    def refuse(self: threading.Thread) -> None:
        if self.name == "heartbeat":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        await KernelSockets(tcp).__aenter__()
    assert SharedContext._current is None


async def test_the_context_is_shared_and_ends_with_its_last_user(tcp: ConnectionInfo) -> None:
    """Two ends, one context; a new one afterwards."""
    async with joined(tcp, None, None) as (kernel, client):
        assert kernel._shared is client._shared is not None
        context = kernel._shared.zmq_context
        await client.aclose()
        assert not context.closed
    assert context.closed
    async with KernelSockets(tcp) as kernel:
        assert kernel._shared is not None
        assert kernel._shared.zmq_context is not context


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are counted differently")
async def test_more_sockets_fit_than_zmqs_default() -> None:
    """1,023 would end at the 256th client."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3_000:
        pytest.skip("too few descriptors allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3_000), hard))
    shared = SharedContext.acquire()
    sockets = []
    try:
        for _ in range(1_100):
            sockets.append(shared.zmq_context.socket(zmq.PAIR))
    finally:
        for one in sockets:
            one.close(0)
        await shared.release()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_repr_tells_the_state_and_no_key(tcp: ConnectionInfo) -> None:
    """New, open, closed."""
    kernel = KernelSockets(tcp)
    states = [repr(kernel)]
    async with kernel:
        states.append(repr(kernel))
    states.append(repr(kernel))

    assert [text.split()[1] for text in states] == ["new", "open", "closed"]
    assert all(text.startswith("<KernelSockets ") for text in states)
    assert tcp.key not in "".join(states)
