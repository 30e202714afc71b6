"""How it becomes known where a kernel is that chooses its ports itself."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from jupyter_protocol import CHANNELS, ConnectionInfo, RegistrationSocket

from ..exceptions import LaunchError, StartupTimeout
from ..launching import ExitInfo, LaunchRequest
from .place import Place
from .rewritten_file import wait_for_ports

T = TypeVar("T")
Exited = asyncio.Future[ExitInfo]
Arrive = Callable[[Exited], Awaitable[ConnectionInfo]]
"""Waits for the addresses of a process whose exit the future tells; `LaunchError` when it ends before."""


class Registrations:
    """The registration socket that all kernels of one provider share, open while any of them is awaited."""

    def __init__(self) -> None:
        self._socket: RegistrationSocket | None = None
        self._users = 0
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def socket(self) -> AsyncGenerator[RegistrationSocket, None]:
        """The socket, opened for the first user and closed after the last. Raises `LaunchError`."""
        async with self._lock:
            if self._socket is None:
                self._socket = await _open()
            opened = self._socket
            self._users += 1
        try:
            yield opened
        finally:
            self._users -= 1
            if not self._users:
                self._socket = None
                await opened.aclose()


async def _open() -> RegistrationSocket:
    try:
        return await RegistrationSocket().__aenter__()
    except OSError as error:
        raise LaunchError(f"kernels cannot register here: {error}") from error


@asynccontextmanager
async def expected(
    place: Place, request: LaunchRequest, registrations: Registrations
) -> AsyncGenerator[Arrive, None]:
    """Write the file for a kernel that is about to start, and be ready for its answer, if it is to give one.

    Within the context the callable it gives waits for that.
    """
    if all(map(place.connection_info.port, CHANNELS)):  # also those of the kernel before
        place.write()
        yield lambda exited: _known(place)
    elif place.way == "handshake":
        async with registrations.socket() as socket:
            registered = socket.expect(request.kernel_id, place.connection_info)
            try:
                place.write(socket.file(request.kernel_id, place.connection_info))
                yield lambda exited: _registered(place, request, registered, exited)
            finally:
                registered.cancel()
    else:
        place.write()
        yield lambda exited: _in_time(request, wait_for_ports(place.connection_file, exited))


async def _known(place: Place) -> ConnectionInfo:
    return place.connection_info


async def _registered(
    place: Place, request: LaunchRequest, registered: asyncio.Future[ConnectionInfo], exited: Exited
) -> ConnectionInfo:
    """Its ports, which are then in the connection file for others too."""
    either: list[asyncio.Future[Any]] = [registered, exited]
    await _in_time(request, asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED))
    if not registered.done():
        raise LaunchError("the kernel ended before it registered", exit_info=exited.result())
    place.connection_info = registered.result()
    place.write()
    return place.connection_info


async def _in_time(request: LaunchRequest, waiting: Awaitable[T]) -> T:
    """Raises `StartupTimeout` at the deadline of the request."""
    limit = asyncio.timeout(request.remaining())
    try:
        async with limit:
            return await waiting
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise StartupTimeout("the kernel did not say on which ports it is") from error
