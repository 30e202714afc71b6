"""What an agent is told is what its far end takes."""

import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt import ExitInfo
from jupyter_kernel_mgmt.agent import Agent, AgentProcess
from jupyter_kernel_mgmt.agent._commands import exit_info, guard_command, prepare_command, start_command
from jupyter_kernel_mgmt.agent.far_end.commands import check


def start(process: AgentProcess, **changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "env": None,
        "inherit": True,
        "cwd": None,
        "limits": None,
        "handed_over": False,
    }
    return start_command(process, ["x", "1"], **{**options, **changes})


async def test_a_start_says_all_that_is_wanted() -> None:
    """Values of Python's as JSON has them."""
    process = AgentProcess(Agent(), "k", "mark")
    process.files, process.directories = ("/tmp/x/f",), ("/tmp/x/d",)
    command = start(process, env={"A": None}, inherit=("B",), cwd="/", limits={"nice": 3})
    assert check(command) is None
    assert command == {
        "do": "start",
        "id": "k",
        "argv": ["x", "1"],
        "mark": "mark",
        "cwd": "/",
        "env": {"A": None},
        "inherit": ["B"],
        "limits": {"nice": 3},
        "files": ["/tmp/x/f"],
        "directories": ["/tmp/x/d"],
        "output": "tail",
    }
    forked = start(process, entry="a:b")
    assert check(forked) is None
    assert (forked["do"], forked["entry"], forked["inherit"]) == ("fork", "a:b", True)


async def test_output_goes_where_somebody_waits_for_it() -> None:
    process = AgentProcess(Agent(), "k", "mark")
    assert start(process)["output"] == "tail"
    process.on_output = print
    assert start(process)["output"] == "stream"
    assert start(process, handed_over=True)["output"] == "descriptor"


def test_a_guard_says_only_what_is_known_now() -> None:
    """Since the rest stays as it was said before."""
    nothing: dict[str, Any] = {"pid": None, "start": None, "mark": None, "files": (), "directories": ()}
    first = guard_command("g", **{**nothing, "mark": "m", "files": [Path("/tmp/x/f")]})
    assert first == {"do": "guard", "id": "g", "mark": "m", "pid": None, "files": ["/tmp/x/f"]}
    then = guard_command("g", **{**nothing, "pid": 77, "directories": ["/tmp/x/d"]})
    assert then["directories"] == ["/tmp/x/d"]
    assert (then["pid"], then["start"], "files" in then) == (77, None, False)
    assert check(first) is check(then) is None


@pytest.mark.parametrize(("timeout", "said"), [(0.1, 1), (2.4, 2), (60.0, 60)])
def test_a_preparation_takes_whole_seconds(timeout: float, said: int) -> None:
    command = prepare_command(["this"], "pass", timeout)
    assert check(command) is None
    assert command["timeout"] == said


def test_an_end_that_nobody_saw_is_explained() -> None:
    assert exit_info({"code": 3, "output": "bye"}) == ExitInfo(3, output_tail="bye")
    info = exit_info({"code": None})
    assert (info.returncode, info.reason) == (None, "its end was not seen by its parent")
