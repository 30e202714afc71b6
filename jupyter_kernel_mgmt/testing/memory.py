"""`MemoryChannels`: both ends of a kernel's channels in one process, without sockets."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Sequence

from jupyter_protocol import ChannelClosed, InvalidMessage, Message, ProtocolError, Session

from ..channels import OnClosed, OnMessage

log = logging.getLogger(__name__)

_REQUESTS = ("shell", "control", "stdin")
_KEY = "both ends are in this process"


class _End:
    """One end: what arrived and was not delivered yet, and whom to tell."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._on_message: OnMessage | None = None
        self._on_closed: OnClosed | None = None
        self._inbox: deque[tuple[str, list[bytes]]] = deque()
        self._closed = False
        self._far_end_closed = False
        self._learned = False
        self._told = False
        self._error: Exception | None = None

    @property
    def on_message(self) -> OnMessage | None:
        """Called with channel and message, on the loop, in order; what came before it was set is kept."""
        return self._on_message

    @on_message.setter
    def on_message(self, callback: OnMessage | None) -> None:
        self._on_message = callback
        self._schedule(len(self._inbox) + 1)

    @property
    def on_closed(self) -> OnClosed | None:
        """Called once, after the last message, when the other end was closed, perhaps by an error."""
        return self._on_closed

    @on_closed.setter
    def on_closed(self, callback: OnClosed | None) -> None:
        self._on_closed = callback
        self._schedule(1)

    @property
    def closed(self) -> bool:
        """Whether this end was closed, or learned that the other one was."""
        return self._closed or self._learned

    def _put(self, channel: str, frames: Sequence[bytes]) -> None:
        if not self._closed:
            self._inbox.append((channel, list(frames)))
            self._schedule(1)

    def _put_end(self, error: Exception | None) -> None:
        if not self._closed:
            self._far_end_closed = True
            self._error = error
            self._schedule(1)

    def _schedule(self, count: int) -> None:
        """One call for each item: what a callback raises keeps nothing else from being delivered."""
        if self._inbox or self._far_end_closed:
            loop = asyncio.get_running_loop()
            for _ in range(count):
                loop.call_soon(self._next)

    def _next(self) -> None:
        if self._closed:
            return
        if self._inbox:
            if self._on_message is not None:
                self._deliver(self._on_message, *self._inbox.popleft())
        elif self._far_end_closed:
            self._learned = True
            if self._on_closed is not None and not self._told:
                self._told = True
                self._on_closed(self._error)

    def _deliver(self, on_message: OnMessage, channel: str, frames: list[bytes]) -> None:
        try:
            message = self.session.deserialize(frames)
        except ProtocolError as error:
            log.warning("Dropped a message on %s: %s", channel, error)
        else:
            on_message(channel, message)


class KernelEnd(_End):
    """The kernel's end of `MemoryChannels`: requests arrive on shell, control and stdin.

    It sends as `jupyter_protocol.KernelSockets` does: a reply goes to the sender of the ``parent`` it was
    made with, what is sent on iopub to the client. ``on_message`` and ``on_closed`` are to be set.
    """

    def __init__(self, session: Session, client: "MemoryChannels") -> None:
        super().__init__(session)
        self._client = client

    def send(self, channel: str, message: Message) -> None:
        """Send a message on any channel.

        Raises `ChannelClosed` when closed or for an unknown channel, `InvalidMessage` for what cannot be
        packed or, except on iopub, is addressed to nobody.
        """
        if self.closed:
            raise ChannelClosed(f"{channel!r} cannot be sent on: the channels are closed")
        if channel not in (*_REQUESTS, "iopub"):
            raise ChannelClosed(f"{channel!r} cannot be sent on: there is no such channel")
        frames = [bytes(frame) for frame in self.session.serialize(message)]
        addressed, rest = frames[: len(message.idents)], frames[len(message.idents) :]
        if channel == "iopub":
            self._client._put(channel, [message.msg_type.encode(), *rest])
        elif not addressed:
            raise InvalidMessage(f"the {message.msg_type} is addressed to nobody: give it a parent")
        elif addressed[0] == self._client._identity:  # a ROUTER drops what is for others
            self._client._put(channel, [*addressed[1:], *rest])

    def close(self, error: Exception | None = None) -> None:
        """Close the channels from here: the client's ``on_closed`` is called with this error.

        Messages sent before still arrive. May be called again.
        """
        if not self._closed:
            self._closed = True
            self._client._put_end(error)


class MemoryChannels(_End):
    """`Channels` in memory: this is the client's end, and ``kernel`` the kernel's.

    Messages are packed and unpacked as by `jupyter_protocol.Session`, so that ends share no objects and
    what cannot travel is refused, and are delivered on the loop, in order in each direction. Needs a
    running loop as soon as it is used.
    """

    def __init__(self, *, session: Session | None = None, kernel_session: Session | None = None) -> None:
        super().__init__(session or Session(_KEY))
        self.kernel = KernelEnd(kernel_session or Session(_KEY), self)
        self._identity = os.urandom(16).hex().encode()

    def __repr__(self) -> str:
        return f"<MemoryChannels {'closed' if self.closed else 'open'}>"

    def send(self, channel: str, message: Message) -> None:
        """Send a message on shell, control or stdin.

        Raises `ChannelClosed` when closed or for another channel, `InvalidMessage` for what cannot be packed.
        """
        if self.closed:
            raise ChannelClosed(f"{channel!r} cannot be sent on: the channels are closed")
        if channel not in _REQUESTS:
            raise ChannelClosed(f"{channel!r} cannot be sent on: clients send on {', '.join(_REQUESTS)}")
        frames = [bytes(frame) for frame in self.session.serialize(message)]
        self.kernel._put(channel, [self._identity, *frames])

    async def aclose(self, *, discard: bool = False) -> None:
        """Close for good; the kernel's end is told after it got what was sent before. May be called again.

        With ``discard`` the kernel's end gets nothing more. It waits for nothing, so that it cannot be
        cancelled half-way.
        """
        if self._closed:
            return
        self._closed = True
        if discard:
            self.kernel._inbox.clear()
        self.kernel._put_end(None)
