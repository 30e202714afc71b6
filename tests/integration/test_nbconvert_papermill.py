"""nbconvert and papermill run notebooks with this package, and give what they give with their own parts."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from jupyter_kernel_mgmt.notebook.blocking import run_blocking

pytest.importorskip("nbconvert", reason="the extra nbconvert is not installed")
pytest.importorskip("papermill", reason="the extra papermill is not installed")

GUARD = 60

CELLS = [
    new_code_cell("a = 1\nwho = 'nobody'", metadata={"tags": ["parameters"]}),
    new_markdown_cell("# Title"),
    new_code_cell("print(a, who)\na"),
    new_code_cell(""),
    new_code_cell("import sys; print('x', file=sys.stderr)"),
    new_code_cell(
        "from IPython.display import HTML, display\nhandle = display(HTML('<b>1</b>'), display_id='d')"
    ),
    new_code_cell("handle.update(HTML('<b>2</b>'))"),
    new_code_cell("raise ValueError('expected')", metadata={"tags": ["raises-exception"]}),
    new_code_cell("import os; os.getcwd() == os.environ['EXPECTED_CWD']"),
]
CALM = [
    cell for cell in CELLS if "raise " not in cell.source
]  # papermill tells of every error, tagged or not
FAILING = [new_code_cell("1"), new_code_cell("1 / 0"), new_code_cell("3")]
HANGING = [new_code_cell("1"), new_code_cell("import time; print('begun', flush=True); time.sleep(1000)")]
DYING = [new_code_cell("1"), new_code_cell("import os; os._exit(3)")]

USE_OURS = "from jupyter_kernel_mgmt.notebook.nbconvert import use\nuse(get_config())\n"


def written(directory: Path, cells: list[Any]) -> Path:
    path = directory / "given.ipynb"
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)
    return path


def program(*arguments: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program to its end."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "EXPECTED_CWD": str(cwd), **env},
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )


def nbconvert(
    directory: Path, *arguments: str, given: str = "given.ipynb", ours: bool
) -> subprocess.CompletedProcess[str]:
    output = "ours" if ours else "theirs"
    config = directory / f"{output}_config.py"
    config.write_text(USE_OURS if ours else "")
    return program(
        *("nbconvert", given, "--to=notebook", "--execute", f"--output={output}", *arguments),
        *(f"--output-dir={directory}", f"--config={config}"),
        cwd=directory,
    )


def papermill(
    directory: Path, *arguments: str, given: str = "given.ipynb", ours: bool
) -> subprocess.CompletedProcess[str]:
    engine = ["--engine=jupyter_kernel_mgmt"] if ours else []
    output = "ours" if ours else "theirs"
    arguments = tuple(argument.format(output=output) for argument in arguments)
    return program("papermill", *engine, *arguments, given, f"{output}.ipynb", cwd=directory)


def both(
    run: Callable[..., "subprocess.CompletedProcess[str]"], directory: Path, *arguments: str, **options: str
) -> tuple["subprocess.CompletedProcess[str]", "subprocess.CompletedProcess[str]"]:
    """With our part and with their own, at the same time."""
    with ThreadPoolExecutor(2) as pool:
        ours = pool.submit(run, directory, *arguments, ours=True, **options)
        theirs = pool.submit(run, directory, *arguments, ours=False, **options)
        return ours.result(), theirs.result()


def comparable(path: Path) -> Any:
    """A notebook without what differs from one run to the next: times, ids, and text that came in pieces."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell.pop("id", None)
        cell["metadata"]["execution"] = sorted(cell["metadata"].get("execution", []))
        _forget_times(cell["metadata"].get("papermill", {}))
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                output["text"] = "".join(output["text"])
    papermill = notebook["metadata"].get("papermill", {})
    _forget_times(papermill)
    papermill.pop("output_path", None)
    return notebook


def _forget_times(values: dict[str, Any]) -> None:
    for name in ("start_time", "end_time", "duration"):
        if values.get(name) is not None:
            values[name] = "some"


def test_nbconvert_gives_the_same_notebook(directory: Path) -> None:
    """By --execute, with nothing else changed than its configuration."""
    written(directory, CELLS)
    for ran in both(nbconvert, directory):
        assert ran.returncode == 0, ran.stderr
    assert comparable(directory / "ours.ipynb") == comparable(directory / "theirs.ipynb")


def test_nbconvert_allows_errors_when_asked(directory: Path) -> None:
    written(directory, FAILING)
    for ran in both(nbconvert, directory, "--allow-errors"):
        assert ran.returncode == 0, ran.stderr
    assert comparable(directory / "ours.ipynb") == comparable(directory / "theirs.ipynb")


@pytest.mark.parametrize(
    ("cells", "options", "expected"),
    [
        (FAILING, [], "CellExecutionError"),
        (HANGING, ["--ExecutePreprocessor.timeout=1"], "CellTimeoutError"),
        (DYING, [], "DeadKernelError"),
    ],
)
def test_nbconvert_fails_as_with_its_own(
    cells: list[Any], options: list[str], expected: str, directory: Path
) -> None:
    """The same exceptions, which its users catch."""
    written(directory, cells)
    for ran in both(nbconvert, directory, *options):
        assert ran.returncode != 0
        assert expected in ran.stderr


def test_papermill_gives_the_same_notebook(directory: Path) -> None:
    """With parameters, and with papermill's own metadata in each cell."""
    written(directory, CALM)
    for ran in both(papermill, directory, "-p", "who", "somebody", "--no-progress-bar"):
        assert ran.returncode == 0, ran.stderr
    assert comparable(directory / "ours.ipynb") == comparable(directory / "theirs.ipynb")


@pytest.mark.parametrize(
    ("cells", "options", "expected"),
    [
        (FAILING, [], "PapermillExecutionError"),
        (HANGING, ["--execution-timeout=1"], "CellTimeoutError"),
        (DYING, [], "DeadKernelError"),
    ],
)
def test_papermill_fails_as_with_its_own(
    cells: list[Any], options: list[str], expected: str, directory: Path
) -> None:
    """And leaves the notebook with what was run."""
    written(directory, cells)
    for ran in both(papermill, directory, *options, "--no-progress-bar"):
        assert ran.returncode != 0
        assert expected in ran.stderr
    if cells is FAILING:
        assert comparable(directory / "ours.ipynb") == comparable(directory / "theirs.ipynb")


def test_papermill_writes_output_where_it_is_told(directory: Path) -> None:
    written(directory, CALM)
    for ran in both(papermill, directory, "--stdout-file={output}.out", "--no-progress-bar"):
        assert ran.returncode == 0, ran.stderr
    assert (directory / "ours.out").read_text() == (directory / "theirs.out").read_text() != ""


@pytest.mark.parametrize("run", [nbconvert, papermill])
def test_the_kernel_is_the_one_of_the_name(
    run: Callable[..., "subprocess.CompletedProcess[str]"], directory: Path
) -> None:
    """As with their own parts; the project's own environment does not come before it."""
    prefix, notebooks = directory / ".venv", directory / "notebooks"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True, timeout=GUARD)
    [packages] = prefix.glob("lib/python*/site-packages")
    (packages / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")  # with ipykernel
    notebooks.mkdir()
    written(notebooks, [new_code_cell("import sys; sys.prefix")])
    for ran in both(run, directory, given="notebooks/given.ipynb"):
        assert ran.returncode == 0, ran.stderr
    ours, theirs = (comparable(directory / f"{name}.ipynb") for name in ("ours", "theirs"))
    assert ours == theirs
    assert repr(sys.prefix) in str(ours["cells"][0]["outputs"])


def test_an_interrupt_reaches_the_thread() -> None:
    """What runs there cleans up, and then the caller gets the interrupt."""
    import asyncio

    cleaned = threading.Event()

    async def main() -> None:
        try:
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    with pytest.raises(KeyboardInterrupt):
        run_blocking(main)
    assert cleaned.is_set()
