"""Addresses for a kernel's sockets on this machine. Plain functions.

Over ``ipc`` the sockets are files in a private directory, and nothing can take them. Ports that are chosen
here are kept for the kernel where the system allows it; elsewhere that is a race, and `port_was_taken`
notices after the fact that it was lost.
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


def reserve(
    channels: Iterable[str], previous: ConnectionInfo | None = None
) -> "tuple[Reservation, dict[str, Any]]":
    """Ports for these channels, those of ``previous`` where they can all be had, and fields that say so.

    Raises `OSError`.
    """
    names = list(channels)
    wanted = [0] * len(names) if previous is None else [previous.port(name) for name in names]
    reservation = Reservation(wanted)
    ports = {f"{name}_port": port for name, port in zip(names, reservation.ports, strict=True)}
    unknown = {f"{channel}_port": 0 for channel in CHANNELS}  # for the kernel to choose
    return reservation, {"transport": "tcp", "ip": "127.0.0.1", **unknown, **ports}


class Reservation:
    """Ports on the loopback interface that are kept for a kernel until `close`, as far as a system allows.

    On Linux a socket that is bound with SO_REUSEADDR and does not listen keeps its port from being given
    out and from those who ask for it by number without SO_REUSEADDR; kernels bind with it, as libzmq does.
    Elsewhere ports are only looked for, and let go. A port 0 stands for any. Raises `OSError`.
    """

    def __init__(self, ports: Iterable[int]) -> None:
        with ExitStack() as held:
            sockets = [held.enter_context(_bound(port)) for port in ports]
            self.ports: list[int] = [sock.getsockname()[1] for sock in sockets]
            self._held = held.pop_all() if sys.platform == "linux" else ExitStack()

    def close(self) -> None:
        """Keep them no longer. May be called again."""
        self._held.close()


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
        if sys.platform != "win32":  # there it would allow taking a port that is in use
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as libzmq does
        sock.bind(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock
