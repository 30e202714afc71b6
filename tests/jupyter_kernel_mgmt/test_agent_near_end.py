"""`Agent` with real, tiny processes."""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import ExitInfo, LaunchError
from jupyter_kernel_mgmt.agent import Agent, AgentProcess, needs_new_interpreter

GUARD = 20.0
PYTHON = [sys.executable, "-I", "-S", "-u", "-c"]
SLEEP = "import time; time.sleep(1000)"
STUBBORN = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]; print('up'); " + SLEEP


class Said:
    """What a process wrote, as it comes."""

    def __init__(self) -> None:
        self.data = b""
        self._more = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.data += data
        self._more.set()

    async def line(self, number: int = 1) -> str:
        """Wait for a whole line."""
        async with asyncio.timeout(GUARD):
            while self.data.count(b"\n") < number:
                self._more.clear()
                await self._more.wait()
        return self.data.split(b"\n")[number - 1].decode()


async def gone(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(fd, ended.set)
    try:
        async with asyncio.timeout(GUARD):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)


def is_running(pid: int) -> bool:
    """Whether there is such a process, zombies aside."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def ended(process: AgentProcess) -> ExitInfo:
    async with asyncio.timeout(GUARD):
        return await process.wait()


def descriptors() -> dict[str, str]:
    found = {}
    for fd in Path("/proc/self/fd").iterdir():
        try:
            found[fd.name] = str(fd.readlink())
        except OSError:
            continue
    return found


@pytest.fixture(scope="session")
def uvloop() -> Any:
    module = pytest.importorskip("uvloop")
    module.new_event_loop().close()  # the first one opens a pipe for the whole process
    return module


@pytest.fixture(autouse=True)
def no_descriptor_stays() -> Iterator[None]:
    before = descriptors()
    yield
    after = descriptors()
    assert {k: v for k, v in after.items() if before.get(k) != v and "/proc" not in v} == {}


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    async with await Agent.start(isolated=True) as started:
        yield started


# Commands


@pytest.mark.parametrize("code", [0, 3, 255])
async def test_the_exit_code_comes_with_the_end_of_the_output(agent: Agent, code: int) -> None:
    program = f"import sys; print('out'); print('err', file=sys.stderr); sys.exit({code})"
    process = await agent.spawn([*PYTHON, program])
    assert await ended(process) == process.exit_info == ExitInfo(code, output_tail="out\nerr\n")
    assert repr(process) == f"<AgentProcess {process.id} pid={process.pid} exit code {code}>"


async def test_a_signal_is_a_negative_code(agent: Agent) -> None:
    process = await agent.spawn([*PYTHON, SLEEP])
    assert process.exit_info is None
    assert "running" in repr(process)
    heard: list[ExitInfo] = []
    process.on_exit(heard.append)
    await process.signal(signal.SIGTERM)
    info = await ended(process)
    assert (info.returncode, info.reason) == (-signal.SIGTERM, None)
    await asyncio.sleep(0)
    assert heard == [info]
    await process.signal(signal.SIGTERM)
    await process.end()


async def test_an_interrupt_reaches_it(agent: Agent) -> None:
    """Whatever the owner, or the agent, does about SIGINT itself."""
    said = Said()
    code = "import time\ntry:\n print('up'); time.sleep(1000)\nexcept KeyboardInterrupt: raise SystemExit(7)"
    process = await agent.spawn([*PYTHON, code], on_output=said)
    await said.line()
    await process.signal(signal.SIGINT)
    assert (await ended(process)).returncode == 7


async def test_who_ignores_signals_is_ended(agent: Agent) -> None:
    said = Said()
    process = await agent.spawn([*PYTHON, STUBBORN], on_output=said)
    await said.line()
    await process.signal(signal.SIGTERM)
    await process.end()
    assert (await ended(process)).returncode == -signal.SIGKILL


async def test_a_stopped_process_is_ended(agent: Agent) -> None:
    process = await agent.spawn([*PYTHON, SLEEP])
    await process.signal(signal.SIGSTOP)
    await process.end()
    assert (await ended(process)).returncode == -signal.SIGKILL


async def test_streamed_output_is_whole_and_in_order(agent: Agent) -> None:
    """Bytes that are not UTF-8 too."""
    said = Said()
    program = "import sys\nfor n in range(20000): sys.stdout.buffer.write(b'\\xff %d\\n' % n)"
    process = await agent.spawn([*PYTHON, program], on_output=said)
    info = await ended(process)
    assert said.data == b"".join(b"\xff %d\n" % n for n in range(20000))
    assert info.output_tail.endswith("19999\n")
    assert len(info.output_tail) <= 65536


async def test_a_callback_that_fails_harms_nobody(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    def fail(data: bytes) -> None:
        raise ValueError(data)

    process = await agent.spawn([*PYTHON, "print('x')"], on_output=fail)
    assert (await ended(process)).returncode == 0
    assert "callback for the output" in caplog.text


async def test_output_that_nobody_reads_stops_nobody(agent: Agent) -> None:
    """It is drained at the far end."""
    process = await agent.spawn([*PYTHON, "print('x' * 10_000_000); raise SystemExit(5)"])
    info = await ended(process)
    assert (info.returncode, len(info.output_tail)) == (5, 65536)


async def test_output_can_go_to_a_descriptor_of_ours(agent: Agent) -> None:
    """Handed over: the agent keeps no copy, so that its end is seen."""
    read_end, write_end = os.pipe()
    process = await agent.spawn([*PYTHON, "import os; print('here', os.isatty(1))"], stdout=write_end)
    os.close(write_end)
    assert await ended(process) == ExitInfo(0)
    with os.fdopen(read_end, "rb") as pipe:
        assert pipe.read() == b"here False\n"


async def test_two_at_once_get_their_own_descriptors(agent: Agent) -> None:
    pipes = [os.pipe() for _ in range(10)]
    try:
        await asyncio.gather(
            *(
                agent.spawn([*PYTHON, f"print({number})"], stdout=write_end)
                for number, (_, write_end) in enumerate(pipes)
            )
        )
    finally:
        for _, write_end in pipes:
            os.close(write_end)
    for number, (read_end, _) in enumerate(pipes):
        with os.fdopen(read_end, "rb") as pipe:
            assert pipe.read() == b"%d\n" % number


TELL = (
    "import json, os, resource, signal, sys\n"
    "print(json.dumps({'env': dict(os.environ), 'cwd': os.getcwd(), 'sid': os.getsid(0),"
    " 'ppid': os.getppid(), 'stdin': sys.stdin.read(), 'fds': os.listdir('/proc/self/fd'),"
    " 'argv': sys.argv,"
    " 'blocked': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),"
    " 'int': signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
    " 'term': signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,"
    " 'nice': os.nice(0), 'files': resource.getrlimit(resource.RLIMIT_NOFILE)[0],"
    " 'cpu': resource.getrlimit(resource.RLIMIT_CPU),"
    " 'memory': resource.getrlimit(resource.RLIMIT_AS)[0]}))\n"
)


@pytest.mark.parametrize("way", ["spawn", "fork"])
async def test_a_process_is_as_it_was_asked_for(way: str, tmp_path: Path) -> None:
    """Directory, environment, limits, session, signals, input, and no descriptor of others."""
    env = {"PATH": os.environ["PATH"], "KEPT": "1", "DROPPED": "2", "OTHER": "3"}
    options: dict[str, Any] = {
        "cwd": tmp_path,
        "env": {"ADDED": "ä", "DROPPED": None},
        "inherit": ["KEPT", "DROPPED"],
        "limits": {"memory": 2**34, "cpu_time": 1000, "open_files": 100, "nice": 3},
        "mark": "a mark",
    }
    held = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(held, True)
    async with await Agent.start(code=forkable(TELL), env=env) as agent:
        if way == "fork":
            process = await agent.fork("kid:run", ["name", "one", "two"], **options)
        else:
            process = await agent.spawn([sys.executable, "-c", TELL, "one", "two"], **options)
        info = await ended(process)
    os.close(held)
    assert info.returncode == 0, info.output_tail
    facts = json.loads(info.output_tail)
    facts["env"].pop("LC_CTYPE", None)  # Python sets it where there is no locale
    assert facts["env"] == {
        "KEPT": "1",
        "ADDED": "ä",
        "JUPYTER_KERNEL_MARK": "a mark",
        "JPY_PARENT_PID": str(agent.pid),
    }
    assert facts["cwd"] == str(tmp_path)
    assert (facts["sid"], facts["ppid"]) == (process.pid, agent.pid)
    assert facts["argv"] == (["name", "one", "two"] if way == "fork" else ["-c", "one", "two"])
    assert (facts["stdin"], facts["blocked"], facts["int"], facts["term"]) == ("", [], True, True)
    assert len(facts["fds"]) == 4  # the fourth is the listing's own
    assert (facts["nice"], facts["files"], facts["memory"]) == (os.nice(0) + 3, 100, 2**34)
    assert facts["cpu"] == [1000, 1001]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"argv": ["/nowhere/program"]}, "the executable '/nowhere/program' cannot be run: No such file"),
        ({"argv": [os.devnull]}, "cannot be run: Permission denied"),
        ({"argv": ["true"], "cwd": "/nowhere"}, "the working directory /nowhere cannot be entered"),
        ({"argv": ["true"], "cwd": "nowhere"}, "'cwd' must be an absolute path"),
        ({"argv": []}, "'argv' must be a list of strings"),
        ({"argv": ["true"], "limits": {"luck": 1}}, "'limits' must be an object of numbers named memory"),
        ({"argv": ["true"], "files": ["relative"]}, "'files' must be a list of absolute paths"),
    ],
)
async def test_what_cannot_be_started_is_said_in_words(
    agent: Agent, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(LaunchError, match=text):
        await agent.spawn(options.pop("argv"), **options)
    assert (await ended(await agent.spawn([*PYTHON, ""]))).returncode == 0


async def test_a_limit_beyond_the_hard_one_is_refused(agent: Agent) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with pytest.raises(LaunchError, match=f"the limit open_files={hard * 10} cannot be set"):
        await agent.spawn(["true"], limits={"open_files": hard * 10})


async def test_a_name_is_given_once(agent: Agent) -> None:
    process = await agent.spawn([*PYTHON, SLEEP], id="k")
    with pytest.raises(LaunchError, match="has a process 'k' already"):
        await agent.spawn([*PYTHON, SLEEP], id="k")
    await process.end()
    await ended(process)
    await (await agent.spawn([*PYTHON, SLEEP], id="k")).end()


# Families

DAEMON = (
    "import os, sys, time\n"
    "read_end, write_end = os.pipe()\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        {become}\n"
    "        print(os.getpid(), flush=True)\n"
    "        os.write(write_end, b'said')\n"
    "        time.sleep(1000)\n"
    "    os._exit(0)\n"
    "os.wait()\n"
    "os.read(read_end, 4)\n"
    "{then}\n"
)
"""Starts what left its session and has another parent; says its number."""

THEN = {"runs on": "time.sleep(1000)", "ends": "sys.exit(0)"}


def forkable(source: str) -> str:
    """Code for `prepare` that makes a module with that function."""
    make = "import sys, types; m = sys.modules['kid'] = types.ModuleType('kid')"
    return f"{make}\nm.run = lambda: exec({source!r}, {{}})"


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("way", ["spawn", "fork"])
async def test_who_left_the_session_is_ended_too(way: str, then: str, tmp_path: Path) -> None:
    """By its mark, though it is nobody's child, while another kernel's stays."""
    source = DAEMON.format(become="", then=THEN[then])
    said, others = Said(), Said()
    async with await Agent.start(code=forkable(source)) as agent:
        if way == "fork":
            other = await agent.fork("kid:run", ["x"], on_output=others)
            await others.line()
            process = await agent.fork("kid:run", ["x"], on_output=said)
        else:
            other = await agent.spawn([*PYTHON, source.replace("sys.exit(0)", SLEEP)], on_output=others)
            await others.line()
            process = await agent.spawn([*PYTHON, source], on_output=said)
        daemon = int(await said.line())
        if then == "runs on":
            await process.end()
        assert (await ended(process)).returncode == (0 if then == "ends" else -signal.SIGKILL)
        await gone(daemon)
        if then == "runs on":
            assert other.exit_info is None
            assert is_running(int(await others.line()))
    await gone(int(await others.line()))


async def test_who_threw_away_its_mark_goes_with_the_last(agent: Agent) -> None:
    """A daemon with an empty environment is the agent's child by then."""
    become = "print(os.getpid(), flush=True); os.execve(sys.executable, ['x', '-c', 'input()'], {})"
    source = DAEMON.format(become=become.replace("input()", SLEEP), then="time.sleep(1000)")
    said = Said()
    process = await agent.spawn([*PYTHON, source], on_output=said)
    daemon = int(await said.line())
    await process.end()
    await ended(process)
    await gone(daemon)


async def test_its_files_are_removed_with_it(agent: Agent, tmp_path: Path) -> None:
    """Links are removed and not followed."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").touch()
    file, directory = tmp_path / "file", tmp_path / "directory"
    file.touch()
    (directory / "inner").mkdir(parents=True)
    (directory / "inner" / "socket").touch()
    (directory / "link").symlink_to(precious)
    process = await agent.spawn([*PYTHON, ""], files=[file, tmp_path / "never"], directories=[directory])
    await ended(process)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
    assert (precious / "data").exists()


# Forks

EXITS = {
    "pass": (0, ""),
    "raise SystemExit": (0, ""),
    "raise SystemExit(7)": (7, ""),
    "raise SystemExit('why')": (1, "why\n"),
    "1 / 0": (1, "ZeroDivisionError: division by zero\n"),
    "raise KeyboardInterrupt": (-signal.SIGINT, "KeyboardInterrupt\n"),
    "import atexit; atexit.register(print, 'bye')": (0, "bye\n"),
    "import threading, time; threading.Timer(0.01, print, ['late']).start()": (0, "late\n"),
    "print('unflushed', end='')": (0, "unflushed"),
    "import os; os.abort()": (-signal.SIGABRT, ""),
}


async def test_a_forked_program_ends_as_programs_do() -> None:
    """Code, traceback, exit functions, threads, buffers."""
    for source, (code, text) in EXITS.items():
        async with await Agent.start(isolated=True, code=forkable(source)) as agent:
            info = await ended(await agent.fork("kid:run", ["x"]))
            assert (info.returncode, info.output_tail.endswith(text)) == (code, True), (
                source,
                info.output_tail,
            )
            assert ("Traceback" in info.output_tail) == ("Error" in text or "Interrupt" in text)


async def test_forks_do_not_share_their_chances() -> None:
    """Nor what the agent was called, nor what it wrote but had not flushed."""
    source = "import random, sys; print(random.random(), vars(sys.modules['__main__']).get('Machine'))"
    before = forkable(source) + "\nimport random; random.seed(1); print('once', end=' ')"
    async with await Agent.start(isolated=True, code=before) as agent:
        processes = [await agent.fork("kid:run", ["x"]) for _ in range(2)]
        said = [(await ended(process)).output_tail for process in processes]
    assert said[0] != said[1]
    assert all(text.endswith("None\n") and "once" not in text for text in said)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("nosuchmodule:run", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("os:nosuch", "AttributeError"),
        ("os:sep", "'os:sep' cannot be called"),
        ("os", "'entry' must be module:function"),
    ],
)
async def test_an_entry_that_is_not_there_is_refused(entry: str, text: str) -> None:
    async with await Agent.start(isolated=True, code="pass") as agent:
        with pytest.raises(LaunchError, match=text):
            await agent.fork(entry, ["x"])
        assert agent.ended is None


async def test_a_process_with_threads_is_not_forked() -> None:
    """With the reason, for whoever falls back to a cold start."""
    code = "import threading, time; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"
    async with await Agent.start(isolated=True, code=code) as agent:
        assert agent.prepared["threads"] == 2
        with pytest.raises(LaunchError, match="a process with 2 threads cannot be forked safely"):
            await agent.fork("builtins:print", ["x"])


async def test_what_cannot_be_imported_is_told() -> None:
    """The rest is imported all the same."""
    modules = ["nosuchmodule", "this"]
    async with await Agent.start(isolated=True, prepare=modules, code="raise SystemExit(3)") as agent:
        problems = agent.prepared["problems"]
        assert problems == {
            "nosuchmodule": "ModuleNotFoundError: No module named 'nosuchmodule'",
            "code": "SystemExit: 3",
        }
        assert (await ended(await agent.fork("this:d.get", ["x"]))).returncode == 1


async def test_an_import_that_hangs_ends_the_agent(caplog: pytest.LogCaptureFixture) -> None:
    """Also one that lets no Python code run, and though the owner may be dead by then."""
    hang = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [15]); signal.sigwait([15])"
    with pytest.raises(LaunchError, match="the agent has ended"):
        await Agent.start(isolated=True, code=hang, timeout=1)


def test_what_a_fork_cannot_change_is_named() -> None:
    here = {"PATH": "a", "PYTHONPATH": "x", "LANG": "C", "TZ": "UTC"}
    assert needs_new_interpreter(here, here) == []
    assert needs_new_interpreter(here, {**here, "PATH": "b", "TZ": "CET", "PYTHONSTARTUP": "s"}) == []
    assert needs_new_interpreter(here, {"PATH": "a", "LD_PRELOAD": "y"}) == [
        "LANG",
        "LD_PRELOAD",
        "PYTHONPATH",
    ]


# Guarding


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
    )


async def test_a_guarded_process_ends_with_the_agent_and_its_files_go(tmp_path: Path) -> None:
    """One that was released does not."""
    kept, file = tmp_path / "kept", tmp_path / "file"
    kept.touch()
    file.touch()
    agent = Agent(isolated=True)
    agent.open()
    guarded, released = await started("sleep", "1000"), await started("sleep", "1000")
    agent.guard("g", mark="nobody's", files=[file])
    agent.guard("g", pid=guarded.pid)
    agent.guard("r", pid=released.pid, files=[kept])
    agent.release("r")
    await agent.aclose()
    assert await guarded.wait() == -signal.SIGKILL
    assert released.returncode is None
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    released.kill()
    await released.wait()


async def test_release_can_end_what_is_left(agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    process = await started("sleep", "1000")
    agent.guard("g", pid=process.pid, files=[file])
    agent.release("g", end=True)
    assert await process.wait() == -signal.SIGKILL
    await agent.signal("g", signal.SIGTERM)
    assert not file.exists()


async def test_nothing_is_guarded_in_silence_by_nobody() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        Agent().guard("g")


async def test_a_signal_reaches_a_guarded_process(agent: Agent) -> None:
    process = await started("sleep", "1000")
    agent.guard("g", pid=process.pid)
    await agent.signal("g", signal.SIGTERM)
    assert await process.wait() == -signal.SIGTERM
    agent.release("g")


async def test_a_number_that_is_somebody_elses_by_now_is_left_alone(agent: Agent) -> None:
    process = await started("sleep", "1000")
    agent.guard("g", pid=process.pid)
    agent._connection.send({"do": "guard", "id": "g", "pid": process.pid, "start": 1})
    await agent.signal("g", signal.SIGKILL)
    await agent.end("g")
    assert is_running(process.pid)
    process.kill()
    assert await process.wait() == -signal.SIGKILL


# The agent's own life


async def test_when_the_agent_is_killed_its_processes_are_ended_and_reported(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """With an unknown code and the reason; what was asked for meanwhile fails."""
    heard: list[str] = []
    file = tmp_path / "file"
    file.touch()
    agent = await Agent.start(isolated=True, on_end=heard.append)
    said = Said()
    source = DAEMON.format(become="", then="time.sleep(1000)")
    process = await agent.spawn([*PYTHON, source], on_output=said, files=[file])
    daemon = int(await said.line())
    os.kill(agent.pid, signal.SIGKILL)
    info = await ended(process)
    assert info.returncode is None
    assert info.reason is not None
    assert "the agent that watched it has ended" in info.reason
    await gone(process.pid)
    await gone(daemon)
    assert not file.exists()
    with pytest.raises(LaunchError, match="the agent has ended"):
        await agent.spawn([*PYTHON, ""])
    await process.signal(signal.SIGTERM)
    await process.end()
    await agent.aclose()
    assert heard == [agent.ended]
    assert "An agent has ended" in caplog.text


async def test_a_stopped_agent_does_not_hold_up_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes are ended from here."""
    monkeypatch.setattr("jupyter_kernel_mgmt.agent.near_end.CLOSE_TIMEOUT", 0.05)
    agent = await Agent.start(isolated=True)
    process = await agent.spawn([*PYTHON, SLEEP])
    os.kill(agent.pid, signal.SIGSTOP)
    async with asyncio.timeout(GUARD):
        await agent.aclose()
    assert (await ended(process)).returncode is None
    await gone(process.pid)


async def test_terminals_and_supervisors_do_not_end_it(agent: Agent) -> None:
    """The signals that one gets for other reasons."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(agent.pid, number)
    assert (await ended(await agent.spawn([*PYTHON, "raise SystemExit(3)"]))).returncode == 3


async def test_closing_ends_all_and_may_be_repeated() -> None:
    agent = await Agent.start(isolated=True)
    processes = [await agent.spawn([*PYTHON, SLEEP]) for _ in range(5)]
    await asyncio.gather(agent.aclose(), agent.aclose())
    await agent.aclose()
    assert [process.exit_info.returncode for process in processes if process.exit_info] == [-9] * 5
    assert agent.ended == "it was closed"
    assert repr(agent) == f"<Agent pid={agent.pid} it was closed>"


async def test_closing_what_was_never_opened() -> None:
    agent = Agent()
    await agent.aclose()
    assert repr(agent) == "<Agent pid=0 not started>"


async def test_a_forked_worker_of_ours_ends_nothing(agent: Agent) -> None:
    """It lets go of its copy; the agent, and what it started, stay."""
    process = await agent.spawn([*PYTHON, SLEEP])
    worker = os.fork()
    if worker == 0:
        try:
            agent.aclose().send(None)
        except StopIteration:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(worker, 0) == (worker, 0)
    assert (await ended(await agent.spawn([*PYTHON, "raise SystemExit(3)"]))).returncode == 3
    assert process.exit_info is None


async def test_a_process_runs_where_we_are_unless_told(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a child of ours would, not where the agent is."""
    monkeypatch.chdir(tmp_path)
    process = await agent.spawn([*PYTHON, "import os; print(os.getcwd())"])
    assert (await ended(process)).output_tail == f"{tmp_path}\n"


@pytest.mark.parametrize("turns", range(8))
async def test_closing_that_is_cancelled_leaves_nothing(turns: int) -> None:
    agent = await Agent.start(isolated=True)
    process = await agent.spawn([*PYTHON, SLEEP])
    closing = asyncio.create_task(agent.aclose())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert turns == 0 or agent.ended == "it was closed"
    await agent.aclose()
    assert (await ended(process)).returncode == -signal.SIGKILL


@pytest.mark.parametrize("turns", [*range(6), 20, 50])
async def test_starting_that_is_cancelled_leaves_nothing(turns: int) -> None:
    """The agent itself; the fixtures look for what stays."""
    starting = asyncio.create_task(Agent.start(isolated=True, prepare=["this"]))
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


@pytest.mark.parametrize("turns", range(4))
async def test_a_spawn_that_is_cancelled_leaves_no_process(agent: Agent, turns: int, tmp_path: Path) -> None:
    """Its files are gone when the agent says that it is."""
    file = tmp_path / "file"
    file.touch()
    spawning = asyncio.create_task(agent.spawn([*PYTHON, SLEEP], id="k", files=[file]))
    for _ in range(turns):
        await asyncio.sleep(0)
    spawning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spawning
    await agent.end("another")  # once this is answered, the end that cancelling asked for was done
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    assert not any(is_running(int(child)) for child in children)
    await agent.aclose()
    assert turns == 0 or not file.exists()


async def test_many_at_once(agent: Agent) -> None:
    """Each is told its own end."""
    processes = await asyncio.gather(
        *(agent.spawn([*PYTHON, f"raise SystemExit({number})"]) for number in range(20))
    )
    assert [(await ended(process)).returncode for process in processes] == list(range(20))


async def test_an_interpreter_that_is_none_is_told() -> None:
    with pytest.raises(LaunchError, match="an agent cannot be run by '/nowhere/python'"):
        await Agent.start(python="/nowhere/python")
    with pytest.raises(LaunchError, match=r"(?s)the agent has ended.*No module named"):
        await Agent.start(prefix=["sh", "-c", f"exec {sys.executable} -m nosuchmodule"])


@pytest.mark.parametrize(
    "options",
    [{"as_text": True}, {"prefix": ["env"]}, {"prefix": ["sh", "-c", 'echo welcome; exec "$@"', "sh"]}],
    ids=["text", "prefix", "banner"],
)
async def test_it_can_be_sent(options: dict[str, Any]) -> None:
    """As text, also through a command that says something first."""
    async with await Agent.start(isolated=True, code=forkable("print(6 * 7)"), **options) as agent:
        assert (await ended(await agent.spawn([*PYTHON, "print(1)"]))).output_tail == "1\n"
        assert (await ended(await agent.fork("kid:run", ["x"]))).output_tail == "42\n"


async def test_a_flood_of_questions_is_answered(agent: Agent) -> None:
    """More than the buffers between us hold, while nobody listens; memory is bounded at the far end."""
    for number in range(30_000):
        agent._connection.send({"do": "end", "id": "x" * 100, "re": 10**6 + number})
    assert (await ended(await agent.spawn([*PYTHON, "raise SystemExit(3)"]))).returncode == 3


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_it_works_on_every_loop(kind: str, uvloop: Any) -> None:
    """And needs no child watcher."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = (
        uvloop.new_event_loop if kind == "uvloop" else None
    )

    async def run() -> None:
        async with await Agent.start(isolated=True, code="pass") as agent:
            process = await agent.spawn([*PYTHON, SLEEP])
            await process.signal(signal.SIGTERM)
            assert (await ended(process)).returncode == -signal.SIGTERM
            process = await agent.fork("os:abort", ["x"])
            assert (await ended(process)).returncode == -signal.SIGABRT
            process = await agent.spawn([*PYTHON, SLEEP])
            os.kill(agent.pid, signal.SIGKILL)
            assert (await ended(process)).returncode is None

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())
