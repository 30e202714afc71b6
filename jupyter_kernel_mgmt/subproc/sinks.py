"""Where a kernel's stdout and stderr go besides the tail: to a file, to a callback, or to ours.

Sinks are given what came by the thread that drains the pipes, which none of them holds up.
"""

import asyncio
import codecs
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from ..exceptions import LaunchError, Unsupported
from ..launching import Output

log = logging.getLogger(__name__)

LONGEST_LINE = 64 * 1024
"""Characters after which a line is handed on before its end has come."""


MOST_PENDING = 4 * 1024 * 1024
"""Bytes that wait for a reader who has stopped, as of a full pipe."""

CLOSE_TIMEOUT = 0.5
"""Seconds that closing waits until all is written."""


class Sink(Protocol):
    """Takes what a kernel writes. Called in one thread at a time; what it raises is logged."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        ...

    def close(self) -> None:
        """Nothing more comes. May be called again."""
        ...


def make_sink(output: Output) -> Sink | None:
    """The sink that a launch request asks for; None where the tail is enough.

    Raises `LaunchError` for a file that cannot be written, `Unsupported` for what is no kind of output.
    Callbacks are called in the running loop.
    """
    if output is None:
        return None
    if output == "inherit":
        return _Descriptor(os.dup(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2))
    if isinstance(output, os.PathLike):
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT  # no child inherits what Python opens
            return _Descriptor(os.open(output, flags, 0o600))
        except OSError as error:
            raise LaunchError(
                f"the output file {os.fspath(output)} cannot be written: {error.strerror}"
            ) from error
    if callable(output):
        return _Lines(output, asyncio.get_running_loop())
    raise Unsupported("output", f"{output!r} is not None, 'inherit', a path or a callable")


class _Descriptor:
    """Writes to a descriptor, which it owns, in a thread of its own: whoever reads there may have stopped.

    What does not fit into `MOST_PENDING` then is left out, and counted in the log.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._chunks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._pending = 0
        self._left_out = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def write(self, chunk: bytes) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="kernel-output-sink", daemon=True)
            self._thread.start()
        with self._guard:
            fits = self._pending + len(chunk) <= MOST_PENDING
            self._pending += len(chunk) if fits else 0
            self._left_out += 0 if fits else len(chunk)
        if fits:
            self._chunks.put(chunk)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._thread is None:
            os.close(self._fd)
            return
        self._chunks.put(None)
        self._thread.join(CLOSE_TIMEOUT)
        if missing := self._left_out + self._pending:
            log.warning("Nobody read a kernel's output: %d bytes of it are left out", missing)

    def _work(self) -> None:
        try:
            while (chunk := self._chunks.get()) is not None:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
                with self._guard:
                    self._pending -= len(chunk)
        except OSError as error:  # a full disk, a closed terminal: the kernel goes on
            log.error("A kernel's output goes no further: %s", error)
            with self._guard:
                self._pending = 0
        finally:
            os.close(self._fd)


class _Lines:
    """Calls back with each line, in the loop and in order."""

    def __init__(self, callback: Callable[[str], None], loop: asyncio.AbstractEventLoop) -> None:
        self._callback = callback
        self._loop = loop
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def write(self, chunk: bytes) -> None:
        self._hand_on(self._decode(chunk))

    def close(self) -> None:
        rest, self._rest = self._rest + self._decode(b"", final=True), ""
        if rest:
            self._call([rest])

    def _hand_on(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) >= LONGEST_LINE:
            lines.append(self._rest)
            self._rest = ""
        if lines:
            self._call(lines)

    def _call(self, lines: list[str]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._in_loop, lines)
        except RuntimeError:  # the loop is closed: nobody listens
            log.debug("Lines of output came after the end of the loop: %d", len(lines))

    def _in_loop(self, lines: list[str]) -> None:
        for line in lines:
            try:
                self._callback(line.removesuffix("\r"))
            except Exception:  # the application's code
                log.exception("output failed for a line")
