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


class OutOfMemory:
    """Looked at when a process starts, and asked when it was killed and nobody here did that.

    What is counted are the processes of its control group that were killed for memory or, where that group
    cannot be read, those of the whole system: it may have been another one in the same moment.
    """

    def __init__(self, pid: int) -> None:
        self._counter: Path | None = None
        self._before = 0
        if sys.platform == "linux":
            for counter in (*_counters(pid), PROC / "vmstat"):
                count = _count(counter)
                if count is not None:
                    self._counter, self._before = counter, count
                    return

    def happened(self) -> bool:
        """Whether such a kill was counted since."""
        count = None if self._counter is None else _count(self._counter)
        return count is not None and count > self._before


def _counters(pid: int) -> list[Path]:
    """The files that count for the control group of a process, whichever version is in use."""
    try:
        lines = (PROC / str(pid) / "cgroup").read_text().splitlines()
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
        found = _COUNT.search(counter.read_text())
    except OSError:
        return None
    return None if found is None else int(found[1])
