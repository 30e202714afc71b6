"""What tests with real kernels share: each kind of kernel, a world of their own, proof that nothing stays."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import Execution, Kernel, KernelClient

from ._kinds import BASH, KINDS, PYTHON3, QUICK, Kind, in_long_form, require
from ._second_client import Beside
from ._world import World, new_world, nothing_stays_behind, our_children

ON_EVERY_LOOP = {"test_loops"}
"""Modules whose tests run on each kind of loop."""

GUARD = 30.0
"""Seconds after which a wait in a test is given up: far more than it takes."""


# The kernels


@pytest.fixture(name="require")
def require_fixture() -> Callable[[str], None]:
    """Skip the test where a kernel is not installed."""
    return require


@pytest.fixture(params=KINDS, ids=lambda kind: kind.kernel_type)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of kernel in turn; bash, which takes its time, in the long form."""
    chosen: Kind = request.param
    in_long_form(chosen is not BASH)
    require(chosen.kernel_type)
    return chosen


@pytest.fixture(params=QUICK, ids=lambda kind: kind.kernel_type)
def quick_kind(request: pytest.FixtureRequest) -> Kind:
    """Those that start in a second, and all run Python; one of the two ipykernels 7 is enough.

    In the short form that one alone.
    """
    chosen: Kind = request.param
    in_long_form(chosen is PYTHON3)
    require(chosen.kernel_type)
    return chosen


@pytest.fixture(params=["spec/python3", "ipykernel6"])
def ipykernel(request: pytest.FixtureRequest) -> str:
    """ipykernel 7 and, in the long form, 6."""
    in_long_form(request.param == "spec/python3")
    require(request.param)
    kernel_type: str = request.param
    return kernel_type


# What tests do again and again


@pytest.fixture
def run_until() -> Callable[[Kernel | KernelClient, str, str], Awaitable[Execution]]:
    """Send code and wait until its output contains a text; it runs on."""

    async def run(kernel: Kernel | KernelClient, code: str, text: str = "started") -> Execution:
        execution = kernel.execute(code)
        seen = ""
        async with asyncio.timeout(GUARD):
            async for message in execution:
                seen += message.content.get("text", "")
                if text in seen:
                    return execution
        raise AssertionError(f"it ended without {text!r}: {execution} {seen!r}")

    return run


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Awaitable[Any]]:
    """Wait until something outside the loop is true, such as a file of another process; returns it."""

    async def wait(condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(GUARD):
            while not (value := condition()):  # noqa: ASYNC110 - nothing tells us of it
                await asyncio.sleep(0.005)
        return value

    return wait


@pytest.fixture
def python_process() -> Callable[..., Any]:
    """Run a Python program in a process of its own and return its output."""

    async def run(program: str, *arguments: str | Path) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, *map(str, arguments)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(2 * GUARD):
            output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    return run


@pytest.fixture
def python_program() -> Callable[..., str]:
    """Run a Python program that imports this package, with warnings as errors, and return all it writes."""

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * GUARD,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


@pytest.fixture
def descendants(world: World) -> Callable[[], dict[int, str]]:
    """The processes that this test started, directly or not: command lines by process id."""
    return world.processes


@pytest.fixture
def second_client() -> Callable[[Path], Any]:
    """Makes a context in which jupyter_client works on the kernel of a connection file, beside the test."""
    return Beside.at_work


# A world of its own


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """A directory whose path leaves room for those of sockets, which pytest's own does not."""
    base = "/tmp" if sys.platform != "win32" else None
    directory = Path(tempfile.mkdtemp(prefix="jkm-", dir=base))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def directory(short_directory: Path) -> Path:
    """An empty one for one test."""
    return Path(tempfile.mkdtemp(dir=short_directory))


@pytest.fixture(autouse=True)
def world(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Directories of its own for each test, in our environment and so in that of kernels."""
    with new_world(short_directory, monkeypatch) as world:
        yield world


@pytest.fixture
def spec(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Install a kernelspec for this test: from a command, or with any text as its kernel.json."""
    monkeypatch.setenv("JUPYTER_PATH", str(world.other))

    def install(name: str, argv: list[str] | None = None, *, text: str = "") -> Path:
        file = world.other / "kernels" / name / "kernel.json"
        file.parent.mkdir(parents=True)
        file.write_text(text or json.dumps({"argv": argv, "display_name": name, "language": "none"}))
        return file

    return install


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """ipykernel redirects its file descriptors, as it does for users, only where this is not set."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    return (yield)


# Nothing stays behind


@pytest.fixture(autouse=True)
def nothing_left(world: World) -> Iterator[None]:
    """After each test: no process, zombie, file, socket, descriptor or thread that was not there before."""
    with nothing_stays_behind(world):
        yield


@pytest.fixture(autouse=True)
async def nothing_runs_on(nothing_left: None, world: World) -> AsyncIterator[None]:
    """As soon as a test has ended: no task, no child, no file. These our owners promise to have awaited."""
    children = our_children().keys()
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert our_children().keys() <= children
    assert world.files() == []


# Loops


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Some tests run on every loop there is."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ON_EVERY_LOOP and sys.platform != "win32":
        import uvloop

        uvloop.new_event_loop().close()  # the first one opens a pipe for the whole process
        factories["uvloop"] = uvloop.new_event_loop
    return factories
