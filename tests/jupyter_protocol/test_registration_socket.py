"""The registration socket on real ZMQ: many kernels on one, and nobody else."""

import asyncio
import gc
import logging
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from jupyter_protocol import (
    CHANNELS,
    ChannelClosed,
    ClientSockets,
    ConnectionInfo,
    KernelSockets,
    RegistrationSocket,
    messages,
)
from jupyter_protocol._pump import Pump
from jupyter_protocol.messages.message import Frame
from jupyter_protocol.registration import MAX_SIZE, Dialect, Registrant
from jupyter_protocol.sockets.context import SharedContext

PORTS = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, start=50001)}

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


class Peer:
    """A raw socket that somebody connected to a registration socket; what arrives is kept."""

    def __init__(self, sock: "zmq.Socket[bytes]") -> None:
        self.answers: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self.pump = Pump(sock, self.answers.put_nowait)

    def send(self, frames: Sequence[Frame]) -> None:
        self.pump.send(frames)


@asynccontextmanager
async def peer(url: str, kind: int = zmq.DEALER) -> AsyncIterator[Peer]:
    shared = SharedContext.acquire()
    try:
        sock = shared.zmq_context.socket(kind)
        sock.connect(url)
        connected = Peer(sock)
        try:
            yield connected
        finally:
            connected.pump.close(0)
    finally:
        await shared.release()


async def register(
    registration: RegistrationSocket, kernel_id: str, info: ConnectionInfo, dialect: Dialect = "standard"
) -> None:
    """What a kernel does that has bound its sockets, with nothing but its file."""
    kernel = Registrant(registration.file(kernel_id, info, dialect=dialect))
    async with peer(kernel.url) as connected:
        connected.send(kernel.request(replace(info, **PORTS)))
        kernel.check(await connected.answers.get())


async def until_refused(registration: RegistrationSocket) -> None:
    """Wait until a registration was dropped, of which nothing tells."""
    while not registration.refused:  # noqa: ASYNC110 - nothing to wait for
        await asyncio.sleep(0)


@pytest.mark.parametrize("dialect", ["standard", "ark"])
async def test_a_kernel_registers_and_is_answered(dialect: Dialect) -> None:
    info = ConnectionInfo(kernel_name="some")
    async with RegistrationSocket() as registration:
        waiter = registration.expect("one", info)
        await register(registration, "one", info, dialect)

        assert await waiter == replace(info, **PORTS)
        assert registration.refused == {}


async def test_ark_registers_through_a_req() -> None:
    """Which puts an empty frame before what it sends, and wants it back."""
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        waiter = registration.expect("one", info)
        kernel = Registrant(registration.file("one", info, dialect="ark"))
        empty, *frames = kernel.request(replace(info, **PORTS))
        async with peer(kernel.url, zmq.REQ) as connected:
            connected.send(frames)
            kernel.check(await connected.answers.get())

        assert empty == b""
        assert await waiter == replace(info, **PORTS)


async def test_many_register_at_the_same_time_each_with_its_key() -> None:
    infos = {f"kernel-{number}": ConnectionInfo() for number in range(20)}
    async with RegistrationSocket() as registration:
        waiters = {name: registration.expect(name, info) for name, info in infos.items()}
        async with asyncio.TaskGroup() as tasks:
            for name, info in infos.items():
                tasks.create_task(register(registration, name, info))

        for name, waiter in waiters.items():
            assert (await waiter).key == infos[name].key


async def test_what_registered_can_be_talked_to() -> None:
    """A kernel on `KernelSockets` and a client on `ClientSockets` meet on ports that nobody picked."""
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        waiter = registration.expect("one", info)
        kernel = Registrant(registration.file("one", info))
        async with KernelSockets(kernel.connection_info) as sockets, peer(kernel.url) as connected:
            connected.send(kernel.request(sockets.connection_info))
            async with ClientSockets(await waiter) as client:
                client.send("shell", messages.kernel_info_request())
                assert (await anext(sockets))[1].msg_type == "kernel_info_request"
            kernel.check(await connected.answers.get())


@posix_only
async def test_over_ipc_the_socket_is_a_file_that_goes_with_it(tmp_path: Path) -> None:
    info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"))
    async with RegistrationSocket(transport="ipc", ip=str(tmp_path / "r")) as registration:
        assert [stat.S_ISSOCK(path.stat().st_mode) for path in tmp_path.iterdir()] == [True]
        waiter = registration.expect("one", info)
        await register(registration, "one", info)

        assert await waiter == replace(info, **PORTS)
    assert list(tmp_path.iterdir()) == []


async def test_who_is_not_expected_is_never_answered(caplog: pytest.LogCaptureFixture) -> None:
    """Dropped, counted and logged once per kind; the kernel that was meant registers all the same."""
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        waiter = registration.expect("one", info)
        values = registration.file("one", info)
        stranger, known = Registrant({**values, "key": "guessed"}), Registrant(values)
        async with peer(known.url) as connected:
            with caplog.at_level(logging.WARNING):
                for _ in range(3):
                    connected.send(stranger.request(replace(info, **PORTS)))
                    connected.send([b"nonsense"])
                connected.send(known.request(replace(info, **PORTS)))
                await waiter
            # Those before it on the same connection would have been answered before it.
            known.check(await connected.answers.get())

            assert registration.refused == {"InvalidSignature": 3, "MalformedMessage": 3}
            assert len(caplog.records) == 2
            assert connected.answers.empty()
            assert "guessed" not in caplog.text
            assert info.key not in caplog.text


async def test_a_replay_is_not_believed_when_the_kernel_is_expected_again() -> None:
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        kernel = Registrant(registration.file("one", info))
        old = kernel.request(replace(info, **PORTS))
        async with peer(kernel.url) as connected:
            first = registration.expect("one", info)
            connected.send(old)
            await first
            second = registration.expect("one", info)
            connected.send(old)
            connected.send(kernel.request(replace(info, **{**PORTS, "hb_port": 50009})))

            assert (await second).hb_port == 50009
            assert registration.refused == {"DuplicateSignature": 1}


async def test_a_message_that_is_too_large_is_not_even_kept() -> None:
    """It costs its sender the connection, with what was sent after it; others register all the same."""
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        waiter = registration.expect("one", info)
        kernel = Registrant(registration.file("one", info))
        async with peer(registration.url) as flooding, peer(registration.url) as connected:
            flooding.send([b"x" * (MAX_SIZE + 1)])
            flooding.send([b"nonsense"])
            connected.send([b"nonsense"])
            await until_refused(registration)
            connected.send(kernel.request(replace(info, **PORTS)))
            await waiter

        assert registration.refused == {"MalformedMessage": 1}


async def test_a_wait_that_is_cancelled_is_forgotten() -> None:
    """The kernel is not answered when it comes after all, and may be expected again, with the same key."""
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        kernel = Registrant(registration.file("one", info))
        waiter = registration.expect("one", info)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiter, 0)

        async with peer(kernel.url) as connected:
            connected.send(kernel.request(replace(info, **PORTS)))
            await until_refused(registration)
            again = registration.expect("one", info)
            connected.send(kernel.request(replace(info, **PORTS)))
            await again
            await connected.answers.get()
            assert connected.answers.empty()


async def test_a_kernel_whose_wait_was_cancelled_can_be_expected_at_once() -> None:
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        registration.expect("one", info).cancel()
        waiter = registration.expect("one", info)
        await register(registration, "one", info)
        await waiter


async def test_closing_fails_those_who_wait(caplog: pytest.LogCaptureFixture) -> None:
    """At once, and quietly where nobody waits any more."""
    registration = RegistrationSocket()
    async with registration:
        waiter = registration.expect("one", ConnectionInfo())
        registration.expect("two", ConnectionInfo())
    with pytest.raises(ChannelClosed):
        await waiter
    await registration.aclose()
    gc.collect()  # a future whose error nobody saw would complain now
    assert caplog.records == []


async def test_it_can_still_be_closed_when_somebody_waited_on_a_loop_that_is() -> None:
    """Nobody can be told any more, and everything is released all the same."""
    new_loop = type(asyncio.get_running_loop())

    def run() -> None:
        loop = new_loop()

        async def wait() -> "asyncio.Future[object]":
            await registration.__aenter__()
            waiting = asyncio.ensure_future(
                asyncio.wait([registration.expect(name, ConnectionInfo()) for name in ("one", "two")])
            )
            await asyncio.sleep(0)
            return waiting

        registration = RegistrationSocket()
        waiting = loop.run_until_complete(wait())
        loop.close()
        for _ in range(2):
            asyncio.run(registration.aclose())
        assert registration._pump is not None
        assert registration._pump.closed
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]

    await asyncio.to_thread(run)
    assert SharedContext._current is None


async def test_a_kernel_that_has_just_been_answered_gets_its_answer_although_the_socket_closes() -> None:
    info = ConnectionInfo()
    async with RegistrationSocket() as registration:
        kernel = Registrant(registration.file("one", info))
        waiter = registration.expect("one", info)
        async with peer(kernel.url) as connected:
            connected.send(kernel.request(replace(info, **PORTS)))
            await waiter
            await registration.aclose()
            kernel.check(await connected.answers.get())


async def test_before_and_after_it_is_open_nothing_can_be_expected() -> None:
    registration = RegistrationSocket()
    for _ in range(2):
        with pytest.raises(ChannelClosed):
            registration.expect("one", ConnectionInfo())
        with pytest.raises(ChannelClosed):
            registration.file("one", ConnectionInfo())
        await registration.aclose()
    with pytest.raises(ChannelClosed):
        await registration.__aenter__()


async def test_it_is_opened_once() -> None:
    async with RegistrationSocket() as registration:
        with pytest.raises(ChannelClosed):
            await registration.__aenter__()
        registration.expect("one", ConnectionInfo())


async def test_a_kernel_is_expected_once_and_of_one_transport() -> None:
    async with RegistrationSocket() as registration:
        registration.expect("one", ConnectionInfo())
        with pytest.raises(ValueError, match="expected already"):
            registration.expect("one", ConnectionInfo())
        with pytest.raises(ValueError, match="tcp"):
            registration.file("two", ConnectionInfo(transport="ipc", ip="/run/k"))


async def test_another_loop_cannot_use_it() -> None:
    async with RegistrationSocket() as registration:

        def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="another loop"):
                registration.expect("one", ConnectionInfo())

        await asyncio.to_thread(elsewhere)


async def test_an_address_that_cannot_be_bound_is_an_os_error() -> None:
    """And leaves nothing open; an address that is none as well."""
    with pytest.raises(OSError, match="address"):
        await RegistrationSocket(ip="203.0.113.1").__aenter__()
    with pytest.raises(OSError, match="No such device"):
        await RegistrationSocket(ip="no address").__aenter__()


async def test_when_opening_fails_nothing_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixture looks for what stays; here the loop cannot watch another descriptor."""

    def refuse(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("jupyter_protocol._pump._watch", refuse)
    with pytest.raises(MemoryError):
        await RegistrationSocket().__aenter__()


async def test_its_repr_says_its_state_and_no_key() -> None:
    info = ConnectionInfo()
    registration = RegistrationSocket()
    assert "new" in repr(registration)
    async with registration:
        registration.expect("one", info)
        assert "open" in repr(registration)
        assert "1 expected" in repr(registration)
        assert info.key not in repr(registration)
    assert "closed" in repr(registration)
