"""`Outputs`: what processes write, where that is drained here, and the end of it."""

from __future__ import annotations

import os
import sys

assert sys.platform != "win32"

from .loop import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop

TAIL_SIZE = 64 * 1024
"""Bytes that are kept, if the owner does not say."""


class Output:
    """The output of one process, and the end of it that is kept. ``fd`` is -1 once it has ended."""

    def __init__(self, id: str, fd: int, *, size: int, streamed: bool) -> None:
        self.id = id
        self.fd = fd
        self.streamed = streamed
        self.dropped = 0
        self._size = size
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        """Keep the end of it."""
        self._kept += data
        if len(self._kept) > 2 * self._size:
            del self._kept[: len(self._kept) - self._size]

    def tail(self) -> str:
        """The end as text; what is not UTF-8 is replaced."""
        end = self._kept[-self._size :] if self._size else b""
        return bytes(end).decode("utf-8", "replace")


class Outputs:
    """Drains them, each until the end of its process. ``passed_on(output, data)`` gets what is streamed."""

    def __init__(self, loop: Loop, passed_on: Callable[[Output, bytes], object]) -> None:
        self._loop = loop
        self._passed_on = passed_on
        self._outputs: dict[str, Output] = {}

    def open(self, output: Output) -> None:
        """Begin to drain it."""
        os.set_blocking(output.fd, False)
        self._outputs[output.id] = output
        self._loop.watch(output.fd, lambda: self._drain(output))

    def close(self, id: str) -> Output | None:
        """Take what is left, without waiting for those who hold the other end."""
        output = self._outputs.pop(id, None)
        if output is not None:
            for _ in range(64):
                if not self._drain(output):
                    break
            self._end(output)
        return output

    def _drain(self, output: Output) -> bool:
        """Take one piece of output. False when there is none right now."""
        if output.fd < 0:
            return False
        try:
            data = os.read(output.fd, CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._end(output)
            return False
        output.add(data)
        if output.streamed:
            self._passed_on(output, data)
        return True

    def _end(self, output: Output) -> None:
        if output.fd >= 0:
            self._loop.forget(output.fd)
            output.fd = -1
