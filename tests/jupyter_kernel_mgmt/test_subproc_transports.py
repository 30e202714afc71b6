"""Which transport a kernel on this machine uses, and at which addresses."""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import Unsupported
from jupyter_kernel_mgmt.subproc import transports
from jupyter_kernel_mgmt.subproc.transports import (
    SOCKET_PATH_LIMIT,
    choose,
    ipc_addresses,
    ipc_obstacle,
    manages_ipc,
    pick_ports,
    port_was_taken,
    socket_directory,
    tcp_addresses,
)
from jupyter_protocol import CHANNELS, ConnectionInfo

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")


@pytest.mark.parametrize(
    ("wanted", "argv", "obstacle", "transport"),
    [
        ("auto", IPYKERNEL, None, "ipc"),
        ("auto", IPYKERNEL, "no sockets", "tcp"),
        ("auto", ["deno"], None, "tcp"),
        ("tcp", IPYKERNEL, None, "tcp"),
        ("ipc", ["deno"], None, "ipc"),
    ],
)
def test_the_choice(wanted: Any, argv: list[str], obstacle: str | None, transport: str) -> None:
    """ipc where the kernel is known to manage it and nothing is in the way, or where it is asked for."""
    choice = choose(wanted, argv=argv, metadata={}, ipc_obstacle=obstacle)

    assert choice.transport == transport
    assert choice.reason


@pytest.mark.parametrize(("wanted", "text"), [("ipc", "the path is too long"), ("pigeon", "'pigeon'")])
def test_what_cannot_be_had_is_refused(wanted: Any, text: str) -> None:
    """By the name of the option, with the reason."""
    with pytest.raises(Unsupported, match=text) as caught:
        choose(wanted, argv=IPYKERNEL, metadata={}, ipc_obstacle="the path is too long")
    assert caught.value.option == "transport"


@pytest.mark.parametrize(
    ("argv", "metadata", "expected"),
    [
        (IPYKERNEL, {}, True),
        (["python3", "-Xfrozen_modules=off", "-m", "ipykernel_launcher"], {}, True),
        (["python", "-m", "other"], {}, False),
        (["python", "ipykernel_launcher", "-m"], {}, False),
        (["-m"], {}, False),
        ([], {}, False),
        (["other"], {"supported_transports": ["tcp", "ipc"]}, True),
        (IPYKERNEL, {"supported_transports": ["tcp"]}, False),
        (IPYKERNEL, {"supported_transports": "tcp"}, True),
    ],
)
def test_who_manages_ipc(argv: list[str], metadata: Mapping[str, Any], expected: bool) -> None:
    """Metadata decides where it is there, else what the command runs."""
    assert manages_ipc(argv, metadata) is expected


@posix
def test_a_path_that_is_too_long_is_an_obstacle() -> None:
    """By the bytes of the socket's path."""
    room = SOCKET_PATH_LIMIT - len("/k-5")

    assert ipc_obstacle(Path("/" + "x" * (room - 1))) is None
    assert "bytes" in (ipc_obstacle(Path("/" + "x" * room)) or "")
    assert "bytes" in (ipc_obstacle(Path("/" + "ü" * (room // 2))) or "")


@posix
def test_sockets_have_a_directory_where_their_paths_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session's own, else the temporary one, else /tmp; what cannot be used is passed over."""
    mine = tmp_path / "run"
    mine.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(mine))
    assert socket_directory() == mine
    for unusable in ("relative", str(tmp_path / "missing"), str(tmp_path / ("x" * 120)), ""):
        monkeypatch.setenv("XDG_RUNTIME_DIR", unusable)
        (tmp_path / ("x" * 120)).mkdir(exist_ok=True)
        monkeypatch.setattr(transports.tempfile, "gettempdir", lambda: "/tmp")
        assert socket_directory() == Path("/tmp")


@posix
def test_ipc_addresses_fit_the_limit_that_is_checked() -> None:
    """The longest path of a socket is what `ipc_obstacle` counts."""
    info = ConnectionInfo(**ipc_addresses(Path("/run/x")))
    paths = [info.url(channel).removeprefix("ipc://") for channel in CHANNELS]

    assert len(set(paths)) == len(CHANNELS)
    assert max(map(len, paths)) == len("/run/x/k-5")


def test_picked_ports_are_different_and_free() -> None:
    """As of now."""
    ports = pick_ports(20)

    assert len(set(ports)) == 20
    for port in ports:
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_restarted_kernel_keeps_its_ports_where_they_are_free() -> None:
    """All of them; else it gets others."""
    first = ConnectionInfo(**tcp_addresses())
    again = ConnectionInfo(**tcp_addresses(first), key=first.key)
    assert again == first

    with socket.create_server(("127.0.0.1", first.iopub_port)):
        others = ConnectionInfo(**tcp_addresses(first))
        assert first.iopub_port not in [others.port(channel) for channel in CHANNELS]


def test_a_port_that_somebody_took_is_noticed() -> None:
    """After a kernel died."""
    info = ConnectionInfo(**tcp_addresses())
    assert not port_was_taken(info)
    with socket.create_server(("127.0.0.1", info.hb_port)):
        assert port_was_taken(info)
    assert not port_was_taken(ConnectionInfo(transport="ipc", ip="/tmp/none"))


def test_connections_that_linger_do_not_count_as_taken() -> None:
    """A kernel's own closed connections keep its ports in TIME_WAIT."""
    info = ConnectionInfo(**tcp_addresses())
    with socket.create_server(("127.0.0.1", info.shell_port)) as server:
        client = socket.create_connection(("127.0.0.1", info.shell_port))
        served, _ = server.accept()
        served.close()
        client.close()

    assert not port_was_taken(info)
