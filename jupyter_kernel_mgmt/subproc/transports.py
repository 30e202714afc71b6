"""How a kernel on this machine is reached: the choice, and the addresses. Plain functions.

Two ways are there so far. Over ``ipc`` the sockets are files in a private directory, and nothing can take
them. Over ``tcp`` free ports are picked and let go before the kernel binds them: a race, which
`port_was_taken` notices after the fact so that the launch is tried again.
"""

import errno
import os
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from jupyter_protocol import CHANNELS, ConnectionInfo

from ..exceptions import Unsupported
from ..launching import Transport

SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107
"""Bytes that the path of a Unix socket may have (sun_path, less the closing zero)."""

IPC_MODULES = frozenset({"ipykernel_launcher", "ipykernel"})
"""Modules of kernels that are known to manage ipc, as in ``python -m ipykernel_launcher``."""

_SOCKET_NAME_SIZE = len("/k-5")


@dataclass(frozen=True, slots=True)
class Choice:
    """The transport that was chosen and, for the log, the reason."""

    transport: Literal["ipc", "tcp"]
    reason: str


def choose(
    wanted: Transport, *, argv: Sequence[str], metadata: Mapping[str, Any], ipc_obstacle: str | None
) -> Choice:
    """Which transport to use.

    ``ipc_obstacle`` says why this machine cannot do ipc, or is None. Raises `Unsupported` for ``"ipc"``
    where there is an obstacle, or for a name that is no transport.
    """
    if wanted not in ("auto", "ipc", "tcp"):
        raise Unsupported("transport", f"{wanted!r} is not one of 'auto', 'ipc' and 'tcp'")
    if wanted == "ipc" and ipc_obstacle is not None:
        raise Unsupported("transport", f"ipc cannot be used here: {ipc_obstacle}")
    if wanted != "auto":
        return Choice(wanted, "asked for")
    if ipc_obstacle is not None:
        return Choice("tcp", ipc_obstacle)
    if manages_ipc(argv, metadata):
        return Choice("ipc", "the kernel is known to manage it, and no port can be taken by others")
    return Choice("tcp", "the kernel is not known to manage ipc")


def manages_ipc(argv: Sequence[str], metadata: Mapping[str, Any]) -> bool:
    """Whether a kernel is known to manage ipc: its metadata lists it, or its command is ipykernel's."""
    supported = metadata.get("supported_transports")
    if isinstance(supported, list):
        return "ipc" in supported
    return any(flag == "-m" and module in IPC_MODULES for flag, module in pairwise(argv))


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


def tcp_addresses(previous: ConnectionInfo | None = None) -> dict[str, Any]:
    """The fields of a `ConnectionInfo` with ports on the loopback interface that are free right now.

    Those of ``previous`` if they can all be bound again.
    """
    if previous is not None and previous.transport == "tcp" and not _occupied(_ports(previous)):
        numbers = _ports(previous)
    else:
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
    return [connection_info.port(channel) for channel in CHANNELS]


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
