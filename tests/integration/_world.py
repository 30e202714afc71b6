"""A world of its own for each test or each kernel, and the proof that nothing of it stays behind."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from zmq.utils.garbage import gc

LINUX = sys.platform == "linux"

LEAVING = 10.0
"""Seconds that may pass before what ends by itself (a thread, somebody else's child) has ended."""


@dataclass(frozen=True)
class World:
    """Directories of one test: Jupyter's runtime directory, the one for temporary files, one more."""

    runtime: Path
    temporary: Path
    other: Path
    mark: str

    def files(self) -> list[str]:
        """What is in the two directories that kernels' files are in."""
        return [
            str(path.relative_to(directory.parent))
            for directory in (self.runtime, self.temporary)
            for path in directory.rglob("*")
        ]

    def processes(self) -> dict[int, str]:
        """The processes that were started in it, directly or not: command lines by process id."""
        return _marked(self.mark)


@contextmanager
def new_world(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Directories of its own, in our environment and so in that of kernels."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    new = World(home / "run", home / "tmp", home / "other", f"JKM_TEST={uuid.uuid4().hex}")
    for directory in (new.runtime, new.temporary, new.other):
        directory.mkdir()
    name, _, value = new.mark.partition("=")
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(new.runtime))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("IPYTHONDIR", str(short_directory / "ipython"))
    # Of completions: a kernel that is killed while it writes there leaves a file that spoils all later ones.
    monkeypatch.setenv("XDG_CACHE_HOME", str(short_directory / "cache"))
    monkeypatch.setenv("TMPDIR", str(new.temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(new.temporary))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    yield new
    shutil.rmtree(home)


@contextmanager
def nothing_stays_behind(world: World) -> Iterator[None]:
    """Afterwards: no process, zombie, file, socket, descriptor or thread that was not there before."""
    descriptors, threads, children = _descriptors(), set(threading.enumerate()), our_children()

    def leftovers() -> dict[str, Any]:
        opened = {fd: target for fd, target in _descriptors().items() if descriptors.get(fd) != target}
        started = [thread for thread in threading.enumerate() if thread not in threads]
        found = {
            "children": {pid: what for pid, what in our_children().items() if pid not in children},
            "processes": world.processes(),
            "files": world.files(),
            "descriptors": opened,
            "threads": started,
        }
        return {kind: what for kind, what in found.items() if what}

    yield
    gc.stop()  # pyzmq's own thread, which large frames are handed over to, stays otherwise
    deadline = time.monotonic() + LEAVING
    while (left := leftovers()) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in left.get("processes", {}):
        os.kill(pid, signal.SIGKILL)
    assert not left, left


def our_children() -> dict[int, str]:
    """Processes whose parent we are, zombies included."""
    children = {}
    for directory in _processes():
        try:
            name, _, rest = (directory / "stat").read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid():
            children[int(directory.name)] = f"{name}) {state}"
    return children


def _descriptors() -> dict[int, str]:
    found = {}
    if LINUX:
        for entry in Path("/proc/self/fd").iterdir():
            try:
                found[int(entry.name)] = str(entry.readlink())
            except OSError:  # the one that lists the directory
                continue
    return found


def _marked(mark: str) -> dict[int, str]:
    """Processes that have inherited our environment, whoever their parent is now."""
    marked = {}
    for directory in _processes():
        try:
            if mark.encode() in (directory / "environ").read_bytes().split(b"\0"):
                marked[int(directory.name)] = (directory / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has just ended, or is somebody else's
            continue
    return marked


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()] if LINUX else []
