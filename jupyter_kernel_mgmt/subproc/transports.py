"""How a kernel on this machine comes to its addresses: the choice. Plain functions.

Over ``ipc`` the sockets are files in a private directory. Over ``tcp`` there are three ways: the kernel binds
ports of its own and rewrites its connection file; it binds them and registers where its file says (JEP 66);
or ports are picked for it, kept until it binds them where the system allows it, and tried again otherwise.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from ..exceptions import Unsupported
from ..launching import Transport

Way = Literal["ipc", "own-ports", "handshake", "picked-ports"]

IPC_MODULES = frozenset({"ipykernel_launcher", "ipykernel"})
"""Modules of kernels that are known to manage ipc, as in ``python -m ipykernel_launcher``."""

IPC_WORDS = frozenset({"IRkernel::main()"})
"""What the commands of other kernels contain that are known to manage ipc."""

OWN_PORTS_MODULES = frozenset({"ipykernel_launcher", "ipykernel", "bash_kernel"})
"""Modules of kernels that are known to rewrite their connection file where its ports are 0."""

HANDSHAKE_MODULES = frozenset({"xpython_launcher"})
"""Modules of kernels that are known to register, though their kernelspecs do not say so."""

HANDSHAKE_VERSION = (5, 6)
"""The version of the protocol from which on kernels register."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that was chosen and, for the log, the reason."""

    way: Way
    reason: str

    @property
    def transport(self) -> Literal["ipc", "tcp"]:
        """As ZMQ calls it."""
        return "ipc" if self.way == "ipc" else "tcp"


def choose(
    wanted: Transport,
    *,
    argv: Sequence[str],
    metadata: Mapping[str, Any],
    protocol_version: str = "",
    ipc_obstacle: str | None,
) -> Choice:
    """Which way to use.

    A kernelspec's metadata may list what the kernel manages as ``supported_transports``.
    ``protocol_version`` is the kernelspec's, ``ipc_obstacle`` says why this machine cannot do ipc, or is
    None. Raises `Unsupported` for ``"ipc"`` where there is an obstacle, or for a name that is no transport.
    """
    if wanted not in get_args(Transport):
        names = ", ".join(map(repr, get_args(Transport)))
        raise Unsupported("transport", f"{wanted!r} is not one of {names}")
    if wanted == "ipc" and ipc_obstacle is not None:
        raise Unsupported("transport", f"ipc cannot be used here: {ipc_obstacle}")
    if wanted != "auto" and wanted != "tcp":
        return Choice(wanted, "asked for")
    known = _known(argv, metadata, protocol_version)
    if wanted == "auto" and "ipc" in known and ipc_obstacle is None:
        return Choice("ipc", "the kernel is known to manage it, and no port can be taken by others")
    if "own-ports" in known:
        return Choice("own-ports", "the kernel is known to choose ports itself, so that nobody can take them")
    if "handshake" in known:
        return Choice("handshake", "the kernel is known to register the ports that it chose")
    return Choice("picked-ports", "the kernel is not known to manage anything else")


def _known(argv: Sequence[str], metadata: Mapping[str, Any], protocol_version: str) -> frozenset[str]:
    """What a kernel is known to manage: its metadata lists it, or its version or its command tells."""
    listed = metadata.get("supported_transports")
    if isinstance(listed, list):
        return frozenset(name for name in listed if isinstance(name, str))
    modules = {module for flag, module in pairwise(argv) if flag == "-m"}
    ways = {"ipc": IPC_MODULES, "own-ports": OWN_PORTS_MODULES, "handshake": HANDSHAKE_MODULES}
    known = {way for way, known_modules in ways.items() if modules & known_modules}
    if IPC_WORDS & set(argv):
        known.add("ipc")
    if _version(protocol_version) >= HANDSHAKE_VERSION:
        known.add("handshake")
    return frozenset(known)


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d{1,9}(\.\d{1,9})*", text) else ()
