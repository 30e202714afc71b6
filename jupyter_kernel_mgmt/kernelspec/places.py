"""Where kernelspecs and their interpreters lie, on Linux, macOS and Windows. Plain functions.

``platform`` is what `sys.platform` is there. Which directories are Jupyter's is jupyter_core's to say: its
rules differ by version, and what it does not look at nobody would find.

Source: Jupyter's directories, "Data files"; How kernels work, "Kernel specs".
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Generic, TypeVar

from jupyter_core import paths

P = TypeVar("P", bound=PurePath)
"""A path, which is a pure one of another system where that system is asked about."""

KERNEL_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE | re.ASCII)
PYTHON = re.compile(r"python(\d+(\.\d+)?)?")

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Roots(Generic[P]):
    """Jupyter's data directories: of this user, and of all users of this machine."""

    user: P
    system: P


def jupyter_roots() -> Roots[Path]:
    """Those of this process."""
    return Roots(Path(paths.jupyter_data_dir()), Path(paths.SYSTEM_JUPYTER_PATH[0]))


def kernels_directory(roots: Roots[P], *, user: bool = False, prefix: P | None = None) -> P:
    """Where a kernelspec is installed: for this user, into a prefix, or else for all users.

    Raises `ValueError` for a user's prefix, which there is not.
    """
    if user and prefix is not None:
        raise ValueError("a kernelspec is installed for a user or into a prefix, not both")
    if prefix is not None:
        return prefix / "share" / "jupyter" / "kernels"
    return (roots.user if user else roots.system) / "kernels"


def owner(directory: P, user_base: P) -> P | None:
    """The prefix that owns the kernelspec in a directory, if any.

    A user's base directory owns none: what is in its ``bin`` has nothing to do with ``share``.
    """
    if [parent.name for parent in directory.parents[:3]] != ["kernels", "jupyter", "share"]:
        return None
    prefix = directory.parents[3]
    return None if prefix == user_base else prefix


def interpreters(prefix: P, name: str, platform: str) -> list[P]:
    """Where the interpreter of a prefix may lie that is called ``name``, the likeliest first."""
    if platform == "win32":
        return [prefix / "python.exe", prefix / "Scripts" / "python.exe", prefix / "bin" / "python.exe"]
    return list(dict.fromkeys((prefix / "bin" / name, prefix / "bin" / "python")))


def prefix_of(interpreter: P) -> P | None:
    """The prefix that an interpreter belongs to, by its path; None for a bare name or another program."""
    if not interpreter.is_absolute() or not PYTHON.fullmatch(interpreter.name.lower().removesuffix(".exe")):
        return None
    directory = interpreter.parent
    return directory.parent if directory.name.lower() in ("bin", "scripts") else directory


def stands_for(name: str, version: tuple[int, int]) -> bool:
    """Whether ``python3`` or the like means an interpreter of that version."""
    major, minor = version
    return name in ("python", f"python{major}", f"python{major}.{minor}")


def wrong_with_name(name: str, platform: str) -> str:
    """Why no kernelspec can be installed by that name; empty where one can."""
    if not KERNEL_NAME.fullmatch(name):
        return "a kernelspec's name is made of the letters a to z, digits, '.', '_' and '-'"
    if set(name) == {"."}:
        return "it names a directory and no file in it"
    if platform == "win32" and (name.endswith(".") or _RESERVED.fullmatch(name)):
        return "Windows has no files of that name"
    return ""


def administrator(platform: str) -> str:
    """Whoever may write where all users read."""
    return "an administrator" if platform == "win32" else "root"
