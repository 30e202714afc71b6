"""Ports that the kernel chose and wrote into its connection file, as ipykernel does where they are 0.

Nothing but the file tells of it, and the rewrite is not atomic: for a moment the file is empty or holds a
part. ipykernel writes once all its sockets are bound, and keeps the fields that it does not know.
"""

import asyncio
import json
from pathlib import Path

from jupyter_protocol import CHANNELS, ConnectionInfo

from ..exceptions import LaunchError
from ..launching import ExitInfo

POLL_INTERVAL = 0.005
"""Seconds between looks at the file: two system calls each, as long as it does not change."""


async def wait_for_ports(path: Path, exited: "asyncio.Future[ExitInfo]") -> ConnectionInfo:
    """Wait until all ports in the connection file are known, and return what it says then.

    The file must have been written with ports 0 before the kernel started. ``exited`` ends the wait with a
    `LaunchError` that has the exit; it is neither cancelled nor otherwise touched. There is no time limit:
    cancelling it is safe and leaves nothing behind.
    """
    file = RewrittenFile(path)
    while (connection_info := file.look()) is None:
        if exited.done():
            raise LaunchError(
                "the kernel ended before it said on which ports it is", exit_info=exited.result()
            )
        await asyncio.wait([exited], timeout=POLL_INTERVAL)
    return connection_info


class RewrittenFile:
    """A connection file that somebody else will write; it is read again only when it looks different."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[int, int, int] | None = None

    def look(self) -> ConnectionInfo | None:
        """What the file says, or None as long as it is missing, unreadable, partial or lacks a port."""
        try:
            status = self.path.stat()
            # Before reading: what is written from here on is seen as a difference the next time.
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._last:
                return None
            data = self.path.read_bytes()
        except OSError:
            return None
        self._last = seen
        return complete(data)


def complete(data: bytes) -> ConnectionInfo | None:
    """The connection information in these bytes, unknown fields and Curve keys included, with five ports.

    None for anything else: a part of a file, or one in which a port is 0.
    """
    try:
        values = json.loads(data)
        if not isinstance(values, dict):
            return None
        connection_info = ConnectionInfo.from_dict(values)
    except (ValueError, RecursionError):
        return None
    return connection_info if all(map(connection_info.port, CHANNELS)) else None
