"""SIGINT in children of a process that ignores it, as what a shell runs in the background does."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from jupyter_kernel_mgmt.subproc.sigint import popen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there, nobody inherits what is ignored")

SAY = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


@pytest.fixture
def ignoring() -> Iterator[None]:
    """This process ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def child_can_be_interrupted() -> bool:
    with popen([sys.executable, "-c", SAY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        return process.stdout.read() == b"True\n"


def test_a_child_does_not_inherit_that_we_ignore_it(ignoring: None) -> None:
    """And we ignore it as before."""
    assert child_can_be_interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


async def test_nor_does_one_that_another_thread_starts(ignoring: None) -> None:
    """Which cannot change what this process does with signals."""
    assert await asyncio.to_thread(child_can_be_interrupted)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_where_we_do_not_ignore_it_nothing_is_changed() -> None:
    """It is as in every child."""
    before = signal.getsignal(signal.SIGINT)
    assert child_can_be_interrupted()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_command_that_is_not_there_leaves_us_ignoring_it(ignoring: None) -> None:
    """The error is Popen's."""
    with pytest.raises(FileNotFoundError):
        popen(["/no/such/command"])
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
