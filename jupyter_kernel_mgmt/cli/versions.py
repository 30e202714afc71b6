"""Checks of pyzmq and libzmq: what this machine's sockets can do."""

import platform
import sys
from dataclasses import dataclass

from .findings import Finding


@dataclass(frozen=True, slots=True)
class Versions:
    """What is installed; ``curve`` and ``ipc`` say whether libzmq was built with them."""

    python: str
    pyzmq: str
    libzmq: str
    curve: bool
    ipc: bool


def installed_versions() -> Versions:
    """Those of this interpreter."""
    import zmq

    return Versions(
        python=platform.python_version(),
        pyzmq=zmq.pyzmq_version(),
        libzmq=zmq.zmq_version(),
        curve=zmq.has("curve"),
        ipc=zmq.has("ipc"),
    )


def check_versions(versions: Versions, *, windows: bool = sys.platform == "win32") -> list[Finding]:
    """What libzmq lacks. On Windows ipc is not missed."""
    findings = []
    reinstall = "reinstall pyzmq from its wheels: python -m pip install --force-reinstall pyzmq"
    if not versions.curve:
        what = "it was built without curve: kernels on tcp cannot be encrypted"
        findings.append(Finding("warning", f"libzmq {versions.libzmq}", what, reinstall))
    if not versions.ipc and not windows:
        what = "it was built without ipc: kernels need tcp ports, which others on this machine can reach"
        findings.append(Finding("warning", f"libzmq {versions.libzmq}", what, reinstall))
    return findings
