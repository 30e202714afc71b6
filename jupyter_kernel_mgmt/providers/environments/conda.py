"""Where conda's prefixes are, and pixi's: from files, without running either. ``conda-meta`` marks one."""

import re
from collections.abc import Iterator
from pathlib import Path

from .disk import Disk
from .environment import Environment, name_of
from .places import CONDA_NAMES, Places

META = "conda-meta"
_PACKAGE = re.compile(r"(?P<name>[^/]+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.json")


def conda_roots(places: Places) -> list[Path]:
    """Installations of conda, mamba or micromamba that there may be: what variables name, then the usual."""
    found = [places.variable("MAMBA_ROOT_PREFIX")]
    for name in ("CONDA_EXE", "MAMBA_EXE"):
        executable = places.variable(name)
        if executable is not None:
            found.append(executable.parent.parent)  # ROOT/bin/conda, ROOT\Scripts\conda.exe
    usual = [path for name in CONDA_NAMES for path in places.under_home(name)]
    usual += places.under_home(".local", "share", "mamba")
    if places.platform == "darwin":
        usual += [path for name in CONDA_NAMES for path in places.under_home("opt", name)]
    if (local := places.variable("LOCALAPPDATA")) is not None and places.platform == "win32":
        usual += [local / name for name in CONDA_NAMES]
    return [path for path in (*found, *usual, *places.system) if path is not None]


def conda_candidates(places: Places, disk: Disk) -> Iterator[Path]:
    """Directories that may be conda's prefixes; some are nothing of the kind."""
    if (active := places.variable("CONDA_PREFIX")) is not None:
        yield active
    for file in places.under_home(".conda", "environments.txt"):
        for line in disk.text(file).splitlines():
            if line.strip() and Path(line.strip()).is_absolute():
                yield Path(line.strip())
    for root in conda_roots(places):
        yield root
        yield from _inside(root / "envs", disk)
    for directory in _envs_directories(places, disk):
        yield from _inside(directory, disk)


def pixi_candidates(project: Path, disk: Disk) -> Iterator[Path]:
    """The prefixes that pixi made for a project."""
    yield from _inside(project / ".pixi" / "envs", disk)


def read_conda(prefix: Path, disk: Disk) -> Environment | None:
    """What conda's or pixi's files say of a prefix; None where it is neither's."""
    metadata = disk.names(prefix / META)
    if not metadata:
        return None
    python = package_version(metadata, "python")
    if prefix.parent.name == "envs" and prefix.parent.parent.name == ".pixi":
        project = prefix.parent.parent.parent
        name = project.name if prefix.name == "default" else f"{project.name}-{prefix.name}"
        shown = project.name if prefix.name == "default" else f"{project.name}:{prefix.name}"
        return Environment(
            kind="pixi", prefix=prefix, name=name, project=project, python=python, default_env=shown
        )
    if disk.exists(prefix / "condabin") or package_version(metadata, "conda"):
        name, default_env = "base", "base"
    elif prefix.parent.name == "envs":
        name, default_env = prefix.name, prefix.name
    else:
        name, default_env = name_of(prefix), str(prefix)  # as conda itself calls it
    return Environment(kind="conda", prefix=prefix, name=name, python=python, default_env=default_env)


def package_version(metadata: list[str], package: str) -> str:
    """The version of an installed package, from the names in ``conda-meta``; empty where it is not there."""
    for name in metadata:
        if name.startswith(package):
            match = _PACKAGE.fullmatch(name)
            if match is not None and match["name"] == package:
                return match["version"]
    return ""


def _inside(directory: Path, disk: Disk) -> Iterator[Path]:
    for name in disk.names(directory):
        if not name.startswith("."):
            yield directory / name


def _envs_directories(places: Places, disk: Disk) -> Iterator[Path]:
    """Further directories of environments, by variables and by .condarc."""
    yield from places.under_home(".conda", "envs")
    separator = ";" if places.platform == "win32" else ":"
    for name in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        for text in places.variables.get(name, "").split(separator):
            if text and Path(text).is_absolute():
                yield Path(text)
    for file in places.under_home(".condarc"):
        for text in envs_dirs(disk.text(file)):
            path = Path(text)
            if text.startswith("~/"):
                yield from places.under_home(text[2:])
            elif path.is_absolute():
                yield path


def envs_dirs(condarc: str) -> list[str]:
    """The list ``envs_dirs`` of a .condarc, as conda writes it: a key, and below it one item a line.

    Anything else that YAML allows is passed over: its parser is no dependency of ours.
    """
    found: list[str] = []
    inside = False
    for line in condarc.splitlines():
        text = line.partition(" #")[0].strip()
        if inside and text.startswith("- "):
            found.append(text[2:].strip().strip("'\""))
        elif text and not text.startswith("#"):
            inside = line.startswith("envs_dirs:")
    return found
