"""`Pump`: from "this ZMQ socket may be readable" to whole multipart messages, on the running loop.

One reader a socket. No receive is ever awaited, so none can be cancelled: a message that ZMQ has handed
out is always delivered. ZMQ's descriptor is edge-triggered: it speaks when the state changes and not
while messages wait, so the socket is looked at once after registering, after every send, and until it is
empty or a cap is reached; after the cap the loop serves others first.
"""

import asyncio
import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import zmq

from .exceptions import ChannelClosed
from .messages.message import Frame

log = logging.getLogger(__name__)

# Plain numbers: the operators of zmq's enumerations are slow.
_EVENTS, _POLLIN, _POLLOUT = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)
_NOBLOCK, _SNDMORE = int(zmq.NOBLOCK), int(zmq.SNDMORE)

RECEIVED_UNCOPIED = 64 * 1024
"""Bytes from which on a frame is received as a memoryview of ZMQ's own memory."""

SENT_UNCOPIED = 1024 * 1024
"""Bytes from which on a frame is sent from where it is, if it cannot change: bytes, or what was received.

Below, copying takes hardly longer than handing over. From the first such frame on pyzmq keeps a thread and
seven descriptors, to the end of the process.
"""

MESSAGES_PER_WAKEUP = 64
"""How many messages of one socket are delivered before the loop serves others."""


class Pump:
    """Moves messages between one ZMQ socket and callbacks on one loop.

    ``on_frames(frames)`` is called for each message received, whose large frames are memoryviews; what it
    raises is logged. The socket belongs to the pump from here on: `close` closes it, and so does a failure
    here. Must be made and used in the loop's thread.
    """

    def __init__(self, zmq_socket: zmq.Socket[bytes], on_frames: Callable[[list[Any]], None]) -> None:
        self._socket = zmq_socket
        self._on_frames = on_frames
        self._outbox: deque[list[Frame]] = deque()
        self._unsent = 0
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._scheduled = False
        self._loop = asyncio.get_running_loop()
        zmq_socket.copy_threshold = SENT_UNCOPIED
        try:
            self._fd = int(zmq_socket.getsockopt(zmq.FD))
            self._stop_watching = _watch(self._loop, self._fd, self._wake_up)
        except BaseException:
            zmq_socket.close(0)
            raise
        self._schedule()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._socket.closed

    @property
    def idle(self) -> bool:
        """Whether ZMQ has taken everything that was sent."""
        return not self._outbox

    def send(self, frames: Sequence[Frame]) -> None:
        """Send, or keep in order until ZMQ has room again. Never blocks."""
        if self._outbox or not self._try_send(frames):
            # A copy of what the caller may change before it leaves.
            self._outbox.append([frame if _stays(frame) else bytes(frame) for frame in frames])
        self._schedule()

    async def drain(self) -> None:
        """Wait until ZMQ has taken everything sent so far. Cancelling it is safe and loses nothing.

        Raises `ChannelClosed` when the pump was closed before.
        """
        while self._outbox:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)
        if self._unsent:
            raise ChannelClosed(f"closed with {self._unsent} messages unsent")

    def pause(self) -> None:
        """Stop delivering; messages wait in ZMQ's queue."""
        self._paused = True

    def resume(self) -> None:
        """Deliver again."""
        if self._paused:
            self._paused = False
            self._schedule()

    def close(self, linger: int) -> None:
        """Stop watching and close the socket; unsent messages get ``linger`` milliseconds to leave."""
        if not self.closed:
            self._stop_watching()
            # A SUB has only its subscription to send, for which a kernel that is gone is not worth waiting.
            self._socket.close(0 if self._socket.type == zmq.SUB else linger)
            self._unsent = len(self._outbox)
            self._outbox.clear()
            self._wake_drainers()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._wake_up_scheduled)

    def _wake_up_scheduled(self) -> None:
        self._scheduled = False
        self._wake_up()

    def _wake_up(self) -> None:
        if self.closed:
            return
        settled = False
        try:
            settled = self._flush() & self._receive()
        finally:
            # Also after what is not ours to catch, such as a callback's CancelledError: messages may wait.
            if not settled:
                self._schedule()

    def _receive(self) -> bool:
        """Deliver messages until there are none, and say so, or until the cap is reached."""
        many = False
        for number in range(MESSAGES_PER_WAKEUP):
            if self.closed:
                return True
            try:
                # Reading the state is what arms the descriptor again, and what finds a late arrival or new
                # room. While paused it keeps the descriptor from speaking all the time. It takes as long as
                # three frames, so that of many messages only the first two and the end are asked for.
                if self._paused or not many:
                    events = self._events()
                    if self._paused or not events & _POLLIN:
                        return not (self._outbox and events & _POLLOUT)
                frames = self._receive_message()
            except zmq.Again:
                if not many:  # announced and not there: look again later, since nothing else will say so
                    return False
                many = False
                continue
            except zmq.ZMQError as error:
                log.error("Receiving failed: %s", error)
                return True
            many = number > 0
            try:
                self._on_frames(frames)
            except Exception:  # a callback of somebody else's
                log.exception("A callback for received messages failed")
        return False

    def _receive_message(self) -> list[bytes | memoryview]:
        # As recv_multipart does, in half the time: that asks the socket after every frame for more.
        receive, frames = self._socket.recv, list[bytes | memoryview]()
        while True:
            frame = receive(_NOBLOCK, copy=False)
            frames.append(frame.bytes if len(frame) < RECEIVED_UNCOPIED else frame.buffer)
            if not frame.more:
                return frames

    def _events(self) -> int:
        return int(self._socket.getsockopt(_EVENTS))

    def _flush(self) -> bool:
        """Send what waits until ZMQ has no room, and say so, or until the cap is reached."""
        for _ in range(MESSAGES_PER_WAKEUP):
            if not self._outbox:
                break
            if not self._try_send(self._outbox[0]):
                return True
            self._outbox.popleft()
        if self._outbox:
            return False
        self._wake_drainers()
        return True

    def _try_send(self, frames: Sequence[Frame]) -> bool:
        try:
            if any(map(_stays, frames)):
                self._send_uncopied(frames)
            else:
                self._socket.send_multipart(frames, _NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:  # a ROUTER whose peer is gone: the message has nobody to go to
            log.debug("A message could not be sent: %s", error)
        return True

    def _send_uncopied(self, frames: Sequence[Frame]) -> None:
        for frame in frames[:-1]:
            self._socket.send(frame, _NOBLOCK | _SNDMORE, copy=not _stays(frame))
        self._socket.send(frames[-1], _NOBLOCK, copy=not _stays(frames[-1]))

    def _wake_drainers(self) -> None:
        drained, self._drained = self._drained, None
        settle(drained)


def settle(waited_for: "asyncio.Future[None] | None") -> None:
    """Let those go on who wait for a future, if anybody does. Those on a loop that was closed cannot."""
    if waited_for is not None and not waited_for.done():
        with suppress(RuntimeError):
            waited_for.set_result(None)


def _stays(frame: Frame) -> bool:
    """Whether a frame is worth sending uncopied, and stays as it is until it has left."""
    if type(frame) is bytes:
        return len(frame) >= SENT_UNCOPIED
    # A view that is read-only is no promise: what it looks at may still change.
    return (
        type(frame) is memoryview
        and frame.nbytes >= SENT_UNCOPIED
        and isinstance(frame.obj, bytes | zmq.Frame)
    )


def _watch(loop: asyncio.AbstractEventLoop, fd: int, callback: Callable[[], None]) -> Callable[[], None]:
    """Call back on the loop whenever the descriptor speaks; the result stops it."""
    try:
        loop.add_reader(fd, callback)
    except NotImplementedError:  # Windows' default loop
        return ThreadWatcher.watch(fd, loop, callback)
    return lambda: _remove_reader(loop, fd)


def _remove_reader(loop: asyncio.AbstractEventLoop, fd: int) -> None:
    if not loop.is_closed():
        loop.remove_reader(fd)


class ThreadWatcher:
    """Watches descriptors in one daemon thread, for loops that have no ``add_reader``.

    A descriptor that speaks is set aside until its callback has run on its loop: with ZMQ it would go on
    speaking until the socket was looked at. The thread ends when nothing is left to watch.
    """

    _shared: "ThreadWatcher | None" = None
    _guard = threading.Lock()

    def __init__(self) -> None:
        self._wanted: dict[int, tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = {}
        self._armed: set[int] = set()
        self._waker_read, self._waker_write = socket.socketpair()
        self._waker_read.setblocking(False)
        self._waker_write.setblocking(False)

    @classmethod
    def watch(
        cls, fd: int, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]
    ) -> Callable[[], None]:
        """Call back on the loop whenever the descriptor speaks, until the result is called."""
        with cls._guard:
            watcher = cls._shared
            if watcher is None:
                watcher = cls()
                watcher._start()
                cls._shared = watcher  # the thread itself waits for the guard
            watcher._wanted[fd] = (loop, callback)
            watcher._armed.add(fd)
            watcher._wake()
        return lambda: watcher._forget(fd)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, name="zmq-watcher", daemon=True).start()
        except BaseException:
            self._waker_read.close()
            self._waker_write.close()
            raise

    def _forget(self, fd: int) -> None:
        with self._guard:
            self._wanted.pop(fd, None)
            self._armed.discard(fd)
            self._wake()

    def _wake(self) -> None:
        # Full: the thread is about to wake up anyway. Closed: it has ended, having nothing to watch.
        with suppress(OSError):
            self._waker_write.send(b"\0")

    def _run(self) -> None:
        with self._waker_read, self._waker_write:
            while True:
                with self._guard:
                    if not self._wanted:
                        type(self)._shared = None
                        return
                    armed = list(self._armed)
                for fd in self._wait(armed):
                    self._report(fd)

    def _wait(self, armed: list[int]) -> list[int]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._waker_read, selectors.EVENT_READ)
            for fd in armed:
                with suppress(ValueError, OSError):  # closed meanwhile, and about to be forgotten
                    selector.register(fd, selectors.EVENT_READ)
            try:
                ready = [key.fd for key, _ in selector.select()]
            except OSError:  # one of them was closed while it was watched
                return []
        waker = self._waker_read.fileno()
        if waker in ready:
            self._waker_read.recv(4096)
            ready.remove(waker)
        return ready

    def _report(self, fd: int) -> None:
        with self._guard:
            entry = self._wanted.get(fd)
            self._armed.discard(fd)
        if entry is None:
            return
        loop, callback = entry
        try:
            loop.call_soon_threadsafe(self._call_and_rearm, fd, callback)
        except RuntimeError:  # that loop is closed
            self._forget(fd)

    def _call_and_rearm(self, fd: int, callback: Callable[[], None]) -> None:
        with self._guard:
            wanted = fd in self._wanted
        try:
            if wanted:
                callback()
        finally:
            with self._guard:
                if fd in self._wanted:
                    self._armed.add(fd)
                    self._wake()
