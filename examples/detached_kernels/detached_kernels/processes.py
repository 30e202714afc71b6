"""Processes that need not be our children: which one it is, its end, and signals to it. POSIX."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PAUSE = 0.2
"""Seconds between two looks at a process where its end is no event."""

GATE = 'read go && exec "$@" </dev/null'
"""For a shell: become the command once a line arrives, and end if whoever was to send it is gone."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process by its number and the time it started at: numbers are given again, both together are not."""

    pid: int
    started: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Identity":
        """Raises `ValueError` for what is none, or could stand for other processes than one."""
        pid, started = values.get("pid"), values.get("started")
        if type(pid) is not int or pid <= 1 or not isinstance(started, str) or not started:
            raise ValueError("manager: it must say the pid and the start of a process")
        return cls(pid, started)

    def is_alive(self) -> bool:
        """Whether this very process is there, and no zombie."""
        return start_time(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Signal the process and its group, which it leads. Nothing happens when it is gone."""
        if sys.platform != "win32" and self.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def wait(self) -> int | None:
        """Wait for the end; the exit code where it was our child. Cancelling is safe."""
        if open_descriptor := getattr(os, "pidfd_open", None):
            await self._wait_for_event(open_descriptor)
        while self.is_alive():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(PAUSE)
        return reap(self.pid)

    async def _wait_for_event(self, open_descriptor: Callable[[int], int]) -> None:
        try:
            descriptor = open_descriptor(self.pid)
        except OSError:  # it is gone already, or a sandbox forbids it
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        try:
            # Whoever has the number by now is not who is meant, and might run for ever.
            if self.is_alive():
                loop.add_reader(descriptor, ended.set)
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def start_time(pid: int) -> str | None:
    """When a process started, in the system's own words; None for one that has ended."""
    if not Path("/proc/self/stat").exists():
        return _start_time_from_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may contain anything
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def _start_time_from_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    state, _, started = told.stdout.strip().partition(" ")
    return started.strip() or None if state and not state.startswith("Z") else None


def reap(pid: int) -> int | None:
    """The exit code of a child that has ended, negative for a signal; None for what is no child of ours."""
    if sys.platform == "win32":
        return None
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


def start(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None, output: Path) -> "Held":
    """Start a process in a session of its own, so that neither a terminal nor our end reaches it.

    It does nothing before `Held.go`. Raises `OSError`.
    """
    with open(output, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        process = subprocess.Popen(
            ["/bin/sh", "-c", GATE, "sh", *argv],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    pid, pipe = process.pid, process.stdin
    process.returncode = 0  # its end is waited for elsewhere: Popen would warn that it still runs
    assert pipe is not None, "it was asked for"
    # Until we reap it, the number cannot be anybody else's.
    return Held(Identity(pid, start_time(pid) or ""), pipe)


@dataclass(frozen=True, slots=True)
class Held:
    """A process that waits for `go`; where we end, or close its pipe, before that, it ends too."""

    identity: Identity
    pipe: IO[bytes]

    def go(self) -> None:
        """Let it run, from here on whatever becomes of us. Raises `OSError` if it has ended."""
        with self.pipe:
            self.pipe.write(b"go\n")
