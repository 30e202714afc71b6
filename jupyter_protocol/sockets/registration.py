"""`RegistrationSocket`: where kernels that choose their own ports say which, one socket for all of them."""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from .._pump import Pump
from ..connection import ConnectionInfo
from ..exceptions import ChannelClosed, ProtocolError
from ..messages.message import JSONDict
from ..registration import MAX_SIZE, Dialect, Registrar, registration_file
from .base import LINGER
from .context import SharedContext, opening
from .options import binding_socket

log = logging.getLogger(__name__)

_CHANNEL = "control"  # of a `ConnectionInfo`, which knows how addresses are written


class RegistrationSocket:
    """Bound from entering on; any number of kernels may be expected at a time, each with its own key.

    ``transport`` and ``ip`` are as in a connection file: over tcp the system chooses the port on the address
    ``ip``, over ipc ``ip`` is the path that the socket's begins with, in a directory that is private and
    whose path nobody else binds. A message that is malformed, a replay or signed with the key of no expected
    kernel is dropped, counted in ``refused`` (by the name of the error), logged once per kind, and never
    answered.

    Belongs to the loop and thread it was entered in. Entering raises `OSError` when the address cannot be
    bound, and leaves nothing open then, cancelled or not.

    Source: JEP 66, "Kernel Handshaking pattern".
    """

    def __init__(self, *, transport: str = "tcp", ip: str = "127.0.0.1") -> None:
        number = 1 if transport == "ipc" else 0
        self.refused: Counter[str] = Counter()
        self._address = ConnectionInfo(transport, ip, control_port=number, key="")
        self._registrar = Registrar()
        self._waiting: dict[str, asyncio.Future[ConnectionInfo]] = {}
        self._shared: SharedContext | None = None
        self._pump: Pump | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._path: Path | None = None
        self._closed = False

    @property
    def url(self) -> str:
        """The ZMQ address. Its port is known from entering on."""
        return self._address.url(_CHANNEL)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "new" if self._pump is None else "open"
        return f"<RegistrationSocket {state} {self.url} {len(self._waiting)} expected>"

    def file(
        self, kernel_id: str, connection_info: ConnectionInfo, *, dialect: Dialect = "standard"
    ) -> JSONDict:
        """What to write for a kernel that is to register here: see `registration_file`.

        Raises `ValueError`, also for another transport than this socket's, and `ChannelClosed` when not open.
        """
        self._check_open()
        if connection_info.transport != self._address.transport:
            raise ValueError(f"kernels that register here must use {self._address.transport}")
        return registration_file(
            kernel_id,
            connection_info,
            registration_ip=self._address.ip,
            registration_port=self._address.port(_CHANNEL),
            dialect=dialect,
        )

    def expect(self, kernel_id: str, connection_info: ConnectionInfo) -> "asyncio.Future[ConnectionInfo]":
        """Accept one registration from this kernel: call it before the kernel starts, and await the result.

        The result is ``connection_info`` with the ports that the kernel has bound, and so has its key. A
        kernel that starts again may register again after a new call. Cancelling the wait forgets the kernel:
        it gets no answer and, in time, ends itself. Waiters get `ChannelClosed` when the socket is closed.

        Raises `ValueError` as `Registrar.expect` does, `ChannelClosed` when not open, `RuntimeError` in
        another loop or thread.
        """
        self._check_open()
        self._forget_cancelled()
        self._registrar.expect(kernel_id, connection_info)
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[kernel_id] = waiter
        return waiter

    async def __aenter__(self) -> Self:
        if self._closed or self._pump is not None:
            raise ChannelClosed("this registration socket was opened before; make a new one")
        self._loop = asyncio.get_running_loop()
        async with opening(self.aclose) as self._shared:
            self._pump = Pump(self._bound(self._shared.zmq_context), self._received)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close and release everything; answers just sent still leave. Cancelling it is safe."""
        self._closed = True
        waiting, self._waiting = self._waiting, {}
        try:
            for kernel_id, waiter in waiting.items():
                self._registrar.forget(kernel_id)
                _disappoint(waiter)
            if self._pump is not None:
                self._pump.close(LINGER)
            path, self._path = self._path, None
            if path is not None:
                with suppress(OSError):
                    path.unlink()  # ZMQ leaves it
        finally:
            shared, self._shared = self._shared, None
            if shared is not None:
                await shared.release()

    def _bound(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
        sock = binding_socket(context, zmq.ROUTER, self._address)
        try:
            sock.setsockopt(zmq.MAXMSGSIZE, MAX_SIZE)
            if self._address.transport == "tcp":
                sock.bind(self.url.rpartition(":")[0] + ":*")
                port = int(sock.get_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
                self._address = replace(self._address, control_port=port)
            else:
                sock.bind(self.url)
                self._path = Path(self.url.removeprefix("ipc://"))
        except BaseException:
            sock.close()
            raise
        return sock

    def _received(self, frames: list[bytes]) -> None:
        self._forget_cancelled()
        try:
            registration = self._registrar.receive(frames)
        except ProtocolError as error:
            self._refuse(error)
            return
        assert self._pump is not None
        self._pump.send(registration.answer)
        self._waiting.pop(registration.kernel_id).set_result(registration.connection_info)

    def _forget_cancelled(self) -> None:
        for kernel_id in [kernel_id for kernel_id, waiter in self._waiting.items() if waiter.done()]:
            self._registrar.forget(kernel_id)
            del self._waiting[kernel_id]

    def _refuse(self, error: ProtocolError) -> None:
        kind = type(error).__name__
        self.refused[kind] += 1
        if self.refused[kind] == 1:
            log.warning("Dropped a registration: %s (further ones of this kind are only counted)", error)

    def _check_open(self) -> None:
        if self._pump is None or self._closed:
            raise ChannelClosed("the registration socket is not open")
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is not self._loop:
            raise RuntimeError("this registration socket belongs to another loop, thread or process")


def _disappoint(waiter: "asyncio.Future[ConnectionInfo]") -> None:
    if not waiter.done():
        with suppress(RuntimeError):  # the loop of those who wait was closed
            waiter.set_exception(ChannelClosed("the registration socket was closed"))
        waiter.exception()  # not a fault where nobody waits any more
