"""`Connection`: our end of the socket over which an agent is told what to do and says what happened."""

import asyncio
import json
import logging
import os
import socket
import sys
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

from ..exceptions import Unsupported

log = logging.getLogger(__name__)

BACKLOG_LIMIT = 64 * 1024 * 1024
"""Bytes that wait for an agent that does not read; it is given up when there are more."""

_CHUNK = 256 * 1024


class Connection:
    """Sends commands without waiting, in order, and calls back for each event. Belongs to one loop.

    ``on_event(event)`` gets each JSON object; ``on_end(reason)`` is called once, when nothing can come any
    more, unless `close` was called before.
    """

    def __init__(self, on_event: Callable[[dict[str, Any]], None], on_end: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._on_end = on_end
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsent: deque[tuple[memoryview, int | None]] = deque()
        self._waiting = 0
        self._writing = False
        self._rest = b""

    def open(self) -> socket.socket:
        """Make both ends and begin to read ours; returns the agent's, for the caller to close."""
        if sys.platform == "win32":
            raise Unsupported("agent", "it needs process groups and Unix sockets, which Windows has not")
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        self._socket = ours
        self._loop.add_reader(ours.fileno(), self._readable)
        return theirs

    def send(self, command: dict[str, Any], *, descriptor: int | None = None) -> None:
        """Send a command, and a copy of a descriptor with it. Nothing happens once it is closed."""
        self.send_text(json.dumps(command).encode() + b"\n", descriptor=descriptor)

    def send_text(self, text: bytes, *, descriptor: int | None = None) -> None:
        """Send bytes as they are, such as the agent's program."""
        if self._socket is None:
            return
        data = memoryview(text)
        self._unsent.append((data, None if descriptor is None else os.dup(descriptor)))
        self._waiting += len(data)
        if not self._writing:
            self._flush()
        if self._waiting > BACKLOG_LIMIT:
            self._end("it does not read what it is sent")

    def close(self) -> None:
        """Close our end. May be called again."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(sock.fileno())
            if self._writing:
                self._loop.remove_writer(sock.fileno())
        sock.close()
        while self._unsent:
            _close(self._unsent.popleft()[1])

    def abandon(self) -> None:
        """In a process that was forked off: close our copy, without touching the loop of the other."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _flush(self) -> None:
        assert self._socket is not None
        try:
            while self._unsent:
                data, descriptor = self._unsent[0]
                sent = _send(self._socket, data, descriptor)
                _close(descriptor)  # it went with the first byte
                self._waiting -= sent
                self._unsent[0] = (data[sent:], None)
                if sent == len(data):
                    self._unsent.popleft()
        except BlockingIOError:
            pass
        except OSError as error:
            # Its last words may still be there to be read; after them comes the end.
            log.debug("The agent is not to be reached: %s", error)
            while self._unsent:
                _close(self._unsent.popleft()[1])
            self._waiting = 0
        self._write_when_possible(wanted=bool(self._unsent))

    def _write_when_possible(self, *, wanted: bool) -> None:
        assert self._socket is not None
        assert self._loop is not None
        if wanted and not self._writing:
            self._loop.add_writer(self._socket.fileno(), self._flush)
        elif self._writing and not wanted:
            self._loop.remove_writer(self._socket.fileno())
        self._writing = wanted

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"its connection broke: {error.strerror}")
            return
        if not data:
            self._end("it closed its connection")
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            if not isinstance(event, dict):
                raise ValueError("no object")
        except ValueError:
            log.debug("An agent said something else: %r", line[:200])  # a banner of a login shell, say
            return
        self._on_event(event)

    def _end(self, reason: str) -> None:
        if self._socket is not None:
            self.close()
            self._on_end(reason)


def _send(sock: socket.socket, data: memoryview, descriptor: int | None) -> int:
    if descriptor is None or sys.platform == "win32":
        return sock.send(data)
    return sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))])


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
