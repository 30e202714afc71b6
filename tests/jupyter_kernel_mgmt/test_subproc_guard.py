"""`Guard`: the agent that outlives us just long enough, for as long as there is something to guard."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.agent import Agent
from jupyter_kernel_mgmt.agent.far_end.ward import MARK
from jupyter_kernel_mgmt.subproc import guard as module
from jupyter_kernel_mgmt.subproc.guard import AGENTS, Guard, Ward

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks for strays in /proc")

GUARD = 30


@pytest.fixture
def strays() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of this test, ended and reaped after it."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def stray(ward: Ward) -> subprocess.Popen[bytes]:
    """A process in a session of its own that carries a mark, as what a kernel's code has started."""
    env = {**os.environ, MARK: ward.mark}
    return subprocess.Popen(["sleep", "600"], env=env, start_new_session=True)


async def test_what_carries_the_mark_is_ended(strays: list[subprocess.Popen[bytes]]) -> None:
    """And nothing else."""
    guard = Guard()
    ward, other = guard.ward("one"), guard.ward("two")
    strays += [stray(ward), stray(other)]

    await ward.end()
    await ward.end()

    assert strays[0].wait(GUARD) == -signal.SIGKILL
    assert strays[1].poll() is None
    await other.release()
    assert strays[1].poll() is None


async def test_the_agent_is_there_as_long_as_there_is_a_ward() -> None:
    """The next ward has another one."""
    guard = Guard()
    first, second = guard.ward("one"), guard.ward("two")
    agent = guard._agent
    assert agent is not None
    await first.end()
    assert agent.ended is None
    await second.release()
    assert agent.ended is not None
    third = guard.ward("three")
    assert guard._agent is not None
    assert guard._agent.ended is None
    await third.release()


async def test_another_agent_takes_over_but_not_for_ever(strays: list[subprocess.Popen[bytes]]) -> None:
    """One that dies again and again is given up; ends are no errors then."""
    guard = Guard()
    ward = guard.ward("one")
    strays.append(stray(ward))
    for _ in range(AGENTS - 1):
        await lose(guard)
    await ward.end()
    assert strays[0].wait(GUARD) == -signal.SIGKILL


async def lose(guard: Guard) -> None:
    """Its agent dies, and it knows of that."""
    agent = guard._agent
    assert agent is not None
    os.kill(agent.pid, signal.SIGKILL)
    async with asyncio.timeout(GUARD):
        while guard._agent is agent:  # noqa: ASYNC110 - nothing tells us of it
            await asyncio.sleep(0.005)


async def test_that_nothing_is_guarded_any_more_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Once the last agent of a row has died; the next kernels have a guard again."""
    guard = Guard()
    ward = guard.ward("one")
    for _ in range(AGENTS):
        await lose(guard)
    assert guard._agent is None
    assert caplog.text.count("not guarded") == 1
    guard.ward("two")
    assert guard._agent is None
    for ward in [*guard._wards.values()]:
        await ward.release()
    ward = guard.ward("three")
    assert guard._agent is not None
    await ward.release()


async def test_agents_that_die_long_after_each_other_are_replaced_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While there is a ward."""
    monkeypatch.setattr(module, "CALM", 0.0)
    guard = Guard()
    ward = guard.ward("one")
    for _ in range(AGENTS + 1):
        await lose(guard)
    assert guard._agent is not None
    assert "not guarded" not in caplog.text
    await ward.end()


async def test_when_the_agent_dies_over_the_end_the_next_one_ends_it(
    strays: list[subprocess.Popen[bytes]],
) -> None:
    """Though its death was not known yet, and others are guarded still."""
    guard = Guard()
    ward, other = guard.ward("one"), guard.ward("two")
    strays.append(stray(ward))
    assert guard._agent is not None
    await guard._agent.ready()
    os.kill(guard._agent.pid, signal.SIGKILL)
    await ward.end()
    assert strays[0].wait(GUARD) == -signal.SIGKILL
    await other.release()


async def test_when_the_last_agent_dies_over_the_end_it_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "AGENTS", 1)
    guard = Guard()
    ward = guard.ward("one")
    assert guard._agent is not None
    await guard._agent.ready()
    os.kill(guard._agent.pid, signal.SIGKILL)
    await ward.end()
    assert "left something behind is not known" in caplog.text


async def test_where_there_can_be_no_agent_kernels_run_unguarded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is told once."""

    def without_python(**options: object) -> Agent:
        return Agent(python="/no/such/python")

    monkeypatch.setattr(module, "Agent", without_python)
    guard = Guard()
    wards = [guard.ward("one", files=[Path("/no/such/file")]), guard.ward("two")]
    for ward in wards:
        ward.started(os.getpid())
        await ward.end()
    assert caplog.text.count("not guarded") == 1
