import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.cli.spec_checks import (
    Looked,
    check_bad,
    check_spec,
    check_unfinished,
    look_at,
    look_at_all,
    wants_ipykernel,
)
from jupyter_kernel_mgmt.kernelspec import BadKernelSpec, KernelSpec
from jupyter_kernel_mgmt.kernelspec.checks import Program

posix = pytest.mark.skipif(sys.platform == "win32", reason="of permissions")


def spec(*argv: str, directory: Path = Path("/kernels/x")) -> KernelSpec:
    return KernelSpec("x", directory, (*argv, "{connection_file}"), "X", "x")


def program(name: str, *, executable: bool = True) -> Program:
    return Program(name, Path(name), executable=executable)


def python(tmp_path: Path, body: str) -> str:
    """An interpreter that does nothing but this."""
    file = tmp_path / "interpreter"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return str(file)


def test_a_kernelspec_in_order_has_no_findings() -> None:
    """Its program is there."""
    assert check_spec(spec("/bin/x"), Looked(program("/bin/x"))) == []


@pytest.mark.parametrize(
    ("looked", "what", "todo"),
    [
        (Looked(Program("/bin/x", None, False)), "does not exist", "jupyter-kernels remove x"),
        (Looked(program("/bin/x", executable=False)), "is not executable", f"chmod +x {Path('/bin/x')}"),
        (Looked(program("/bin/x"), "No module"), "cannot import ipykernel: No module", "pip install"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(looked: Looked, what: str, todo: str) -> None:
    """At the file of the kernelspec."""
    (finding,) = check_spec(spec("/bin/x"), looked)
    assert finding.severity == "error"
    assert finding.where == str(Path("/kernels/x/kernel.json"))
    assert what in finding.what
    assert todo in finding.todo


def test_a_file_that_cannot_be_used_is_an_error() -> None:
    """In the words of whoever read it."""
    assert check_bad(BadKernelSpec("k.json is not JSON")).what == "k.json is not JSON"


def test_what_an_unfinished_installation_left_is_told(tmp_path: Path) -> None:
    """With the kernelspec that may be in it."""
    assert check_unfinished(tmp_path).todo == f"remove {tmp_path}"
    (tmp_path / "old-0").mkdir()
    finding = check_unfinished(tmp_path)
    assert (finding.severity, finding.where) == ("warning", str(tmp_path))
    assert finding.todo == f"look whether {tmp_path / 'old-0'} is still needed, and remove {tmp_path}"


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], True),
        (["python", "-Xfrozen_modules=off", "-m", "ipykernel"], True),
        (["python", "-m", "bash_kernel"], False),
        (["ipykernel_launcher"], False),
    ],
)
def test_an_ipykernel_is_known_by_its_module(argv: list[str], wanted: bool) -> None:
    """Other kernels need no ipykernel."""
    assert wants_ipykernel(spec(*argv)) is wanted


async def test_what_runs_no_ipykernel_is_only_looked_for() -> None:
    """As is what does not exist, or depends on launch parameters."""
    assert await look_at(spec(sys.executable)) == Looked(program(sys.executable))
    missing = Program("/no/such/program", None, executable=False)
    assert await look_at(spec("/no/such/program", "-m", "ipykernel")) == Looked(missing)
    assert await look_at(spec("{tool}", "-m", "ipykernel")) == Looked(None)


@posix
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("exit 0", ""),
        ("echo first >&2; echo ModuleNotFoundError: it >&2; exit 1", "ModuleNotFoundError: it"),
        ("exit 5", "exit code 5"),
    ],
)
async def test_an_interpreter_is_asked_to_import(body: str, error: str, tmp_path: Path) -> None:
    """And the last thing that it says is the reason."""
    interpreter = python(tmp_path, body)
    looked = await look_at(spec(interpreter, "-m", "ipykernel_launcher"))
    assert looked == Looked(program(interpreter), import_error=error)


@posix
async def test_an_interpreter_that_cannot_start_is_told(tmp_path: Path) -> None:
    """As of another machine's architecture."""
    interpreter = tmp_path / "python"
    interpreter.write_bytes(b"\x7fELF")
    interpreter.chmod(0o755)
    looked = await look_at(spec(str(interpreter), "-m", "ipykernel_launcher"))
    assert looked.import_error.startswith("it cannot be started")


async def test_all_are_looked_at_in_order() -> None:
    """However long each takes."""
    specs = [spec(sys.executable), spec("/no/such/program")]
    assert [one for one, _ in await look_at_all(specs)] == specs
