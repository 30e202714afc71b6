"""The memory that a process and all it started take together, at most, while it runs (Linux)."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

INTERVAL = 0.05


def run_and_watch(argv: Sequence[str], *, cwd: Path) -> tuple[float, float]:
    """Run a program to its end: seconds, and megabytes at its peak. What processes share counts once."""
    start = time.perf_counter()
    process = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(map(_share, _tree(process.pid))))
        time.sleep(INTERVAL)
    elapsed = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{argv[0]} failed: {process.communicate()[1]}")
    process.communicate()
    return elapsed, peak


def _tree(pid: int) -> list[int]:
    """A process and its descendants, also those in sessions of their own."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        parents.setdefault(int(rest.split()[1]), []).append(int(name.split()[0]))
    found, ahead = [], [pid]
    while ahead:
        found.append(current := ahead.pop())
        ahead += parents.get(current, [])
    return found


def _share(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1000
