"""What is seen of a kernel from outside, and what is concluded where it does not answer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import zmq

from jupyter_kernel_mgmt import _reachability
from jupyter_kernel_mgmt._reachability import Reachability, security_mechanism
from jupyter_protocol import ConnectionInfo, KernelSockets

GUARD = 20
PUBLIC, SECRET = (key.decode() for key in zmq.curve_keypair())
OTHER_PUBLIC = zmq.curve_keypair()[0].decode()
CURVE = {"curve_publickey": PUBLIC, "curve_secretkey": SECRET}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks begin at once and are repeated soon."""
    monkeypatch.setattr(_reachability, "LOOK_AFTER", 0)
    monkeypatch.setattr(_reachability, "FIRST_PAUSE", 0.01)


@asynccontextmanager
async def watched(info: ConnectionInfo) -> AsyncIterator[Reachability]:
    """A kernel that is being looked at."""
    look = Reachability(info)
    watching = asyncio.create_task(look.watch())
    try:
        yield look
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(GUARD):
        while not condition():  # noqa: ASYNC110 - what is looked at does not tell
            await asyncio.sleep(0.005)


def without_heartbeat(info: ConnectionInfo) -> ConnectionInfo:
    """The same address, with nobody at that of the heartbeat."""
    return ConnectionInfo.from_dict(info.to_dict() | {"hb_port": info.shell_port})


@pytest.fixture(params=["ipc", "tcp", "tcp over IPv6"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> ConnectionInfo:
    """An address for a kernel, which is not there yet."""
    if request.param == "ipc":
        return ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"))
    return ConnectionInfo(ip="::1" if "6" in request.param else "127.0.0.1")


async def test_the_heartbeat_of_a_kernel_that_is_silent_is_heard(plain: ConnectionInfo) -> None:
    """It lives, so it is busy or takes our messages for a stranger's; there is no more to be learned."""
    async with KernelSockets(plain) as kernel:
        look = Reachability(kernel.connection_info)
        async with asyncio.timeout(GUARD):
            await look.watch()
        assert (look.echoed, look.listens, look.mechanism) == (True, True, "NULL")
        assert "did not answer kernel_info, but its heartbeat" in str(look)
        assert "it is busy" in str(look)


async def test_a_kernel_without_a_heartbeat_is_seen_by_its_greeting(plain: ConnectionInfo) -> None:
    """A kernel that runs R echoes nothing while it is busy."""
    async with (
        KernelSockets(plain) as kernel,
        watched(without_heartbeat(kernel.connection_info)) as look,
    ):
        await until(lambda: look.mechanism)
        assert "a kernel listens" in str(look)
        assert "it is busy or stopped, and its heartbeat is silent too" in str(look)


async def test_nobody_there_yet_is_looked_for_again(tmp_path: Path) -> None:
    """And seen when it comes."""
    info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"), shell_port=2, hb_port=5)
    async with watched(info) as look:
        assert str(look) == "it did not answer at all"
        await until(lambda: look.listens is not None)
        assert str(look) == f"it did not answer at all: nobody listens at {info.url('shell')}"
        async with KernelSockets(ConnectionInfo.from_dict(info.to_dict() | {"iopub_port": 9})):
            await until(lambda: look.echoed and look.listens)


@pytest.mark.parametrize(
    ("kernels", "ours", "text"),
    [
        (CURVE, {}, "uses encryption (CURVE), we use no encryption"),
        ({}, {"curve_publickey": PUBLIC}, "uses no encryption, we use encryption (CURVE)"),
        (CURVE, {"curve_publickey": OTHER_PUBLIC}, "curve_publickey is not its own"),
    ],
    ids=["only the kernel", "only we", "another key"],
)
async def test_encryption_that_differs_is_told(
    plain: ConnectionInfo, kernels: dict[str, str], ours: dict[str, str], text: str
) -> None:
    """Whose it is, from the kernel's greeting; no key is quoted."""
    async with KernelSockets(ConnectionInfo.from_dict(plain.to_dict() | kernels)) as kernel:
        values = kernel.connection_info.to_dict() | dict.fromkeys(CURVE) | ours
        async with watched(ConnectionInfo.from_dict(values)) as look:
            await until(lambda: look.mechanism)
            assert text in str(look)
            assert not look.echoed
            assert PUBLIC not in str(look)
            assert OTHER_PUBLIC not in str(look)


async def test_the_heartbeat_of_an_encrypted_kernel_is_heard(plain: ConnectionInfo) -> None:
    """With its public key alone."""
    async with KernelSockets(ConnectionInfo.from_dict(plain.to_dict() | CURVE)) as kernel:
        values = kernel.connection_info.to_dict() | {"curve_secretkey": None}
        look = Reachability(ConnectionInfo.from_dict(values))
        async with asyncio.timeout(GUARD):
            await look.watch()
        assert (look.echoed, look.mechanism) == (True, "CURVE")


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3, b"short", b""])
async def test_what_is_no_kernel_is_told(says: bytes) -> None:
    """Another server has the address now."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await security_mechanism(f"tcp://127.0.0.1:{port}") is None
        async with watched(ConnectionInfo(shell_port=port, hb_port=port)) as look:
            await until(lambda: look.listens)
            assert "is stopped, or is no kernel" in str(look)


async def test_what_takes_connections_and_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process does that is stopped; it is looked at again when it goes on."""
    monkeypatch.setattr(_reachability, "GREETING_TIMEOUT", 0.01)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with watched(ConnectionInfo(shell_port=port, hb_port=0)) as look:
            await until(lambda: look.listens)
            assert "is stopped, or is no kernel" in str(look)


@pytest.mark.parametrize("steps", range(8))
async def test_a_look_that_is_cancelled_leaves_nothing(plain: ConnectionInfo, steps: int) -> None:
    """No task and no thread; sockets are counted by the shared context, which ends with the last."""
    tasks, threads = asyncio.all_tasks(), threading.active_count()
    watching = asyncio.create_task(Reachability(without_heartbeat(plain)).watch())
    for _ in range(steps):
        await asyncio.sleep(0)
    watching.cancel()
    await asyncio.wait([watching])
    assert watching.cancelled()
    assert asyncio.all_tasks() == tasks
    await until(lambda: threading.active_count() <= threads)
