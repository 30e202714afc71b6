"""A program that takes ports on 127.0.0.1 as fast as it can, and `grabbing`, which runs it beside a test.

It binds what the system gives, and holds thousands of them in rotation. It also asks for every port by
number, one after the other; those that others have it asks for again and again, so that it has them as soon
as they are let go. Run as a program it says "grabbing" when it holds its fill, and at the end of its input
what it has done. Standard library only.
"""

import asyncio
import errno
import json
import os
import resource
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HERE = "127.0.0.1"
HELD = 4000
"""Ports held at a time: one in seven of those that Linux gives out."""

TURN = 100
"""System calls of each kind before it looks at its input."""


class Grabber:
    """Sockets it holds, oldest first, and ports that others have."""

    def __init__(self, held: int) -> None:
        self.most = held
        self.held: deque[socket.socket] = deque()
        self.others: deque[int] = deque()
        self.counts = {"given": 0, "asked for": 0, "snatched": 0}
        self._mine: set[int] = set()
        first, last = _port_range()
        self._range = deque(range(first, last + 1))

    def turn(self) -> None:
        """A hundred ports of each kind, then let go of the oldest."""
        for _ in range(TURN):
            self._grab(0, "given")
        for _ in range(TURN):
            port = self._range[0]
            self._range.rotate(-1)
            if port not in self._mine and not self._grab(port, "asked for") and port not in self.others:
                self.others.append(port)
        for _ in range(len(self.others)):
            port = self.others.popleft()
            if port not in self._mine and not self._grab(port, "snatched"):
                self.others.append(port)
        while len(self.others) > TURN:  # most of them are connections' own, and change all the time
            self.others.popleft()
        while len(self.held) > self.most:
            self._let_go(self.held.popleft())

    def _grab(self, port: int, kind: str) -> bool:
        sock = socket.socket()
        try:
            sock.bind((HERE, port))
            if self.counts["given"] % 2:  # either way nobody else has it
                sock.listen(0)
        except OSError as error:
            sock.close()
            return error.errno != errno.EADDRINUSE
        self.counts[kind] += 1
        self.held.append(sock)
        self._mine.add(sock.getsockname()[1])
        return True

    def _let_go(self, sock: socket.socket) -> None:
        self._mine.discard(sock.getsockname()[1])
        sock.close()


def _port_range() -> tuple[int, int]:
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        return 49152, 65535
    return int(first), int(last)


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HELD + 4 * TURN
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    grabber = Grabber(limit - 4 * TURN)
    while len(grabber.held) < grabber.most:
        grabber.turn()
    print("grabbing", flush=True)  # noqa: T201 - a program of its own
    os.set_blocking(0, False)
    while True:
        grabber.turn()
        try:
            if not os.read(0, 1):
                break
        except BlockingIOError:
            pass
    print(json.dumps(grabber.counts))  # noqa: T201


@asynccontextmanager
async def grabbing() -> AsyncIterator[dict[str, int]]:
    """Ports are being grabbed inside; afterwards the dict says how many, and how."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-E", __file__), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    counts: dict[str, int] = {}
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"grabbing\n"
        yield counts
        output, _ = await process.communicate(b"")  # which closes its input
        counts.update(json.loads(output))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    main()
