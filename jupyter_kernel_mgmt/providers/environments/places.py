"""`Places`: where environments may be. Read from the process once, so that a search depends on values."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

VARIABLES = (
    "CONDA_ENVS_DIRS",
    "CONDA_ENVS_PATH",
    "CONDA_EXE",
    "CONDA_PREFIX",
    "LOCALAPPDATA",
    "MAMBA_EXE",
    "MAMBA_ROOT_PREFIX",
    "POETRY_CACHE_DIR",
    "POETRY_CONFIG_DIR",
    "POETRY_VIRTUALENVS_PATH",
    "PROGRAMDATA",
    "PYENV_ROOT",
    "UV_PROJECT_ENVIRONMENT",
    "VIRTUAL_ENV",
    "WORKON_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
)
"""The variables that say where environments are."""

CONDA_NAMES = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", "miniconda", "anaconda")
"""What installers of conda call its directory."""

REPOSITORY = (".git", ".hg", ".jj", ".svn")
"""What a repository's root holds: looking for projects upwards ends there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a search begins from.

    ``home`` and ``cwd`` are the user's and the current directory, or None where there is none, ``variables``
    those of `VARIABLES` that are set, ``platform`` is as `sys.platform` has it. ``system`` are directories in
    which conda is installed for everybody, ``roots`` and ``projects`` are named by the application, ``near``
    are further directories in whose projects somebody works.
    """

    home: Path | None
    cwd: Path | None
    variables: Mapping[str, str] = field(default_factory=dict)
    platform: str = sys.platform
    system: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = ()
    projects: tuple[Path, ...] = ()
    near: tuple[Path, ...] = ()

    @classmethod
    def here(
        cls,
        *,
        roots: tuple[Path, ...] = (),
        projects: tuple[Path, ...] = (),
        near: tuple[Path, ...] = (),
    ) -> Self:
        """Those of this process, now."""
        home = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib's raises where there is none
        try:
            cwd = Path.cwd()
        except OSError:  # it was removed
            cwd = None
        variables = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
        return cls(
            home=home if home.is_absolute() else None,
            cwd=cwd,
            variables=variables,
            system=system_places(sys.platform, variables),
            roots=roots,
            projects=projects,
            near=near,
        )

    @property
    def working(self) -> list[Path]:
        """The directories that somebody works in: each is of a project, or its parents are."""
        return [*([] if self.cwd is None else [self.cwd]), *self.near]

    def variable(self, name: str) -> Path | None:
        """The absolute path that a variable gives; None where it gives none."""
        path = Path(self.variables.get(name, ""))
        return path if path.is_absolute() else None

    def under_home(self, *parts: str) -> list[Path]:
        """A path below the home directory: one, or none where there is no home."""
        return [] if self.home is None else [self.home.joinpath(*parts)]

    def base_directory(self, variable: str, *default: str) -> list[Path]:
        """A directory as the XDG base directory specification has it."""
        given = self.variable(variable)
        return self.under_home(*default) if given is None else [given]


def system_places(platform: str, variables: Mapping[str, str]) -> tuple[Path, ...]:
    """Where conda is installed for all users of a machine."""
    if platform == "win32":
        parents = [Path(variables.get("PROGRAMDATA", "C:\\ProgramData"))]
    else:
        parents = [Path("/opt")]
    found = [parent / name for parent in parents for name in CONDA_NAMES]
    if platform == "darwin":
        found += [Path("/opt/homebrew/Caskroom") / name / "base" for name in ("miniconda", "miniforge")]
    return (*(parent / "conda" for parent in parents), *found)


def project_directories(places: Places, is_root: "frozenset[Path]" = frozenset()) -> list[Path]:
    """Those that somebody works in and their parents, up to home or a repository's root; then those given."""
    found: list[Path] = []
    for working in places.working:
        for directory in (working, *working.parents):
            found.append(directory)
            if directory == places.home or directory in is_root:
                break
    return list(dict.fromkeys([*found, *places.projects]))
