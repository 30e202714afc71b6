"""Where kernelspecs and interpreters lie on Linux, macOS and Windows, whatever this machine is."""

import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from jupyter_core.paths import jupyter_path

from jupyter_kernel_mgmt.kernelspec.places import (
    Roots,
    administrator,
    interpreters,
    jupyter_roots,
    kernels_directory,
    owner,
    prefix_of,
    stands_for,
    wrong_with_name,
)

LINUX = Roots(PurePosixPath("/home/ada/.local/share/jupyter"), PurePosixPath("/usr/local/share/jupyter"))
MACOS = Roots(PurePosixPath("/Users/ada/Library/Jupyter"), PurePosixPath("/usr/local/share/jupyter"))
WINDOWS = Roots(
    PureWindowsPath(r"C:\Users\ada\AppData\Roaming\jupyter"), PureWindowsPath(r"C:\ProgramData\jupyter")
)


@pytest.mark.parametrize(
    ("roots", "prefix", "user", "into", "system"),
    [
        (
            LINUX,
            PurePosixPath("/opt/env"),
            "/home/ada/.local/share/jupyter/kernels",
            "/opt/env/share/jupyter/kernels",
            "/usr/local/share/jupyter/kernels",
        ),
        (
            MACOS,
            PurePosixPath("/opt/env"),
            "/Users/ada/Library/Jupyter/kernels",
            "/opt/env/share/jupyter/kernels",
            "/usr/local/share/jupyter/kernels",
        ),
        (
            WINDOWS,
            PureWindowsPath(r"D:\env"),
            r"C:\Users\ada\AppData\Roaming\jupyter\kernels",
            r"D:\env\share\jupyter\kernels",
            r"C:\ProgramData\jupyter\kernels",
        ),
    ],
    ids=["linux", "macos", "windows"],
)
def test_each_destination_is_where_jupyter_looks(
    roots: Roots[PurePath], prefix: PurePath, user: str, into: str, system: str
) -> None:
    """For a user, a prefix, or all users."""
    assert str(kernels_directory(roots, user=True)) == user
    assert str(kernels_directory(roots, prefix=prefix)) == into
    assert str(kernels_directory(roots)) == system
    with pytest.raises(ValueError, match="not both"):
        kernels_directory(roots, user=True, prefix=prefix)


@pytest.mark.parametrize(
    ("platform", "variable", "user"),
    [
        ("linux", ("XDG_DATA_HOME", "/data"), "/data/jupyter"),
        ("darwin", ("HOME", "/Users/ada"), "/Users/ada/Library/Jupyter"),
        ("win32", ("APPDATA", "/AppData"), "/AppData/jupyter"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="of the paths")
def test_a_users_directory_is_the_one_of_the_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: tuple[str, str], user: str
) -> None:
    """By jupyter_core's rules, and always on its search path."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_PLATFORM_DIRS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(*variable)
    monkeypatch.setattr(sys, "platform", platform)

    roots = jupyter_roots()
    assert roots.user == Path(user)
    assert {str(roots.user), str(roots.system)} <= {*jupyter_path()}


def test_a_data_directory_that_is_named_is_the_users(jupyter_home: Path) -> None:
    """As everywhere in Jupyter."""
    assert jupyter_roots().user == jupyter_home / "data"


@pytest.mark.parametrize(
    ("directory", "prefix"),
    [
        (PurePosixPath("/env/share/jupyter/kernels/x"), PurePosixPath("/env")),
        (PureWindowsPath(r"C:\env\share\jupyter\kernels\x"), PureWindowsPath(r"C:\env")),
        (PurePosixPath("/Users/ada/Library/Jupyter/kernels/x"), None),
        (PureWindowsPath(r"C:\Users\ada\AppData\Roaming\jupyter\kernels\x"), None),
        (PurePosixPath("/home/ada/.local/share/jupyter/kernels/x"), None),
        (PurePosixPath("/x"), None),
    ],
)
def test_a_prefix_owns_what_lies_in_its_share(directory: PurePath, prefix: PurePath | None) -> None:
    """A user's base directory is no prefix, though it looks like one."""
    assert owner(directory, PurePosixPath("/home/ada/.local")) == prefix


def test_an_interpreter_lies_where_its_system_puts_it() -> None:
    """On Windows in the prefix itself, or in a virtual environment's Scripts."""
    linux = interpreters(PurePosixPath("/env"), "python3", "linux")
    assert [str(path) for path in linux] == ["/env/bin/python3", "/env/bin/python"]
    assert interpreters(PurePosixPath("/env"), "python", "darwin") == [PurePosixPath("/env/bin/python")]
    windows = interpreters(PureWindowsPath(r"C:\env"), "python3", "win32")
    assert [str(path) for path in windows[:2]] == [r"C:\env\python.exe", r"C:\env\Scripts\python.exe"]


@pytest.mark.parametrize(
    ("interpreter", "prefix"),
    [
        (PurePosixPath("/env/bin/python3.11"), PurePosixPath("/env")),
        (PureWindowsPath(r"C:\env\python.exe"), PureWindowsPath(r"C:\env")),
        (PureWindowsPath(r"C:\env\Scripts\Python.exe"), PureWindowsPath(r"C:\env")),
        (PurePosixPath("python3"), None),
        (PurePosixPath("/usr/bin/R"), None),
    ],
)
def test_the_prefix_of_an_interpreter_is_told_by_its_path(
    interpreter: PurePath, prefix: PurePath | None
) -> None:
    """Other programs have none."""
    assert prefix_of(interpreter) == prefix


@pytest.mark.parametrize(
    ("name", "expected"),
    [("python", True), ("python3", True), ("python3.11", True), ("python3.1", False), ("python2", False)],
)
def test_a_pythons_name_may_ask_for_a_version(name: str, expected: bool) -> None:
    """As much of it as it says."""
    assert stands_for(name, (3, 11)) is expected


@pytest.mark.parametrize(
    ("name", "platform", "wrong"),
    [
        ("my.Kernel-1_x", "linux", ""),
        ("my.Kernel-1_x", "win32", ""),
        ("console", "win32", ""),
        ("con", "linux", ""),
        ("con", "win32", "Windows has no files"),
        ("NUL.x", "win32", "Windows has no files"),
        ("x.", "win32", "Windows has no files"),
        ("", "linux", "is made of"),
        ("a/b", "linux", "is made of"),
        ("a b", "darwin", "is made of"),
        ("ü", "linux", "is made of"),
        ("..", "linux", "names a directory"),
        (".", "win32", "names a directory"),
    ],
)
def test_a_name_that_cannot_be_is_told_why(name: str, platform: str, wrong: str) -> None:
    """By each system's rules."""
    assert wrong in wrong_with_name(name, platform)
    assert bool(wrong_with_name(name, platform)) is bool(wrong)


def test_who_may_write_everywhere_is_called_as_the_system_does() -> None:
    """For messages."""
    assert administrator("win32") == "an administrator"
    assert administrator("linux") == administrator("darwin") == "root"
