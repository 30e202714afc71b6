"""`KernelSockets`: a kernel's end, bound."""

import asyncio
import logging
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import zmq

from .._pump import settle
from ..connection import CHANNELS, ConnectionInfo
from ..exceptions import InvalidMessage, MalformedMessage, UnknownPacker
from ..messages.iopub import iopub_welcome
from ..messages.message import Frame, Message
from ..session import Session
from .base import OnMessage, SocketsBase
from .kernel_file import REGISTRATION_TIMEOUT, KernelFile
from .options import binding_socket

log = logging.getLogger(__name__)

_KINDS = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "stdin": zmq.ROUTER, "iopub": zmq.XPUB}


class KernelSockets(SocketsBase):
    """Binds all five channels for a kernel; requests arrive on shell, control and stdin.

    Ports that are 0 are chosen by the system; `connection_info` then says which. A reply is sent with the
    constructor's ``parent=``, which addresses it; what is sent on iopub goes to every client. Every new
    subscriber is greeted with ``iopub_welcome``, and heartbeats are echoed by a thread of its own, so that
    they are answered while the kernel is busy. Send queues are unlimited: a slow client loses nothing.

    Raises `OSError` on entering when an address cannot be bound, `ValueError` for one Curve key without the
    other. Sending raises `InvalidMessage` for what is addressed to nobody.

    Source: Messaging in Jupyter, "Introduction"; JEP 65 for the welcome.
    """

    _heartbeat: "_EchoThread | None" = None
    _paths: tuple[Path, ...] = ()
    _file: KernelFile | None = None
    _closing: "asyncio.Future[None] | None" = None
    _registration_timeout = REGISTRATION_TIMEOUT

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        session: Session | None = None,
        on_message: OnMessage | None = None,
        validate: bool | None = None,
        registration_timeout: float = REGISTRATION_TIMEOUT,
    ) -> Self:
        """The sockets of a kernel that was started with this file, whatever its launcher wrote into it.

        Entering them binds, and then says where: ports that were 0 are written into the file, in one step and
        with all else that is in it; with a ``registration_port`` in it the kernel registers and waits for the
        answer. No message is delivered before that. What can be raised besides: here `OSError` and
        `ValueError` for a file that cannot be read or used, on entering `OSError` for one that cannot be
        written; `TimeoutError` when the launcher does not answer within ``registration_timeout`` seconds,
        `InvalidSignature` or `MalformedMessage` for an answer that is not its own or says no. Cancelling the
        entering is safe and leaves nothing open.

        Source: How kernels work, "Connection files"; JEP 66, "Kernel Handshaking pattern".
        """
        file = KernelFile.load(path)
        try:
            sockets = cls(file.connection_info, session=session, on_message=on_message, validate=validate)
        except (UnknownPacker, ValueError) as error:
            raise ValueError(f"{os.fspath(path)} is not a connection file: {error}") from error
        sockets._file = file
        sockets._registration_timeout = registration_timeout
        return sockets

    def _open(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        for channel, kind in _KINDS.items():
            sock = self._bound(context, channel, kind)
            self._add(channel, sock)
        self._heartbeat = _EchoThread(context, self._bound(context, "hb", zmq.ROUTER))

    async def _opened(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        if self._file is None:
            return
        pumps = list(self._pumps.values())
        for pump in pumps:
            pump.pause()  # whoever the launcher tells may be quicker than its answer
        self._closing = asyncio.get_running_loop().create_future()
        await self._file.announce(
            self._info, context, timeout=self._registration_timeout, closing=self._closing
        )
        for pump in pumps:
            pump.resume()

    def _bound(
        self, context: "zmq.Context[zmq.Socket[bytes]]", channel: str, kind: int
    ) -> "zmq.Socket[bytes]":
        info = self._info
        if info.transport == "ipc" and info.port(channel) == 0:
            info = info.with_port(channel, _free_number(info, channel))
        sock = binding_socket(context, kind, info)
        try:
            if kind == zmq.XPUB:
                sock.setsockopt(zmq.XPUB_VERBOSE, 1)
            else:
                # A client that reconnects before its old connection was missed keeps its identity.
                sock.setsockopt(zmq.ROUTER_HANDOVER, 1)
            if info.transport == "tcp" and info.port(channel) == 0:
                sock.bind(info.url(channel).rpartition(":")[0] + ":*")
                endpoint = sock.get_string(zmq.LAST_ENDPOINT)
                info = info.with_port(channel, int(endpoint.rpartition(":")[2]))
            else:
                sock.bind(info.url(channel))
                if info.transport == "ipc":
                    self._paths += (Path(info.url(channel).removeprefix("ipc://")),)
        except BaseException:
            sock.close()
            raise
        self._info = info
        return sock

    def _close_others(self) -> None:
        settle(self._closing)
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            heartbeat.stop()
        paths, self._paths = self._paths, ()
        for path in paths:  # ZMQ leaves them, and at this point they are still ours
            with suppress(OSError):
                path.unlink()

    def _frames(self, channel: str, message: Message) -> Sequence[Frame]:
        frames = self.session.serialize(message)
        if channel != "iopub":
            if not message.idents:  # ROUTER would drop it without a word
                what = message.header.get("msg_type", "message")
                raise InvalidMessage(f"the {what} is addressed to nobody: give it a parent")
            return frames
        # Topics carry no meaning; the type is what ipykernel puts there, and helps when watching the wire.
        try:
            topic = message.msg_type.encode()
        except (KeyError, AttributeError, UnicodeEncodeError) as error:
            raise InvalidMessage("the header needs a msg_type, which is text without surrogates") from error
        return [topic, *frames[len(message.idents) :]]

    def _received(self, channel: str, frames: list[bytes]) -> None:
        if channel == "iopub":
            self._subscription(bytes(frames[0]))
        else:
            super()._received(channel, frames)

    def _subscription(self, event: bytes) -> None:
        kind, topic = event[:1], event[1:]
        if kind == b"\x01":
            welcome = iopub_welcome(topic.decode(errors="replace"))
            self._pumps["iopub"].send([topic, *self.session.serialize(welcome)])
        elif kind != b"\x00":  # which is somebody who unsubscribed
            self._refuse("iopub", MalformedMessage("neither a subscription nor its end"))


def _free_number(info: ConnectionInfo, channel: str) -> int:
    """A number for a channel over ipc that no other channel has."""
    taken = {info.port(each) for each in CHANNELS}
    number = CHANNELS.index(channel) + 1
    beyond = range(len(CHANNELS) + 1, 2 * len(CHANNELS) + 1)  # which are none of those, and as many
    return number if number not in taken else min(set(beyond) - taken)


class _EchoThread:
    """Echoes heartbeats whatever the event loop is doing. Owns its socket."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", heartbeat: "zmq.Socket[bytes]") -> None:
        address = f"inproc://heartbeat-{id(self)}"
        with ExitStack() as stack:
            stack.enter_context(heartbeat)
            stopped = stack.enter_context(context.socket(zmq.PAIR))
            stopped.bind(address)
            self._stopper = stack.enter_context(context.socket(zmq.PAIR))
            self._stopper.connect(address)
            self._thread = threading.Thread(
                target=_echo, args=(heartbeat, stopped), name="heartbeat", daemon=True
            )
            self._thread.start()
            stack.pop_all()  # from here on the thread and `stop` close them

    def stop(self) -> None:
        """End the thread; its sockets are closed when this returns."""
        with suppress(zmq.Again):  # nobody listens: the thread has ended already
            self._stopper.send(b"", zmq.NOBLOCK)
        self._thread.join()
        self._stopper.close(0)


def _echo(heartbeat: "zmq.Socket[bytes]", stopped: "zmq.Socket[bytes]") -> None:
    poller = zmq.Poller()
    poller.register(heartbeat, zmq.POLLIN)
    poller.register(stopped, zmq.POLLIN)
    with heartbeat, stopped:
        while stopped not in dict(poller.poll()):
            try:
                heartbeat.send_multipart(heartbeat.recv_multipart(zmq.NOBLOCK), zmq.NOBLOCK)
            except zmq.ZMQError as error:
                log.debug("A heartbeat could not be answered: %s", error)
