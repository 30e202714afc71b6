"""Connection files whose kernel is gone: which these are, and which of them may be removed.

A file is only called dead where nobody can be behind it: all its addresses are on this machine and refuse
connections, and it lies in a file system that no other machine shares (there, 127.0.0.1 may be another's).
Of containers that were lent the directory nothing can be seen: ``--help`` says so.
"""

import asyncio
import errno
import ipaddress
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jupyter_protocol import CHANNELS, ConnectionInfo

from .findings import Finding

DAY = 86_400.0
PROBE_TIMEOUT = 2.0
"""Seconds that an address of this machine has to take a connection or refuse it."""

Answer = Literal["listens", "refused", "unknown"]

SHARED = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "afs", "ceph", "9p", "fuse", "virtiofs")
"""The beginnings of names of file systems that other machines may share."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A connection file, how many seconds old it is, and what its addresses answered."""

    file: Path
    age: float
    answers: Sequence[Answer]
    shared: bool = False

    @property
    def dead(self) -> bool:
        """Nobody can be behind it."""
        return not self.shared and bool(self.answers) and set(self.answers) == {"refused"}

    @property
    def removable(self) -> bool:
        """Dead, and for so long that no program is still about to start its kernel."""
        return self.dead and self.age > DAY


def check_leftovers(leftovers: Iterable[Leftover], *, removed: Iterable[Path] = ()) -> list[Finding]:
    """What to say of them; those that are alive or not to be judged are not mentioned."""
    gone = set(removed)
    findings = []
    for left in leftovers:
        where = str(left.file)
        if left.file in gone:
            findings.append(Finding("info", where, "its kernel was gone; the file has been removed"))
        elif left.removable:
            what = f"its kernel is gone: nobody listens (the file is {left.age / DAY:.0f} days old)"
            findings.append(Finding("warning", where, what, "jupyter kernels doctor --clean removes it"))
        elif left.dead:
            what = "nobody listens there: its kernel is gone, or just being started"
            findings.append(Finding("info", where, what, "--clean removes it once it is a day old"))
    return findings


# What is looked at


async def find_leftovers(directory: Path) -> list[Leftover]:
    """Every connection file there, with what its addresses answer. Cancelling is safe."""
    shared = is_shared(directory)
    return [
        Leftover(file, age, await asyncio.gather(*_probes(info)), shared)
        for file, age, info in connection_files(directory)
    ]


def connection_files(directory: Path) -> list[tuple[Path, float, ConnectionInfo]]:
    """The connection files there, with their age in seconds and what they say."""
    found = []
    for file in sorted(directory.glob("*.json")) if directory.is_dir() else []:
        try:
            info = ConnectionInfo.load(file)
            age = time.time() - file.stat().st_mtime
        except (OSError, ValueError):  # a server's file, or one that has just been removed
            continue
        if any(map(info.port, CHANNELS)):
            found.append((file, age, info))
    return found


def remove(leftovers: Iterable[Leftover]) -> tuple[list[Path], list[Finding]]:
    """Remove those that may be; which were, and what went wrong."""
    removed, findings = [], []
    for left in leftovers:
        if left.removable:
            try:
                left.file.unlink()
                removed.append(left.file)
            except OSError as error:
                what = f"it cannot be removed: {error.strerror}"
                findings.append(Finding("error", str(left.file), what, "remove it by hand"))
    return removed, findings


def is_local(ip: str) -> bool:
    """Whether an address is surely this machine's own."""
    try:
        return ip == "localhost" or ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


def is_shared(directory: Path, mounts: str | None = None) -> bool:
    """Whether other machines may see that directory too, by the table of mounts (Linux: ours)."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
    kinds = {}
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) > 2:
            kinds[fields[1].replace("\\040", " ")] = fields[2]
    resolved = directory.resolve()
    for place in (resolved, *resolved.parents):
        if str(place) in kinds:
            return kinds[str(place)].startswith(SHARED)
    return False


def _probes(info: ConnectionInfo) -> list["asyncio.Future[Answer] | asyncio.Task[Answer]"]:
    return [asyncio.ensure_future(_probe(info, channel)) for channel in CHANNELS if info.port(channel)]


async def _probe(info: ConnectionInfo, channel: str) -> Answer:
    """Whether somebody takes connections there."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            if info.transport == "ipc":
                if sys.platform == "win32":  # asyncio has none of these sockets there
                    return "unknown"
                _, writer = await asyncio.open_unix_connection(f"{info.ip}-{info.port(channel)}")
            elif is_local(info.ip):
                _, writer = await asyncio.open_connection(info.ip, info.port(channel))
            else:
                return "unknown"
    except (ConnectionRefusedError, FileNotFoundError):
        return "refused"
    except OSError as error:  # TimeoutError too
        return "refused" if error.errno == errno.ECONNREFUSED else "unknown"
    writer.close()
    return "listens"
