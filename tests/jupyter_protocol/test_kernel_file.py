"""A kernel's sockets from the file it was started with, whichever of the three kinds that is."""

import asyncio
import json
import stat
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq

from jupyter_protocol import (
    CHANNELS,
    ChannelClosed,
    ClientSockets,
    ConnectionInfo,
    InvalidMessage,
    InvalidSignature,
    KernelSockets,
    MalformedMessage,
    Message,
    RegistrationSocket,
    Session,
    curve_keys,
    has_curve,
    messages,
    write_private,
)
from jupyter_protocol._pump import Pump
from jupyter_protocol.messages import new_reply
from jupyter_protocol.registration import MAX_SIZE, Dialect
from jupyter_protocol.sockets.context import SharedContext

GUARD = 30.0
PORTS = tuple(f"{channel}_port" for channel in CHANNELS)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kernel.json"


async def answers(info: ConnectionInfo, kernel: KernelSockets) -> bool:
    """Whether a client that knows this meets the kernel."""
    async with ClientSockets(info) as client:
        client.send("shell", messages.kernel_info_request())
        return (await anext(kernel))[1].msg_type == "kernel_info_request"


# Ports


async def test_ports_in_the_file_are_bound_and_the_file_is_left_alone(path: Path) -> None:
    async with KernelSockets(ConnectionInfo()) as free:
        info = free.connection_info
    info.write(path)
    before = path.stat()
    async with KernelSockets.from_file(path) as kernel:
        assert kernel.connection_info == info
        assert await answers(info, kernel)
    assert path.stat() == before


@pytest.mark.parametrize("missing", [False, True], ids=["zeros", "no ports"])
async def test_chosen_ports_are_written_into_the_file_with_all_else_in_it(missing: bool, path: Path) -> None:
    """Also what nobody here knows; readable by its owner alone."""
    template = ConnectionInfo(kernel_name="k", extra={"mine": {"kept": [1, None]}, "jupyter_session": "s"})
    values = template.to_dict()
    write_private(path, {name: v for name, v in values.items() if not (missing and name in PORTS)})
    async with KernelSockets.from_file(path) as kernel:
        written = json.loads(path.read_bytes())
        assert {name: v for name, v in written.items() if name not in PORTS} == {
            name: v for name, v in values.items() if name not in PORTS
        }
        assert ConnectionInfo.load(path) == kernel.connection_info
        assert len({written[name] for name in PORTS} - {0}) == len(PORTS)
        assert await answers(ConnectionInfo.load(path), kernel)
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_one_port_may_be_given(path: Path) -> None:
    """As launchers do that keep the heartbeat's for ipykernel."""
    async with KernelSockets(ConnectionInfo()) as free:
        port = free.connection_info.hb_port
    ConnectionInfo(hb_port=port).write(path)
    async with KernelSockets.from_file(path) as kernel:
        assert kernel.connection_info.hb_port == port
        assert ConnectionInfo.load(path) == kernel.connection_info


async def test_the_file_is_written_where_it_was_when_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever directory is the current one later."""
    ConnectionInfo().write(tmp_path / "kernel.json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    sockets = KernelSockets.from_file("kernel.json")
    monkeypatch.chdir(elsewhere)
    async with sockets:
        assert ConnectionInfo.load(tmp_path / "kernel.json") == sockets.connection_info
    assert list(elsewhere.iterdir()) == []


@posix_only
async def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """What it leads to is written."""
    ConnectionInfo().write(path)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    async with KernelSockets.from_file(link) as kernel:
        assert ConnectionInfo.load(path) == kernel.connection_info
    assert link.is_symlink()


async def test_a_file_that_cannot_be_written_is_an_oserror_that_leaves_nothing_open(path: Path) -> None:
    """It names the place."""
    path.parent.joinpath("gone").mkdir()
    moved = path.parent / "gone" / "kernel.json"
    ConnectionInfo().write(moved)
    sockets = KernelSockets.from_file(moved)
    moved.unlink()
    moved.parent.rmdir()
    with pytest.raises(OSError, match="gone"):
        await sockets.__aenter__()
    assert sockets.closed


# Registration


@posix_only
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_a_kernel_registers(transport: str, path: Path, tmp_path: Path) -> None:
    """With nothing but its file; its file stays as it was."""
    ip = "127.0.0.1" if transport == "tcp" else str(tmp_path / "k")
    at = {} if transport == "tcp" else {"transport": "ipc", "ip": str(tmp_path / "r")}
    template = ConnectionInfo(transport=transport, ip=ip, extra={"mine": 1})
    async with RegistrationSocket(**at) as registration:
        waiter = registration.expect("one", template)
        write_private(path, registration.file("one", template))
        before = path.read_bytes()
        async with KernelSockets.from_file(path) as kernel:
            assert await waiter == kernel.connection_info
            assert kernel.connection_info.extra == {"mine": 1}
            assert await answers(await waiter, kernel)
        assert registration.refused == {}
        assert path.read_bytes() == before


@pytest.mark.parametrize("dialect", ["standard", "ark"])
async def test_a_kernel_registers_in_both_dialects(dialect: Dialect, path: Path) -> None:
    template = ConnectionInfo()
    async with RegistrationSocket() as registration:
        waiter = registration.expect("one", template)
        write_private(path, registration.file("one", template, dialect=dialect))
        async with KernelSockets.from_file(path) as kernel:
            assert await waiter == kernel.connection_info


@pytest.mark.skipif(not has_curve(), reason="this ZMQ has no encryption")
async def test_an_encrypted_kernel_registers_in_the_clear(path: Path) -> None:
    """The launcher's socket has no keys; the kernel's sockets have."""
    public, secret = curve_keys()
    template = ConnectionInfo(curve_publickey=public, curve_secretkey=secret)
    async with RegistrationSocket() as registration:
        waiter = registration.expect("one", template)
        write_private(path, registration.file("one", template))
        async with KernelSockets.from_file(path) as kernel:
            assert await answers(await waiter, kernel)
            plain = replace(await waiter, curve_publickey=None, curve_secretkey=None)
            async with ClientSockets(plain) as stranger, ClientSockets(await waiter) as client:
                stranger.linger = 0
                stranger.send("control", messages.shutdown_request())
                for _ in range(10):
                    client.send("control", messages.kernel_info_request())
                    assert (await anext(kernel))[1].msg_type == "kernel_info_request"


async def test_what_arrives_during_the_registration_is_delivered_after_it(path: Path) -> None:
    """A client may be told of the kernel before the kernel is told that it was heard."""
    arrived: list[Message] = []
    entered = False

    def on_message(channel: str, message: Message) -> None:
        assert entered
        arrived.append(message)

    async def enter() -> None:
        nonlocal entered
        await sockets.__aenter__()
        entered = True

    async with launcher(path) as (received, answer):
        sockets = KernelSockets.from_file(path, on_message=on_message)
        async with meanwhile(sockets, enter()) as entering:
            request = await received.get()
            ports = {name: int(port) for name, port in json.loads(request[3]).items() if name in PORTS}
            async with ClientSockets(replace(sockets.connection_info, **ports)) as client:
                client.send("shell", messages.kernel_info_request())
                shell = sockets._pumps["shell"]._socket
                while not int(shell.getsockopt(zmq.EVENTS)) & zmq.POLLIN:  # noqa: ASYNC110
                    await asyncio.sleep(0)
                answer(request, sockets.session)
                await entering
                while not arrived:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0)


@pytest.mark.parametrize("answered", [False, True])
async def test_closing_ends_the_registration(answered: bool, path: Path) -> None:
    """Also where the answer has just come: nobody is given sockets that are closed."""
    async with launcher(path) as (received, answer):
        sockets = KernelSockets.from_file(path, registration_timeout=2 * GUARD)
        async with meanwhile(sockets) as entering:
            request = await received.get()
            if answered:
                answer(request, sockets.session)
            await sockets.aclose()
            with pytest.raises(ChannelClosed, match="closed while they were opened"):
                await entering


# Launchers that do not answer as they should


@asynccontextmanager
async def launcher(
    path: Path, dialect: Dialect = "standard", kind: int = zmq.ROUTER
) -> AsyncIterator[tuple["asyncio.Queue[list[bytes]]", Callable[..., None]]]:
    """A launcher made by hand, with a file for one kernel: what it receives, and how it answers."""
    received: asyncio.Queue[list[bytes]] = asyncio.Queue()
    shared = SharedContext.acquire()
    try:
        sock = shared.zmq_context.socket(kind)
        port = sock.bind_to_random_port("tcp://127.0.0.1")
        pump = Pump(sock, received.put_nowait)
        where = {"registration_port": port}
        if dialect == "standard":
            where = {"registration_ip": "127.0.0.1", "registration_port": str(port), "kernel_id": "one"}
        values = {n: v for n, v in ConnectionInfo().to_dict().items() if n not in PORTS}
        write_private(path, {**values, **where})

        def answer(request: list[bytes], session: Session, status: str = "ok") -> None:
            reply: list[Any]
            if dialect == "standard":
                assert session._signer is not None
                reply = [*request[: request.index(b"<IDS|MSG>") + 1], session._signer.sign([b"ACK"]), b"ACK"]
            else:
                parent = Session("", replay_history=0).deserialize(request)
                reply = session.serialize(new_reply("handshake_reply", {"status": status}, parent=parent))
            pump.send(reply)

        try:
            async with asyncio.timeout(GUARD):
                yield received, answer
        finally:
            pump.close(0)
    finally:
        await shared.release()


@asynccontextmanager
async def meanwhile(
    sockets: KernelSockets, entering: Awaitable[object] | None = None
) -> AsyncIterator["asyncio.Future[object]"]:
    """Enters the sockets beside what the test does, and closes them."""
    task = asyncio.ensure_future(entering or sockets.__aenter__())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await sockets.aclose()


async def test_in_the_dialect_of_ark_the_launcher_may_have_a_rep(path: Path) -> None:
    """As Positron's supervisor has, which hears nobody who sends no empty frame."""
    async with launcher(path, "ark", zmq.REP) as (received, answer):
        sockets = KernelSockets.from_file(path)
        async with meanwhile(sockets) as entering:
            answer(await received.get(), sockets.session)
            await entering


async def test_a_launcher_that_does_not_answer_is_a_time_out_that_says_what_to_do(path: Path) -> None:
    """Nothing is left open, and no key is shown."""
    async with launcher(path):
        sockets = KernelSockets.from_file(path, registration_timeout=0.01)
        with pytest.raises(TimeoutError, match=r"tcp://.* within 0\.01 seconds.*Start the kernel") as caught:
            await sockets.__aenter__()
        assert sockets.closed
        assert sockets.connection_info.key not in str(caught.value)


async def test_a_launcher_that_is_not_there_is_a_time_out(path: Path) -> None:
    async with launcher(path):
        pass
    with pytest.raises(TimeoutError, match="has ended or has given the kernel up"):
        await KernelSockets.from_file(path, registration_timeout=0.05).__aenter__()


async def test_an_answer_with_another_key_is_not_believed(path: Path) -> None:
    async with launcher(path) as (received, answer):
        sockets = KernelSockets.from_file(path)
        async with meanwhile(sockets) as entering:
            answer(await received.get(), Session("another"))
            with pytest.raises(InvalidSignature) as caught:
                await entering
            assert sockets.closed
        assert any("tcp://" in note for note in caught.value.__notes__)


async def test_an_answer_that_says_no_ends_the_kernel(path: Path) -> None:
    async with launcher(path, "ark") as (received, answer):
        sockets = KernelSockets.from_file(path)
        async with meanwhile(sockets) as entering:
            answer(await received.get(), sockets.session, "error")
            with pytest.raises(MalformedMessage, match="says ok"):
                await entering


async def test_only_the_first_answer_counts(path: Path) -> None:
    async with launcher(path) as (received, answer):
        sockets = KernelSockets.from_file(path)
        async with meanwhile(sockets) as entering:
            request = await received.get()
            for session in (sockets.session, Session("another")):
                answer(request, session)
            await entering


async def test_a_huge_answer_is_not_even_kept(path: Path) -> None:
    """It costs whoever sent it the connection."""
    async with launcher(path) as (received, answer):
        sockets = KernelSockets.from_file(path, registration_timeout=0.2)
        async with meanwhile(sockets) as entering:
            ident, *_ = await received.get()
            answer([ident, b"x" * (MAX_SIZE + 1), b"<IDS|MSG>"], sockets.session)
            with pytest.raises(TimeoutError):
                await entering


async def test_an_address_of_a_launcher_that_is_none_is_an_oserror(path: Path) -> None:
    async with launcher(path):
        pass
    write_private(path, {**json.loads(path.read_bytes()), "registration_ip": "no address"})
    with pytest.raises(OSError, match=r"Invalid argument|No such"):
        await KernelSockets.from_file(path).__aenter__()


# Files that cannot be used


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"shell_port": -1}, "shell_port"),
        ({"transport": "pigeon"}, "transport"),
        ({"packer": "pickle-a-secret"}, "packer"),
        ({"signature_scheme": "a-secret"}, "signature scheme"),
        ({"registration_port": 1, "ip": "127.0.0.1", "packer": "a-secret"}, "packer"),
        ({"registration_port": 1, "ip": "127.0.0.1", "signature_scheme": "a-secret"}, "signature scheme"),
        ({"registration_port": "x", "ip": "127.0.0.1"}, "registration_port"),
        ({"registration_port": 1, "ip": "127.0.0.1", "key": ""}, "key is missing"),
        ({"registration_port": "1", "registration_ip": "127.0.0.1"}, "kernel_id"),
        ([], "no JSON object"),
    ],
)
def test_a_file_of_no_kind_is_an_error_that_names_file_and_field(values: Any, named: str, path: Path) -> None:
    """And does not show what is in it."""
    path.write_text(json.dumps({"key": "the-key", **values} if isinstance(values, dict) else values))
    with pytest.raises(ValueError, match=named) as caught:
        KernelSockets.from_file(path)
    assert str(path) in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert "the-key" not in shown
    assert "a-secret" not in shown


def test_a_file_that_is_not_there_is_an_oserror(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        KernelSockets.from_file(path)


async def test_session_and_packer_are_those_of_the_file_or_given(path: Path) -> None:
    """As with sockets that are made without a file."""
    ConnectionInfo(packer="msgpack").write(path)
    session = Session("another")
    assert KernelSockets.from_file(path).session.packer.name == "msgpack"
    assert KernelSockets.from_file(path, session=session).session is session


async def test_what_is_sent_may_be_validated(path: Path) -> None:
    """As with sockets that are made without a file."""
    ConnectionInfo().write(path)
    async with KernelSockets.from_file(path, validate=True) as kernel:
        with pytest.raises(InvalidMessage, match="execution_state"):
            kernel.send("iopub", messages.new_message("status", {}))
