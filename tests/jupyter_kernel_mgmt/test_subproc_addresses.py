"""Addresses that are really free, and paths that are short enough."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt.subproc.addresses import (
    SOCKET_PATH_LIMIT,
    ipc_addresses,
    ipc_obstacle,
    kept_ports,
    own_ports,
    pick_ports,
    port_was_taken,
    socket_directory,
    tcp_addresses,
)
from jupyter_protocol import CHANNELS, ConnectionInfo, KernelSockets

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


def test_ports_picked_together_are_different_and_free() -> None:
    """Each can be bound at once; with a port let go before the next is picked some would be the same."""
    ports = pick_ports(200)

    assert len(set(ports)) == 200
    with ExitStack() as held:
        for port in ports:
            held.enter_context(listening(port))


def test_tcp_addresses_are_five_free_ports_on_the_loopback_interface() -> None:
    """Nobody from outside can reach them."""
    addresses = tcp_addresses()

    assert (addresses["transport"], addresses["ip"]) == ("tcp", "127.0.0.1")
    assert len(set(ports_of(addresses))) == len(CHANNELS)
    assert not port_was_taken(ConnectionInfo(**addresses))


def test_the_previous_ports_are_kept_while_they_are_free() -> None:
    """So that a restarted kernel has the address it had."""
    addresses = tcp_addresses()

    assert tcp_addresses(ConnectionInfo(**addresses)) == addresses


@pytest.mark.parametrize("channel", CHANNELS)
def test_one_previous_port_that_is_taken_changes_all(channel: str) -> None:
    """The new ones are free, and the taken one is not among them."""
    previous = ConnectionInfo(**tcp_addresses())
    with listening(previous.port(channel)) as taken:
        addresses = tcp_addresses(previous)

        assert taken not in ports_of(addresses)
        assert not port_was_taken(ConnectionInfo(**addresses))


def test_numbers_of_ipc_are_no_ports_to_keep(tmp_path: Path) -> None:
    previous = ConnectionInfo(**ipc_addresses(tmp_path))

    assert min(ports_of(tcp_addresses(previous))) > 5


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - for a moment, and it answers nobody
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_port_that_somebody_has_was_taken(channel: str, address: str) -> None:
    """On the loopback interface or on all of them."""
    info = ConnectionInfo(**tcp_addresses())
    assert not port_was_taken(info)

    with listening(info.port(channel), address):
        assert port_was_taken(info)
    assert not port_was_taken(info)


def test_connections_that_linger_do_not_make_a_port_taken() -> None:
    """What a dead kernel leaves in TIME_WAIT keeps nobody from binding the port as libzmq does."""
    info = ConnectionInfo(**tcp_addresses())
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", info.shell_port))
        server.listen()
        with socket.create_connection(("127.0.0.1", info.shell_port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # who closes first has the connection in TIME_WAIT
            assert client.recv(1) == b""

    assert not port_was_taken(info)
    assert tcp_addresses(info)["shell_port"] == info.shell_port


def test_no_port_of_a_kernel_on_ipc_can_be_taken(tmp_path: Path) -> None:
    """Whoever has the port with the number of a socket."""
    with listening(0) as port:
        info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"), shell_port=port)

        assert not port_was_taken(info)


def test_ports_that_a_kernel_is_to_choose_cannot_be_taken() -> None:
    """There are none yet; once it has chosen, they are kept while they are free."""
    info = ConnectionInfo(**own_ports())
    assert not port_was_taken(info)

    chosen = tcp_addresses()
    assert kept_ports(ConnectionInfo(**chosen)) == chosen
    with listening(chosen["shell_port"]):
        assert kept_ports(ConnectionInfo(**chosen)) is None
