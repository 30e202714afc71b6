"""`KernelFile`: the file that a kernel is started with, and how a kernel says where it has bound."""

import asyncio
import os
from pathlib import Path
from typing import Any, Self

import zmq

from .._pump import Pump
from ..connection import CHANNELS, ConnectionInfo, read_private
from ..exceptions import ProtocolError
from ..registration import MAX_SIZE, Registrant, is_registration_file
from .options import connecting_socket

REGISTRATION_TIMEOUT = 5.0
"""Seconds that a launcher has to answer a registration; xeus gives it as many."""


class KernelFile:
    """What the file says: where to bind, and whom to tell.

    With ports in it nobody has to be told. Where a port is 0 or missing, the kernel chooses it and writes the
    file anew, which is what launchers of ipykernel wait for. With a ``registration_port`` it registers.

    Source: How kernels work, "Connection files"; JEP 66, "Kernel Handshaking pattern".
    """

    def __init__(
        self, path: Path, connection_info: ConnectionInfo, registrant: Registrant | None = None
    ) -> None:
        self.path = path
        self.connection_info = connection_info
        self._registrant = registrant

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read it. Raises `OSError`, or `ValueError` for a file of none of these kinds, naming the field."""
        values = read_private(path)
        # Absolute, since code may change the directory; of a link the target, which is what others read.
        target = Path(path).resolve()
        try:
            if not is_registration_file(values):
                return cls(target, ConnectionInfo.from_dict(values))
            registrant = Registrant(values)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)} is not a connection file: {error}") from error
        return cls(target, registrant.connection_info, registrant)

    async def announce(
        self,
        bound: ConnectionInfo,
        context: "zmq.Context[zmq.Socket[bytes]]",
        *,
        timeout: float,
        closing: "asyncio.Future[None]",
    ) -> None:
        """Say where the kernel has bound, in the way that the file asks for.

        Raises `OSError` where the file cannot be written, and as `register` does. Cancelling it is safe.
        """
        if self._registrant is not None:
            await register(self._registrant, bound, context, timeout=timeout, closing=closing)
        elif not all(map(self.connection_info.port, CHANNELS)):
            bound.write(self.path)


async def register(
    registrant: Registrant,
    bound: ConnectionInfo,
    context: "zmq.Context[zmq.Socket[bytes]]",
    *,
    timeout: float,
    closing: "asyncio.Future[None]",
) -> None:
    """Register with the launcher and wait for its answer, at most ``timeout`` seconds, or for ``closing``.

    Raises `TimeoutError` without an answer, `InvalidSignature` or `MalformedMessage` for one that is not the
    launcher's or says no. Cancelling it is safe and leaves nothing behind.
    """
    answered: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
    either: list[asyncio.Future[Any]] = [answered, closing]

    def on_frames(frames: list[bytes]) -> None:
        if not answered.done():
            answered.set_result(frames)

    pump = Pump(_connected(registrant, context), on_frames)
    try:
        pump.send(registrant.request(bound))
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pump.close(0)
    if closing.done():
        return
    if not answered.done():
        raise TimeoutError(
            f"the launcher did not answer this kernel's registration at {registrant.url} within {timeout:g} "
            "seconds: it has ended or has given the kernel up. Start the kernel again, with a new file"
        )
    try:
        registrant.check(answered.result())
    except ProtocolError as error:
        error.add_note(f"It came from {registrant.url}. Start the kernel again, with a new file.")
        raise


def _connected(registrant: Registrant, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
    sock = connecting_socket(context, zmq.DEALER, registrant.address)
    try:
        sock.setsockopt(zmq.MAXMSGSIZE, MAX_SIZE)
        sock.connect(registrant.url)
    except BaseException:
        sock.close()
        raise
    return sock
