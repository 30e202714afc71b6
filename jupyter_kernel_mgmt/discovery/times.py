"""`Times`: whether files and directories are as they were, by the times of their last changes."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

GRANULARITY = 20_000_000
"""Nanoseconds within which two changes may have the same time: the clocks of file systems tick."""

_State = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Paths with the time, inode, size, mode and owner of each, None for one that is not there.

    Mode and owner, since who may read a file changes what is found, and not its time.
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
        # What comes to be in a directory changes that; looking takes longest.
        told = {
            name
            for name, state in states.items()
            if state is None and os.path.dirname(name) in states and _is_absent(name)  # noqa: PTH120 - as above
        }
        return cls({name: state for name, state in states.items() if name not in told})

    def unchanged(self) -> bool:
        """Whether all of them are as they were; may block."""
        return all(_state(path) == state for path, state in self.states.items())


def _state(path: str) -> _State | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - asked hundreds of times, and twice as fast
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size, status.st_mode, status.st_uid


def _is_absent(path: str) -> bool:
    """Whether its directory has no such name: not a link that leads nowhere, nor one that may not be seen."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
