"""A child process, its group and its output: all of it, or nothing is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.subproc import process as module
from jupyter_kernel_mgmt.subproc.group import ProcessGroup, new_group
from jupyter_kernel_mgmt.subproc.process import start
from jupyter_kernel_mgmt.testing._residue import Residue

GUARD = 20
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


async def test_its_output_ends_with_the_process(tmp_path: Path) -> None:
    """No copy of the writing end stays with us."""
    started = start([sys.executable, "-S", "-c", "print('said')"], env=os.environ, cwd=tmp_path)
    try:
        started.process.wait(GUARD)
        assert started.output.tail() == "said\n"
        assert not started.output.read_available()  # type: ignore[attr-defined]
    finally:
        started.abandon()


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a job")
async def test_a_signal_reaches_what_it_has_started_too(tmp_path: Path) -> None:
    """It leads a session of its own."""
    started = start(["sh", "-c", "sleep 600 & echo $!; wait"], env=os.environ, cwd=tmp_path)
    try:
        while not (child := started.output.tail()).strip():
            assert started.process.poll() is None
        assert os.getpgid(int(child)) == started.process.pid == os.getsid(int(child))
        started.group.signal(signal.SIGKILL)
        assert started.process.wait(GUARD) == -signal.SIGKILL
        started.group.signal(signal.SIGKILL)  # nobody is there any more
    finally:
        started.abandon()


@pytest.mark.parametrize("broken", ["started", "output", "popen"])
async def test_nothing_is_left_of_a_start_that_fails(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever part of it: process, descriptors, threads, and what the group holds."""
    closed: list[ProcessGroup] = []
    processes: list[subprocess.Popen[bytes]] = []
    group = new_group()

    def fail(*arguments: object) -> None:
        raise OSError(24, "no more of these")

    def popen(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        if broken == "popen":
            fail()
        processes.append(subprocess.Popen(*arguments, **options))  # type: ignore[call-overload]
        return processes[0]

    monkeypatch.setattr(group, "close", lambda: closed.append(group))
    monkeypatch.setattr(module, "new_group", lambda: group)
    monkeypatch.setattr(module, "popen", popen)
    if broken == "started":
        monkeypatch.setattr(group, "started", fail)
    elif broken == "output":
        monkeypatch.setattr("os.set_blocking", fail)
    before = Residue.now()
    with pytest.raises(LaunchError if broken == "popen" else OSError, match="no more of these"):
        start(SLEEP, env=os.environ, cwd=tmp_path, output=tmp_path / "output")
    assert await before.wait_for_less(GUARD) == ""
    assert closed == [group]
    assert [process.returncode for process in processes] == [-9] * len(processes)
