"""The pump: whole messages between one ZMQ socket and the loop."""

import asyncio
import itertools
import logging
import os
import select
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zmq
from zmq.utils.garbage import gc

from jupyter_protocol import ChannelClosed, _pump
from jupyter_protocol._pump import (
    MESSAGES_PER_WAKEUP,
    RECEIVED_UNCOPIED,
    SENT_UNCOPIED,
    Pump,
    ThreadWatcher,
)

GUARD = 30

Socket = zmq.Socket[bytes]


class Context(zmq.Context[Socket]):
    """Remembers its sockets, so that the fixture closes them and not the garbage collector."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["made"] = []

    def socket(self, *args: Any, **options: Any) -> Socket:
        made: Socket = super().socket(*args, **options)
        self.__dict__["made"].append(made)
        return made


@pytest.fixture
def context() -> Iterator[Context]:
    with Context() as context:
        yield context
        for socket in context.__dict__["made"]:
            socket.close(0)


class Inbox:
    """Collects what a pump delivers; `until` waits for a number of messages."""

    def __init__(self) -> None:
        self.frames: list[list[bytes]] = []
        self._arrival = asyncio.Event()

    def __call__(self, frames: list[bytes]) -> None:
        self.frames.append(frames)
        self._arrival.set()

    async def until(self, count: int) -> list[list[bytes]]:
        while len(self.frames) < count:
            self._arrival.clear()
            await self._arrival.wait()
        return self.frames


def ends(
    context: Context, *, kind: int = zmq.DEALER, tcp: bool = False, room: int = 0
) -> tuple[Socket, Socket]:
    """Two connected sockets; ``room`` is how many messages fit in each queue, 0 for any number."""
    near, far = context.socket(kind), context.socket(zmq.DEALER)
    for socket in (near, far):
        socket.set_hwm(room)
    near.bind("tcp://127.0.0.1:*" if tcp else f"inproc://{id(near)}")
    far.connect(near.last_endpoint.decode())
    return near, far


@asynccontextmanager
async def pumping(socket: Socket, on_frames: Callable[[list[bytes]], None]) -> AsyncIterator[Pump]:
    """A pump that is closed at the end, within a time limit."""
    async with asyncio.timeout(GUARD):
        pump = Pump(socket, on_frames)
        try:
            yield pump
        finally:
            pump.close(0)


def numbered(count: int) -> list[list[bytes]]:
    return [[b"%d" % number, b""] for number in range(count)]


async def turns(number: int) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


@asynccontextmanager
async def ticking(log: list[str]) -> AsyncIterator[None]:
    """Write a tick each time the loop goes round."""

    async def tick() -> None:
        while True:
            log.append("tick")
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def longest_run(log: list[str], word: str) -> int:
    return max(len(list(group)) for entry, group in itertools.groupby(log) if entry == word)


@pytest.mark.parametrize("tcp", [False, True], ids=["inproc", "tcp"])
async def test_order_is_kept_and_nothing_lost_while_the_loop_is_blocked(context: Context, tcp: bool) -> None:
    """All of it is sent within one callback of the loop."""
    near, far = ends(context, tcp=tcp)
    inbox = Inbox()
    async with pumping(near, inbox):
        for frames in numbered(5_000):
            far.send_multipart(frames)
        assert await inbox.until(5_000) == numbered(5_000)


async def test_what_arrived_before_the_pump_was_made_is_delivered(context: Context) -> None:
    """The descriptor says nothing about it."""
    near, far = ends(context)
    far.send_multipart([b"early"])
    assert near.poll(GUARD * 1000)
    inbox = Inbox()
    async with pumping(near, inbox):
        assert await inbox.until(1) == [[b"early"]]


async def test_a_flood_lets_other_callbacks_run(context: Context) -> None:
    """Within one turn of the loop at most two capped portions: the reader's and the scheduled one."""
    near, far = ends(context)
    log: list[str] = []
    inbox = Inbox()

    def on_frames(frames: list[bytes]) -> None:
        log.append("message")
        inbox(frames)

    for frames in numbered(3_000):
        far.send_multipart(frames)
    async with pumping(near, on_frames), ticking(log):
        await inbox.until(3_000)
    assert longest_run(log, "message") <= 2 * MESSAGES_PER_WAKEUP


async def test_a_long_backlog_is_sent_in_portions(context: Context) -> None:
    """A peer that comes back does not stop the loop."""
    near, far = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
    near.set_hwm(0)
    far.set_hwm(0)
    near.bind("inproc://late")
    log: list[str] = []
    async with pumping(near, print) as pump, ticking(log):
        for frames in numbered(3_000):
            pump.send(frames)
        try_send = pump._try_send

        def logged(frames: Any) -> bool:
            log.append("send")
            return try_send(frames)

        pump._try_send = logged  # type: ignore[method-assign]
        far.connect("inproc://late")
        await pump.drain()
    assert log.count("send") >= 3_000
    assert longest_run(log, "send") <= 2 * MESSAGES_PER_WAKEUP + 1
    assert [far.recv_multipart() for _ in range(3_000)] == numbered(3_000)


@pytest.mark.parametrize("tcp", [False, True], ids=["inproc", "tcp"])
async def test_requests_and_replies_sent_inside_callbacks_never_stall(context: Context, tcp: bool) -> None:
    """The edge that a send swallows is looked for: hundreds of rounds, in bursts of three."""
    near, far = ends(context, tcp=tcp)
    rounds = 300
    done = asyncio.Event()
    seen: list[int] = []

    def answer(frames: list[bytes]) -> None:
        for part in (b"busy", b"reply", b"idle"):
            server.send([part, *frames])

    def ask_again(frames: list[bytes]) -> None:
        if frames[0] != b"idle":
            return
        seen.append(int(frames[1]))
        if len(seen) == rounds:
            done.set()
        else:
            client.send([b"%d" % len(seen)])

    async with pumping(near, answer) as server, pumping(far, ask_again) as client:
        client.send([b"0"])
        await done.wait()
    assert seen == list(range(rounds))


async def test_a_message_whose_edge_a_send_swallowed_is_delivered(context: Context) -> None:
    """Sending reads ZMQ's mailbox, after which the descriptor says nothing about what arrived before."""
    near, far = ends(context, tcp=True)
    inbox = Inbox()
    async with pumping(near, inbox) as pump:
        await turns(3)
        for number in range(1, 21):
            far.send(b"reply")
            assert select.select([near.fileno()], [], [], GUARD)[0]
            while select.select([near.fileno()], [], [], 0)[0]:
                pump.send([b"request"])
            await inbox.until(number)


async def test_bursts_over_full_queues_never_stall(context: Context) -> None:
    """Both directions at once, each with room for one message: every burst leaves and arrives."""
    near, far = ends(context, tcp=True, room=1)
    left, right = Inbox(), Inbox()
    async with pumping(near, left) as one, pumping(far, right) as two:
        for burst in range(1, 41):
            for frames in numbered(40):
                one.send(frames)
                two.send(frames)
            await one.drain()
            await two.drain()
            await left.until(40 * burst)
            await right.until(40 * burst)
    assert left.frames == right.frames == numbered(40) * 40


async def test_a_callback_that_fails_is_logged_and_the_next_message_delivered(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else's error is not ours."""
    near, far = ends(context)
    inbox = Inbox()

    def fail(frames: list[bytes]) -> None:
        inbox(frames)
        raise ZeroDivisionError

    for frames in numbered(3):
        far.send_multipart(frames)
    with caplog.at_level(logging.ERROR):
        async with pumping(near, fail):
            await inbox.until(3)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError] * 3


async def test_a_callback_that_raises_cancelled_error_stalls_nothing(context: Context) -> None:
    """The loop gets it, and the messages behind it are delivered all the same, now and later."""
    near, far = ends(context)
    inbox = Inbox()
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, what: reported.append(what))

    def cancelled(frames: list[bytes]) -> None:
        inbox(frames)
        raise asyncio.CancelledError

    for frames in numbered(3):
        far.send_multipart(frames)
    async with pumping(near, cancelled):
        await inbox.until(3)
        far.send_multipart([b"later"])
        assert await inbox.until(4) == [*numbered(3), [b"later"]]


async def test_a_paused_pump_delivers_nothing_and_resuming_delivers_everything(
    context: Context,
) -> None:
    """In order; pausing inside a callback takes effect at once."""
    near, far = ends(context)
    inbox = Inbox()

    def pause_after(frames: list[bytes]) -> None:
        inbox(frames)
        pump.pause()

    for frames in numbered(10):
        far.send_multipart(frames)
    async with pumping(near, pause_after) as pump:
        for number in range(1, 11):
            await inbox.until(number)
            await turns(5)
            assert inbox.frames == numbered(number)
            pump.resume()


async def test_a_paused_pump_does_not_keep_the_loop_busy(context: Context) -> None:
    """A peer that connects makes the descriptor speak; it must be listened to."""
    near, far = ends(context, kind=zmq.ROUTER, tcp=True)
    woken = asyncio.Event()
    count = 0

    class Counting(Pump):
        def _wake_up(self) -> None:
            nonlocal count
            count += 1
            woken.set()
            super()._wake_up()

    inbox = Inbox()
    async with asyncio.timeout(GUARD):
        pump = Counting(near, inbox)
        try:
            pump.pause()
            await turns(3)
            woken.clear()
            far.send_multipart([b"x"])
            await woken.wait()
            before = count
            await turns(200)
            assert count - before < 100
            pump.resume()
            await inbox.until(1)
        finally:
            pump.close(0)


async def test_a_paused_pump_still_sends(context: Context) -> None:
    """Back-pressure on one side does not stop the other."""
    near, far = ends(context, room=1)
    async with pumping(near, print) as pump:
        pump.pause()
        for frames in numbered(50):
            pump.send(frames)
        assert not pump.idle
        for frames in numbered(50):
            while not far.poll(0):  # noqa: ASYNC110 - a blocking socket of the test
                await asyncio.sleep(0)
            assert far.recv_multipart() == frames
        await pump.drain()


async def test_drain_waits_for_a_peer_that_does_not_read(context: Context) -> None:
    """And cancelling it loses nothing."""
    near, far = ends(context, room=2)
    inbox = Inbox()
    async with pumping(near, print) as pump:
        await pump.drain()
        for frames in numbered(100):
            pump.send(frames)
        draining = [asyncio.create_task(pump.drain()) for _ in range(2)]
        await turns(20)
        assert not any(task.done() for task in draining)
        draining[0].cancel()
        async with pumping(far, inbox):
            await draining[1]
            assert pump.idle
            assert await inbox.until(100) == numbered(100)
        assert draining[0].cancelled()


async def test_what_waits_is_what_was_sent(context: Context) -> None:
    """Changing a buffer after sending it changes no message."""
    near, far = ends(context, room=1)
    inbox = Inbox()
    async with pumping(near, print) as pump:
        for _ in range(10):
            buffer = bytearray(b"before")
            pump.send([buffer, memoryview(buffer)])
            buffer[:] = b"behind"
        async with pumping(far, inbox):
            assert await inbox.until(10) == [[b"before", b"before"]] * 10


async def test_sending_to_a_peer_that_is_gone_is_no_error(context: Context) -> None:
    """A ROUTER drops what has nobody to go to, or says so, and goes on."""
    near, far = ends(context, kind=zmq.ROUTER)
    near.setsockopt(zmq.ROUTER_MANDATORY, 1)
    inbox = Inbox()
    async with pumping(near, inbox) as pump:
        pump.send([b"nobody", b"x"])
        await pump.drain()
        far.send(b"still here")
        await inbox.until(1)


async def test_closing_is_idempotent_and_closes_the_socket(context: Context) -> None:
    """Also from inside a callback, with messages left to deliver."""
    near, far = ends(context)
    inbox = Inbox()

    def close(frames: list[bytes]) -> None:
        inbox(frames)
        pump.close(0)
        pump.close(0)

    for frames in numbered(5):
        far.send_multipart(frames)
    async with pumping(near, close) as pump:
        assert not pump.closed
        await inbox.until(1)
        await turns(5)
        assert pump.closed
        assert near.closed
        assert inbox.frames == numbered(1)
        await pump.drain()


async def test_drain_says_that_messages_were_left_behind(context: Context) -> None:
    """Closing wakes it up; returning as if all had been sent would be a lie."""
    near, _far = ends(context, room=1)
    async with pumping(near, print) as pump:
        for frames in numbered(100):
            pump.send(frames)
        draining = asyncio.create_task(pump.drain())
        await turns(3)
        pump.close(0)
        with pytest.raises(ChannelClosed, match="messages unsent"):
            await draining
        with pytest.raises(ChannelClosed, match="messages unsent"):
            await pump.drain()


async def test_a_pump_that_cannot_watch_closes_its_socket(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket belongs to the pump even then: an open one would hold up the end of the process."""

    def refuse(*args: object) -> None:
        raise OSError("too many descriptors")

    monkeypatch.setattr(_pump, "_watch", refuse)
    near, _far = ends(context)
    with pytest.raises(OSError, match="too many"):
        Pump(near, print)
    assert near.closed


async def test_a_pump_can_be_closed_when_its_loop_is(context: Context) -> None:
    """Nothing to unregister from is no reason to keep the socket."""
    near, _far = ends(context)

    def run() -> None:
        async def make() -> Pump:
            return Pump(near, print)

        with asyncio.Runner() as runner:
            pump = runner.run(make())
        pump.close(0)

    await asyncio.to_thread(run)
    assert near.closed


class TestThreadWatcher:
    """The fall-back, on its own."""

    async def test_its_thread_ends_when_nothing_is_left_to_watch(self, context: Context) -> None:
        """And a new one serves what comes later."""
        loop = asyncio.get_running_loop()
        for _ in range(3):
            near, far = ends(context)
            spoke = asyncio.Event()
            forget = ThreadWatcher.watch(near.fileno(), loop, spoke.set)
            far.send(b"x")
            async with asyncio.timeout(GUARD):
                await spoke.wait()
            [thread] = [thread for thread in threading.enumerate() if thread.name == "zmq-watcher"]
            forget()
            forget()
            await asyncio.to_thread(thread.join, GUARD)
            assert not thread.is_alive()
            assert ThreadWatcher._shared is None

    async def test_one_thread_watches_all(self, context: Context) -> None:
        """However many sockets there are."""
        inboxes = [Inbox() for _ in range(20)]
        pairs = [ends(context) for _ in inboxes]
        loop = asyncio.get_running_loop()

        def read(near: Socket, inbox: Inbox) -> Callable[[], None]:
            def drain() -> None:
                while near.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                    inbox(near.recv_multipart())

            return drain

        forget = [
            ThreadWatcher.watch(near.fileno(), loop, read(near, inbox))
            for (near, _), inbox in zip(pairs, inboxes, strict=True)
        ]
        async with asyncio.timeout(GUARD):
            for _, far in pairs:
                far.send(b"x")
            for inbox in inboxes:
                await inbox.until(1)
        assert [thread.name for thread in threading.enumerate()].count("zmq-watcher") == 1
        for one in forget:
            one()

    async def test_a_callback_that_fails_is_called_again(self, context: Context) -> None:
        """The descriptor is watched on."""
        near, far = ends(context)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, what: None)
        inbox = Inbox()

        def fail() -> None:
            while near.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                inbox(near.recv_multipart())
            raise ZeroDivisionError

        forget = ThreadWatcher.watch(near.fileno(), loop, fail)
        try:
            async with asyncio.timeout(GUARD):
                for number in range(1, 4):
                    far.send(b"x")
                    await inbox.until(number)
        finally:
            forget()

    async def test_a_closed_loop_is_forgotten(self, context: Context) -> None:
        """It can be told nothing any more, and the thread ends."""
        near, far = ends(context)
        loop = asyncio.new_event_loop()
        loop.close()
        ThreadWatcher.watch(near.fileno(), loop, print)
        [thread] = [thread for thread in threading.enumerate() if thread.name == "zmq-watcher"]
        far.send(b"x")
        await asyncio.to_thread(thread.join, GUARD)
        assert not thread.is_alive()

    async def test_a_thread_that_cannot_start_leaves_no_watcher(
        self, context: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next attempt starts from the beginning."""
        near, far = ends(context)
        loop = asyncio.get_running_loop()

        def refuse(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError):
                ThreadWatcher.watch(near.fileno(), loop, print)
        spoke = asyncio.Event()
        forget = ThreadWatcher.watch(near.fileno(), loop, spoke.set)
        far.send(b"x")
        async with asyncio.timeout(GUARD):
            await spoke.wait()
        forget()


# Large frames


LARGE = RECEIVED_UNCOPIED


@pytest.mark.usefixtures("handed_over")
@pytest.mark.parametrize("size", [LARGE - 1, LARGE, 50 * LARGE])
async def test_large_frames_arrive_whole_and_are_not_copied(size: int, context: Context) -> None:
    """From some size on they are views of what ZMQ received."""
    data = os.urandom(size)
    received: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    sender, receiver = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    receiver.connect(f"tcp://127.0.0.1:{sender.bind_to_random_port('tcp://127.0.0.1')}")
    pumps = Pump(sender, lambda frames: None), Pump(receiver, received.set_result)
    pumps[0].send([b"small", data, memoryview(data)])
    async with asyncio.timeout(GUARD):
        small, *large = await received
    for pump in pumps:
        pump.close(0)
    assert small == b"small"
    assert [bytes(frame) for frame in large] == [data, data]
    assert {type(frame) for frame in large} == {memoryview if size >= LARGE else bytes}


async def test_what_was_sent_may_be_changed_at_once(context: Context) -> None:
    """Large as it may be: a buffer is its owner's again as soon as it was sent."""
    buffer = bytearray(b"a" * 50 * LARGE)
    received: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    sender, receiver = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    port = sender.bind_to_random_port("tcp://127.0.0.1")
    pumps = Pump(sender, lambda frames: None), Pump(receiver, received.set_result)
    pumps[0].send([buffer, memoryview(buffer), memoryview(buffer).toreadonly()])
    buffer[:] = b"b" * len(buffer)
    receiver.connect(f"tcp://127.0.0.1:{port}")
    async with asyncio.timeout(GUARD):
        frames = await received
    for pump in pumps:
        pump.close(0)
    assert {bytes(frame[:1]) for frame in frames} == {b"a"}


def memoryview_of_received(data: bytes) -> memoryview:
    """What arrived somewhere else, to be passed on."""
    return memoryview(zmq.Frame(data))


@pytest.fixture
def handed_over() -> Iterator[None]:
    """What pyzmq keeps for frames that are sent uncopied ends with the test that needed it."""
    yield
    gc.stop()


@pytest.mark.usefixtures("handed_over")
@pytest.mark.parametrize("offer", [bytes, memoryview, memoryview_of_received])
@pytest.mark.parametrize("room", [0, 1])
async def test_a_large_frame_that_cannot_change_is_sent_from_where_it_is(
    offer: Callable[[bytes], Any], room: int, context: Context
) -> None:
    """Also when it waits for room; it is let go once it has left."""
    data = offer(os.urandom(SENT_UNCOPIED))
    held = sys.getrefcount(data)
    near, far = ends(context, room=room)
    inbox = Inbox()
    async with pumping(near, print) as pump:
        for _ in range(5):
            pump.send([b"small", data, b"last"])
        assert sys.getrefcount(data) >= held + 5
        async with pumping(far, inbox):
            assert await inbox.until(5) == [[b"small", data, b"last"]] * 5
        inbox.frames.clear()
        while sys.getrefcount(data) > held:  # noqa: ASYNC110 - pyzmq's thread tells nobody
            await asyncio.sleep(0)
