import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.cli.spec_checks import (
    Looked,
    check_bad,
    check_spec,
    look_at,
    look_at_all,
    program_of,
    wants_ipykernel,
)
from jupyter_kernel_mgmt.kernelspec import BadKernelSpec, KernelSpec

posix = pytest.mark.skipif(sys.platform == "win32", reason="of permissions")


def spec(*argv: str, directory: Path = Path("/kernels/x")) -> KernelSpec:
    return KernelSpec("x", directory, argv, "X", "x")


def python(tmp_path: Path, body: str) -> str:
    """An interpreter that does nothing but this."""
    file = tmp_path / "interpreter"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return str(file)


def test_a_kernelspec_in_order_has_no_findings() -> None:
    """Its program is there."""
    assert check_spec(spec("/bin/x"), Looked(Path("/bin/x"), executable=True)) == []


@pytest.mark.parametrize(
    ("looked", "what", "todo"),
    [
        (Looked(None), "does not exist", "jupyter kernelspec remove x"),
        (Looked(Path("/bin/x")), "is not executable", "chmod +x /bin/x"),
        (Looked(Path("/bin/x"), True, "No module"), "cannot import ipykernel: No module", "pip install"),
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


def test_places_in_a_programs_name_are_filled_in() -> None:
    """As when it is launched."""
    assert program_of(spec("{resource_dir}/run")) == f"{Path('/kernels/x')}/run"


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


async def test_a_program_is_looked_for_on_the_path_and_as_a_file() -> None:
    """With what can be seen of it."""
    assert await look_at(spec(sys.executable)) == Looked(Path(sys.executable), executable=True)
    assert await look_at(spec("no-such-program-anywhere")) == Looked(None)
    assert await look_at(spec("/no/such/program")) == Looked(None)


@posix
async def test_a_file_that_is_not_executable_is_no_program(tmp_path: Path) -> None:
    """It is seen all the same."""
    file = tmp_path / "run"
    file.touch()
    if os.access(file, os.X_OK):
        pytest.skip("everything is executable here")
    assert await look_at(spec(str(file))) == Looked(file)


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
    program = python(tmp_path, body)
    looked = await look_at(spec(program, "-m", "ipykernel_launcher"))
    assert looked == Looked(Path(program), executable=True, import_error=error)


@posix
async def test_an_interpreter_that_cannot_start_is_told(tmp_path: Path) -> None:
    """As of another machine's architecture."""
    program = tmp_path / "python"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    looked = await look_at(spec(str(program), "-m", "ipykernel_launcher"))
    assert looked.import_error.startswith("it cannot be started")


async def test_all_are_looked_at_in_order() -> None:
    """However long each takes."""
    specs = [spec(sys.executable), spec("/no/such/program")]
    assert [one for one, _ in await look_at_all(specs)] == specs
