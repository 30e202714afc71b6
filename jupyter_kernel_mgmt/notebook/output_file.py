"""`OutputFile`: the file that a run writes after each cell, and that no other run writes meanwhile."""

import asyncio
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from nbformat import NotebookNode

from .document import read_in_thread
from .exceptions import CannotSave, OutputInUse
from .text import NotebookText

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class OutputFile:
    """An async context manager: entering claims the file, leaving lets go of it.

    Each `save` replaces the file in one step: whatever happens, it is the notebook as of one `save` or the
    next. Its mode stays, and a symbolic link stays one. The claim is a lock on the file itself, which the
    system ends with the process; on Windows, where a locked file cannot be replaced, there is none. A file
    that was made by the claim and never saved is removed. Entering raises `OutputInUse` or `CannotSave`.
    Cancelling a save or the leaving is safe: it is done all the same, in a thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._target = Path(os.path.realpath(path))  # a link stays one
        self._temporary = self._target.with_name(f".{self._target.name}.part")
        self._text = NotebookText()
        self._lock: int | None = None
        self._made = False
        self._busy: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        claim = asyncio.ensure_future(asyncio.to_thread(self._claim))
        try:
            await asyncio.shield(claim)
        except BaseException:
            claim.add_done_callback(self._release)
            await asyncio.wait([claim])
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._busy is None or self._busy.done():
            self._release()
        else:
            self._busy.add_done_callback(self._release)
            await asyncio.wait([self._busy])

    async def earlier(self) -> NotebookNode | None:
        """What an earlier run has left here, None for an empty file. Raises `InvalidNotebook`."""
        if self._made:
            return None
        return await read_in_thread(self.path)

    async def save(self, notebook: NotebookNode, changed: Iterable[int] | None = None) -> None:
        """Write the notebook; ``changed`` are the cells that differ from the last time, None: all may.

        Raises `CannotSave`; the file then is as it was.
        """
        data = self._text.update(notebook, changed)
        self._busy = asyncio.ensure_future(asyncio.to_thread(self._replace, data))
        try:
            await asyncio.shield(self._busy)
        except OSError as error:
            raise CannotSave(
                error.errno, f"{self.path} cannot be written ({error.strerror}); it has what was saved before"
            ) from error

    def _claim(self) -> None:
        try:
            while not self._lock_what_is_there():
                pass
        except BlockingIOError:
            raise OutputInUse(self.path) from None
        except OSError as error:
            raise CannotSave(error.errno, f"{self.path} cannot be written: {error.strerror}") from error

    def _lock_what_is_there(self) -> bool:
        descriptor = os.open(self._target, _FLAGS, 0o666)
        try:
            _lock(descriptor)
            if not _is_at(descriptor, self._target):  # whoever had the lock has just put another file there
                os.close(descriptor)
                return False
        except BaseException:
            os.close(descriptor)
            raise
        self._made = os.fstat(descriptor).st_size == 0  # or by a run that ended before its first save
        self._hold(descriptor)
        return True

    def _replace(self, data: bytes) -> None:
        try:
            descriptor = os.open(self._temporary, _FLAGS | _NO_LINK | os.O_TRUNC, 0o666)
            try:
                _lock(descriptor)
                if sys.platform != "win32" and self._lock is not None:
                    os.fchmod(descriptor, stat.S_IMODE(os.fstat(self._lock).st_mode))
                _write(descriptor, data)
                if sys.platform != "win32":  # where an open file cannot be moved
                    self._temporary.replace(self._target)
            except BaseException:
                os.close(descriptor)
                raise
            self._hold(descriptor)
            if sys.platform == "win32":
                self._temporary.replace(self._target)
        except BaseException:
            with suppress(OSError):
                self._temporary.unlink()
            raise
        self._made = False

    def _hold(self, descriptor: int) -> None:
        """Keep this file locked, and no longer the one before it."""
        before, self._lock = self._lock, descriptor
        if before is not None:
            os.close(before)
        if sys.platform == "win32":
            self._lock = None
            os.close(descriptor)

    def _release(self, busy: "asyncio.Future[None] | None" = None) -> None:
        if busy is not None and not busy.cancelled():
            busy.exception()  # nobody waits for it any more
        if self._made:
            with suppress(OSError):
                self._target.unlink()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def _lock(descriptor: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
