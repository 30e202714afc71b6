"""Reading files that others have written, or what they have put in their places."""

import errno
import os
import stat
from io import FileIO
from pathlib import Path


def read_regular(file: Path, largest: int = -1) -> bytes:
    """The content of a file, ``largest`` bytes of it at most. Raises `OSError`, for what is no file as well.

    A pipe or a device is none: reading it might never end, and opening it might wait for somebody else.
    Nor is what no file can be called.
    """
    with _opened(file) as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(file))
        # Reading with a limit takes memory for all of that at once.
        return opened.read(largest if 0 <= largest < status.st_size else -1)


def _opened(file: Path) -> FileIO:
    try:
        return open(file, "rb", buffering=0, opener=_without_waiting)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no file can be called that ({error})", str(file)) from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
