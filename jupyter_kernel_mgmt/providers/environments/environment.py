"""`Environment`: a directory that a tool filled with an interpreter and packages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["conda", "pixi", "venv", "virtualenv", "uv", "poetry", "pipenv"]
"""The tool that made it, or that looks after it."""

KINDS: tuple[Kind, ...] = get_args(Kind)

PROJECT_NAMES = (".venv", "venv", ".env", "env", ".conda")
"""What environments are called that have no name of their own: the project's directory gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment. ``prefix`` is an absolute path, not resolved: its interpreter is to be run by it.

    ``name`` is what its users call it. ``project`` is the directory of the project that it belongs to, or
    None. ``python`` is the version of its Python as its own files give it, empty without one. ``base`` is
    the prefix whose packages it sees as well, or None. ``default_env`` is what conda calls it.
    """

    kind: Kind
    prefix: Path
    name: str
    project: Path | None = None
    python: str = ""
    base: Path | None = None
    default_env: str = ""

    @property
    def is_conda(self) -> bool:
        """Whether it is laid out, and activated, as conda does it."""
        return self.kind in ("conda", "pixi")


def name_of(prefix: Path) -> str:
    """The directory's name, or that of the project where it has none of its own."""
    return (prefix.parent.name if prefix.name in PROJECT_NAMES else "") or prefix.name
