"""`OutOfMemory`: was a process killed because memory ran out? As far as Linux tells.

Sources: the kernel's documentation of control groups, version 2 ("memory.events") and 1
("memory.oom_control"); proc(5), "/proc/vmstat".
"""

import re
import sys
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


INTERVAL = 30.0
"""Seconds after which it is to be looked again how many were killed until then."""


class OutOfMemory:
    """Looked at when a process starts and again and again, and asked when it was killed and by nobody here.

    What is counted are the processes of its control group that were killed for memory or, where that group
    cannot be read, those of the whole system. A kill that was counted before the look before the last one
    was another's; one after that may still be.
    """

    def __init__(self, pid: int) -> None:
        self._counter: Path | None = None
        self._is_the_systems = False
        self._before = self._lately = 0
        if sys.platform == "linux":
            system = PROC / "vmstat"
            for counter in (*_counters(pid), system):
                count = _count(counter)
                if count is not None:
                    self._counter, self._is_the_systems = counter, counter == system
                    self._before = self._lately = count
                    return

    @property
    def is_known(self) -> bool:
        """Whether anything is counted here, so that looking is of use."""
        return self._counter is not None

    def look(self) -> None:
        """Note what is counted by now. The kill of a process is counted before its exit is heard of."""
        count = self._count()
        if count is not None:
            self._before, self._lately = self._lately, count

    def reason(self) -> str | None:
        """What to say of a kill: None unless one for memory was counted lately."""
        count = self._count()
        if count is None or count <= self._before:
            return None
        if self._is_the_systems:
            return "perhaps the system killed it because memory ran out, as it did with some process just now"
        return "the system killed it because memory ran out"

    def _count(self) -> int | None:
        return None if self._counter is None else _count(self._counter)


def _counters(pid: int) -> list[Path]:
    """The files that count for the control group of a process, whichever version is in use."""
    try:
        lines = (PROC / str(pid) / "cgroup").read_text(errors="surrogateescape").splitlines()
    except OSError:  # it has just ended
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            found.append(CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control")
        elif not controllers:
            found.append(CGROUPS / path.lstrip("/") / "memory.events")
    return found


def _count(counter: Path) -> int | None:
    try:
        found = _COUNT.search(counter.read_text(errors="replace"))
    except OSError:
        return None
    return None if found is None else int(found[1])
