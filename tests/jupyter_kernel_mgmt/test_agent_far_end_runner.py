"""What the machine decides is done: the far end with real processes, over pipes."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent.far_end.commands import LINE_LIMIT

from ._agent_scenarios import BAD_LINES, PROGRAMS, SCENARIOS, START, told
from ._agents import FarEnd


@pytest.fixture
def real() -> Iterator[FarEnd]:
    far = FarEnd()
    yield far
    far.close()


def runnable(command: dict[str, Any]) -> dict[str, Any]:
    """With a command where a scenario has a name for it."""
    argv = command.get("argv", [""])
    return {**command, "argv": PROGRAMS[argv[0]]} if argv[0] in PROGRAMS else command


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_program_does_what_it_decides(real: FarEnd, name: str) -> None:
    """The same, with processes; what concerns one of them comes in the same order."""
    steps, expected = SCENARIOS[name]
    for step in steps:
        if isinstance(step, str):
            real.wait(lambda event, step=step: [event["event"], event["id"]] == step.split())  # type: ignore[misc]
        else:
            real.send(runnable(step))
    for wanted in expected:
        real.wait(lambda event, wanted=wanted: told(event) == wanted)  # type: ignore[misc]
    assert sorted(map(told, real.events), key=repr) == sorted(expected, key=repr)
    for id in ("k", "l"):
        assert [e for e in map(told, real.events) if id in e] == [e for e in expected if id in e]


def test_the_program_survives_what_makes_no_sense(real: FarEnd) -> None:
    """And more than a line may have; then it does what it is asked for."""
    for line in [*BAD_LINES, b"x" * (LINE_LIMIT + 1)]:
        real.send(line)
    real.send(runnable({**START, "argv": ["exit 3"], "re": 77}))
    real.wait(lambda event: event["event"] == "exited")
    failures = [event for event in real.events if event["event"] == "failed"]
    assert len(failures) == len(BAD_LINES) + 1
    assert not any("Traceback" in event["text"] for event in failures)
