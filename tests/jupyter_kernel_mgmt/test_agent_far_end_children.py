"""Children, and what is known of their ends."""

import os
import signal
import subprocess
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent.far_end.children import children, has_ended, reap

from ._agents import GUARD


def test_a_child_is_seen_until_it_is_reaped() -> None:
    """While it runs, and as a zombie, which looking at does not reap."""
    child = subprocess.Popen(["sleep", "1000"])
    assert child.pid in children()
    assert not has_ended(child.pid)
    assert reap(child.pid, wait=0.0) is None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(child.pid)
    assert child.pid in children()
    assert reap(child.pid, wait=0.0) == -signal.SIGKILL
    assert child.pid not in children()
    assert child.wait() == 0  # what subprocess makes of a child that somebody else has reaped


def test_reaping_waits_and_tells_the_code() -> None:
    child = subprocess.Popen(["sh", "-c", "exit 3"])
    assert reap(child.pid, wait=GUARD) == 3
    child.wait()


def test_who_is_no_child_has_ended() -> None:
    """As far as its code can be known."""
    assert has_ended(os.getppid())
    assert reap(os.getppid(), wait=0.0) is None
