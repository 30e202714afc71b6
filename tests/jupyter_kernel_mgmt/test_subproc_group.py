"""What belongs to one kernel, signalled as one."""

import signal
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there it is a job", allow_module_level=True)

from jupyter_kernel_mgmt.subproc.group import new_group


def test_a_group_that_was_not_started_is_not_ours() -> None:
    """To the system, the number 0 is the group of whoever calls."""
    heard: list[int] = []
    before = signal.signal(signal.SIGWINCH, lambda number, frame: heard.append(number))
    try:
        new_group().signal(signal.SIGWINCH)
        assert heard == []
    finally:
        signal.signal(signal.SIGWINCH, before)
