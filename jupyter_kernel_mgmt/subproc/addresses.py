"""Addresses for a kernel's sockets on this machine. Plain functions.

Over ``ipc`` the sockets are files in a private directory, and nothing can take them. Picked ports are let go
before the kernel binds them: a race, which `port_was_taken` notices after the fact.
"""

import errno
import os
import socket
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jupyter_protocol import CHANNELS, ConnectionInfo

SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107
"""Bytes that the path of a Unix socket may have (sun_path, less the closing zero)."""

_SOCKET_NAME_SIZE = len("/k-5")


def ipc_obstacle(directory: Path) -> str | None:
    """Why sockets in this directory cannot be used, or None."""
    if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
        return "this system has no Unix sockets"
    size = len(os.fsencode(directory)) + _SOCKET_NAME_SIZE
    if size > SOCKET_PATH_LIMIT:
        return f"the path of a socket in {directory} would have {size} bytes; {SOCKET_PATH_LIMIT} are allowed"
    return None


def socket_directory() -> Path:
    """Where private directories for sockets are made: short, on this machine, and cleared at its start."""
    candidates = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - private inside
    usable = [
        directory
        for directory in map(Path, filter(None, candidates))
        if directory.is_absolute() and directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)
    ]
    # The name that mkdtemp appends to the prefix has eight letters.
    fitting = [d for d in usable if ipc_obstacle(d / "jupyter-xxxxxxxx") is None]
    return (fitting or usable or [Path(tempfile.gettempdir())])[0]


def ipc_addresses(directory: Path) -> dict[str, Any]:
    """The fields of a `ConnectionInfo` for sockets in a directory."""
    ports = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, start=1)}
    return {"transport": "ipc", "ip": str(directory / "k"), **ports}


def own_ports() -> dict[str, Any]:
    """The fields of a `ConnectionInfo` for a kernel that is to choose ports on the loopback interface."""
    return {"transport": "tcp", "ip": "127.0.0.1", **{f"{channel}_port": 0 for channel in CHANNELS}}


def kept_ports(previous: ConnectionInfo) -> dict[str, Any] | None:
    """The fields for the ports of a kernel before, or None where they cannot all be bound again."""
    if previous.transport != "tcp" or _occupied(_ports(previous)):
        return None
    ports = {f"{channel}_port": previous.port(channel) for channel in CHANNELS}
    return {"transport": "tcp", "ip": "127.0.0.1", **ports}


def tcp_addresses(previous: ConnectionInfo | None = None) -> dict[str, Any]:
    """The fields of a `ConnectionInfo` with ports on the loopback interface that are free right now.

    Those of ``previous`` if they can all be bound again.
    """
    if previous is not None and (kept := kept_ports(previous)) is not None:
        return kept
    numbers = pick_ports(len(CHANNELS))
    ports = {f"{channel}_port": number for channel, number in zip(CHANNELS, numbers, strict=True)}
    return {"transport": "tcp", "ip": "127.0.0.1", **ports}


def pick_ports(count: int) -> list[int]:
    """Different ports that are free right now. They are held together until all are found."""
    with ExitStack() as held:
        return [held.enter_context(_bound(0)).getsockname()[1] for _ in range(count)]


def port_was_taken(connection_info: ConnectionInfo) -> bool:
    """Whether somebody has one of a dead kernel's ports, so that it may well have died of that."""
    return connection_info.transport == "tcp" and _occupied(_ports(connection_info))


def _ports(connection_info: ConnectionInfo) -> list[int]:
    ports = map(connection_info.port, CHANNELS)
    return [port for port in ports if port]  # 0: the kernel had not chosen yet


def _occupied(ports: Iterable[int]) -> bool:
    for port in ports:
        try:
            _bound(port).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
    return False


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if port and sys.platform != "win32":  # there it would allow taking a port that is in use
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as libzmq does
        sock.bind(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock
