"""`Heartbeat`: is the other end of the hb channel there?

A reply means "reachable", not "free": some kernels echo only while they run no code, and some not at all.

Source: Messaging in Jupyter, "Heartbeat for kernels".
"""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

import zmq

from ._pump import Pump
from .connection import ConnectionInfo
from .exceptions import ChannelClosed
from .sockets.context import SharedContext, opening
from .sockets.options import connecting_socket


class Heartbeat:
    """Sends a beat every ``interval`` seconds on the running loop and notes the echoes.

    ``echoes`` counts them. ``silence`` is the number of seconds since the last echo, None before the first: a
    kernel that never echoes has no heartbeat, and its silence says nothing. Entering raises `OSError` for an
    address that cannot be connected to, and leaves nothing open then, cancelled or not.
    """

    def __init__(self, connection_info: ConnectionInfo, *, interval: float = 1.0) -> None:
        self.interval = interval
        self.echoes = 0
        self._info = connection_info
        self._shared: SharedContext | None = None
        self._pump: Pump | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._last_echo: float | None = None
        self._echo = asyncio.Event()

    @property
    def silence(self) -> float | None:
        """Seconds since the last echo, or None when none has come yet."""
        return None if self._last_echo is None else asyncio.get_running_loop().time() - self._last_echo

    async def wait_for_echo(self) -> None:
        """Wait for the next echo, however long it takes. Cancelling it is safe.

        Raises `ChannelClosed` when not open, or closed meanwhile.
        """
        if self._pump is None or self._closed:
            raise ChannelClosed("the heartbeat is not open")
        self._echo.clear()
        await self._echo.wait()
        if self._closed:
            raise ChannelClosed("the heartbeat was closed")

    async def __aenter__(self) -> Self:
        if self._closed or self._pump is not None:
            raise ChannelClosed("this heartbeat was opened before; make a new one")
        async with opening(self.aclose) as self._shared:
            self._pump = Pump(self._connected(self._shared.zmq_context), self._received)
        self._beat()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop and release everything. Cancelling it is safe; may be called again."""
        self._closed = True
        try:
            with suppress(RuntimeError):  # whoever waits does so on a loop that was closed
                self._echo.set()
            if self._timer is not None:
                self._timer.cancel()
            if self._pump is not None:
                self._pump.close(0)
        finally:
            shared, self._shared = self._shared, None
            if shared is not None:
                await shared.release()

    def _connected(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
        # A DEALER that adds REQ's empty delimiter itself: unlike a REQ it may go on after a lost echo.
        sock = connecting_socket(context, zmq.DEALER, self._info)
        try:
            sock.setsockopt(zmq.SNDHWM, 1)  # beats that a stopped kernel did not read are of no use
            sock.connect(self._info.url("hb"))
        except BaseException:
            sock.close(0)
            raise
        return sock

    def _beat(self) -> None:
        if self._pump is None or self._pump.closed:
            return
        if self._pump.idle:
            self._pump.send([b"", b"ping"])
        self._timer = asyncio.get_running_loop().call_later(self.interval, self._beat)

    def _received(self, frames: list[bytes]) -> None:
        self.echoes += 1
        self._last_echo = asyncio.get_running_loop().time()
        self._echo.set()
