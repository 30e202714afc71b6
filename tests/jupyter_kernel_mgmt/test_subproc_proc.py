"""What Linux says of a process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from jupyter_kernel_mgmt import ProcessState
from jupyter_kernel_mgmt.subproc.proc import look_at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")

GUARD = 20


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """One that sleeps until its input ends."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def look_until(pid: int, **expected: bool) -> ProcessState:
    """Look until it is as expected; nothing else tells."""
    end = time.monotonic() + GUARD
    while time.monotonic() < end:
        state = look_at(pid)
        assert state is not None
        if all(getattr(state, name) is value for name, value in expected.items()):
            return state
    raise AssertionError(f"it never was {expected}: {look_at(pid)}")


def test_a_process_that_sleeps_is_neither_stopped_nor_running(process: "subprocess.Popen[bytes]") -> None:
    look_until(process.pid, stopped=False, running=False)


def test_a_process_is_stopped_until_it_is_continued(process: "subprocess.Popen[bytes]") -> None:
    os.kill(process.pid, signal.SIGSTOP)
    look_until(process.pid, stopped=True, running=False)
    os.kill(process.pid, signal.SIGCONT)
    look_until(process.pid, stopped=False)


def test_we_run() -> None:
    """And our processor time is known, with that of a child while it runs and after it ended."""
    before = look_at(os.getpid())
    assert before is not None
    assert before.running
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as child:
        alone = look_until(child.pid, stopped=False)
        end = time.monotonic() + GUARD
        while time.monotonic() < end and alone.cpu_time < 0.1:
            alone = look_until(child.pid, stopped=False)
        during = look_at(os.getpid())
        child.kill()
    after = look_at(os.getpid())
    assert during is not None
    assert after is not None
    assert during.cpu_time >= before.cpu_time + 0.1
    assert after.cpu_time >= before.cpu_time + 0.1


def test_a_process_that_is_gone_has_no_state() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert look_at(child.pid) is None
