"""Exits are events, by descriptor and by thread alike."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from jupyter_kernel_mgmt.subproc import watcher
from jupyter_kernel_mgmt.subproc.watcher import has_ended, reap, watch_exit

GUARD = 20
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and zombies are POSIX")


@pytest.fixture(params=["descriptor", "thread", "no-pidfd"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watching in each way that there is here."""
    if request.param == "descriptor" and not hasattr(os, "pidfd_open"):
        pytest.skip("no pidfd here")
    if request.param == "thread":
        monkeypatch.setattr(watcher.sys, "platform", "freebsd13")
    elif request.param == "no-pidfd":

        def refuse(pid: int) -> int:
            raise OSError(38, "not implemented")

        monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends when its input does."""
    made = subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.read()))"], stdin=subprocess.PIPE)
    yield made
    assert made.stdin is not None
    made.stdin.close()
    if made.returncode is None:
        made.kill()
        made.wait()


def let_go(process: "subprocess.Popen[bytes]", code: int = 0) -> None:
    assert process.stdin is not None
    process.stdin.write(b"x" * code)
    process.stdin.close()


async def test_an_exit_is_told_once_and_the_child_left_for_reaping(
    process: "subprocess.Popen[bytes]",
) -> None:
    """Its exit code is not lost."""
    ended = asyncio.Event()
    calls: list[None] = []

    def on_end() -> None:
        calls.append(None)
        ended.set()

    stop = watch_exit(process, on_end)
    assert not has_ended(process)
    let_go(process, 3)
    async with asyncio.timeout(GUARD):
        await ended.wait()

    assert has_ended(process)
    assert reap(process) == 3
    assert reap(process) is None
    stop()
    stop()
    await asyncio.sleep(0)
    assert len(calls) == 1


async def test_a_process_that_has_ended_already_is_told_too(process: "subprocess.Popen[bytes]") -> None:
    """There is no moment to miss."""
    let_go(process)
    await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    ended = asyncio.Event()
    stop = watch_exit(process, ended.set)
    async with asyncio.timeout(GUARD):
        await ended.wait()
    stop()

    assert reap(process) == 0


async def test_a_watch_that_was_stopped_tells_nothing(process: "subprocess.Popen[bytes]") -> None:
    """And keeps no descriptor."""
    calls: list[None] = []
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    stop = watch_exit(process, lambda: calls.append(None))
    stop()
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before
    let_go(process)
    await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    for _ in range(5):
        await asyncio.sleep(0)

    assert calls == []
    assert reap(process) == 0


async def test_a_signal_is_a_negative_code(process: "subprocess.Popen[bytes]") -> None:
    """As `subprocess` has it."""
    ended = asyncio.Event()
    stop = watch_exit(process, ended.set)
    process.kill()
    async with asyncio.timeout(GUARD):
        await ended.wait()
    stop()

    assert reap(process) == -signal.SIGKILL


async def test_a_child_that_somebody_else_reaped_has_an_unknown_code(
    process: "subprocess.Popen[bytes]",
) -> None:
    """And its end is told all the same."""
    ended = asyncio.Event()
    stop = watch_exit(process, ended.set)
    let_go(process)
    await asyncio.to_thread(os.waitpid, process.pid, 0)
    async with asyncio.timeout(GUARD):
        await ended.wait()
    stop()

    assert has_ended(process)
    assert reap(process) is None
