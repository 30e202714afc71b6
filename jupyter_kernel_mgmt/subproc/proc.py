"""What a process does right now, as far as Linux says. Source: proc(5), "/proc/pid/stat"."""

import os
import sys
from pathlib import Path

from ..managerbase import ProcessState

MOST_PROCESSES = 100
"""How many descendants are looked at: enough to see progress, few enough to take a millisecond or two."""

STOPPED = frozenset("Tt")
"""By a signal, or by a debugger."""

RUNNING = frozenset("RD")
"""On a processor or waiting for one, or for a disk."""

ENDED = frozenset("ZX")

TICKS = 100
if sys.platform == "linux":
    TICKS = os.sysconf("SC_CLK_TCK")
"""Of the processors' clock, a second."""


def look_at(pid: int) -> ProcessState | None:
    """The state of a process, with the processor time of all its descendants, the ended ones included.

    None where there is no such process, or no /proc.
    """
    if sys.platform != "linux":
        return None
    stat = _stat(pid)
    if stat is None:
        return None
    state, cpu_time = stat
    for number, child in enumerate(_descendants(pid)):
        if number == MOST_PROCESSES:
            break
        if (stat := _stat(child)) is not None:
            cpu_time += stat[1]
    return ProcessState(stopped=state in STOPPED, cpu_time=cpu_time, running=state in RUNNING)


def has_ended(pid: int) -> bool:
    """Whether a process, somebody else's child too, is gone or waits to be reaped."""
    stat = _stat(pid)
    if stat is not None:
        return stat[0] in ENDED
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False  # there is no /proc


def _stat(pid: int) -> tuple[str, float] | None:
    """A process's state letter and seconds of processor time, with its children that were waited for."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:  # it has just ended
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may contain anything
    return fields[0], sum(map(int, fields[11:15])) / TICKS


def _descendants(pid: int) -> list[int]:
    """Children, their children, and so on; none where the system was built without that list."""
    found: list[int] = []
    parents = [pid]
    while parents and len(found) < MOST_PROCESSES:
        children = _children(parents.pop())
        found += children
        parents += children
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    except OSError:  # it, or this thread of it, has just ended
        return children
    return children
