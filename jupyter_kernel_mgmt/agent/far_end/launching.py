"""`Launch`: a new child from our side, until it runs its program or says why not."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys

assert sys.platform != "win32"

from .becoming import Refused, become
from .forks import threads
from .ward import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .forks import Veil
    from .owner import Connection


class Launch:
    """A child between the fork and its program. ``output`` is our end of it, or -1.

    ``status`` ends when it has become what it should: exec closes it.
    """

    __slots__ = ("pid", "status", "output")

    def __init__(self, pid: int, status: int, output: int) -> None:
        self.pid = pid
        self.status = status
        self.output = output

    def problem(self) -> dict[str, Any] | None:
        """Once ``status`` can be read: None when it runs its program, or why it does not."""
        error = b""
        with contextlib.suppress(OSError):
            error = os.read(self.status, select.PIPE_BUF)
        if not error:
            return None
        try:
            facts: dict[str, Any] = json.loads(error.decode())
        except ValueError:
            facts = {"text": "the process ended before it began", "errno": None}
        return facts


def launch(command: dict[str, Any], connection: Connection, veil: Veil) -> Launch:
    """Fork a child that becomes what a command asks for. Raises `Refused`, and in the child `Forked`."""
    mode = command.get("output", "tail")
    opened: list[int] = []
    ours = theirs = -1
    try:
        if mode == "descriptor":
            given = connection.take()
            if given is None:
                raise Refused("no descriptor came with the command")
            theirs = given
            opened.append(theirs)
        elif mode != "none":
            ours, theirs = os.pipe()
            opened += [ours, theirs]
        if command["do"] == "fork" and threads() != 1:
            raise Refused(f"a process with {threads()} threads cannot be forked safely")
        read_status, write_status = os.pipe()
        opened += [read_status, write_status]
        env = environment(command)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or the child would write it once more
        pid = os.fork()
    except (OSError, Refused) as error:
        for fd in opened:
            os.close(fd)
        if isinstance(error, Refused):
            raise
        raise Refused(f"no process can be made: {error}") from error
    if pid == 0:
        connection.abandon()
        become(command, env, theirs, write_status, veil)
    os.close(write_status)
    if theirs >= 0:
        os.close(theirs)
    return Launch(pid, read_status, ours)


def environment(command: dict[str, Any]) -> dict[str, str]:
    """The environment of a new process: ours, or some of it, and what the command sets and removes."""
    inherit = command.get("inherit", True)
    wanted = os.environ if inherit is True else inherit or ()
    env = {name: value for name, value in os.environ.items() if name in wanted}
    env.pop(MARK, None)
    for name, value in command.get("env", {}).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    if command.get("mark"):
        env[MARK] = command["mark"]
    env["JPY_PARENT_PID"] = str(os.getpid())
    return env
