"""`FarProcess`: the process in which the far end of an agent runs, from its command to its last words."""

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from .._threads import in_thread
from .far_end.ward import MARK, Ward
from .processes import AgentProcess

log = logging.getLogger(__name__)

LAST_WORDS = 0.1
"""Seconds in which what an agent said before it ended is read."""

FAR_END = Path(__file__).with_name("far_end")

BOOTSTRAP = """import os, sys
n, s = int(sys.argv.pop(1)), b""
while len(s) < n:
    c = os.read(0, n - len(s))
    if not c: sys.exit(1)
    s += c
p = s.decode().split("\\0")
TEXTS = dict(zip(p[::2], p[1::2]))
exec(compile(TEXTS["__main__"], "<far_end/__main__.py>", "exec"))
"""
"""Reads as many bytes as its first argument says from stdin, which is a `bundle`, and runs it."""


class FarProcess:
    """Runs the program with ``python``, by path or ``as_text``. ``prefix`` is a command in front of it.

    ``on_end()`` is called when its end is seen, which is on Linux. Belongs to one loop.
    """

    def __init__(
        self,
        python: str,
        *,
        isolated: bool,
        prefix: Sequence[str],
        as_text: bool,
        env: Mapping[str, str],
        on_end: Callable[[], None],
    ) -> None:
        self.owner = os.getpid()
        self._python = [python, *(["-I", "-S"] if isolated else [])]
        self._prefix = prefix
        self._as_text = as_text
        self._env = env
        self._on_end = on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._pidfd = -1
        self._last_call: asyncio.TimerHandle | None = None

    def open(self, theirs: socket.socket) -> bytes:
        """Start it at its end of the connection. Returns what it has to be sent before anything else.

        Raises `OSError`, and `ValueError` for what no command can have.
        """
        argv, text = self._command()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed at its end
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                # A long mark leaves room for those of forked children; see `Veil` in `far_end.forks`.
                env={**self._env, MARK: "agent".ljust(200, "-")},
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            self._errors.close()
            raise
        self._watch()
        return text

    @property
    def pid(self) -> int:
        """Its number: that of the command in front of it, if there is one."""
        assert self._process is not None
        return self._process.pid

    def _command(self) -> tuple[list[str], bytes]:
        """The command, and the text of the program if it has to be sent."""
        owner: list[str] = []
        if not self._prefix:
            start = start_of(self.owner)
            owner = [str(self.owner), *([] if start is None else [str(start)])]
        if not self._as_text:
            return [*self._python, str(FAR_END / "__main__.py"), *owner], b""
        text = bundle()
        return [*self._prefix, *self._python, "-c", BOOTSTRAP, str(len(text)), *owner], text

    def _watch(self) -> None:
        """Its end, also while somebody who forked off us meanwhile holds its end of the connection."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self.pid)
                asyncio.get_running_loop().add_reader(self._pidfd, self._exited)

    def _exited(self) -> None:
        self._unwatch()
        # What it said last is still in the connection, and is read before the connection's end is noticed.
        self._last_call = asyncio.get_running_loop().call_later(LAST_WORDS, self._on_end)

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    async def end(self) -> str:
        """Kill it, and wait for that. Returns its last words: what it, or a module in it, wrote to stderr."""
        self._unwatch()
        if self._last_call is not None:
            self._last_call.cancel()
        assert self._process is not None
        self._process.kill()
        try:
            await in_thread(self._process.wait, name="agent-wait")
        except RuntimeError:  # no thread is to be had; it was killed, and takes no time
            self._process.wait()
        assert self._errors is not None
        with self._errors as errors:
            size = errors.seek(0, os.SEEK_END)
            errors.seek(max(0, size - 4096))
            return errors.read().decode(errors="replace").strip()


def bundle() -> bytes:
    """The whole program as text, for `BOOTSTRAP`: name and text of each module in turn, NULs between them."""
    texts = [(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FAR_END.glob("*.py"))]
    return "\0".join(itertools.chain(*texts)).encode()


def start_of(pid: int) -> int | None:
    """When a process began, as /proc has it, to tell it from others with its number; None if unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return next(map(int, text.rpartition(")")[2].split()[19:20]), None)


async def end_from_here(left: list[AgentProcess]) -> None:
    """What the agent would have done for its processes."""
    try:
        await in_thread(lambda: _sweep(left), name="agent-sweep")
    except RuntimeError as error:  # no thread is to be had: better late here than not at all
        log.warning("What an agent left is ended without a thread, and holds up the loop: %s", error)
        _sweep(left)


def _sweep(left: list[AgentProcess]) -> None:
    if sys.platform != "win32":
        from .far_end.sweeping import CLOSE_LIMIT, remove, sweep

        wards = [Ward(p.id, pid=p.pid or None, start=p.start, mark=p.mark) for p in left]
        if survivors := sweep(wards, spare=[os.getpid()], limit=CLOSE_LIMIT):
            log.error("These processes have not ended after SIGKILL: %s", sorted(survivors))
        for process in left:
            remove(process.files, process.directories)
