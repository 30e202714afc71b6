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
        agent = guard._agent
        assert agent is not None
        os.kill(agent.pid, signal.SIGKILL)
        async with asyncio.timeout(GUARD):
            while guard._agent is agent or guard._agent is None:  # noqa: ASYNC110 - nothing tells us of it
                await asyncio.sleep(0.005)
    await ward.end()
    assert strays[0].wait(GUARD) == -signal.SIGKILL


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
