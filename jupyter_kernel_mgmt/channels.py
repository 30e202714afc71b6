"""`Channels`: the one seam through which a client sends and receives, and its ZMQ implementation."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jupyter_protocol import ClientSockets, ConnectionInfo, Message, Session

OnMessage = Callable[[str, Message], None]
"""Called with the channel's name and a message, on the loop, in the order of arrival per channel."""

OnClosed = Callable[[Exception | None], None]
"""Called once when the far end closed the channels or they broke, with the error if there is one."""


class Channels(Protocol):
    """The way messages travel to one kernel; open when it is handed to a client.

    ``on_message`` and ``on_closed`` are set by the client. Messages that arrive before are kept for it.
    ``on_closed`` is never called for an `aclose` of our own, and not at all by channels that cannot know.
    """

    on_message: OnMessage | None
    on_closed: OnClosed | None

    def send(self, channel: str, message: Message) -> None:
        """Send a message on shell, control or stdin, in order, without blocking.

        Raises `jupyter_protocol.ChannelClosed` when closed.
        """
        ...

    async def aclose(self, *, discard: bool = False) -> None:
        """Close for good; may be called again.

        Messages sent before still leave, within a bounded time; with ``discard`` they need not, since the far
        end is gone. Releases everything even when cancelled.
        """
        ...


@runtime_checkable
class CanKnock(Protocol):
    """What channels may offer besides, for kernels that leave requests unread until something stirs."""

    def knock(self) -> None:
        """Make the kernel look at shell again, without a message. Raises as ``send``, or `OSError`."""
        ...


NEEDED = ("shell", "iopub", "control")
"""The channels without which no kernel can be talked to; nobody asks for input without stdin."""


class ZMQChannels:
    """Channels over a kernel's ZMQ sockets. Make them with `open`."""

    def __init__(self, sockets: ClientSockets) -> None:
        self.on_closed: OnClosed | None = None
        self._sockets = sockets
        self._on_message: OnMessage | None = None
        self._early: list[tuple[str, Message]] = []
        sockets.on_message = self._received

    @classmethod
    async def open(cls, connection_info: ConnectionInfo, *, session: Session | None = None) -> "ZMQChannels":
        """Connect; the kernel need not be there yet. Cancelling it leaves nothing open.

        Raises `OSError`, and `ValueError` for connection information that cannot be used, such as one that
        lacks the port of a channel which every kernel has.
        """
        for channel in NEEDED if connection_info.transport == "tcp" else ():
            if not connection_info.port(channel):
                raise ValueError(f"{channel}_port is 0: the kernel has not said yet where it listens")
        sockets = ClientSockets(connection_info, session=session)
        channels = cls(sockets)
        await sockets.__aenter__()
        return channels

    @property
    def on_message(self) -> OnMessage | None:
        """The client's callback; setting it delivers what came before."""
        return self._on_message

    @on_message.setter
    def on_message(self, callback: OnMessage | None) -> None:
        self._on_message = callback
        if callback is not None:
            early, self._early = self._early, []
            for channel, message in early:
                callback(channel, message)

    def send(self, channel: str, message: Message) -> None:
        """Send a message; see `jupyter_protocol.ClientSockets.send`."""
        self._sockets.send(channel, message)

    def knock(self) -> None:
        """Connect to shell once more; see `jupyter_protocol.ClientSockets.knock`."""
        self._sockets.knock()

    async def aclose(self, *, discard: bool = False) -> None:
        """Close the sockets; see `jupyter_protocol.ClientSockets.aclose`."""
        if discard:
            self._sockets.linger = 0
        await self._sockets.aclose()

    def _received(self, channel: str, message: Message) -> None:
        if self._on_message is None:
            self._early.append((channel, message))
        else:
            self._on_message(channel, message)
