"""Every example runs as it stands, says what it is meant to say, and is short."""

import ast
import asyncio
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt.providerbase import ENTRY_POINT_GROUP
from jupyter_protocol import (
    ClientSockets,
    ConnectionInfo,
    Message,
    RegistrationSocket,
    messages,
    write_private,
)

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


async def test_the_kernel_of_the_guide_answers_where_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has a default takes it; without code there is an error, whose number clients count on."""
    monkeypatch.delenv("JUPYTER_PROTOCOL_VALIDATE", raising=False)  # it tells of such requests
    kernel, file = tmp_path / "kernel.py", tmp_path / "kernel.json"
    kernel.write_text(blocks("writing_a_kernel", "python"), encoding="utf-8")
    async with asyncio.timeout(GUARD):
        async with RegistrationSocket() as registration:
            registered = registration.expect("one", template := ConnectionInfo())
            write_private(file, registration.file("one", template))
            serving = await started(kernel, "-f", file)
            try:
                async with ClientSockets(await registered) as client:
                    replies = [
                        await answered(client, messages.new_message("execute_request", content))
                        for content in ({"code": "6 * 7"}, {}, {"code": "input()"})
                    ]
                    await answered(client, messages.new_message("shutdown_request", {}), "control")
                output = await serving.communicate()
            finally:
                if serving.returncode is None:
                    serving.kill()
                    await serving.wait()
    assert [(reply["status"], reply["execution_count"]) for reply in replies] == [
        *(("ok", 1), ("error", 1), ("error", 2)),
    ]
    assert [reply.get("ename") for reply in replies] == [None, "KeyError", "RuntimeError"]
    assert (serving.returncode, output) == (0, (b"", b""))


async def answered(client: ClientSockets, request: Message, channel: str = "shell") -> dict[str, Any]:
    """Ask, and wait for the content of the reply."""
    client.send(channel, request)
    async for came_on, message in client:
        if came_on == channel and message.parent_id == request.msg_id:
            return message.content
    raise AssertionError("closed")


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


async def test_the_guide_for_providers_ends_with_proof(tmp_path: Path) -> None:
    """Its code, put together, is a test module that passes, and its options are taken."""
    options = blocks("writing_a_provider", "toml").partition("[project")[0]
    code = blocks("writing_a_provider", "python")
    code += f"""
def test_the_options_are_taken():
    import tomllib
    for name, config in tomllib.loads({options!r})["providers"].items():
        assert name == ConfiguredProvider.id
        ConfiguredProvider().load_config(config)
"""
    (tmp_path / "test_guide.py").write_text(code, encoding="utf-8")
    settings = "filterwarnings=error", "asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function"
    (tmp_path / "pytest.ini").write_text("\n".join(["[pytest]", *settings]), encoding="utf-8")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    tests = len(re.findall(r"^(?:async )?def test_", code, re.MULTILINE))
    assert f"{tests} passed" in output.decode(), output.decode()


def test_the_entry_point_in_the_guide_is_like_that_of_the_template() -> None:
    """A name that is the id, a module and a class."""
    shown = tomllib.loads(blocks("writing_a_provider", "toml"))
    installed = tomllib.loads((EXAMPLES / "provider_template" / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [project["project"]["entry-points"] for project in (shown, installed)]
    assert [list(group) for group in groups] == [[ENTRY_POINT_GROUP]] * 2
    assert groups[0][ENTRY_POINT_GROUP] == {"oblong": "oblong_kernels:OblongProvider"}
    assert groups[1][ENTRY_POINT_GROUP] == {"my-kernels": "my_kernels:MyProvider"}
