"""`Process`: what is seen of the processes of this machine, in /proc or by ps."""

from __future__ import annotations

import os
import sys

assert sys.platform != "win32"

from .ward import MARK

_CHUNK = 64 * 1024


class Process:
    """A process of this machine, as of one moment. ``start`` tells it from others that had its number."""

    __slots__ = ("pid", "parent", "group", "start", "state", "mark")

    def __init__(
        self, pid: int, parent: int, group: int, start: int | None, state: str, mark: str | None = None
    ) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.start = start
        self.state = state
        self.mark = mark


def processes(*, marks: bool, since: int = 0) -> list[Process]:
    """All processes of this machine, with the marks, if wanted, of those that began at that time or later."""
    if not os.path.exists("/proc/self/stat"):
        return _processes_by_ps()
    table = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = look_at(int(name))
            if process is not None:
                if marks and process.state not in "ZX" and (process.start or 0) >= since:
                    process.mark = _mark(process.pid)
                table.append(process)
    return table


def look_at(pid: int) -> Process | None:
    """One process; None where it is gone, or no /proc. Source: proc(5), "/proc/pid/stat"."""
    try:
        text = read(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()  # the name before it may contain anything
    if len(fields) < 20:
        return None
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[19]), fields[0].decode())


def _mark(pid: int) -> str | None:
    try:
        text = b"\0" + read(f"/proc/{pid}/environ")
    except OSError:  # ended, or somebody else's
        return None
    _, found, rest = text.partition(b"\0" + MARK.encode() + b"=")
    return rest.partition(b"\0")[0].decode("utf-8", "replace") if found else None


def read(path: str) -> bytes:
    """A whole file, such as /proc has. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces: list[bytes] = []
        while True:
            piece = os.read(fd, _CHUNK)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
    finally:
        os.close(fd)


def _processes_by_ps() -> list[Process]:
    import subprocess

    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,state="]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    table = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        pid, parent, group, state = line.split()[:4]
        table.append(Process(int(pid), int(parent), int(group), None, state[0]))
    return table
