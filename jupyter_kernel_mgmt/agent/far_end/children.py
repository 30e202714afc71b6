"""Our children: adopting those whose parents end, noticing who has ended, reaping."""

from __future__ import annotations

import errno
import os
import sys
import time

assert sys.platform != "win32"

from .processes import processes, read


def adopt_orphans() -> bool:
    """Become the parent of our descendants whose parents end, where Linux allows it."""
    if sys.platform != "linux":
        return False
    try:
        import ctypes

        return bool(ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0)  # PR_SET_CHILD_SUBREAPER
    except (ImportError, OSError, AttributeError):
        return False


def children() -> list[int]:
    """Our children, those adopted included; zombies too."""
    me = os.getpid()
    try:
        return [int(pid) for pid in read(f"/proc/self/task/{me}/children").split()]
    except OSError:  # not every Linux has the list
        return [process.pid for process in processes(marks=False) if process.parent == me]


def has_ended(pid: int) -> bool:
    """Whether a child has ended; it stays a zombie where the system allows to look without reaping."""
    try:
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        return any(p.pid == pid and p.state in "ZX" for p in processes(marks=False))
    except ChildProcessError:
        return True


def reap(pid: int, *, wait: float) -> int | None:
    """Reap a child: its exit code, negative for a signal; None where it has not ended in time (seconds)."""
    deadline = time.monotonic() + wait
    while True:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return None
        if found:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.002)
