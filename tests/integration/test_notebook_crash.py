"""A run that is killed loses at most the cell that ran, and a later one goes on there."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROUNDS = 20 if os.environ.get("LONG_TESTS") else 3
SEED = int(os.environ.get("SEED", time.time_ns() % 10**6))
GUARD = 60

REBUILDS: dict[str, tuple[list[int], int]] = {
    "all": ([1, 2, 3, 4, 5, 6], 10),
    "none": ([], 4),
    "4": ([4, 5, 6], 7),
}
"""By option: the cells that run once more, and what ten cells that each add 1 have counted in the end."""


def cell(number: int) -> Any:
    """Adds 1 to a count, and notes in a file that it ran; the seventh waits to be killed or let go on."""
    return new_code_cell(
        "import os, pathlib, time\n"
        "count = globals().get('count', 0) + 1\n"
        f"with open('ran', 'a') as file: print({number}, file=file)\n"
        f"print({number}, os.environ['ROUND'])\n"
        f"while {number} == 7 and not pathlib.Path('go').exists(): time.sleep(0.001)\n"
        "count"
    )


def notebook(directory: Path) -> Path:
    path = directory / "a.ipynb"
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [cell(number) for number in range(1, 11)]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)
    return path


def command(directory: Path, name: str, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "jupyter_kernel_mgmt.cli", "run", "a.ipynb", *options],
        cwd=directory,
        env={**os.environ, "ROUND": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ran(directory: Path) -> list[int]:
    """The cells that have begun, in order."""
    file = directory / "ran"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def printed(directory: Path) -> list[str]:
    """What each cell of the output has printed; that is empty where it has not run."""
    cells = json.loads((directory / "a.out.ipynb").read_text())["cells"]
    return ["".join(cell["outputs"][0]["text"]).strip() if cell["outputs"] else "" for cell in cells]


def kill_in_cell_seven(directory: Path, chance: random.Random) -> None:
    process = command(directory, "first")
    end = time.monotonic() + GUARD
    while 7 not in ran(directory):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))  # somewhere in the life of the cell
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.timeout(60 * ROUNDS)
def test_what_was_finished_is_kept_and_the_rest_is_run(short_directory: Path) -> None:
    """The kernel's state is rebuilt as asked."""
    print(f"SEED={SEED}")  # noqa: T201 - shown when the test fails
    chance = random.Random(SEED)
    for number in range(ROUNDS):
        directory = short_directory / str(number)
        directory.mkdir()
        notebook(directory)
        kill_in_cell_seven(directory, chance)
        assert printed(directory) == [f"{n} first" for n in range(1, 7)] + [""] * 4

        (directory / "ran").unlink()
        (directory / "go").touch()
        rebuild = chance.choice(list(REBUILDS))
        again, count = REBUILDS[rebuild]
        second = command(directory, "second", "--resume", "--rebuild", rebuild)
        output, _ = second.communicate(timeout=GUARD)
        assert second.returncode == 0, output
        assert "6 of 10 cells kept" in output
        assert ran(directory) == [*again, 7, 8, 9, 10]
        assert printed(directory) == [f"{n} {'first' if n < 7 else 'second'}" for n in range(1, 11)]
        value = json.loads((directory / "a.out.ipynb").read_text())["cells"][-1]["outputs"][-1]
        assert value["data"]["text/plain"] == [str(count)]
