"""Every example runs as it stands, says what it is meant to say, and is short."""

import asyncio
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

EXPECTED = {
    "quick_start": ["status: ok", "stdout: hello", "value:  42", "status: error - ZeroDivisionError"],
    "list_kernel_types": ["pyimport/kernel", "spec/python3"],
    "stream_output": ["tick 0", "tick 4", "interrupt: idle", "status: interrupted"],
    "many_requests": ["request 7: error, division by zero", "19 of 20 went well", "import"],
    "connect": ["its pid:", "ours to end: False", "still there: 'yes'"],
    "comms": ["sum: 6 reversed: [3, 2, 1]", "opened by the kernel: {'steps': 1}", "[1]"],
    "subshells": ["completions: ['import']", "while it runs: True", "inspect: True"],
    "console": ["who? hello Ada", "ZeroDivisionError", "42"],
    "agent_tools": [
        "'status': 'ok', 'stdout': 'working\\n', 'value': '42'",
        "'error': 'ZeroDivisionError: division by zero'",
        "'status': 'timeout', 'stdout': 'started\\n'",
        "'status': 'died', 'reason': 'exit code 3'",
        "'value': 'False'",
    ],
    "restarter": ["restart 2 begins in", "and again: 42", "given up: 2 restarts did not help"],
    "pool": ["3 kernels are warm", "task 7: in /", "every kernel was new: True"],
    "write_a_provider": ["starting Python with -O", "asserts: False"],
}

TYPED = {"console": "name = input('who? ')\nAda\nprint('hello', name)\n1 / 0\n6 * 7\n"}
"""What is typed, if anything is."""


@pytest.mark.parametrize("name", EXPECTED)
async def test_an_example_runs_and_prints_what_it_is_about(name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(TYPED.get(name, "").encode())
    assert process.returncode == 0, errors.decode()
    assert errors.decode() == ""
    for text in EXPECTED[name]:
        assert text in output.decode()


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_has_at_most_forty_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40
