"""A thousand clients on one loop: what each takes, how long all of them take, and what stays afterwards.

The kernels are small ones in a few processes. Each side is measured in a process of its own, since memory
that was used once is seldom given back: ours, ours that watch for silence, bare sockets, and the peer's.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from _harness import WIDTH, megabytes, private_directories, seconds, table

HOSTS = 4
SIDES = {
    "ours": "ours",
    "ours with unresponsive_after": "watched",
    "bare sockets": "bare",
    "jupyter_client, no heartbeat": "jupyter_client",
}
DESCRIPTORS = 12
"""For each client: two for each of four sockets, and up to three to look at a kernel that does not answer."""

OTHER_DESCRIPTORS = 200
FIGURES = {
    "memory": ("memory for each", lambda value: f"{value / 1024:.1f} kB"),
    "descriptors": ("descriptors for each", lambda value: f"{value:.2f}"),
    "idle": ("processor time while all are idle, for each second", seconds),
    "connect": ("all connected and ready", seconds),
    "execute": ("one execution with each, all at once", seconds),
    "close": ("all closed", seconds),
}


def run(*, quick: bool) -> None:
    """Connect a hundred in a hurry, else a thousand."""
    count, idle, rounds = (100, 2, 1) if quick else (1000, 10, 3)
    needed = DESCRIPTORS * count + OTHER_DESCRIPTORS
    with descriptors_for(needed) as allowed:
        if not allowed:
            return
        with private_directories() as directory, _kernels(directory, count) as connections:
            samples: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
            for _ in range(rounds):
                for name, side in SIDES.items():
                    samples[name].append(_measure(side, connections, idle))
    for figure, (title, show) in FIGURES.items():
        values = {name: [one[figure] for one in found] for name, found in samples.items()}
        table(f"{count} clients: {title}", values, show=show)
    _print_left(count, {name: [one["left"] for one in found] for name, found in samples.items()})


@contextmanager
def descriptors_for(needed: int) -> Iterator[bool]:
    """Whether so many descriptors are allowed, by a raised soft limit meanwhile; where not, this is told."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            print(
                f"\nLeft out: {needed:,} open files are needed, and the hard limit is {hard:,} (ulimit -Hn)"
            )
            yield False
            return
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield True
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _kernels(directory: Path, count: int) -> Iterator[str]:
    """Lines of connection information of so many kernels, which share a few processes."""
    command = [sys.executable, str(Path(__file__).with_name("_many_kernels.py"))]
    share = count // HOSTS
    with ExitStack() as stack:
        hosts = []
        for number in range(HOSTS):
            arguments = [str(directory / f"h{number}"), str(share)]
            host = subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.enter_context(host)  # closes its stdin and waits
            hosts.append(host)
        lines = []
        for host in hosts:
            assert host.stdout is not None, "it was asked for"
            lines += [host.stdout.readline().decode() for _ in range(share)]
        yield "".join(lines)


def _measure(side: str, connections: str, idle: float) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).with_name("_many_clients.py")), side, str(idle)]
    done = subprocess.run(command, input=connections.encode(), stdout=subprocess.PIPE, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _print_left(count: int, left: dict[str, list[list[list[int]]]]) -> None:
    """What processes hold more than before, once all clients were closed; of all rounds the most.

    Memory that is free may stay with the process: with the C library, which can be told to return it
    ("trimmed"), or with Python, which cannot; what Python's objects really take are its blocks.
    """
    print(f"\n{count} clients: what is left when all were closed, the first time and the second")
    columns = ("memory", "trimmed", "blocks", "files", "threads", "tasks")
    print(f"  {'':{WIDTH}} " + " ".join(f"{column:>9}" for column in columns))
    for name, rounds in left.items():
        for time, measured in zip(("", ", again"), zip(*rounds, strict=True), strict=True):
            memory, trimmed, *counts = (max(values) for values in zip(*measured, strict=True))
            cells = [megabytes(memory / 2**20), megabytes(trimmed / 2**20), *(f"{n:,}" for n in counts)]
            print(f"  {name + time:{WIDTH}} " + " ".join(f"{cell:>9}" for cell in cells), flush=True)
