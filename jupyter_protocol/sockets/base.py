"""What both ends share: named channels, verified delivery, iteration, closing."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import zmq

from .._pump import Pump, settle
from ..connection import ConnectionInfo
from ..exceptions import ChannelClosed, ProtocolError
from ..messages.message import Frame, Message
from ..session import Session
from .context import SharedContext, opening
from .validating import check_sent, is_wanted, note_received

log = logging.getLogger(__name__)

OnMessage = Callable[[str, Message], None]
"""Called with the channel's name and the message, on the loop, in the order of arrival per channel."""

LINGER = 1000
"""Milliseconds that messages sent just before closing have to leave."""

_PAUSE_AT, _RESUME_AT = 1000, 500
_ELSEWHERE = (
    "these sockets belong to another loop, thread or process: use them only where they were opened, from "
    "another thread by loop.call_soon_threadsafe(sockets.send, channel, message)"
)


class SocketsBase:
    """An open set of ZMQ sockets, one a channel. Subclasses say which, and connect or bind them.

    Messages go to ``on_message(channel, message)`` or, where it is None, to ``async for channel, message``;
    then no more than about a thousand are taken from ZMQ in advance. What is malformed, unsigned or a
    replay is dropped, counted in ``refused`` (by the name of the error) and logged once per kind.

    ``validate`` is for those who debug a kernel or a client: `jupyter_protocol.validate` looks at all that
    passes, as it is on the wire. Sending what is not as specified raises `InvalidMessage`, but for what is
    wrong within a parent header, which is the peer's; what is received is delivered all the same, counted in
    ``invalid`` (by type and field) and logged once per kind. None, which is the default, means: if
    JUPYTER_PROTOCOL_VALIDATE is set in the environment, to anything but 0.

    Belongs to the loop and thread it was entered in; use from elsewhere raises `RuntimeError`. Another thread
    sends by ``loop.call_soon_threadsafe(sockets.send, channel, message)``, which keeps its order. Entering
    waits only to close what was open when it fails, and leaves nothing open, cancelled or not. Raises
    `ChannelClosed` when `aclose` is called meanwhile.
    """

    def __init__(
        self,
        connection_info: ConnectionInfo,
        *,
        session: Session | None = None,
        on_message: OnMessage | None = None,
        validate: bool | None = None,
    ) -> None:
        self._info = connection_info
        self.session = session or Session(
            connection_info.key,
            signature_scheme=connection_info.signature_scheme,
            packer=connection_info.packer,
        )
        self.on_message = on_message
        self.linger = LINGER
        self.refused: Counter[str] = Counter()
        self.invalid: Counter[str] = Counter()
        self._validating = is_wanted(validate=validate)
        self._pumps: dict[str, Pump] = {}
        self._waiting: deque[tuple[str, Message]] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._shared: SharedContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def connection_info(self) -> ConnectionInfo:
        """Where the sockets are connected or bound."""
        return self._info

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._pumps else "new"
        return f"<{type(self).__name__} {state} {self._info.url('shell')}>"

    async def __aenter__(self) -> Self:
        if self._closed or self._pumps:
            raise ChannelClosed("these sockets were opened before; make new ones")
        self._loop = asyncio.get_running_loop()
        async with opening(self.aclose) as self._shared:
            self._open(self._shared.zmq_context)
            await self._opened(self._shared.zmq_context)
            if self._closed:
                raise ChannelClosed("the sockets were closed while they were opened")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all sockets. Messages sent before get up to ``linger`` milliseconds to leave.

        Cancelling it is safe: everything is released all the same. May be called again. Raises
        `RuntimeError` while the loop that the sockets belong to runs in another thread or process.
        """
        if self._loop is not None and self._loop is not _running_loop() and self._loop.is_running():
            raise RuntimeError(_ELSEWHERE)
        self._closed = True
        try:
            self._notify()
            self._close_others()
            await self._flush()
        finally:
            for pump in self._pumps.values():
                pump.close(self.linger)
            self._pumps.clear()
            shared, self._shared = self._shared, None
            if shared is not None:
                await shared.release()

    async def _flush(self) -> None:
        """Let what ZMQ has no room for yet leave; nothing more is delivered meanwhile."""
        pumps = list(self._pumps.values())
        for pump in pumps:
            pump.pause()
        if all(pump.idle for pump in pumps) or self._loop is not _running_loop():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self.linger / 1000):
                for pump in pumps:
                    await pump.drain()

    def send(self, channel: str, message: Message) -> None:
        """Send a message. Never blocks; what ZMQ has no room for waits, in order (see `drain`).

        A buffer may be changed as soon as this returns: it is copied. Not so from 1 MiB on where it cannot
        change, being ``bytes``, a buffer that was received, or a memoryview of one of these.

        Raises `ChannelClosed` when closed or for a channel without sending, `InvalidMessage` for a message
        that cannot be packed or, with ``validate``, is not what the specification says, `RuntimeError` in
        another loop, thread or process.
        """
        self._check_owner()
        pump = self._pumps.get(channel)
        if pump is None:
            raise ChannelClosed(f"{channel!r} cannot be sent on: {self._why_not(channel)}")
        frames = self._frames(channel, message)
        if self._validating:
            check_sent(self.session, frames)
        pump.send(frames)

    async def drain(self) -> None:
        """Wait until ZMQ has taken all messages sent so far: back-pressure for those who send much.

        Cancelling it is safe: no message is lost. Raises `ChannelClosed` when closed, also meanwhile if
        messages were left behind.
        """
        self._check_owner()
        if not self._pumps:
            raise ChannelClosed(f"nothing can be sent: {self._why_not('')}")
        for pump in list(self._pumps.values()):
            await pump.drain()

    def __aiter__(self) -> Self:
        if self.on_message is not None:
            raise RuntimeError("messages go to on_message here; iterate over sockets made without it")
        return self

    async def __anext__(self) -> tuple[str, Message]:
        """The next message. Cancelling it is safe: the message stays for the next call.

        After closing, what had arrived is still given out. Raises `ChannelClosed` before opening.
        """
        self._check_owner()
        if self._loop is None and not self._closed:
            raise ChannelClosed(f"nothing can arrive: {self._why_not('')}")
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            if self._arrival is None:
                self._arrival = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._arrival)
        item = self._waiting.popleft()
        if len(self._waiting) == _RESUME_AT and not self._closed:
            for pump in self._pumps.values():
                pump.resume()
        return item

    def _open(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        """Make all sockets and hand each to `_add`."""
        raise NotImplementedError

    async def _opened(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        """Do what there is to do before entering has ended."""

    def _close_others(self) -> None:
        """Release what a subclass has besides the sockets it handed to `_add`."""

    def _add(self, channel: str, zmq_socket: "zmq.Socket[bytes]") -> None:
        def on_frames(frames: list[bytes]) -> None:
            self._received(channel, frames)

        self._pumps[channel] = Pump(zmq_socket, on_frames)

    def _frames(self, channel: str, message: Message) -> Sequence[Frame]:
        return self.session.serialize(message)

    def _received(self, channel: str, frames: list[bytes]) -> None:
        try:
            message = self.session.deserialize(frames)
        except ProtocolError as error:
            self._refuse(channel, error)
            return
        if self._validating:
            note_received(self.session, channel, message, frames, self.invalid)
        if self.on_message is not None:
            self.on_message(channel, message)
            return
        self._waiting.append((channel, message))
        if len(self._waiting) >= _PAUSE_AT:
            for pump in self._pumps.values():
                pump.pause()
        self._notify()

    def _refuse(self, channel: str, error: ProtocolError) -> None:
        kind = type(error).__name__
        self.refused[kind] += 1
        if self.refused[kind] == 1:
            log.warning(
                "Dropped a message on %s: %s (further ones of this kind are only counted)", channel, error
            )

    def _notify(self) -> None:
        arrival, self._arrival = self._arrival, None
        settle(arrival)

    def _check_owner(self) -> None:
        if self._loop is not None and self._loop is not _running_loop():
            raise RuntimeError(_ELSEWHERE)

    def _why_not(self, channel: str) -> str:
        if self._closed:
            return "the sockets are closed"
        return "it is not one of " + ", ".join(self._pumps) if self._pumps else "the sockets are not open yet"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
