"""The exit of a child is an event, however the system tells of it; who reaps it learns how it ended."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from jupyter_kernel_mgmt.subproc.watcher import has_ended, reap, watch_exit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="zombies are for POSIX")

GUARD = 20
PIDFD = hasattr(os, "pidfd_open")


@pytest.fixture(params=["pidfd", "refused", "elsewhere"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the exit is learned of: with a pidfd or, where it is refused or there is none, in a thread."""
    if request.param == "elsewhere":
        monkeypatch.setattr(sys, "platform", "freebsd13")
        return "thread"
    if request.param == "refused":

        def refuse(pid: int, flags: int = 0) -> int:
            raise OSError(1, "as in a sandbox")

        monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
        return "thread"
    if not PIDFD:
        pytest.skip("this system has no pidfd")
    return "pidfd"


Child = subprocess.Popen[bytes]


@pytest.fixture
def child() -> Iterator[Child]:
    """A child that ends with code 7 when it is told to."""
    with subprocess.Popen(["sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()  # does nothing where it was reaped


def tell_to_end(child: Child) -> None:
    assert child.stdin is not None
    child.stdin.close()


def block_until_ended(child: Child) -> None:
    """Leaves it as it is: not reaped."""
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def is_zombie(child: Child) -> bool:
    """Ended and still to be reaped."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def watching_threads(child: Child) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"wait-for-{child.pid}"]


class Exit:
    """What ``ended`` was called with: how often, and in which thread."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self._happened = asyncio.Event()

    def __call__(self) -> None:
        self.threads.append(threading.get_ident())
        self._happened.set()

    async def happened(self) -> None:
        async with asyncio.timeout(GUARD):
            await self._happened.wait()


async def test_the_exit_is_noticed_on_the_loop_and_once(child: Child, way: str) -> None:
    """In the way that was asked for; the child is left to be reaped."""
    ended = Exit()
    stop = watch_exit(child, ended)
    assert bool(watching_threads(child)) == (way == "thread")

    tell_to_end(child)
    await ended.happened()
    for _ in range(3):
        await asyncio.sleep(0)

    assert ended.threads == [threading.get_ident()]
    assert is_zombie(child)
    assert reap(child) == 7
    stop()


async def test_a_child_that_ended_before_is_noticed_too(child: Child, way: str) -> None:
    tell_to_end(child)
    block_until_ended(child)
    ended = Exit()

    stop = watch_exit(child, ended)
    await ended.happened()

    assert is_zombie(child)
    assert reap(child) == 7
    stop()


async def test_nobody_is_called_after_stop(child: Child, way: str) -> None:
    """Not even when the exit was noticed before, and the call was about to come."""
    ended = Exit()
    stop = watch_exit(child, ended)
    threads = watching_threads(child)
    tell_to_end(child)
    block_until_ended(child)
    for thread in threads:
        thread.join(GUARD)

    stop()
    for _ in range(3):
        await asyncio.sleep(0)

    assert ended.threads == []
    assert reap(child) == 7


async def test_stopping_again_does_nothing(child: Child, way: str) -> None:
    """The descriptor may be somebody else's by then."""
    stop = watch_exit(child, Exit())
    stop()
    read_end, write_end = os.pipe()
    try:
        stop()

        assert os.write(write_end, b"x") == 1
        assert os.read(read_end, 1) == b"x"
    finally:
        os.close(read_end)
        os.close(write_end)


async def test_stopping_in_the_callback_does_nothing(child: Child, way: str) -> None:
    """Whoever is told may stop at once."""
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ended() -> None:
        stop()
        told.set_result(None)

    stop = watch_exit(child, ended)
    tell_to_end(child)

    async with asyncio.timeout(GUARD):
        await told


def test_a_loop_that_is_closed_hears_of_nothing(child: Child, way: str) -> None:
    """The child may outlive it: nothing is raised then, in no thread, and stopping works."""

    async def watch() -> tuple[Callable[[], None], Exit]:
        ended = Exit()
        return watch_exit(child, ended), ended

    with asyncio.Runner() as runner:
        stop, ended = runner.run(watch())
    threads = watching_threads(child)
    tell_to_end(child)
    block_until_ended(child)
    for thread in threads:
        thread.join(GUARD)
    stop()

    assert ended.threads == []


async def test_watching_leaves_no_descriptor_and_no_thread(child: Child, way: str) -> None:
    def lowest_free() -> int:
        fd = os.dup(0)
        os.close(fd)
        return fd

    before, ended = lowest_free(), Exit()
    watch_exit(child, ended)
    threads = watching_threads(child)

    tell_to_end(child)
    await ended.happened()
    for thread in threads:
        thread.join(GUARD)

    assert child.stdin is not None
    assert lowest_free() <= before
    assert not watching_threads(child)


def test_has_ended_is_true_from_the_end_on(child: Child) -> None:
    """Asking does not reap; reaping does not change the answer."""
    assert not has_ended(child)

    tell_to_end(child)
    block_until_ended(child)

    assert has_ended(child)
    assert is_zombie(child)
    assert reap(child) == 7
    assert has_ended(child)
    with pytest.raises(ChildProcessError):
        is_zombie(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_the_code_of_a_child_that_a_signal_ended_is_negative(child: Child, number: signal.Signals) -> None:
    child.send_signal(number)
    block_until_ended(child)

    assert reap(child) == -number
    assert child.poll() == -number, "Popen knows it too, and does not look for the child again"


def test_a_child_that_somebody_else_reaped_has_ended_in_an_unknown_way(child: Child) -> None:
    """As where an application reaps whatever there is; Popen does not look for it again."""
    tell_to_end(child)
    os.waitpid(child.pid, 0)

    assert has_ended(child)
    assert reap(child) is None
    assert child.returncode is not None


@pytest.mark.parametrize("way", ["pidfd", "thread"])
def test_where_sigchld_is_ignored_the_exit_is_noticed_and_the_code_unknown(way: str) -> None:
    """The system itself reaps then."""
    code = f"""
import asyncio, os, signal, subprocess
from jupyter_kernel_mgmt.subproc.watcher import has_ended, reap, watch_exit

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if {way!r} == "thread":
    def refuse(pid, flags=0):
        raise OSError(1, "as in a sandbox")
    os.pidfd_open = refuse

async def main():
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    ended = asyncio.Event()
    watch_exit(child, ended.set)
    alive = not has_ended(child)
    child.stdin.close()
    async with asyncio.timeout({GUARD}):
        await ended.wait()
    print(alive, has_ended(child), reap(child))

asyncio.run(main(), debug=True)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=GUARD * 2, check=False)

    assert (done.stdout, done.stderr) == ("True True None\n", "")
