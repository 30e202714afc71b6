"""`Times`: whether files and directories are as they were, by the times of their last changes."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

GRANULARITY = 20_000_000
"""Nanoseconds within which two changes may have the same time: the clocks of file systems tick."""

_State = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Paths with the time, inode, size, mode, owner and group of each, None for one that is not there.

    Mode, owner and group, since who may read a file changes what is found, and not its time.
    """

    states: dict[str, _State | None]

    @classmethod
    def of(cls, paths: Iterable[Path], begun: int) -> Self | None:
        """Those of these paths, for what was read since ``begun`` (`time.time_ns`); may block.

        None where one of them has changed since then, or just before: what was read may be from before that
        change, or from after it.
        """
        states = {name: _state(name) for name in map(os.fspath, paths)}  # paths are slow to compare
        if any(state is not None and state[0] > begun - GRANULARITY for state in states.values()):
            return None
        # Looking takes longest: what comes to be in a directory changes that, whoever watches it.
        there = {name: state for name, state in states.items() if state is not None}
        missing = [_first_to_come(name) for name in states if name not in there]
        return cls(there | {name: None for name, directory in missing if directory not in there})

    def unchanged(self) -> bool:
        """Whether all of them are as they were; may block."""
        return all(_state(path) == state for path, state in self.states.items())


def _state(path: str) -> _State | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - asked hundreds of times, and twice as fast
    except (OSError, ValueError):  # the latter for what no file can be called
        return None
    return (
        status.st_mtime_ns,
        status.st_ino,
        status.st_size,
        status.st_mode,
        status.st_uid,
        status.st_gid,
    )


def _first_to_come(
    path: str,
    directory_of: Callable[[str], str] = os.path.dirname,
) -> tuple[str, str | None]:
    """What comes to be before this path does: itself, or a directory on the way; and what it comes to be in.

    That is None for what is there in some way, as a link that leads nowhere: no directory tells of it.
    """
    if not _is_absent(path):
        return path, None
    directory = directory_of(path)
    while directory not in ("", path) and _is_absent(directory):  # a drive may be gone, and is in itself
        path, directory = directory, directory_of(directory)
    return path, directory


def _is_absent(path: str) -> bool:
    """Whether its directory has no such name: not a link that leads nowhere, nor one that may not be seen."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False
