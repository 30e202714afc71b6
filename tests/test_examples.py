"""Every example runs as it stands, says what it is meant to say, and is short."""

import ast
import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from jupyter_protocol import ConnectionInfo, RegistrationSocket, write_private

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
    "minimal_executor": ["['x is 42\\n', {'text/plain': '42'}]"],
    "run_notebook": ["cell 3: ok", "cell 4: error", "FileNotFoundError", "kept: hello Ada", "saved: True"],
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


# Guides

GUARD = 60.0


def blocks(guide: str, language: str) -> str:
    """All the code of a guide in one language, in its order."""
    text = (EXAMPLES / f"{guide}.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL))


async def started(program: Path, *arguments: str | Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(program), *map(str, arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_guides_write_a_kernel_and_a_client_that_understand_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their code, put together; the kernel registers, and ends when the client asks it to. All is valid."""
    monkeypatch.setenv("JUPYTER_PROTOCOL_VALIDATE", "1")
    kernel, client, file = tmp_path / "kernel.py", tmp_path / "client.py", tmp_path / "kernel.json"
    kernel.write_text(blocks("writing_a_kernel", "python"), encoding="utf-8")
    client.write_text(blocks("writing_a_client", "python"), encoding="utf-8")
    async with asyncio.timeout(GUARD):
        async with RegistrationSocket() as registration:
            registered = registration.expect("one", template := ConnectionInfo())
            write_private(file, registration.file("one", template))
            serving = await started(kernel, "-f", file)
            try:
                (await registered).write(file)
                output, errors = await (await started(client, file)).communicate(b"Ada\n")
                kernels_output = await serving.communicate()
            finally:
                if serving.returncode is None:
                    serving.kill()
                    await serving.wait()
    assert errors.decode() == ""
    assert output.decode().splitlines() == [
        *("hello", "name? who is Ada", "no value"),
        *("42", "error: ZeroDivisionError", "error: KeyboardInterrupt"),
        "is there: True",
    ]
    assert (serving.returncode, kernels_output) == (0, (b"", b""))


def test_the_kernelspec_in_the_guide_is_like_that_of_the_example() -> None:
    """But for names."""
    shown = json.loads(blocks("writing_a_kernel", "json"))
    installed = json.loads((EXAMPLES / "echo_kernel" / "kernelspec" / "kernel.json").read_text())
    for name in ("interrupt_mode", "metadata"):
        assert shown[name] == installed[name]


def test_the_echo_kernel_needs_nothing_but_jupyter_protocol() -> None:
    """And the standard library."""
    sources = list((EXAMPLES / "echo_kernel" / "echo_kernel").glob("*.py"))
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert names - set(sys.stdlib_module_names) == {"jupyter_protocol"}
