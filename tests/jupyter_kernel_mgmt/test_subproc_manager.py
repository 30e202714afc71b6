"""`SubprocessManager` on real, tiny processes."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import ExitInfo, LaunchRequest, SubprocessLauncher
from jupyter_kernel_mgmt.subproc import SubprocessManager, memory
from jupyter_kernel_mgmt.testing import check_manager

from ._agents import is_running

GUARD = 20
SLEEP = "import time; time.sleep(1000)"
UP = "up('here'); "
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + UP + SLEEP
FAMILY = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
    "up(child.pid)\n"
)
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="groups and signals are POSIX"),
    pytest.mark.usefixtures("jupyter_home"),
]


class Starter:
    """Starts processes, in whose code ``up(text)`` says something to `said`."""

    def __init__(self, directory: Path) -> None:
        self.fifo = directory / "said"
        os.mkfifo(self.fifo)
        self.managers: list[SubprocessManager] = []

    async def __call__(self, code: str, **options: Any) -> SubprocessManager:
        prelude = f"def up(text):\n    with open({str(self.fifo)!r}, 'w') as said: said.write(str(text))\n"
        launched = await SubprocessLauncher([sys.executable, "-c", prelude + code], **options).launch(
            LaunchRequest()
        )
        assert isinstance(launched.manager, SubprocessManager)
        self.managers.append(launched.manager)
        return launched.manager

    async def said(self) -> str:
        """Wait until a process said something."""
        fd = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        try:
            await readable(fd)
            return os.read(fd, 100).decode()
        finally:
            os.close(fd)


async def readable(fd: int) -> None:
    """Wait until there is something to read, or a process of that descriptor has ended."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        async with asyncio.timeout(GUARD):
            await ready.wait()
    finally:
        loop.remove_reader(fd)


async def gone(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("no pidfd here")
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await readable(fd)
    finally:
        os.close(fd)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Starter]:
    """Starts processes; they are closed after the test, and then their files are gone."""
    starter = Starter(tmp_path)
    yield starter
    for manager in starter.managers:
        await manager.aclose()
        assert not manager.place.connection_file.exists()


@pytest.mark.parametrize("code", [0, 1, 255])
async def test_the_exit_code_comes_with_what_was_written(start: Starter, code: int) -> None:
    """stdout and stderr together."""
    source = f"import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit({code})"
    manager = await start(source)
    async with asyncio.timeout(GUARD):
        info = await manager.wait()

    assert info == ExitInfo(code, output_tail="out\nerr\n")
    assert not await manager.is_alive()
    assert await manager.output_tail() == "out\nerr\n"
    assert repr(manager) == f"<SubprocessManager pid={manager.pid} exit code {code}>"


@pytest.mark.parametrize(
    ("method", "number"),
    [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL), ("signal", signal.SIGUSR1)],
)
async def test_a_signal_ends_it_and_is_told(start: Starter, method: str, number: int) -> None:
    """As a negative code."""
    manager = await start(UP + SLEEP)
    await start.said()
    assert await manager.is_alive()
    assert "running" in repr(manager)
    await (manager.signal(number) if method == "signal" else getattr(manager, method)())
    async with asyncio.timeout(GUARD):
        assert (await manager.wait()).returncode == -number


async def test_an_interrupt_reaches_the_code(start: Starter) -> None:
    """SIGINT, which a process may survive."""
    manager = await start(
        "import time\ntry:\n up('x'); time.sleep(1000)\nexcept KeyboardInterrupt: raise SystemExit(7)"
    )
    await start.said()
    await manager.interrupt()
    async with asyncio.timeout(GUARD):
        assert (await manager.wait()).returncode == 7


async def test_signals_go_to_the_whole_group(start: Starter) -> None:
    """What the kernel started is interrupted with it; here the kernel itself ignores it and tells."""
    manager = await start(
        "import signal, subprocess\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "up(child.pid)\n"
        "raise SystemExit(5 if child.wait() == -signal.SIGINT else 6)\n"
    )
    await start.said()
    await manager.signal(signal.SIGINT)
    async with asyncio.timeout(GUARD):
        assert (await manager.wait()).returncode == 5


async def test_a_death_is_told_at_once_also_before_the_loop_has_noticed(start: Starter) -> None:
    """The operating system is asked, and not what was last heard of it."""
    manager = await start(UP + SLEEP)
    await start.said()
    os.kill(manager.pid, signal.SIGKILL)
    os.waitid(os.P_PID, manager.pid, os.WEXITED | os.WNOWAIT)

    assert not await manager.is_alive()


async def test_all_waiters_are_told_and_one_that_gave_up_disturbs_nobody(start: Starter) -> None:
    """Whoever asks after the end is told too."""
    manager = await start(UP + SLEEP)
    await start.said()
    waiting = [asyncio.create_task(manager.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert await manager.is_alive()
    await manager.kill()

    async with asyncio.timeout(GUARD):
        first, second = await asyncio.gather(*waiting[1:])
        assert first is second is await manager.wait()
    assert waiting[0].cancelled()


@pytest.mark.parametrize("end", ["exit", "kill", "aclose"])
async def test_the_group_ends_with_its_leader(start: Starter, end: str) -> None:
    """Children of the kernel are not left behind, however it ends."""
    manager = await start(FAMILY + ("" if end == "exit" else "time.sleep(1000)\n"))
    child = int(await start.said())
    if end == "kill":
        await manager.kill()
    elif end == "aclose":
        await manager.aclose()
    async with asyncio.timeout(GUARD):
        await manager.wait()

    await gone(child)


async def test_it_is_reaped_and_its_number_never_signalled_again(start: Starter) -> None:
    """It may be somebody else's by then."""
    manager = await start("pass")
    async with asyncio.timeout(GUARD):
        await manager.wait()
    with pytest.raises(ChildProcessError):
        os.waitpid(manager.pid, os.WNOHANG)
    sent: list[object] = []
    original = os.killpg
    os.killpg = lambda *arguments: sent.append(arguments)  # type: ignore[assignment]
    try:
        await manager.kill()
        await manager.interrupt()
        await manager.aclose()
    finally:
        os.killpg = original

    assert sent == []


@pytest.fixture
def no_sigchld() -> Iterator[None]:
    """The application ignores SIGCHLD, so that the system reaps its children."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures("no_sigchld")
async def test_with_sigchld_ignored_the_code_is_unknown(start: Starter) -> None:
    """And not 0; the end is told all the same."""
    manager = await start(UP + SLEEP)
    await start.said()
    assert await manager.is_alive()
    await manager.kill()
    async with asyncio.timeout(GUARD):
        assert (await manager.wait()).returncode is None
    assert not await manager.is_alive()


async def test_closing_ends_even_what_ignores_sigterm_and_twice_is_fine(start: Starter) -> None:
    """With SIGKILL; whoever waits is told."""
    manager = await start(STUBBORN)
    await start.said()
    waiting = asyncio.create_task(manager.wait())
    async with asyncio.timeout(GUARD):
        await asyncio.gather(manager.aclose(), manager.aclose())
        await manager.aclose()
        assert (await waiting).returncode == -signal.SIGKILL


async def test_closing_ends_a_stopped_process(start: Starter) -> None:
    """SIGKILL is the one signal that such a process takes."""
    manager = await start(UP + SLEEP)
    await start.said()
    await manager.signal(signal.SIGSTOP)
    async with asyncio.timeout(GUARD):
        await manager.aclose()
        assert (await manager.wait()).returncode == -signal.SIGKILL


@pytest.mark.parametrize("turns", range(4))
async def test_closing_that_is_cancelled_leaves_nothing(start: Starter, turns: int) -> None:
    """The process is killed and reaped, the descriptor closed, the files removed."""
    manager = await start(STUBBORN)
    await start.said()
    closing = asyncio.create_task(manager.aclose())
    for _ in range(turns + 1):
        await asyncio.sleep(0)
    closing.cancel()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([closing])
        assert (await manager.wait()).returncode == -signal.SIGKILL
    with pytest.raises(ChildProcessError):
        os.waitpid(manager.pid, os.WNOHANG)
    assert not manager.place.connection_file.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="strays are looked for in /proc")
async def test_closing_that_is_cancelled_has_ended_strays_too_when_it_returns(start: Starter) -> None:
    """Children that left the group, which are looked for after the exit."""
    family = FAMILY.replace("1000)'])", "1000)'], start_new_session=True)")
    manager = await start(family + "time.sleep(1000)\n")
    child = int(await start.said())
    closing = asyncio.create_task(manager.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([closing])
    assert closing.cancelled()
    assert not is_running(child)


@pytest.fixture
def vmstat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the system counts, looked at without a pause."""
    (tmp_path / "vmstat").write_text("oom_kill 4\n")
    for name, value in {"CGROUPS": tmp_path, "PROC": tmp_path, "INTERVAL": 0.0}.items():
        monkeypatch.setattr(memory, name, value)
    return tmp_path / "vmstat"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is counted")
async def test_who_was_killed_did_not_die_of_what_ran_out_of_memory_before(
    start: Starter, vmstat: Path
) -> None:
    """Whether it is the process itself or another one that was killed for memory, it has just happened."""
    manager = await start(SLEEP)
    vmstat.write_text("oom_kill 5\n")
    async with asyncio.timeout(GUARD):
        while manager._out_of_memory.reason() is not None:  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0.001)
        os.kill(manager.pid, signal.SIGKILL)
        assert (await manager.wait()).reason is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is counted")
async def test_who_was_killed_when_memory_ran_out_perhaps_died_of_that(
    start: Starter, vmstat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "INTERVAL", 1000.0)
    manager = await start(SLEEP)
    vmstat.write_text("oom_kill 5\n")
    os.kill(manager.pid, signal.SIGKILL)
    async with asyncio.timeout(GUARD):
        reason = (await manager.wait()).reason
    assert reason is not None
    assert reason.startswith("perhaps the system killed it because memory ran out")


async def test_a_taken_port_is_told_as_a_reason_to_try_again(start: Starter) -> None:
    """It may well be why the kernel died."""
    manager = await start("raise SystemExit(1)")
    async with asyncio.timeout(GUARD):
        assert (await manager.wait()).retry is False

    manager = await start(UP + SLEEP)
    await start.said()
    assert manager.place.connection_info.transport == "tcp"
    with socket.create_server(("127.0.0.1", manager.place.connection_info.shell_port)):
        await manager.kill()
        async with asyncio.timeout(GUARD):
            info = await manager.wait()
    assert info.retry
    assert info.reason == "another process took one of its ports"


async def test_who_ended_well_did_not_die_of_a_taken_port(start: Starter) -> None:
    """Whoever has it by then."""
    end_well = "import os, signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(0)); "
    manager = await start(end_well + UP + SLEEP)
    await start.said()
    with socket.create_server(("127.0.0.1", manager.place.connection_info.shell_port)):
        await manager.terminate()
        async with asyncio.timeout(GUARD):
            assert await manager.wait() == ExitInfo(0)


async def test_it_keeps_the_promises_of_a_manager() -> None:
    """All that the conformance check looks at."""

    async def factory() -> Any:
        launched = await SubprocessLauncher([sys.executable, "-c", SLEEP]).launch(LaunchRequest())
        return launched.manager

    await check_manager(factory, timeout=GUARD)


async def test_many_at_once(start: Starter) -> None:
    """Each is told its own end."""
    managers = [await start(f"raise SystemExit({code})") for code in range(10)]
    async with asyncio.timeout(GUARD):
        infos = await asyncio.gather(*(manager.wait() for manager in managers))

    assert [info.returncode for info in infos] == list(range(10))
