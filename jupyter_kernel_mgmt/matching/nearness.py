"""`Nearness`: whether an environment belongs to the project that a notebook is in, by their paths alone."""

import base64
import hashlib
import ntpath
import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import TypeVar

P = TypeVar("P", bound=PurePath)

_OF_PROJECTS = (r"\.venv", r"venv", r"\.?env|\.conda", r"\.?(v|virtual)env[-_.0-9].*|\.?virtualenv")
"""What tools and people call an environment within its project, the most usual first."""

_COLLECTIONS = {(".pixi", "envs"), (".magic", "envs")}
_TESTING = {".tox", ".nox"}
_CONDA_ROOTS = re.compile(r"(micro|mini|ana)(conda|forge|mamba)\d*|mambaforge|conda|homebrew", re.IGNORECASE)
_KEPT_ELSEWHERE = re.compile(r".*-(?P<hash>[\w-]{8})(-py\d[\d.]*)?", re.ASCII)

_PIXI_DEFAULT, _PIXI, _ELSEWHERE, _AROUND, _OTHER_NAME, _TEST = range(
    len(_OF_PROJECTS), len(_OF_PROJECTS) + 6
)


@dataclass(frozen=True, slots=True, order=True)
class Nearness:
    """How near: fewer ``steps`` up from the notebook's directory, then the more usual ``form``.

    ``project`` is the directory that the environment belongs to.
    """

    steps: int
    form: int
    project: str


def nearness(prefix: PurePath, notebook: PurePath) -> Nearness | None:
    """How near an environment is to a notebook's file; None if it is not of the same project.

    Both are absolute paths, and links in them are not followed. An environment is near in the notebook's
    directory or one of its parents: by a name that only projects use (``.venv``, ``.pixi/envs/…``), up to
    one step by any name where nobody keeps environments for all projects, or around the notebook. One that
    poetry or pipenv keeps elsewhere has a hash of its project's directory in its name.
    """
    prefix, notebook = normal(prefix), normal(notebook)
    if not (prefix.is_absolute() and notebook.is_absolute()):
        return None
    directories = [directory for directory in notebook.parents if not _is_root(directory)]
    named = _by_name(prefix)
    for steps, directory in enumerate(directories):
        form = None
        if named is not None and named[0] == directory:
            form = named[1]
        elif named is None and steps < 2 and prefix.parent == directory and _may_hold_own(directory, prefix):
            form = _OTHER_NAME
        elif prefix == directory and not _is_shared(prefix):
            form = _AROUND
        elif _is_hashed(prefix.name, directory):
            form = _ELSEWHERE
        if form is not None:
            return Nearness(steps, form, str(directory))
    return None


def project_of(prefix: PurePath) -> PurePath | None:
    """The directory of the project that an environment belongs to by its name, whichever that is."""
    named = _by_name(normal(prefix))
    return None if named is None else named[0]


def is_anonymous(name: str) -> bool:
    """Whether an environment's name says no more than that it belongs to some project."""
    return any(re.fullmatch(pattern, name) for pattern in _OF_PROJECTS)


def normal(path: P) -> P:
    """Without ``..``, by the rules of the system that the path is of."""
    rules = ntpath if isinstance(path, PureWindowsPath) else posixpath
    return type(path)(rules.normpath(str(path)))


def _by_name(prefix: PurePath) -> tuple[PurePath, int] | None:
    parents = prefix.parents
    if len(parents) > 2 and (parents[1].name, parents[0].name) in _COLLECTIONS:
        return parents[2], _PIXI_DEFAULT if prefix.name == "default" else _PIXI
    if len(parents) > 1 and parents[0].name in _TESTING:
        return parents[1], _TEST
    if len(parents) > 1 and parents[0].name == ".hatch":
        return parents[1], _PIXI
    for form, pattern in enumerate(_OF_PROJECTS):
        if re.fullmatch(pattern, prefix.name):
            return prefix.parent, form
    return None


def _may_hold_own(directory: PurePath, prefix: PurePath) -> bool:
    """Whether an environment of any name in here is the project's, and not a user's for all projects."""
    shared = _is_shared(directory) or directory.name in ("envs", "virtualenvs", ".virtualenvs", "versions")
    return not shared and not _CONDA_ROOTS.fullmatch(prefix.name)


def _is_shared(directory: PurePath) -> bool:
    """A home, a directory of the system, or an installation that is no project's."""
    above = directory.parent
    homes = above.name.lower() in ("home", "users") and _is_root(above.parent)
    return homes or _is_root(directory) or _is_root(above) or bool(_CONDA_ROOTS.fullmatch(directory.name))


def _is_root(path: PurePath) -> bool:
    return path == path.parent


def _is_hashed(name: str, project: PurePath) -> bool:
    """Poetry hashes the project's directory, pipenv its Pipfile."""
    found = _KEPT_ELSEWHERE.fullmatch(name)
    return found is not None and found["hash"] in {_digest(str(project)), _digest(str(project / "Pipfile"))}


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).decode()[:8]
