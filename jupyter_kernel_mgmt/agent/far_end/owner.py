"""The owner: whether it is there (`Owner`), and what it says and is told (`Connection`)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import stat
import sys
import time

assert sys.platform != "win32"

from .commands import Lines
from .loop import CHUNK
from .processes import look_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BACKLOG_LIMIT = 1024 * 1024
"""Bytes unread by the owner from which on its commands wait, and streamed output is dropped and counted."""


class Owner:
    """The process whose end is ours: its pidfd, or else its number and start, looked at now and then."""

    def __init__(self, pid: int, start: int | None) -> None:
        self.pid = pid
        self._start = start
        self.fd = -1
        opened = getattr(os, "pidfd_open", None)  # Python 3.9, Linux 5.3
        if opened is not None:
            with contextlib.suppress(OSError):
                self.fd = opened(pid)

    def gone(self) -> bool:
        """Whether it has ended, asked of the operating system now."""
        if not os.path.exists("/proc/self/stat"):
            return os.getppid() != self.pid
        process = look_at(self.pid)
        if process is None or process.state in "ZX":
            return True
        return self._start is not None and process.start != self._start


class Connection:
    """Reads lines, and the descriptors that come with them, from ``source``; writes events to ``sink``.

    Never waits, but in `finish`. Both may be the same socket.
    """

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self._socket: socket.socket | None = None
        self._lines = Lines()
        self._descriptors: list[int] = []
        self._unsent = bytearray()

    def open(self) -> None:
        """Make both ends ones that do not wait."""
        for fd in {self.source, self.sink}:
            os.set_blocking(fd, False)
        if stat.S_ISSOCK(os.fstat(self.source).st_mode):
            self._socket = socket.socket(fileno=self.source)

    def abandon(self) -> None:
        """In a child, where the descriptor's number will be somebody else's."""
        if self._socket is not None:
            self._socket.detach()

    def brings_descriptors(self) -> bool:
        """Whether descriptors can come with commands."""
        return self._socket is not None and self._socket.family == socket.AF_UNIX

    def full(self) -> bool:
        """Whether the owner has left so much unread that it should not be sent more than it has to."""
        return len(self._unsent) > BACKLOG_LIMIT

    def wanted(self) -> dict[int, int]:
        """What to wait for, by descriptor: nothing is read from an owner who does not listen."""
        events = {self.source: 0, self.sink: 0}
        if len(self._unsent) < BACKLOG_LIMIT:
            events[self.source] |= select.POLLIN
        if self._unsent:
            events[self.sink] |= select.POLLOUT
        return events

    def read(self) -> list[bytes | None]:
        """The lines that end in the next piece of what was sent. Raises `EOFError` at the end, `OSError`."""
        data = self._receive()
        if not data:
            raise EOFError
        return self._lines.feed(data)

    def _receive(self) -> bytes:
        if self._socket is None:
            return os.read(self.source, CHUNK)
        data, ancillary, _, _ = self._socket.recvmsg(CHUNK, socket.CMSG_SPACE(4 * 32))
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                for at in range(0, len(payload) // 4 * 4, 4):
                    fd = int.from_bytes(payload[at : at + 4], sys.byteorder)
                    os.set_inheritable(fd, False)
                    self._descriptors.append(fd)
        return data

    def take(self) -> int | None:
        """The descriptor that came first, to be closed by the caller; None where there is none."""
        return self._descriptors.pop(0) if self._descriptors else None

    def discard(self) -> None:
        """Let go of the descriptor that came first."""
        fd = self.take()
        if fd is not None:
            os.close(fd)

    def tidy(self) -> None:
        """After the lines: let go of descriptors whose commands did not make sense."""
        while self._descriptors and self._lines.idle():
            self.discard()

    def send(self, event: dict[str, Any]) -> bool:
        """Tell the owner. False when it does not listen any more."""
        self._unsent += json.dumps(event).encode("ascii") + b"\n"
        return self.flush()

    def flush(self) -> bool:
        """Write what can be written now, and the rest when `wanted` has come. False as for `send`."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self.sink, self._unsent[: 4 * CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()
            return False
        return True

    def finish(self, limit: float) -> None:
        """Wait until all is written, so many seconds."""
        deadline = time.monotonic() + limit
        while self._unsent and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                select.select([], [self.sink], [], 0.05)
            self.flush()
