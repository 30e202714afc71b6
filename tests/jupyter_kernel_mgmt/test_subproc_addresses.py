"""Addresses that are really free, and paths that are short enough."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt.subproc.addresses import (
    SOCKET_PATH_LIMIT,
    Reservation,
    ipc_addresses,
    ipc_obstacle,
    port_was_taken,
    reserve,
    socket_directory,
)
from jupyter_protocol import CHANNELS, ConnectionInfo, KernelSockets

GUARD = 20

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")


@contextmanager
def listening(port: int, address: str = "127.0.0.1") -> Iterator[int]:
    """Somebody who has a port; 0 is any. Gives the port."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen()
        yield server.getsockname()[1]


def ports_of(addresses: dict[str, Any]) -> list[int]:
    return [addresses[f"{channel}_port"] for channel in CHANNELS]


def directory_of_size(parent: Path, size: int, letter: str = "x") -> Path:
    """A directory whose path has so many bytes."""
    missing = size - len(os.fsencode(parent)) - 1
    width = len(letter.encode())
    directory = parent / (letter * (missing // width) + "x" * (missing % width))
    directory.mkdir()
    assert len(os.fsencode(directory)) == size
    return directory


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short path, unlike pytest's."""
    with tempfile.TemporaryDirectory(dir=None if sys.platform == "win32" else "/tmp") as directory:
        yield Path(directory)


@posix
@pytest.mark.parametrize("letter", ["x", "é"])
async def test_a_path_of_the_allowed_size_really_works(short: Path, letter: str) -> None:
    """The limit is in bytes, not in letters, and nothing is given away: ZMQ binds sockets there."""
    directory = directory_of_size(short, SOCKET_PATH_LIMIT - len("/k-5"), letter)

    assert ipc_obstacle(directory) is None
    async with KernelSockets(ConnectionInfo(**ipc_addresses(directory))):
        assert sorted(path.name for path in directory.iterdir()) == [f"k-{n}" for n in range(1, 6)]


@posix
@pytest.mark.parametrize("letter", ["x", "é"])
async def test_a_path_of_one_byte_more_does_not_work_and_the_obstacle_says_so(
    short: Path, letter: str
) -> None:
    """Both say how long it is and how long it may be."""
    directory = directory_of_size(short, SOCKET_PATH_LIMIT - len("/k-5") + 1, letter)

    assert ipc_obstacle(directory) == (
        f"the path of a socket in {directory} would have {SOCKET_PATH_LIMIT + 1} bytes; "
        f"{SOCKET_PATH_LIMIT} are allowed"
    )
    with pytest.raises(OSError, match="longer than"):
        await KernelSockets(ConnectionInfo(**ipc_addresses(directory))).__aenter__()


@posix
def test_sockets_go_to_the_users_runtime_directory(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is private, on this machine, and cleared at its start."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))

    assert socket_directory() == short


@posix
@pytest.mark.parametrize("unusable", ["", "relative", "/no/such/directory", "too long"])
def test_a_runtime_directory_that_cannot_be_used_is_passed_over(
    unusable: str, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the directory for temporary files is next."""
    if unusable == "relative":
        monkeypatch.chdir(short)
        (short / "relative").mkdir()
    elif unusable == "too long":
        unusable = str(directory_of_size(short, SOCKET_PATH_LIMIT - 5))
    monkeypatch.setenv("XDG_RUNTIME_DIR", unusable)
    monkeypatch.setattr(tempfile, "tempdir", str(short))

    assert socket_directory() == short


@posix
def test_a_file_is_no_directory_for_sockets(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it may be written."""
    file = short / "file"
    file.touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(file))
    monkeypatch.setattr(tempfile, "tempdir", str(short))

    assert socket_directory() == short


@posix
def test_a_directory_for_temporary_files_with_a_long_path_is_passed_over(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, where it has 49 letters, and in tests."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(directory_of_size(short, SOCKET_PATH_LIMIT - 10)))

    assert socket_directory() == Path("/tmp")


def test_each_channel_has_a_socket_of_its_own_in_the_directory(tmp_path: Path) -> None:
    info = ConnectionInfo(**ipc_addresses(tmp_path))

    paths = {Path(info.url(channel).removeprefix("ipc://")) for channel in CHANNELS}
    assert len(paths) == len(CHANNELS)
    assert {path.parent for path in paths} == {tmp_path}


def free() -> ConnectionInfo:
    """Ports that are free, and kept for nobody."""
    reservation, addresses = reserve(CHANNELS)
    reservation.close()
    return ConnectionInfo(**addresses)


def bound(port: int, *, reuse: bool) -> socket.socket:
    """Somebody who asks for a port by its number. Raises `OSError`."""
    sock = socket.socket()
    try:
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


def test_ports_reserved_together_are_different() -> None:
    """Each is on the loopback interface alone, so that nobody from outside can reach it."""
    reservation = Reservation([0] * 200)

    assert len(set(reservation.ports)) == 200
    reservation.close()
    reservation.close()


def test_a_reservation_names_the_ports_of_its_channels() -> None:
    """Those of the others are for the kernel to choose."""
    reservation, addresses = reserve(["hb", "shell"])
    reservation.close()

    assert (addresses["transport"], addresses["ip"]) == ("tcp", "127.0.0.1")
    assert [addresses["hb_port"], addresses["shell_port"]] == reservation.ports
    assert [addresses[f"{channel}_port"] for channel in ("iopub", "stdin", "control")] == [0, 0, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system can keep a port for a kernel")
async def test_a_reserved_port_is_the_kernels_alone() -> None:
    """Nobody is given it, nor gets it by its number; a kernel binds it, as libzmq does, and is reached."""
    reservation, addresses = reserve(CHANNELS)
    info = ConnectionInfo(**addresses)
    with pytest.raises(OSError, match="in use"):
        bound(info.shell_port, reuse=False)
    others = Reservation([0] * 500)
    assert not set(others.ports) & set(reservation.ports)
    others.close()
    assert not port_was_taken(info)
    async with KernelSockets(info):
        with socket.create_connection(("127.0.0.1", info.shell_port), timeout=GUARD) as client:
            assert client.recv(1)  # ZMQ's greeting
    reservation.close()


def test_the_previous_ports_are_reserved_while_they_are_free() -> None:
    """So that a restarted kernel has the address it had."""
    previous = free()
    reservation, addresses = reserve(CHANNELS, previous)

    assert ports_of(addresses) == [previous.port(channel) for channel in CHANNELS]
    reservation.close()


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_previous_port_that_is_taken_cannot_be_reserved(channel: str) -> None:
    """Nor are the others kept then."""
    previous = free()
    with listening(previous.port(channel)), pytest.raises(OSError, match="in use"):
        reserve(CHANNELS, previous)
    assert not port_was_taken(previous)
    for other in CHANNELS:
        bound(previous.port(other), reuse=False).close()


def test_ports_that_a_kernel_is_to_choose_cannot_be_taken() -> None:
    """There are none yet."""
    assert not port_was_taken(ConnectionInfo(ip="127.0.0.1"))


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - for a moment, and it answers nobody
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_port_that_somebody_has_was_taken(channel: str, address: str) -> None:
    """On the loopback interface or on all of them."""
    info = free()
    assert not port_was_taken(info)

    with listening(info.port(channel), address):
        assert port_was_taken(info)
    assert not port_was_taken(info)


def test_connections_that_linger_do_not_make_a_port_taken() -> None:
    """What a dead kernel leaves in TIME_WAIT keeps nobody from binding the port as libzmq does."""
    info = free()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", info.shell_port))
        server.listen()
        with socket.create_connection(("127.0.0.1", info.shell_port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # who closes first has the connection in TIME_WAIT
            assert client.recv(1) == b""

    assert not port_was_taken(info)
    reservation, _ = reserve(CHANNELS, info)
    reservation.close()


def test_no_port_of_a_kernel_on_ipc_can_be_taken(tmp_path: Path) -> None:
    """Whoever has the port with the number of a socket."""
    with listening(0) as port:
        info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"), shell_port=port)

        assert not port_was_taken(info)
