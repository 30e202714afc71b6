"""Where things are inside of a prefix: interpreters, packages, kernelspecs. Plain questions to the disk."""

import os
import re
import sys
from pathlib import Path

from .disk import Disk

_PYTHON_DIRECTORY = re.compile(r"(python|pypy)(?P<version>\d+\.\d+)t?")


def script_directories(prefix: Path, *, conda: bool, platform: str = sys.platform) -> list[Path]:
    """What activating puts in front of PATH, in this order."""
    if platform != "win32":
        return [prefix / "bin"]
    if not conda:
        return [prefix / "Scripts"]
    library = prefix / "Library"
    return [
        prefix,
        library / "mingw-w64" / "bin",
        library / "usr" / "bin",
        library / "bin",
        prefix / "Scripts",
    ]


def executable(prefix: Path, names: tuple[str, ...], disk: Disk, *, conda: bool) -> Path | None:
    """The first of these programs that has a place there, also one that is a link to nothing."""
    suffix = ".exe" if sys.platform == "win32" else ""
    for directory in script_directories(prefix, conda=conda):
        for name in names:
            path = directory / f"{name}{suffix}"
            if os.path.lexists(path):
                disk.looked.add(path)
                if not os.path.exists(path):  # noqa: PTH110 - as below
                    disk.looked.add(directory)  # that the link is gone, only this tells
                return path
            disk.looked.add(directory)  # where it may come to be
    return None


def what_is_wrong(program: Path, disk: Disk) -> str:
    """Why a program cannot be run; empty if it can, as far as its file tells."""
    disk.looked.add(program)
    if os.path.exists(program):  # noqa: PTH110 - pathlib's raises where a directory may not be read
        if os.path.isfile(program) and os.access(program, os.X_OK):  # noqa: PTH113
            return ""
        return f"its interpreter {program} may not be executed"
    if not os.path.lexists(program):
        return f"its interpreter {program} is gone"
    target = os.path.realpath(program)
    return f"its interpreter is gone: {program} leads to {target}, which is not there"


def site_packages(prefix: Path, version: str, disk: Disk) -> list[Path]:
    """The directories of packages of a Python: of that version, or of whichever there is."""
    if sys.platform == "win32":
        return [prefix / "Lib" / "site-packages"]
    usual = prefix / "lib" / f"python{'.'.join(version.split('.')[:2])}" / "site-packages"
    if version and disk.names(usual):
        return [usual]
    matches = [m for m in map(_PYTHON_DIRECTORY.fullmatch, disk.names(prefix / "lib")) if m is not None]
    fitting = [m for m in matches if version == m["version"] or version.startswith(m["version"] + ".")]
    return [prefix / "lib" / m[0] / "site-packages" for m in fitting or matches]


def shared_packages(base: Path, version: str, disk: Disk) -> list[Path]:
    """Those of an installation that others may see, Debian's directories included."""
    short = ".".join(version.split(".")[:2])
    debian = [
        base / "local" / "lib" / f"python{short}" / "dist-packages",
        base / "lib" / "python3" / "dist-packages",
    ]
    return [*site_packages(base, version, disk), *(debian if sys.platform != "win32" else [])]


def with_path_files(directories: list[Path], disk: Disk) -> list[Path]:
    """These directories, and those that their ``.pth`` files add; lines that are code add nothing here."""
    found = list(directories)
    for directory in directories:
        for name in disk.names(directory):
            if name.endswith(".pth"):
                for line in disk.text(directory / name).splitlines():
                    if line.strip() and not line.startswith(("#", "import ", "import\t")):
                        found.append(directory / line.strip())
    return found


def package_version(directories: list[Path], package: str, disk: Disk) -> str | None:
    """The version of a Python package; empty where it is there and tells none, None where it is not."""
    for directory in directories:
        for name in disk.names(directory):
            if name.startswith(f"{package}-") and name.endswith((".dist-info", ".egg-info")):
                return name.removeprefix(f"{package}-").rpartition(".")[0]
    modules = (directory / package / "__init__.py" for directory in directories)
    return "" if any(package in disk.names(m.parent.parent) and disk.exists(m) for m in modules) else None


def version_of_directories(prefix: Path, disk: Disk) -> str:
    """``3.11``, from the name of Python's directory; empty where there is none, or more than one."""
    names = [] if sys.platform == "win32" else disk.names(prefix / "lib")
    found = {match["version"] for match in map(_PYTHON_DIRECTORY.fullmatch, names) if match is not None}
    return found.pop() if len(found) == 1 else ""
