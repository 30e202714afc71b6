"""Who has to be killed, and that they are: in tables that a test makes up, and with real families."""

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent import Agent
from jupyter_kernel_mgmt.agent.far_end.processes import Process
from jupyter_kernel_mgmt.agent.far_end.sweeping import victims
from jupyter_kernel_mgmt.agent.far_end.ward import Ward

from ._agents import DAEMON, PYTHON, SLEEP, Said, ended, forkable, gone, is_running

pytestmark = pytest.mark.usefixtures("no_descriptor_stays")


# Tables


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


# Families


THEN = {"runs on": "time.sleep(1000)", "ends": "sys.exit(0)"}


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
