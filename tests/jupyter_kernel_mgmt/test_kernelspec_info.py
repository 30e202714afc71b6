"""What finders tell of kernelspecs before a launch, and their resources."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt.kernelspec import BadKernelSpec, KernelSpec
from jupyter_kernel_mgmt.kernelspec.info import (
    environment_of,
    info_of,
    language_version,
    read_resource,
    resource_names,
)


def spec(
    *argv: str, language: str = "Python", directory: Path = Path("/kernels/x"), **more: Any
) -> KernelSpec:
    return KernelSpec("x", directory, argv or ("run",), "X", language, **more)


def interpreter(prefix: Path, config: str = "") -> str:
    """A virtual environment's, as far as can be seen without starting it."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text(config)
    file = prefix / "bin" / "python"
    file.touch()
    return str(file)


def test_everything_known_is_told(tmp_path: Path) -> None:
    """The obstacle is that of the provisioner."""
    (tmp_path / "logo.png").touch()
    metadata = {"kernel_provisioner": {"provisioner_name": "yarn"}, "language_version": "9"}
    info = info_of(spec("run", "x", directory=tmp_path, metadata=metadata))

    assert (info.display_name, info.language, info.argv) == ("X", "Python", ("run", "x"))
    assert (info.metadata, info.language_version, info.prefix) == (metadata, "9", "")
    assert info.resources == ("logo.png",)
    assert "'yarn'" in info.obstacle


def test_of_a_bad_one_its_name_and_what_is_wrong_are_told() -> None:
    """So that it can be shown among the others."""
    info = info_of(BadKernelSpec("it is no JSON", directory=Path("/kernels/Bad")))
    assert (info.display_name, info.language, info.obstacle) == ("bad", "", "it is no JSON")


def test_one_without_a_name_to_show_has_its_own() -> None:
    """Users choose by it."""
    assert info_of(KernelSpec("x", Path("/kernels/x"), ("run",), "", "")).display_name == "x"


def test_the_environment_is_that_of_the_interpreter_or_of_the_owner(tmp_path: Path) -> None:
    """A bare python is the owner's or ours."""
    owned = tmp_path / "share" / "jupyter" / "kernels" / "x"
    assert environment_of(spec("python", directory=owned)) == Path(sys.executable).parent.parent
    assert environment_of(spec(interpreter(tmp_path), directory=Path("/kernels/x"))) == tmp_path
    assert environment_of(spec("python", directory=owned)) == tmp_path
    assert environment_of(spec("R", directory=owned)) == tmp_path
    assert environment_of(spec("R")) is None


@pytest.mark.parametrize(
    ("config", "version"),
    [
        ("home = /x\nversion = 3.12.4\n", "3.12"),
        ("version_info = 3.9.1.final.0\nuv = 0.5\n", "3.9"),
        ("uv-version = 7.1\n", ""),
        ("", ""),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="of the paths")
def test_the_version_of_a_virtual_environment_is_read_from_its_file(
    tmp_path: Path, config: str, version: str
) -> None:
    """Without the number that changes under it."""
    python = spec(interpreter(tmp_path, config))
    assert language_version(python, environment_of(python)) == version


def test_the_version_is_told_where_it_is_cheap() -> None:
    """Ours, or what the metadata say; never of another language."""
    ours = spec(sys.executable)
    assert language_version(ours, environment_of(ours)) == platform.python_version()
    assert language_version(spec("/env/bin/python"), Path("/env")) == ""
    bash = spec(sys.executable, "-m", "bash_kernel", language="bash")
    assert language_version(bash, environment_of(bash)) == ""
    assert language_version(spec("R", language="R"), None) == ""
    assert language_version(spec("R", metadata={"language_version": "4.4"}), None) == "4.4"
    assert language_version(spec("R", metadata={"language_version": 4}), None) == ""


def test_an_interpreter_that_no_file_can_be_has_no_version() -> None:
    """One such kernelspec must not hide all the others."""
    info = info_of(spec("/no\0path/bin/python", language="python"))

    assert (info.language_version, info.prefix) == ("", "/no\0path")


def test_resources_are_plain_files_in_the_directory_itself(tmp_path: Path) -> None:
    """In order, without kernel.json; nothing where there is no directory."""
    for name in ("kernel.json", "logo-64x64.png", "kernel.js"):
        (tmp_path / name).write_text(name)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "file").touch()

    assert resource_names(tmp_path) == ("kernel.js", "logo-64x64.png")
    assert read_resource(tmp_path, "kernel.js") == b"kernel.js"
    assert resource_names(tmp_path / "missing") == ()


@pytest.mark.skipif(sys.platform == "win32", reason="of links and pipes")
def test_links_and_pipes_are_no_resources(tmp_path: Path) -> None:
    """They may lead anywhere, or never end."""
    secret = tmp_path / "secret"
    secret.write_text("key")
    directory = tmp_path / "x"
    directory.mkdir()
    (directory / "logo.png").symlink_to(secret)
    os.mkfifo(directory / "pipe")

    assert resource_names(directory) == ()
    for name in ("logo.png", "pipe", "../secret", "LOGO.png"):
        with pytest.raises(FileNotFoundError):
            read_resource(directory, name)


@pytest.mark.skipif(sys.platform == "win32", reason="of pipes")
def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    """No version is told then."""
    os.mkfifo(tmp_path / "pyvenv.cfg")

    assert language_version(spec(str(tmp_path / "bin" / "python")), tmp_path) == ""
