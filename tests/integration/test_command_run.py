"""``jupyter-kernels run``: bad input is told, finished cells are kept, signals do what they say."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt.cli.exit_codes import ExitCode

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits as POSIX has them")

GUARD = 60
PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(directory: Path) -> Command:
    def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "jupyter_kernel_mgmt.cli", "run", *arguments],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return start


@pytest.fixture
def command(start: Command) -> Callable[..., tuple[int, str, str]]:
    """Run it to its end: exit code, stdout and stderr."""

    def command(*arguments: str, **options: Any) -> tuple[int, str, str]:
        process = start(*arguments, **options)
        out, err = process.communicate(timeout=GUARD)
        return process.returncode, out, err

    return command


def write(path: Path, *sources: str | Any, metadata: dict[str, Any] = PYTHON) -> None:
    cells = [new_code_cell(source) if isinstance(source, str) else source for source in sources]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


def shown(path: Path) -> list[str]:
    """The text of each cell's first output; that is empty where it has none."""
    found = []
    for cell in json.loads(path.read_text())["cells"]:
        output = cell["outputs"][0] if cell["outputs"] else {}
        text = output.get("text") or output.get("data", {}).get("text/plain") or [output.get("ename", "")]
        found.append("".join(text).strip())
    return found


def test_notebooks_are_run_and_what_was_written_is_told(directory: Path, command: Any) -> None:
    """One after the other or at a time, with parameters, into a directory."""
    for name in "abc":
        write(directory / f"{name}.ipynb", new_code_cell("n = 1", metadata={"tags": ["parameters"]}), "n * 2")
    (directory / "ran").mkdir()
    code, out, err = command("a.ipynb", "b.ipynb", "c.ipynb", "-j", "2", "-o", "ran", "-p", "n=21")
    assert (code, out.split()) == (0, ["ran/a.ipynb", "ran/b.ipynb", "ran/c.ipynb"]), err
    assert {tuple(shown(directory / path)) for path in out.split()} == {("", "", "42")}
    assert "a.ipynb: cell 3 (3 of 3): ok" in err


def test_a_notebook_may_be_run_in_place(directory: Path, command: Any) -> None:
    write(directory / "a.ipynb", "6 * 7")
    assert command("a.ipynb", "--in-place")[0] == 0
    assert shown(directory / "a.ipynb") == ["42"]
    assert sorted(path.name for path in directory.iterdir()) == ["a.ipynb"]


def test_output_is_shown_live_when_asked(directory: Path, command: Any) -> None:
    write(directory / "a.ipynb", "print('hello')", "6 * 7")
    assert command("a.ipynb", "--live")[1].splitlines() == ["hello", "42", "a.out.ipynb"]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("not json", ExitCode.NO_NOTEBOOK, "is not JSON"),
        ("", ExitCode.NO_NOTEBOOK, "is empty"),
        ("[1, 2]", ExitCode.NO_NOTEBOOK, "without the field nbformat"),
        (
            json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}),
            65,
            "cells: not a list",
        ),
        (None, ExitCode.NO_NOTEBOOK, "No such file"),
    ],
)
def test_what_is_no_notebook_is_told(
    text: str | None, code: int, message: str, directory: Path, command: Any
) -> None:
    """Without a traceback, and nothing is written."""
    if text is not None:
        (directory / "a.ipynb").write_text(text)
    returned, out, err = command("a.ipynb")
    assert (returned, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
    assert not (directory / "a.out.ipynb").exists()


def test_others_are_run_all_the_same(directory: Path, command: Any) -> None:
    """The exit code is that of the first that failed."""
    (directory / "bad.ipynb").write_text("{")
    write(directory / "fails.ipynb", "1 / 0", "2")
    write(directory / "good.ipynb", "6 * 7")
    code, out, err = command("bad.ipynb", "fails.ipynb", "good.ipynb")
    assert (code, out.split()) == (ExitCode.NO_NOTEBOOK, ["good.out.ipynb"])
    assert "cell 1 failed: ZeroDivisionError" in err
    assert "what was run is in fails.out.ipynb" in err


def test_the_choice_of_a_kernel_is_explained(directory: Path, command: Any) -> None:
    """Where the notebook names none, where it names one that is not there, and where none fits."""
    write(directory / "none.ipynb", "6 * 7", metadata={})
    code, _, err = command("none.ipynb")
    assert (code, shown(directory / "none.out.ipynb")) == (0, ["42"])
    assert "spec/python3 (the notebook names neither kernel nor language, and is taken for Python)" in err

    gone = {"kernelspec": {"name": "gone", "display_name": "x", "language": "cobol"}}
    write(directory / "gone.ipynb", "1", metadata=gone)
    code, _, err = command("gone.ipynb")
    assert code == ExitCode.NO_KERNEL
    assert "kernel 'gone' is not installed, and there is none for the language cobol; name one of: " in err
    assert command("gone.ipynb", "--kernel", "python3")[0] == 0
    code, _, err = command("gone.ipynb", "--kernel", "pithon3")
    assert code == ExitCode.NO_KERNEL
    assert "python3" in err


def test_a_kernel_that_dies_is_told_and_what_had_run_is_kept(directory: Path, command: Any) -> None:
    write(directory / "a.ipynb", "1", "2", "import os; os._exit(3)", "4")
    code, _, err = command("a.ipynb")
    assert code == ExitCode.KERNEL_LOST
    assert "cell 3 ended the kernel: the kernel died: exit code 3" in err
    assert shown(directory / "a.out.ipynb") == ["1", "2", "KernelDied", ""]


def test_a_cell_that_takes_too_long_has_an_exit_code_of_its_own(directory: Path, command: Any) -> None:
    write(directory / "a.ipynb", "1", "import time; time.sleep(1000)", "3")
    code, _, err = command("a.ipynb", "--timeout", "0.2")
    assert code == ExitCode.TIMEOUT
    assert "cell 2 took too long" in err
    assert shown(directory / "a.out.ipynb") == ["1", "KeyboardInterrupt", ""]


def test_a_full_disk_is_told_and_what_was_saved_is_kept(directory: Path, command: Any) -> None:
    """Here no file may grow beyond 20 kB, as if there were no more room."""
    write(directory / "a.ipynb", "1", "print('x' * 100_000)", "3")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    code, _, err = command("a.ipynb", preexec_fn=limit)
    assert code == ExitCode.NOT_SAVED
    assert "a.out.ipynb cannot be written (File too large); it has what was saved before" in err
    assert shown(directory / "a.out.ipynb") == ["1", "", ""]
    assert sorted(path.name for path in directory.iterdir()) == ["a.ipynb", "a.out.ipynb"]


def test_two_runs_do_not_write_one_output(directory: Path, start: Command, command: Any) -> None:
    """The second says so and changes nothing; the first goes on."""
    waits = "while not pathlib.Path('go').exists(): time.sleep(0.01)"
    write(directory / "a.ipynb", f"import pathlib, time\npathlib.Path('begun').touch()\n{waits}", "6 * 7")
    first = start("a.ipynb")
    until(directory / "begun", first)
    code, out, err = command("a.ipynb")
    assert (code, out) == (ExitCode.NOT_SAVED, "")
    assert "a.out.ipynb is being written by another run" in err
    (directory / "go").touch()
    first.communicate(timeout=GUARD)
    assert (first.returncode, shown(directory / "a.out.ipynb")) == (0, ["", "42"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.ipynb", "--output", "a.ipynb"], "a.ipynb would be overwritten; say --in-place"),
        (["a.ipynb", "b/a.ipynb", "--output", "x.ipynb"], "2 notebooks would be written to"),
        (["./x/../a.ipynb", "--output", "a.ipynb"], "would be overwritten"),
        (["a.ipynb", "x/../a.ipynb", "--output", "o/{name}"], "2 notebooks would be written to"),
        (["a.ipynb", "--in-place", "--output", "x"], "exclude each other"),
        (["a.ipynb", "-p", "missing.json"], "missing.json: No such file"),
        (["a.ipynb", "-p", "1x=3"], "1x"),
        (["a.ipynb", "-j", "0"], "no whole number above 0"),
        (["a.ipynb", "--resume", "--rebuild", "some"], "none of all, none and a cell's number"),
    ],
)
def test_a_wrong_command_line_is_told(
    arguments: list[str], message: str, directory: Path, command: Any
) -> None:
    """Before anything is run."""
    write(directory / "a.ipynb", "1")
    code, _, err = command(*arguments)
    assert (code, "Traceback" in err) == (ExitCode.USAGE, False)
    assert message in err


def test_a_cell_whose_error_is_not_shown_has_failed_all_the_same(directory: Path, command: Any) -> None:
    """A later run does not take the cell for finished."""
    write(
        directory / "a.ipynb", "get_ipython()._showtraceback = lambda *a: None", "raise ValueError('v')", "3"
    )
    assert command("a.ipynb")[0] == ExitCode.FAILED
    code, _, err = command("a.ipynb", "--resume", "--rebuild", "none")
    assert (code, "1 of 3 cells kept" in err) == (ExitCode.FAILED, True)


def test_output_that_nobody_reads_ends_the_run(directory: Path, start: Command) -> None:
    """With the exit code of other programs, and not as if the kernel had been lost."""
    write(
        directory / "a.ipynb", "import time\nfor n in range(10_000): print(n, flush=True); time.sleep(0.01)"
    )
    process = start("a.ipynb", "--live")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(GUARD) == ExitCode.OUTPUT_CLOSED
    assert process.stderr is not None
    process.stderr.close()


def test_a_name_that_the_terminal_cannot_show_is_no_error(directory: Path, command: Any) -> None:
    """It is escaped where it is told."""
    name = os.fsdecode(b"b\xff[x].ipynb")
    write(directory / "b.ipynb", "6 * 7")
    (directory / "b.ipynb").rename(directory / name)
    code, out, _ = command(name, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert (code, out) == (0, "b\\udcff[x].out.ipynb\n")


BUSY = "import pathlib, time\nprint('begun', flush=True)\npathlib.Path('begun').touch()\ntime.sleep(1000)"


def until(file: Path, process: "subprocess.Popen[str]") -> None:
    """Wait for a file that a cell makes."""
    import time

    end = time.monotonic() + GUARD
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_interrupt_ends_the_cell_and_a_second_one_the_run(directory: Path, start: Command) -> None:
    """The partial notebook is kept in both cases."""
    write(directory / "a.ipynb", "1", BUSY, "3")
    process = start("a.ipynb")
    until(directory / "begun", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=GUARD)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "cell 2 was interrupted" in err
    assert shown(directory / "a.out.ipynb") == ["1", "begun", ""]

    (directory / "begun").unlink()
    stubborn = BUSY.replace(
        "time.sleep(1000)",
        "while True:\n  try: time.sleep(1000)\n  except KeyboardInterrupt: pathlib.Path('again').touch()",
    )
    write(directory / "b.ipynb", "1", stubborn, "3")
    process = start("b.ipynb")
    until(directory / "begun", process)
    process.send_signal(signal.SIGINT)
    until(directory / "again", process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=GUARD)
    assert process.returncode == ExitCode.INTERRUPTED
    assert shown(directory / "b.out.ipynb") == ["1", "begun", ""]


def test_sigterm_stops_at_once_and_keeps_what_was_run(directory: Path, start: Command) -> None:
    """What the running cell had written included."""
    write(directory / "a.ipynb", "1", BUSY, "3")
    process = start("a.ipynb")
    until(directory / "begun", process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=GUARD)
    assert process.returncode == ExitCode.TERMINATED
    assert "stopped" in err
    assert shown(directory / "a.out.ipynb") == ["1", "begun", ""]


def test_a_run_goes_on_where_it_was_stopped(directory: Path, start: Command, command: Any) -> None:
    """What is kept and what is run again is said."""
    write(directory / "a.ipynb", "n = 1", "n", BUSY)
    process = start("a.ipynb")
    until(directory / "begun", process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=GUARD)
    write(directory / "a.ipynb", "n = 1", "n", "n + 1")
    code, _, err = command("a.ipynb", "--resume")
    assert code == 0
    assert "2 of 3 cells kept" in err
    assert shown(directory / "a.out.ipynb") == ["", "1", "2"]
