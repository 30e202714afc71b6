"""The far end as one program: on every interpreter at hand, by path and as text."""

import ast
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent import Agent, far_end
from jupyter_kernel_mgmt.agent._far_process import BOOTSTRAP, bundle

from ._agents import BY_PATH, GUARD, ROOT, VERSIONS, FarEnd, forkable, interpreter

PROGRAM = Path(far_end.__file__).parent
MODULES = sorted(PROGRAM.glob("*.py"))


def as_text(*python: str) -> tuple[list[str], bytes]:
    text = bundle()
    return [*python, "-c", BOOTSTRAP, str(len(text))], text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_is_written_for_python_3_8_and_needs_nothing_else(path: Path) -> None:
    """By syntax; the interpreters at hand run it below."""
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= set(sys.stdlib_module_names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1
            assert (PROGRAM / f"{node.module}.py").exists()
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("way", ["path", "text"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_it_runs_on_every_interpreter(version: str, way: str) -> None:
    """Starting, forking, limits, marks, descriptors, the end of a family."""
    python = interpreter(version)
    code = "import sys, types; m = sys.modules['kid'] = types.ModuleType('kid')\n"
    code += "def run():\n    import os\n    print(os.environ['JUPYTER_KERNEL_MARK'], sys.argv, flush=True)\n"
    code += "    os.abort()\nm.run = run"
    async with (
        asyncio.timeout(GUARD),
        await Agent.start(python=python, isolated=True, as_text=way == "text", code=code) as agent,
    ):
        assert agent.hello["python"].startswith(version + ".")
        assert agent.prepared["problems"] == {}
        forked = await agent.fork("kid:run", ["a"], mark="mine", limits={"open_files": 99})
        info = await forked.wait()
        assert (info.returncode, info.output_tail) == (-signal.SIGABRT, "mine ['a']\n")
        family = await agent.spawn(["sh", "-c", "setsid sleep 1000 & exec sleep 1000"])
        await family.end()
        assert (await family.wait()).returncode == -signal.SIGKILL
        read_end, write_end = os.pipe()
        try:
            assert (await (await agent.spawn(["echo", "x"], stdout=write_end)).wait()).returncode == 0
        finally:
            os.close(write_end)
        with os.fdopen(read_end) as pipe:
            assert pipe.read() == "x\n"


def test_the_guide_shows_what_happens() -> None:
    """Its session, run as it stands; numbers and the interpreter differ."""
    guide = (ROOT / "examples" / "agent.md").read_text(encoding="utf-8")
    _, script, _, said, *_ = re.split(r"```(?:sh)?\n", guide[guide.index("```sh") :])
    ran = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, timeout=GUARD, check=True)
    shown, told = (
        [
            {k: v for k, v in json.loads(line).items() if k not in ("pid", "start", "python", "executable")}
            for line in text.splitlines()
        ]
        for text in (said, ran.stdout.decode())
    )
    assert [event for event in told if event.get("id") != "k2"] == [e for e in shown if e.get("id") != "k2"]
    assert [event["event"] for event in told if event.get("id") == "k2"] == ["failed"]


WAYS: dict[str, Callable[..., tuple[list[str], bytes]]] = {
    "file": lambda *python: ([*python, str(PROGRAM / "__main__.py")], b""),
    "directory": lambda *python: ([*python, str(PROGRAM)], b""),
    "text": as_text,
}

TRACES = """
import json, sys
names = [name for name in sys.modules if "far_end" in name]
importers = [getattr(importer, "__name__", type(importer).__name__) for importer in sys.meta_path]
print(json.dumps([names, sys.path, importers, sorted(vars(sys.modules["__main__"])), sys.argv]))
"""


@pytest.mark.parametrize("options", [["-I", "-S"], []], ids=["isolated", "not isolated"])
@pytest.mark.parametrize("way", WAYS)
def test_a_fork_finds_no_trace_of_it(way: str, options: Sequence[str], tmp_path: Path) -> None:
    """Modules, path, importers and a `__main__` like those of a program, but the directory of that."""
    script = tmp_path / "script.py"
    script.write_text(TRACES)
    cold = json.loads(subprocess.check_output([sys.executable, *options, script]))
    path = [entry for entry in cold[1] if entry != str(tmp_path)]
    far = FarEnd(*WAYS[way](sys.executable, *options))
    far.send({"do": "prepare", "code": forkable(TRACES)})
    far.send({"do": "fork", "id": "k", "entry": "kid:run", "argv": ["name", "one"]})
    far.wait(lambda event: event["event"] == "exited")
    said = json.loads(far.events[-1]["output"])
    far.close()
    assert said[:3] == [[], path, cold[2]]
    assert set(said[3]) <= set(cold[3])
    assert said[4] == ["name", "one"]


def test_text_says_what_files_say() -> None:
    """Of the same commands, but for the numbers of processes."""
    told = []
    for command, text in (WAYS["file"](sys.executable), WAYS["text"](sys.executable)):
        far = FarEnd(command, text)
        far.send({"do": "prepare", "re": 1, "modules": ["this", "nosuchmodule"], "code": "1 / 0"})
        far.send({"do": "start", "re": 2, "id": "k", "argv": ["sh", "-c", "echo hello; exit 3"]})
        far.wait(lambda event: event["event"] == "exited")
        far.send({"do": "fork", "re": 3, "id": "l", "argv": ["x"], "entry": "os:nosuch"})
        far.wait(lambda event: event.get("id") == "l")
        far.send(b"nothing")
        far.send({"do": "close", "re": 4})
        far.wait(lambda event: event["event"] == "closed")
        far.close()
        told.append([{k: v for k, v in event.items() if k not in ("pid", "start")} for event in far.events])
    assert told[0] == told[1]
    assert [event["event"] for event in told[0]] == [
        "prepared",
        "started",
        "exited",
        "failed",
        "failed",
        "closed",
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", WAYS)
def test_a_traceback_names_the_file_of_a_module_and_its_line(way: str, version: str) -> None:
    """Here of an argument that is no number."""
    command, text = WAYS[way](interpreter(version), "-I", "-S")
    ran = subprocess.run([*command, "me"], input=text, capture_output=True, timeout=GUARD, check=False)
    *_, (file, line) = re.findall(r'File "(.*?)", line (\d+)', ran.stderr.decode())
    assert file == ("<far_end/program.py>" if way == "text" else str(PROGRAM / "program.py"))
    assert "int(argument)" in (PROGRAM / "program.py").read_text().splitlines()[int(line) - 1]
    assert ran.stderr.decode().splitlines()[-1].startswith("ValueError: ")


def test_it_runs_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Byte code of its modules is kept where that is possible, and only there."""
    copy = tmp_path / "far_end"
    shutil.copytree(PROGRAM, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "__pycache__").touch()
    FarEnd([*BY_PATH[:-1], str(copy / "__main__.py")]).close()
    (copy / "__pycache__").unlink()
    FarEnd([*BY_PATH[:-1], str(copy / "__main__.py")]).close()
    assert list((copy / "__pycache__").glob("runner.*.pyc"))


def test_a_text_that_ends_early_is_not_run() -> None:
    """Its owner ended while it was sent."""
    command, text = as_text(*BY_PATH[:-1])
    ran = subprocess.run(command, input=text[:-1], capture_output=True, timeout=GUARD, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"")
