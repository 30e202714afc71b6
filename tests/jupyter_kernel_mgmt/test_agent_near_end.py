"""`Agent` with real, tiny processes."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt import ExitInfo, LaunchError
from jupyter_kernel_mgmt.agent import Agent

from ._agents import DAEMON, GUARD, PYTHON, SLEEP, Said, ended, gone, is_running

pytestmark = pytest.mark.usefixtures("no_descriptor_stays")


@pytest.fixture(scope="session")
def uvloop() -> Any:
    module = pytest.importorskip("uvloop")
    module.new_event_loop().close()  # the first one opens a pipe for the whole process
    return module


STUBBORN = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]; print('up'); " + SLEEP


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


async def test_a_callback_that_fails_harms_nobody(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    def fail(data: bytes) -> None:
        raise ValueError(data)

    process = await agent.spawn([*PYTHON, "print('x')"], on_output=fail)
    assert (await ended(process)).returncode == 0
    assert "callback for the output" in caplog.text


async def test_a_name_is_given_once(agent: Agent) -> None:
    process = await agent.spawn([*PYTHON, SLEEP], id="k")
    with pytest.raises(LaunchError, match="has a process 'k' already"):
        await agent.spawn([*PYTHON, SLEEP], id="k")
    await process.end()
    await ended(process)
    await (await agent.spawn([*PYTHON, SLEEP], id="k")).end()


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


async def test_without_a_thread_the_end_of_an_agent_is_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And its processes are ended."""

    def fail(thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    heard: list[str] = []
    agent = await Agent.start(isolated=True, on_end=heard.append)
    process = await agent.spawn([*PYTHON, SLEEP])
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        os.kill(agent.pid, signal.SIGKILL)
        assert (await ended(process)).returncode is None
        await gone(process.pid)
        await agent.aclose()
    assert heard == [agent.ended]
    assert "without a thread" in caplog.text


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


async def test_a_spawn_that_is_cancelled_when_it_has_just_started_leaves_no_process(agent: Agent) -> None:
    """Nobody has the process yet, though it is known here; its name is free again."""
    spawning = asyncio.create_task(agent.spawn([*PYTHON, SLEEP], id="k"))
    pids: list[int] = []
    hear = agent._connection._on_event

    def cancel_at_once(event: dict[str, Any]) -> None:
        hear(event)
        if event["event"] == "started":
            pids.append(event["pid"])
            spawning.cancel()

    agent._connection._on_event = cancel_at_once
    with pytest.raises(asyncio.CancelledError):
        await spawning
    agent._connection._on_event = hear
    await gone(*pids)
    await (await agent.spawn([*PYTHON, SLEEP], id="k")).end()


async def test_many_at_once(agent: Agent) -> None:
    """Each is told its own end."""
    processes = await asyncio.gather(
        *(agent.spawn([*PYTHON, f"raise SystemExit({number})"]) for number in range(20))
    )
    assert [(await ended(process)).returncode for process in processes] == list(range(20))


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
