"""The kernels inside of an environment."""

import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.contents import InnerKernel, kernels_inside
from jupyter_kernel_mgmt.providers.environments.disk import Disk
from jupyter_kernel_mgmt.providers.environments.environment import Environment
from jupyter_kernel_mgmt.subproc.ipykernel import START_IPYKERNEL

from ._environments import VERSION, conda, environment, kernelspec, program, python, venv, write

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def inside(one: Environment) -> list[InnerKernel]:
    return list(kernels_inside(one, Disk()))


def of_venv(prefix: Path) -> Environment:
    return environment(prefix, python=VERSION)


def test_ipykernel_is_a_kernel_without_a_kernelspec(tmp_path: Path) -> None:
    """Started by the environment's own interpreter, and reached as that version can be."""
    [kernel] = inside(of_venv(venv(tmp_path, ipykernel="7.1.0")))

    assert (kernel.name, kernel.title, kernel.language) == ("python3", "Python 3.11", "python")
    assert kernel.version == VERSION
    assert kernel.argv == (str(tmp_path / "bin" / "python"), START_IPYKERNEL, "-f", "{connection_file}")
    assert kernel.metadata["supported_encryption"] == ["curve"]
    assert kernel.obstacle == ""
    assert kernel.resources == ()


def test_an_old_ipykernel_cannot_encrypt(tmp_path: Path) -> None:
    """So nothing says that it could."""
    [kernel] = inside(of_venv(venv(tmp_path, ipykernel="6.29.5")))

    assert "supported_encryption" not in kernel.metadata


def test_its_kernelspec_is_that_kernel(tmp_path: Path) -> None:
    """With its files; "python" is the interpreter of the environment."""
    venv(tmp_path, ipykernel="7.1.0")
    spec = kernelspec(tmp_path, "python3", IPYKERNEL, language="python", metadata={"debugger": True})
    write(spec / "logo-64x64.png")
    [kernel] = inside(of_venv(tmp_path))

    assert (kernel.title, kernel.metadata, kernel.directory) == ("Python 3.11", {"debugger": True}, spec)
    assert kernel.resources == ("logo-64x64.png",)
    assert kernel.argv == (str(tmp_path / "bin" / "python"), *IPYKERNEL[1:])
    assert kernel.obstacle == ""


def test_a_python_without_ipykernel_is_shown_with_what_to_install(tmp_path: Path) -> None:
    """A kernelspec that was left behind changes nothing about that."""
    venv(tmp_path)
    [without] = inside(of_venv(tmp_path))
    kernelspec(tmp_path, "python3", IPYKERNEL, language="python")
    [left] = inside(of_venv(tmp_path))

    command = f"{tmp_path / 'bin' / 'python'} -m pip install ipykernel"
    assert without.obstacle == left.obstacle == f"ipykernel is not installed in it; to install it: {command}"


def test_packages_that_it_only_sees_count(tmp_path: Path) -> None:
    """Those of what it was made with, and those that a path file adds."""
    python(tmp_path / "base", ipykernel="7.0.0")
    seeing = environment(venv(tmp_path / "a"), python=VERSION, base=tmp_path / "base")
    adding = of_venv(venv(tmp_path / "b"))
    shared = tmp_path / "base" / "lib" / "python3.11" / "site-packages"
    write(tmp_path / "b" / "lib" / "python3.11" / "site-packages" / "base.pth", f"{shared}\n")

    assert [kernel.obstacle for kernel in (*inside(seeing), *inside(adding))] == ["", ""]


def test_another_kernel_of_python_is_enough(tmp_path: Path) -> None:
    """Nobody has to be told of ipykernel then."""
    venv(tmp_path)
    python_itself = str(tmp_path / "bin" / "python3.11")
    program(tmp_path / "bin" / "python3.11")
    kernelspec(tmp_path, "xpython", [python_itself, "-m", "xpython_launcher"], language="python")
    [kernel] = inside(of_venv(tmp_path))

    assert (kernel.name, kernel.title, kernel.version) == ("xpython", "Xpython", VERSION)
    assert kernel.obstacle == ""


def test_ipykernel_beside_another_kernel_of_python_is_one_too(tmp_path: Path) -> None:
    """Once: under the name that a kernelspec gives it, where one does."""
    venv(tmp_path, ipykernel="7.1.0")
    kernelspec(tmp_path, "xpython", ["python", "-m", "xpython_launcher"], language="python")
    assert [kernel.name for kernel in inside(of_venv(tmp_path))] == ["xpython", "python3"]

    kernelspec(tmp_path, "mine", IPYKERNEL, language="python")
    assert [kernel.name for kernel in inside(of_venv(tmp_path))] == ["mine", "xpython"]


def test_kernels_of_any_language_are_found_by_their_kernelspecs(tmp_path: Path) -> None:
    """Their programs are looked up in the environment first."""
    conda(tmp_path)
    julia = program(tmp_path / "bin" / "julia")
    kernelspec(tmp_path, "julia-1.10", ["julia", "kernel.jl"], language="julia", interrupt_mode="message")
    kernelspec(tmp_path, "shell", ["sh", "-c", "x"])
    first, second = inside(environment(tmp_path, "conda"))

    assert (first.name, first.language, first.argv) == ("julia-1.10", "julia", (str(julia), "kernel.jl"))
    assert (first.interrupt_mode, first.version, first.obstacle) == ("message", "", "")
    assert (second.argv, second.obstacle) == (("sh", "-c", "x"), "")


def test_r_is_a_kernel_where_irkernel_is_installed(tmp_path: Path) -> None:
    """And is shown with what to install where it is not."""
    conda(tmp_path, "r-base-4.3.1-h_2")
    program(tmp_path / "bin" / "R")
    one = environment(tmp_path, "conda")
    [without] = inside(one)
    write(tmp_path / "lib" / "R" / "library" / "IRkernel" / "DESCRIPTION")
    [kernel] = inside(one)

    assert without.obstacle.endswith(f"conda install -p {tmp_path} r-irkernel")
    assert (kernel.name, kernel.title, kernel.language, kernel.version) == ("ir", "R 4.3", "R", "4.3.1")
    assert kernel.argv[0] == str(tmp_path / "bin" / "R")
    assert kernel.obstacle == ""


def test_a_kernelspec_of_r_stands_for_it(tmp_path: Path) -> None:
    """It is listed once, with its version."""
    conda(tmp_path, "r-base-4.3.1-h_2")
    program(tmp_path / "bin" / "R")
    kernelspec(tmp_path, "ir", ["R", "--slave"], language="R")
    [kernel] = inside(environment(tmp_path, "conda"))

    assert (kernel.version, kernel.argv) == ("4.3.1", (str(tmp_path / "bin" / "R"), "--slave"))


def test_a_prefix_without_interpreters_has_no_kernels(tmp_path: Path) -> None:
    """conda has them for all kinds of programs."""
    assert inside(environment(conda(tmp_path, "zlib-1.3-h_0"), "conda")) == []


@pytest.mark.parametrize("spec", [False, True])
@pytest.mark.parametrize("how", ["dangling", "missing", "not executable"])
def test_an_interpreter_that_is_gone_is_an_obstacle(tmp_path: Path, how: str, spec: bool) -> None:
    """Never another interpreter in its place, least of all ours."""
    venv(tmp_path, ipykernel="7.1.0")
    interpreter = tmp_path / "bin" / "python"
    if how == "not executable":
        interpreter.chmod(0o644)
    else:
        interpreter.unlink()
    if how == "dangling":
        interpreter.symlink_to("/gone/python3.11")
    if spec:
        kernelspec(tmp_path, "python3", IPYKERNEL, language="python")
    [kernel] = inside(of_venv(tmp_path))

    assert kernel.obstacle.startswith("its interpreter")
    assert kernel.obstacle.endswith("make the environment anew")
    assert kernel.argv[0] == str(interpreter) != sys.executable


def test_a_kernelspec_whose_program_is_gone_is_an_obstacle(tmp_path: Path) -> None:
    """Which names the file."""
    conda(tmp_path)
    spec = kernelspec(tmp_path, "x", ["/gone/x"])
    kernelspec(tmp_path, "y", ["python", "-m", "y"])
    x, y = inside(environment(tmp_path, "conda"))

    assert f"its kernelspec {spec / 'kernel.json'} names /gone/x, which cannot be executed" in x.obstacle
    assert f"names {tmp_path / 'bin' / 'python'}, which" in y.obstacle


def test_a_foreign_provisioner_is_an_obstacle(tmp_path: Path) -> None:
    """Its kernel is meant to run elsewhere; the local one is what is done anyway."""
    venv(tmp_path, ipykernel="7.1.0")
    for name, provisioner in (("far", "yarn-provisioner"), ("near", "local-provisioner")):
        metadata = {"kernel_provisioner": {"provisioner_name": provisioner}}
        kernelspec(tmp_path, name, IPYKERNEL, language="python", metadata=metadata)
    far, near = inside(of_venv(tmp_path))

    assert "jupyter_client alone" in far.obstacle
    assert near.obstacle == ""


def test_a_bad_kernelspec_is_told_and_hides_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The kernel that needs none is there, and is the only one of its name."""
    venv(tmp_path, ipykernel="7.1.0")
    kernelspec(tmp_path, "python3", [])
    [kernel] = inside(of_venv(tmp_path))

    assert (kernel.name, kernel.obstacle) == ("python3", "")
    assert "argv must be a list" in caplog.text


def test_a_bad_kernelspec_is_found_with_what_is_wrong(tmp_path: Path) -> None:
    """So that it can be shown among the others, which it does not hide."""
    venv(tmp_path, ipykernel="7.1.0")
    directory = kernelspec(tmp_path, "Odd", [])
    kernel, bad = inside(of_venv(tmp_path))

    assert kernel.name == "python3"
    assert (bad.name, bad.title, bad.language, bad.argv) == ("odd", "odd", "", ())
    assert bad.obstacle.startswith(f"{directory / 'kernel.json'}: argv must be a list")


@pytest.mark.skipif(sys.platform == "win32", reason="of links and pipes")
def test_what_is_no_kernel_json_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe is none, as elsewhere; a link that leads nowhere is a bad one."""
    venv(tmp_path, ipykernel="7.1.0")
    for name in ("piped", "odd"):
        (kernelspec(tmp_path, name, []) / "kernel.json").unlink()
    os.mkfifo(tmp_path / "share" / "jupyter" / "kernels" / "piped" / "kernel.json")
    (tmp_path / "share" / "jupyter" / "kernels" / "odd" / "kernel.json").symlink_to("kernel.json")

    assert [kernel.name for kernel in inside(of_venv(tmp_path))] == ["python3", "odd"]


def test_the_search_looks_at_what_would_change_its_answer(tmp_path: Path) -> None:
    """Packages, kernelspecs and interpreters, there or not."""
    venv(tmp_path)
    disk = Disk()
    list(kernels_inside(of_venv(tmp_path), disk))

    paths = ("lib/python3.11/site-packages", "share/jupyter/kernels", "bin/python")
    assert {tmp_path / path for path in paths} <= disk.looked


def test_kernelspecs_that_differ_in_case_alone_are_one(tmp_path: Path) -> None:
    """Names of kernel types have no case; the first counts."""
    venv(tmp_path, ipykernel="7.1.0")
    kernelspec(tmp_path, "Python3", IPYKERNEL, language="python")
    kernelspec(tmp_path, "python3", IPYKERNEL, language="python")
    [kernel] = inside(of_venv(tmp_path))

    assert kernel.directory == tmp_path / "share" / "jupyter" / "kernels" / "Python3"


def test_a_program_that_is_in_no_environment_may_come_to_be_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing stands in the way any more, which has to be seen."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    kernelspec(venv(tmp_path / "env"), "bash", ["bash-kernel", "{connection_file}"])
    disk = Disk()

    bash, _ = kernels_inside(of_venv(tmp_path / "env"), disk)

    assert "names bash-kernel, which cannot be executed" in bash.obstacle
    assert {tmp_path / "a" / "bash-kernel", tmp_path / "b" / "bash-kernel"} <= disk.looked
    program(tmp_path / "b" / "bash-kernel")
    assert inside(of_venv(tmp_path / "env"))[0].obstacle == ""
