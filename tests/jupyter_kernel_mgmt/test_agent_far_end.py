"""The far end as a program: on every interpreter at hand, and when its owner goes away in every way."""

import ast
import asyncio
import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent import Agent, far_end
from jupyter_kernel_mgmt.agent.far_end import Process, Ward, victims

GUARD = 20.0
ROOT = Path(far_end.__file__).parents[2]
VERSIONS = [f"3.{minor}" for minor in range(8, 15)]


# What has to be killed: plain


def process(pid: int, parent: int = 1, group: int | None = None, **options: Any) -> Process:
    return Process(pid, parent, group or pid, options.pop("start", pid), options.pop("state", "S"), **options)


KERNEL = Ward("k", pid=50, start=50, mark="m")
TABLE = [process(1, 0), process(10), process(50, 10)]
CASES: dict[str, tuple[list[Process], dict[str, Any], set[int]]] = {
    "the kernel itself": ([], {}, {50}),
    "its group": ([process(51, 1, 50)], {}, {50, 51}),
    "its group without it": ([process(50, 10, state="Z"), process(51, 1, 50)], {}, {51}),
    "children that left the group": ([process(60, 50), process(61, 60)], {}, {50, 60, 61}),
    "who carries its mark, and their children": ([process(70, mark="m"), process(71, 70)], {}, {50, 70, 71}),
    "nobody else": ([process(80, mark="n"), process(81, 10), process(82, 80, 80)], {}, {50}),
    "nobody who has its number by now": ([process(50, 10, start=99), process(51, 50, 50)], {}, set()),
    "nor their children": ([process(50, start=99), process(51, 50), process(70, mark="m")], {}, {70}),
    "no zombies": ([process(50, 10, state="Z"), process(51, 50, state="Z")], {}, set()),
    "what descends from a root, but not that": (
        [process(11, 10), process(12, 11)],
        {"roots": [10]},
        {11, 12, 50},
    ),
    "who is to be spared, and theirs, stay": (
        [process(60, 50), process(61, 60), process(62, 50)],
        {"spare": [60]},
        {50, 62},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_who_has_to_be_killed(name: str) -> None:
    more, options, expected = CASES[name]
    table = {entry.pid: entry for entry in [*TABLE, *more]}
    assert victims(list(table.values()), [KERNEL], **options) == expected


def test_a_ward_without_a_process_is_found_by_its_mark() -> None:
    """Its owner died before it could say the number."""
    table = [*TABLE, process(70, mark="m"), process(71)]
    assert victims(table, [Ward("k", mark="m")]) == {70}
    assert victims(table, [Ward("k")]) == set()


@given(
    st.lists(
        st.builds(
            process,
            st.integers(2, 30),
            st.integers(1, 30),
            st.integers(2, 30),
            mark=st.sampled_from([None, "m"]),
            state=st.sampled_from("SZ"),
        ),
        unique_by=lambda entry: entry.pid,
    ),
    st.sets(st.integers(2, 30)),
)
def test_who_is_spared_is_spared_and_zombies_are_let_lie(table: list[Process], spare: set[int]) -> None:
    """Whatever the table says, loops of parents included."""
    found = victims(table, [Ward("k", pid=5, start=5, mark="m")], roots=[7], spare=spare)
    living = {entry.pid for entry in table if entry.state == "S"}
    assert found <= living - spare - {7}


def test_processes_are_seen_as_they_are() -> None:
    """Ourselves, in the table."""
    (me,) = [entry for entry in far_end.processes(marks=True) if entry.pid == os.getpid()]
    assert (me.parent, me.group, me.state) == (os.getppid(), os.getpgrp(), "R")
    assert far_end.look_at(2**22 + 1) is None


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps")
def test_where_there_is_no_proc_ps_is_asked() -> None:
    """Without starts and marks."""
    (me,) = [entry for entry in far_end._processes_by_ps() if entry.pid == os.getpid()]
    assert (me.parent, me.group, me.start, me.mark) == (os.getppid(), os.getpgrp(), None, None)


# On every interpreter


def interpreter(version: str) -> str:
    """The path of a Python of that version; a shim for one that is not installed does not count."""
    found = shutil.which(f"python{version}")
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {version} here")
    return found


def test_it_is_written_for_python_3_8() -> None:
    """By syntax; the interpreters at hand run it below."""
    source = Path(far_end.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported <= set(sys.stdlib_module_names)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]


@pytest.mark.parametrize("way", ["path", "text"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_it_runs_on_every_interpreter(version: str, way: str) -> None:
    """Starting, forking, limits, marks, descriptors, the end of a family."""
    python = interpreter(version)
    code = "import sys, types; m = sys.modules['kid'] = types.ModuleType('kid')\n"
    code += "def run():\n    import os\n    print(os.environ['JUPYTER_KERNEL_MARK'], sys.argv, flush=True)\n"
    code += "    os.abort()\nm.run = run"
    async with (
        asyncio.timeout(GUARD),
        await Agent.start(python=python, isolated=True, as_text=way == "text", code=code) as agent,
    ):
        assert agent.hello["python"].startswith(version + ".")
        assert agent.prepared["problems"] == {}
        forked = await agent.fork("kid:run", ["a"], mark="mine", limits={"open_files": 99})
        info = await forked.wait()
        assert (info.returncode, info.output_tail) == (-signal.SIGABRT, "mine ['a']\n")
        family = await agent.spawn(["sh", "-c", "setsid sleep 1000 & exec sleep 1000"])
        await family.end()
        assert (await family.wait()).returncode == -signal.SIGKILL
        read_end, write_end = os.pipe()
        try:
            assert (await (await agent.spawn(["echo", "x"], stdout=write_end)).wait()).returncode == 0
        finally:
            os.close(write_end)
        with os.fdopen(read_end) as pipe:
            assert pipe.read() == "x\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_its_owner_is_watched_on_every_interpreter(version: str) -> None:
    """With a pidfd where there is one, otherwise by looking now and then, while others hold the pipes."""
    python = interpreter(version)
    owner = subprocess.Popen(["sleep", "1000"])
    start = far_end.look_at(owner.pid)
    assert start is not None
    read_end, write_end = os.pipe()
    far = subprocess.Popen(
        [python, "-I", "-S", far_end.__file__, str(owner.pid), str(start.start)],
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
        [sys.executable, "-I", "-S", far_end.__file__, str(os.getpid()), "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GUARD,
        check=True,
    )
    assert [json.loads(line)["event"] for line in far.stdout.splitlines()] == ["hello", "closed"]


def test_the_end_of_the_pipe_alone_is_enough() -> None:
    """For owners that are elsewhere; what was started ends first."""
    far = subprocess.Popen(
        [sys.executable, "-I", "-S", far_end.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = far.communicate(b'{"do": "start", "id": "k", "argv": ["sleep", "1000"]}\n', GUARD)
    assert far.returncode == 0
    assert [json.loads(line)["event"] for line in out.splitlines()][-1] == "closed"


def test_an_owner_that_asks_and_never_listens_is_not_served_for_ever() -> None:
    """Its commands wait in its own buffers; when it goes, everything ends."""
    far = subprocess.Popen(
        [sys.executable, "-I", "-S", far_end.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
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
        assert sent < 64 * far_end.BACKLOG_LIMIT
    memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{far.pid}/status").read_text())
    assert memory is not None
    assert int(memory[1]) < 100_000  # kB
    far.stdin.close()
    far.stdout.close()
    assert far.wait(GUARD) == 0


def test_the_guide_shows_what_happens() -> None:
    """Its session, run as it stands; numbers and the interpreter differ."""
    guide = (ROOT / "examples" / "agent.md").read_text(encoding="utf-8")
    _, script, _, said, *_ = re.split(r"```(?:sh)?\n", guide[guide.index("```sh") :])
    ran = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, timeout=GUARD, check=True)
    shown, told = (
        [
            {k: v for k, v in json.loads(line).items() if k not in ("pid", "start", "python", "executable")}
            for line in text.splitlines()
        ]
        for text in (said, ran.stdout.decode())
    )
    assert [event for event in told if event.get("id") != "k2"] == [e for e in shown if e.get("id") != "k2"]
    assert [event["event"] for event in told if event.get("id") == "k2"] == ["failed"]


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
    for entry in far_end.processes(marks=False):
        with contextlib.suppress(OSError):
            if entry.state not in "ZX" and mark.encode() in Path(f"/proc/{entry.pid}/environ").read_bytes():
                found.add(entry.pid)
    return found


def running() -> set[int]:
    """All processes but zombies."""
    return {entry.pid for entry in far_end.processes(marks=False) if entry.state not in "ZX"}


def family(root: int) -> set[int]:
    """A process and all its descendants."""
    table = far_end.processes(marks=False)
    return {root} | victims(table, [], roots=[root])


@pytest.fixture
def subreaper() -> Iterator[None]:
    """What a dead owner leaves becomes ours, not init's, so that we can see and reap it."""
    assert far_end.adopt_orphans()
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
    for child in far_end.children():
        os.waitpid(child, 0)
