"""All environments there are, each once. Runs in a thread; reads file names and a few small files."""

import os
from collections.abc import Collection, Iterator
from itertools import takewhile
from pathlib import Path

from .conda import conda_candidates, pixi_candidates, read_conda
from .disk import Disk
from .environment import KINDS, Environment, Kind
from .places import REPOSITORY, Places, project_directories
from .venvs import project_candidates, read_venv, venv_candidates


def survey(places: Places, disk: Disk, kinds: Collection[Kind] = KINDS) -> list[Environment]:
    """The environments of these kinds: those of projects first, then the user's, each in order.

    One that can be reached by several paths is taken by the first.
    """
    found: dict[str, Environment] = {}
    for prefix in _candidates(places, disk):
        real = disk.real(prefix)
        if real in found:
            disk.looked.add(prefix)  # a link may come to lead elsewhere
        else:
            environment = read_conda(prefix, disk) or read_venv(prefix, places, disk)
            if environment is not None:
                disk.looked.add(prefix)  # which tells of all at once that it has not
                found[real] = environment
    return [environment for environment in found.values() if environment.kind in kinds]


def _candidates(places: Places, disk: Disk) -> Iterator[Path]:
    for project in _projects(places):
        for prefix in (*project_candidates(project, places), *pixi_candidates(project, disk)):
            if not any(disk.is_planted(path) for path in _down_to(prefix, project)):
                yield prefix
    for root in places.roots:
        yield root
        yield from (root / name for name in disk.names(root))
    yield from venv_candidates(places, disk)
    yield from conda_candidates(places, disk)


def _down_to(prefix: Path, project: Path) -> list[Path]:
    """The path and what it lies in, short of the project: somebody may have put any of these there."""
    return list(takewhile(lambda path: path != project, (prefix, *prefix.parents)))


def _projects(places: Places) -> list[Path]:
    parents = {path for working in places.working for path in (working, *working.parents)}
    # Not by the disk: a repository's directory changes all the time, and is not what is looked for.
    roots = {path for path in parents if any(os.path.exists(path / mark) for mark in REPOSITORY)}  # noqa: PTH110
    return project_directories(places, frozenset(roots))
