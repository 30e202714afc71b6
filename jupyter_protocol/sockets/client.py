"""`ClientSockets`: a client's end, connected to a kernel."""

import os

import zmq

from ..connection import ConnectionInfo
from ..exceptions import ChannelClosed
from ..messages.message import Message
from .base import SocketsBase
from .options import connecting_socket

SEND_QUEUE = 1000
"""Messages that ZMQ keeps for a kernel that does not read; more wait in the order they were sent."""


CONNECTED = ("iopub", "shell", "control", "stdin")
"""The channels in the order in which they are connected: subscribed before anything can be asked."""


class ClientSockets(SocketsBase):
    """Connects shell, control and stdin (both ways) and iopub (receiving, subscribed to everything).

    The kernel need not be there yet. ``iopub`` has an unlimited receive queue, so that a busy application
    loses no output; shell, control and stdin share an identity, without which a kernel's input requests
    would not arrive. Heartbeat is apart, in `Heartbeat`. ``validate``, ``refused`` and ``invalid`` are those
    of `SocketsBase`; ``linger`` is how many milliseconds messages have to leave when closing (1000).

    A tcp port of 0 is no address: that channel is not connected, and ``send`` raises `ChannelClosed` for it.
    Entering raises `ValueError` when all are 0, as in the file of a kernel that has not chosen its ports yet.

    Source: Messaging in Jupyter, "Introduction"; JEP 65 for subscribing before connecting.
    """

    _knocking: "zmq.Socket[bytes] | None" = None

    def knock(self) -> None:
        """Connect to shell once more, sending nothing: a kernel that left requests unread looks again.

        ZMQ's descriptor tells of no further message while one is unread, but of a new connection. It is
        kept until the next knock or `aclose`. Raises as `send` does, and `OSError` without a free descriptor.
        """
        self._check_owner()
        if self._shared is None:
            raise ChannelClosed(f"nobody can knock: {self._why_not('shell')}")
        self._close_others()
        try:
            self._knocking = connecting_socket(self._shared.zmq_context, zmq.DEALER, self._info)
            self._knocking.connect(self._info.url("shell"))
        except zmq.ZMQError as error:
            raise OSError(error.errno, str(error)) from error

    def _close_others(self) -> None:
        if self._knocking is not None:
            self._knocking.close(linger=0)
            self._knocking = None

    def send(self, channel: str, message: Message) -> None:
        if channel == "iopub":
            raise ChannelClosed("'iopub' cannot be sent on: clients only receive there")
        super().send(channel, message)

    def _open(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        channels = _named(self._info)
        if not channels:
            raise ValueError("the ports are all 0: the kernel has not said yet where it listens")
        identity = os.urandom(16).hex().encode()
        for channel in channels:
            sock = connecting_socket(context, zmq.SUB if channel == "iopub" else zmq.DEALER, self._info)
            try:
                if channel == "iopub":
                    sock.setsockopt(zmq.RCVHWM, 0)
                    sock.setsockopt(zmq.SUBSCRIBE, b"")
                else:
                    sock.setsockopt(zmq.IDENTITY, identity)
                    sock.setsockopt(zmq.SNDHWM, SEND_QUEUE)
                sock.connect(self._info.url(channel))
                self._add(channel, sock)
            except BaseException:
                sock.close()
                raise


def _named(info: ConnectionInfo) -> list[str]:
    """The channels that have an address."""
    return [channel for channel in CONNECTED if info.transport == "ipc" or info.port(channel)]
