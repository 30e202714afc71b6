"""Running notebooks: many small cells, and several notebooks at a time, beside nbclient."""

import sys
import time
from pathlib import Path

import nbformat
from _harness import compare, in_loop, interleave, megabytes, private_directories, table
from _memory import run_and_watch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt.notebook import execute_notebook

CELLS = 200
NOTEBOOKS, AT_A_TIME = 8, 4

IN_THREADS = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import nbformat
from nbclient import NotebookClient

def run(path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook).execute()
    nbformat.write(notebook, path.with_suffix(".theirs"))

with ThreadPoolExecutor({AT_A_TIME}) as pool:
    list(pool.map(run, map(Path, sys.argv[1:])))
"""


def run(*, quick: bool) -> None:
    """Both in one run; launching and ending the kernel count."""
    with private_directories() as directory, in_loop() as side:
        cells = 20 if quick else CELLS
        compare(
            f"a notebook of {cells} small cells",
            {"ours": side(lambda: _ours(cells)), "nbclient": lambda: _peer(cells)},
            rounds=2 if quick else 11,
        )
        _at_a_time(directory, rounds=1 if quick else 5)


async def _ours(cells: int) -> float:
    notebook = _notebook("x = 1", cells)
    start = time.perf_counter()
    await execute_notebook(notebook)
    return time.perf_counter() - start


def _peer(cells: int) -> float:
    notebook = _notebook("x = 1", cells)
    start = time.perf_counter()
    NotebookClient(notebook).execute()
    return time.perf_counter() - start


def _at_a_time(directory: Path, *, rounds: int) -> None:
    names = [f"{number}.ipynb" for number in range(NOTEBOOKS)]
    for name in names:
        nbformat.write(_notebook("sum(i * i for i in range(100_000))", 20), directory / name)
    ours = [sys.executable, "-m", "jupyter_kernel_mgmt.cli", "run", "-j", str(AT_A_TIME), *names]
    theirs = [sys.executable, "-c", IN_THREADS, *names]
    peaks: dict[str, list[float]] = {"ours": [], "nbclient in threads": []}

    def side(name: str, argv: list[str]) -> float:
        elapsed, peak = run_and_watch(argv, cwd=directory)
        peaks[name].append(peak)
        return elapsed

    times = interleave(
        {
            "ours": lambda: side("ours", ours),
            "nbclient in threads": lambda: side("nbclient in threads", theirs),
        },
        rounds=rounds,
        warm_up=0,
    )
    table(f"{NOTEBOOKS} notebooks, {AT_A_TIME} at a time, as programs", times)
    table("the same, memory at the peak with all kernels", peaks, show=megabytes)


def _notebook(source: str, cells: int) -> nbformat.NotebookNode:
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(
        cells=[new_code_cell(source) for _ in range(cells)], metadata={"kernelspec": kernelspec}
    )
