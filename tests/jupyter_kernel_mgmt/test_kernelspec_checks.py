"""What is wrong with kernelspecs, in words."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt.kernelspec import BadKernelSpec, KernelSpec
from jupyter_kernel_mgmt.kernelspec.checks import (
    Program,
    check_kernelspec,
    find_program,
    problems_of,
    program_name,
    provisioner_obstacle,
)

HERE = Path("/kernels/x")


def spec(*argv: str, language: str = "x", directory: Path = HERE, **more: Any) -> KernelSpec:
    command = argv or (sys.executable, "{connection_file}")
    return KernelSpec("x", directory, command, "X", language, **more)


def test_a_kernelspec_in_order_has_no_problems() -> None:
    """Its program is there, and all it needs is said."""
    assert check_kernelspec(spec(protocol_version="5.5")) == []


def test_a_file_that_cannot_be_used_is_a_problem() -> None:
    """In the words of whoever read it."""
    (problem,) = check_kernelspec(BadKernelSpec("k.json is not JSON"))
    assert (problem.severity, problem.text) == ("error", "k.json is not JSON")


@pytest.mark.parametrize(
    ("checked", "severity", "text"),
    [
        (spec("/no/such/program", "{connection_file}"), "error", "'/no/such/program' does not exist"),
        (spec(sys.executable, "-m", "x"), "error", "no place for {connection_file}"),
        (
            spec(sys.executable, "-m", "IPython.kernel", "-f", "{connection_file}"),
            "error",
            "IPython.kernel is gone",
        ),
        (spec(protocol_version="5.x"), "warning", "kernel_protocol_version must be"),
        (spec(language=""), "warning", "names no language"),
        (
            spec("/no", metadata={"kernel_provisioner": {"provisioner_name": "y"}}),
            "info",
            "'y'",
        ),
    ],
)
def test_each_problem_is_told(checked: KernelSpec, severity: str, text: str) -> None:
    """And no other. What runs elsewhere has its program there, and its own way to be told."""
    (problem,) = check_kernelspec(checked)
    assert problem.severity == severity
    assert text in problem.text


def test_a_file_that_is_not_executable_is_no_program() -> None:
    """What to do says which file."""
    program = Program("run", Path("/bin/run"), executable=False)
    (problem,) = problems_of(spec(), program)
    assert "not executable" in problem.text
    assert problem.todo == f"chmod +x {Path('/bin/run')}"


@pytest.mark.parametrize(
    ("provisioner", "named"),
    [
        (None, ""),
        ({"provisioner_name": "local-provisioner"}, ""),
        ({"provisioner_name": "yarn", "config": {}}, "the kernel_provisioner 'yarn', "),
        ({}, "{} to provision it"),
        ("text", "'text' to provision it"),
        ({"provisioner_name": 3}, "to provision it"),
    ],
)
def test_a_provisioner_that_only_jupyter_client_has_is_an_obstacle(provisioner: Any, named: str) -> None:
    """With its name, and what to do; the local one does what we do."""
    obstacle = provisioner_obstacle(spec(metadata={"kernel_provisioner": provisioner}))
    assert bool(obstacle) is bool(named)
    assert named in obstacle
    if named:
        assert "jupyter_client alone" in obstacle
        assert str(HERE / "kernel.json") in obstacle


def test_places_in_a_programs_name_are_filled_in() -> None:
    """As when it is launched."""
    assert program_name(spec("{resource_dir}/run")) == f"{HERE}/run"
    owned = spec("{prefix}/run", directory=Path("/env/share/jupyter/kernels/x"))
    assert program_name(owned) == f"{Path('/env')}/run"


def test_a_program_that_depends_on_launch_parameters_is_not_looked_for() -> None:
    """So nothing is wrong with it."""
    assert find_program(spec("{tool}/run")) is None
    assert check_kernelspec(spec("{tool}/run", "{connection_file}")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="of permissions")
def test_a_program_is_looked_for_on_the_kernels_path_and_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environment may change the path."""
    run = tmp_path / "bin" / "run"
    run.parent.mkdir()
    run.touch(0o755)
    monkeypatch.setenv("BASE", str(tmp_path))
    found = Program("run", run, executable=True)

    assert find_program(spec("run")) == Program("run", None, executable=False)
    assert find_program(spec("run", env={"PATH": "${BASE}/bin:${PATH}"})) == found
    assert find_program(spec(str(run))) == Program(str(run), run, executable=True)

    plain = tmp_path / "plain"
    plain.touch(0o644)
    if not os.access(plain, os.X_OK):
        assert find_program(spec(str(plain))) == Program(str(plain), plain, executable=False)
