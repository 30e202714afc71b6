"""`Disk`: reading files and directories, and remembering where was looked."""

import os
import stat
import sys
from pathlib import Path

from ..._regular_files import read_regular

LARGEST = 1 << 20
"""Bytes of a file that are read, at most: those read here are small, unless something is wrong."""


class Disk:
    """Reads for one search, in one thread. What cannot be read is not there; it may come to be.

    Paths come from other people's files: one that no file can have is not there either.

    ``looked`` is what the answers depended on: as long as the times of these do not change, the same search
    finds the same.
    """

    def __init__(self) -> None:
        self.looked: set[Path] = set()
        self._names: dict[Path, list[str]] = {}

    def names(self, directory: Path) -> list[str]:
        """What is in a directory, in order; nothing where there is none. Read once."""
        if directory not in self._names:
            self.looked.add(directory)
            try:
                names = sorted(os.listdir(directory))  # noqa: PTH208 - names are wanted, of many directories
            except (OSError, ValueError):
                names = []
            self._names[directory] = names
        return self._names[directory]

    def exists(self, path: Path) -> bool:
        """Whether something is there, a link to something included."""
        self.looked.add(path)
        return os.path.exists(path)  # noqa: PTH110 - unlike pathlib's it raises for no path at all

    def is_planted(self, path: Path) -> bool:
        """Whether another user has put it into a directory that everybody may write to, such as ``/tmp``."""
        if sys.platform == "win32":
            return False
        try:
            for_all = bool(path.parent.stat().st_mode & stat.S_IWOTH)
            planted = for_all and path.lstat().st_uid not in (0, os.geteuid())
        except (OSError, ValueError):  # it is not there
            return False
        if planted:  # else others look at it; and its directory may change all the time
            self.looked.add(path)
        return planted

    def real(self, path: Path) -> str:
        """The path without links, to tell what is the same."""
        try:
            return os.path.realpath(path)
        except (OSError, ValueError):
            return str(path)

    def text(self, file: Path) -> str:
        """The content; empty for what cannot be read."""
        self.looked.add(file)
        try:
            return read_regular(file, LARGEST).decode("utf-8", "replace")
        except (OSError, ValueError):
            return ""
