"""What tests of agents share: small processes, and waiting for them."""

import asyncio
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import ExitInfo
from jupyter_kernel_mgmt.agent import AgentProcess, far_end

GUARD = 20.0
ROOT = Path(far_end.__file__).parents[3]
BY_PATH = [sys.executable, "-I", "-S", str(Path(far_end.__file__).with_name("__main__.py"))]
"""The far end as a command."""

PYTHON = [sys.executable, "-I", "-S", "-u", "-c"]
SLEEP = "import time; time.sleep(1000)"


class Said:
    """What a process wrote, as it comes."""

    def __init__(self) -> None:
        self.data = b""
        self._more = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.data += data
        self._more.set()

    async def line(self, number: int = 1) -> str:
        """Wait for a whole line."""
        async with asyncio.timeout(GUARD):
            while self.data.count(b"\n") < number:
                self._more.clear()
                await self._more.wait()
        return self.data.split(b"\n")[number - 1].decode()


async def gone(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(fd, ended.set)
    try:
        async with asyncio.timeout(GUARD):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)


def is_running(pid: int) -> bool:
    """Whether there is such a process, zombies aside."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def ended(process: AgentProcess) -> ExitInfo:
    async with asyncio.timeout(GUARD):
        return await process.wait()


def forkable(source: str) -> str:
    """Code for `prepare` that makes a module with that function."""
    make = "import sys, types; m = sys.modules['kid'] = types.ModuleType('kid')"
    return f"{make}\nm.run = lambda: exec({source!r}, {{}})"


DAEMON = (
    "import os, sys, time\n"
    "read_end, write_end = os.pipe()\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        {become}\n"
    "        print(os.getpid(), flush=True)\n"
    "        os.write(write_end, b'said')\n"
    "        time.sleep(1000)\n"
    "    os._exit(0)\n"
    "os.wait()\n"
    "os.read(read_end, 4)\n"
    "{then}\n"
)
"""Starts what left its session and has another parent; says its number."""


class FarEnd:
    """The program itself, over pipes; ``text`` is sent before the commands."""

    def __init__(self, command: Sequence[str] = BY_PATH, text: bytes = b"") -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.events: list[dict[str, Any]] = []
        self.rest = b""
        self._write(text)
        self.wait(lambda event: event["event"] == "hello")
        self.events.clear()

    def send(self, command: dict[str, Any] | bytes) -> None:
        """A command, or a line that is none."""
        self._write((command if isinstance(command, bytes) else json.dumps(command).encode()) + b"\n")

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Until it has said something."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + GUARD
        while not any(map(wanted, self.events)):
            assert select.select([self.process.stdout], [], [], deadline - time.monotonic())[0], self.events
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, self.events
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.events += map(json.loads, lines)

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(GUARD) == 0
        self.process.stdout.close()


VERSIONS = [f"3.{minor}" for minor in range(8, 15)]


def interpreter(version: str) -> str:
    """The path of a Python of that version; a shim for one that is not installed does not count."""
    found = shutil.which(f"python{version}")
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {version} here")
    return found
