"""What ``import`` costs in a fresh interpreter: time and memory. All sides have their bytecode cached."""

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory

from _harness import Side, interleave, megabytes, table

# VmHWM is this program's own peak; ru_maxrss begins with that of the process that started it.
_PROGRAM = """
import time
start = time.perf_counter()
{statement}
elapsed = time.perf_counter() - start
import json, resource, sys
try:
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps([elapsed, peak]))
"""

STATEMENTS = {
    "ours": "import jupyter_kernel_mgmt",
    "jupyter_client": "import jupyter_client",
    "floor: asyncio and zmq": "import asyncio, zmq",
    "the interpreter alone": "pass",
}


def run(*, quick: bool) -> None:
    """Compare time and peak memory of ours, the peer, and what both cannot do without."""
    rounds = 3 if quick else 15
    peaks: dict[str, list[float]] = {name: [] for name in STATEMENTS}

    def side(name: str) -> Side:
        def measure() -> float:
            elapsed, peak = _measure(STATEMENTS[name], environment)
            peaks[name].append(peak)
            return elapsed

        return measure

    with TemporaryDirectory(prefix="bench-") as cache:
        # A cache of our own: that of a source tree may be missing or switched off.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        times = interleave({name: side(name) for name in STATEMENTS}, rounds=rounds, warm_up=1)
    del times["the interpreter alone"]
    table("import in a fresh interpreter", times)
    table(
        "peak memory after the import", {name: values[1:] for name, values in peaks.items()}, show=megabytes
    )


def _measure(statement: str, environment: dict[str, str]) -> tuple[float, float]:
    command = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
    elapsed, peak = json.loads(subprocess.check_output(command, env=environment))
    return elapsed, peak
