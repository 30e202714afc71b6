"""The owner: however it goes away, and though it does not listen."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent.far_end.children import adopt_orphans, children
from jupyter_kernel_mgmt.agent.far_end.owner import BACKLOG_LIMIT, Connection
from jupyter_kernel_mgmt.agent.far_end.processes import look_at, processes
from jupyter_kernel_mgmt.agent.far_end.sweeping import victims

from ._agents import BY_PATH, GUARD, ROOT, VERSIONS, interpreter


@pytest.mark.parametrize("version", VERSIONS)
def test_its_owner_is_watched_on_every_interpreter(version: str) -> None:
    """With a pidfd where there is one, otherwise by looking now and then, while others hold the pipes."""
    python = interpreter(version)
    owner = subprocess.Popen(["sleep", "1000"])
    start = look_at(owner.pid)
    assert start is not None
    read_end, write_end = os.pipe()
    far = subprocess.Popen(
        [python, *BY_PATH[1:], str(owner.pid), str(start.start)],
        stdin=read_end,
        stdout=subprocess.PIPE,
    )
    os.close(read_end)
    assert far.stdout is not None
    try:
        assert json.loads(far.stdout.readline())["pidfd"] == (version != "3.8")
        owner.kill()
        owner.wait()
        assert json.loads(far.stdout.readline()) == {"event": "closed", "re": None}
        assert far.wait(GUARD) == 0
    finally:
        os.close(write_end)
        far.stdout.close()


def test_an_owner_that_is_gone_before_it_starts_is_gone() -> None:
    """Even if its number belongs to somebody else."""
    far = subprocess.run(
        [*BY_PATH, str(os.getpid()), "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GUARD,
        check=True,
    )
    assert [json.loads(line)["event"] for line in far.stdout.splitlines()] == ["hello", "closed"]


def test_the_end_of_the_pipe_alone_is_enough() -> None:
    """For owners that are elsewhere; what was started ends first."""
    far = subprocess.Popen(BY_PATH, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = far.communicate(b'{"do": "start", "id": "k", "argv": ["sleep", "1000"]}\n', GUARD)
    assert far.returncode == 0
    assert [json.loads(line)["event"] for line in out.splitlines()][-1] == "closed"


def test_an_owner_that_asks_and_never_listens_is_not_served_for_ever() -> None:
    """Its commands wait in its own buffers; when it goes, everything ends."""
    far = subprocess.Popen(BY_PATH, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert far.stdin is not None
    assert far.stdout is not None
    os.set_blocking(far.stdin.fileno(), False)
    sent, line = 0, b'{"do": "fly", "re": 1}\n' * 1000
    while True:
        try:
            sent += os.write(far.stdin.fileno(), line)
        except BlockingIOError:
            if not select.select([], [far.stdin], [], 1.0)[1]:
                break  # it has stopped reading
        assert sent < 64 * BACKLOG_LIMIT
    memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{far.pid}/status").read_text())
    assert memory is not None
    assert int(memory[1]) < 100_000  # kB
    far.stdin.close()
    far.stdout.close()
    assert far.wait(GUARD) == 0


# The connection alone


def test_descriptors_come_with_lines_and_go_with_what_made_no_sense() -> None:
    """In the order in which they were sent."""
    ours, theirs = socket.socketpair()
    end = theirs.detach()
    connection = Connection(end, end)
    connection.open()
    assert connection.brings_descriptors()
    read_end, write_end = os.pipe()
    socket.send_fds(ours, [b"one\ntw"], [write_end])
    assert connection.read() == [b"one"]
    connection.tidy()  # the second line has begun: it may be that line's
    socket.send_fds(ours, [b"o\n"], [write_end])
    assert connection.read() == [b"two"]
    first = connection.take()
    assert first is not None
    os.close(first)
    os.close(write_end)
    connection.tidy()
    assert connection.take() is None
    assert os.read(read_end, 1) == b""  # no copy is left
    os.close(read_end)
    with pytest.raises(BlockingIOError):
        connection.read()
    ours.close()
    with pytest.raises(EOFError):
        connection.read()
    connection.abandon()
    os.close(end)


def test_nothing_is_read_from_who_does_not_listen_until_it_does() -> None:
    """And once it cannot listen any more, that is said."""
    ours, theirs = socket.socketpair()
    end = theirs.detach()
    connection = Connection(end, end)
    connection.open()
    assert connection.wanted() == {end: select.POLLIN}
    assert connection.send({"event": "x" * 1_000_000})
    assert connection.wanted() == {end: select.POLLIN | select.POLLOUT}
    assert not connection.full()
    assert connection.send({"event": "x" * 1_000_000})
    assert connection.full()
    assert connection.wanted() == {end: select.POLLOUT}
    while connection.wanted() != {end: select.POLLIN}:
        assert ours.recv(2**20)
        assert connection.flush()
    ours.close()
    assert not connection.send({"event": "y"})
    assert connection.flush()  # there is nothing left that could be lost
    connection.abandon()
    os.close(end)


# When the application is killed


OWNER = """
import asyncio, os, subprocess, sys
from pathlib import Path
from jupyter_kernel_mgmt.agent import Agent

way, home = sys.argv[1], Path(sys.argv[2])
KERNEL = '''
import os, subprocess, sys, time
subprocess.Popen(["sleep", "1000"])
subprocess.Popen(["sleep", "1000"], start_new_session=True)
subprocess.Popen(["sleep", "1000"], start_new_session=True, env={})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        time.sleep(1000)
    os._exit(0)
os.wait()
open(sys.argv[1], "w").close()
time.sleep(1000)
'''

async def main():
    code = "import sys, types; m = sys.modules['kid'] = types.ModuleType('kid')\\n"
    code += f"m.run = lambda: exec({KERNEL!r}, {{}})"
    agent = await Agent.start(isolated=True, code=code if way == "fork" else "")
    ups = []
    for number in range(10):
        file, directory = home / f"{number}.json", home / f"{number}.dir"
        directory.mkdir()
        (directory / "socket").touch()
        file.touch()
        ups.append(home / f"{number}.up")
        options = {"files": [file, ups[-1]], "directories": [directory]}
        options["mark"] = f"mark-{number}-{os.getpid()}"
        argv = [sys.executable, "-I", "-S", "-c", KERNEL, str(ups[-1])]
        if way == "fork":
            await agent.fork("kid:run", ["x", str(ups[-1])], **options)
        elif way == "start":
            await agent.spawn(argv, **options)
        else:
            agent.guard(str(number), **options)
            env = {**os.environ, "JUPYTER_KERNEL_MARK": options["mark"]}
            child = subprocess.Popen(argv, env=env, start_new_session=True)
            if number % 2:  # of the others only the marks are known
                agent.guard(str(number), pid=child.pid)
    while not all(up.exists() for up in ups):
        await asyncio.sleep(0.01)
    worker = os.fork()
    if worker == 0:  # holds all our descriptors
        while True:
            os.pause() if hasattr(os, "pause") else __import__("signal").pause()
    print(worker, agent.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


def marked(mark: str) -> set[int]:
    """All processes that were started, directly or not, with this in their environment, and live."""
    found = set()
    for entry in processes(marks=False):
        with contextlib.suppress(OSError):
            if entry.state not in "ZX" and mark.encode() in Path(f"/proc/{entry.pid}/environ").read_bytes():
                found.add(entry.pid)
    return found


def running() -> set[int]:
    """All processes but zombies."""
    return {entry.pid for entry in processes(marks=False) if entry.state not in "ZX"}


def family(root: int) -> set[int]:
    """A process and all its descendants."""
    table = processes(marks=False)
    return {root} | victims(table, [], roots=[root])


@pytest.fixture
def subreaper() -> Iterator[None]:
    """What a dead owner leaves becomes ours, not init's, so that we can see and reap it."""
    assert adopt_orphans()
    yield
    import ctypes

    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("way", ["guard", "start", "fork"])
def test_a_killed_application_leaves_nothing(way: str, tmp_path: Path, subreaper: None) -> None:
    """Neither kernels nor children that left them nor files, though a forked worker holds the pipes."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, way, str(tmp_path)], stdout=subprocess.PIPE, env=env
    )
    assert owner.stdout is not None
    worker, agent = map(int, owner.stdout.readline().split())
    everything = family(owner.pid) | family(agent) | marked(f"-{owner.pid}\0")
    assert len(everything) >= 3 + 10 * 5
    owner.kill()
    owner.wait()

    deadline = time.monotonic() + GUARD
    while left := (everything - {worker}) & running():
        assert time.monotonic() < deadline, (left, everything)
        time.sleep(0.005)
    assert list(tmp_path.iterdir()) == []
    assert worker in running()
    os.kill(worker, signal.SIGKILL)
    owner.stdout.close()
    for child in children():
        os.waitpid(child, 0)
