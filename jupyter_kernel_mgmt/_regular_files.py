"""Reading files that others have written, or what they have put in their places."""

import errno
import os
import stat
from pathlib import Path


def read_regular(file: Path, largest: int = -1) -> bytes:
    """The content of a file, ``largest`` bytes of it at most. Raises `OSError`, for what is no file as well.

    A pipe or a device is none: reading it might never end, and opening it might wait for somebody else.
    """
    with open(file, "rb", opener=_without_waiting) as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(file))
        return opened.read(largest)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
