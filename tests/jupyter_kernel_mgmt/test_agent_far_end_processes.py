"""What is seen of processes."""

import os
import shutil
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent.far_end.processes import _processes_by_ps, look_at, processes


def test_processes_are_seen_as_they_are() -> None:
    """Ourselves, in the table."""
    (me,) = [entry for entry in processes(marks=True) if entry.pid == os.getpid()]
    assert (me.parent, me.group, me.state) == (os.getppid(), os.getpgrp(), "R")
    assert look_at(2**22 + 1) is None


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps")
def test_where_there_is_no_proc_ps_is_asked() -> None:
    """Without starts and marks."""
    (me,) = [entry for entry in _processes_by_ps() if entry.pid == os.getpid()]
    assert (me.parent, me.group, me.start, me.mark) == (os.getppid(), os.getpgrp(), None, None)
