"""Real kernels and how they differ, a world of its own for each test, and proof that nothing stays behind."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import Execution, Kernel, KernelClient
from jupyter_kernel_mgmt.kernelspec import get_kernelspec

LINUX = sys.platform == "linux"

ON_EVERY_LOOP = {"test_loops"}
"""Modules whose tests run on each kind of loop."""

LEAVING = 10.0
"""Seconds that may pass before what ends by itself (a thread, somebody else's child) has ended."""

GUARD = 30.0
"""Seconds after which a wait in a test is given up: far more than it takes."""


# The kernels


@dataclass(frozen=True)
class Kind:
    """A kind of kernel: what it is to be sent, what SIGINT does to it, how it ends when it is asked to."""

    kernel_type: str
    hello: str = "print('hello')"
    error: str = "1/0"
    complete: tuple[str, str] = ("impor", "import")
    endless: str = "print('started', flush=True)\nimport time\nwhile True: time.sleep(0.05)"
    remember: str = "kept = 1"
    recall: str = "print(kept)"
    child: str = "import os; os.system('sleep 600 &')"
    dies_of_sigint: bool = False
    dies_of_sigint_when_idle: bool = False
    told_while_busy: str = ""  # to a second client, which has to wait; empty: it need not
    exit_codes: tuple[int, ...] = (0,)
    busy_exit_codes: tuple[int, ...] = (0,)  # where it is interrupted before it is asked to end
    litter: tuple[str, ...] = ()  # what it leaves among temporary files when it is killed


BASH = Kind(
    "bash",
    hello="echo hello",
    error="cat /no/such/file",
    complete=("ech", "echo"),
    endless="echo started; sleep 600",
    remember="kept=1",
    recall='test -n "$kept" && echo $kept',
    child="sleep 600 &",
    # On ipykernel 7 its threads race for a socket when it ends, whoever asks: most often it exits, often it
    # answers and stays (then SIGTERM ends it), and once in a hundred times libzmq aborts it.
    exit_codes=(0, -signal.SIGTERM, -signal.SIGABRT),
    busy_exit_codes=(0, -signal.SIGTERM, -signal.SIGABRT),
)
XEUS = Kind(
    "xpython",
    dies_of_sigint=True,
    dies_of_sigint_when_idle=True,
    # From Python 3.12 on it aborts at its end if code has failed: it lets go of the exception when the
    # interpreter has gone ("ImportError: sys.meta_path is None, Python is likely shutting down").
    exit_codes=(0,) if sys.version_info < (3, 12) else (0, -signal.SIGABRT),
)
IR = Kind(
    "ir",
    hello="cat('hello\\n')",
    error="stop('no')",
    complete=("prin", "print"),
    endless="cat('started\\n'); flush.console(); repeat Sys.sleep(0.05)",
    remember="kept <- 1",
    recall="print(kept)",
    child="system('sleep 600 &')",
    dies_of_sigint_when_idle=True,  # only the code of a request is protected from it
    told_while_busy="busy",  # it answers on shell alone
    litter=("Rtmp*",),
)
DENO = Kind(
    "deno",
    hello="console.log('hello')",
    error="throw new Error('no')",
    complete=("Deno.vers", "version"),
    endless="console.log('started'); while (true) await new Promise((done) => setTimeout(done, 50))",
    remember="globalThis.kept = 1",
    recall="console.log(kept)",
    child="new Deno.Command('sleep', {args: ['600']}).spawn(); undefined",
    dies_of_sigint=True,
    dies_of_sigint_when_idle=True,
    told_while_busy="sent nothing on iopub",  # it answers on control, without busy and idle
    busy_exit_codes=(-signal.SIGINT,),
)
KINDS = [Kind("pyimport/kernel"), Kind("spec/python3"), Kind("ipykernel6"), BASH, XEUS, IR, DENO]
QUICK = [kind for kind in KINDS if kind.kernel_type in ("spec/python3", "ipykernel6", "xpython")]


def _require(kernel_type: str) -> None:
    """Skip the test where a kernel is not installed."""
    if kernel_type == "pyimport/kernel":
        pytest.importorskip("ipykernel", reason="ipykernel is not installed")
        return
    try:
        get_kernelspec(kernel_type.removeprefix("spec/"))
    except KeyError:
        pytest.skip(f"there is no kernelspec {kernel_type!r} here; see tests/install_kernels.py")


@pytest.fixture
def require() -> Callable[[str], None]:
    """Skip the test where a kernel is not installed."""
    return _require


@pytest.fixture(params=KINDS, ids=lambda kind: kind.kernel_type)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of kernel in turn."""
    chosen: Kind = request.param
    _require(chosen.kernel_type)
    return chosen


@pytest.fixture
def kinds() -> list[Kind]:
    """All of them, for a test that needs them at once; those that are not installed too."""
    return KINDS


@pytest.fixture(params=QUICK, ids=lambda kind: kind.kernel_type)
def quick_kind(request: pytest.FixtureRequest) -> Kind:
    """Those that start in a second, and all run Python; one of the two ipykernels 7 is enough."""
    chosen: Kind = request.param
    _require(chosen.kernel_type)
    return chosen


@pytest.fixture(params=["spec/python3", "ipykernel6"])
def ipykernel(request: pytest.FixtureRequest) -> str:
    """ipykernel 7 and 6."""
    _require(request.param)
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
def descendants(world: "World") -> Callable[[], dict[int, str]]:
    """The processes that this test started, directly or not: command lines by process id."""
    return lambda: _marked(world.mark)


# A world of its own


@dataclass(frozen=True)
class World:
    """The directories of one test: Jupyter's runtime directory, the one for temporary files, one more."""

    runtime: Path
    temporary: Path
    other: Path
    mark: str

    def files(self) -> list[str]:
        """What is in the two directories that kernels' files are in."""
        return [
            str(path.relative_to(directory.parent))
            for directory in (self.runtime, self.temporary)
            for path in directory.rglob("*")
        ]


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """A directory whose path leaves room for those of sockets, which pytest's own does not."""
    base = "/tmp" if sys.platform != "win32" else None
    directory = Path(tempfile.mkdtemp(prefix="jkm-", dir=base))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def world(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Directories of its own for each test, in our environment and so in that of kernels."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    new = World(home / "run", home / "tmp", home / "other", f"JKM_TEST={uuid.uuid4().hex}")
    for directory in (new.runtime, new.temporary, new.other):
        directory.mkdir()
    name, _, value = new.mark.partition("=")
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(new.runtime))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("IPYTHONDIR", str(short_directory / "ipython"))
    monkeypatch.setenv("TMPDIR", str(new.temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(new.temporary))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    yield new
    shutil.rmtree(home)


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
def nothing_stays_behind(world: World) -> Iterator[None]:
    """After each test: no process, zombie, file, socket, descriptor or thread that was not there before."""
    descriptors, threads, children = _descriptors(), set(threading.enumerate()), _children()

    def leftovers() -> dict[str, Any]:
        opened = {fd: target for fd, target in _descriptors().items() if descriptors.get(fd) != target}
        started = [thread for thread in threading.enumerate() if thread not in threads]
        found = {
            "children": {pid: what for pid, what in _children().items() if pid not in children},
            "processes": _marked(world.mark),
            "files": world.files(),
            "descriptors": opened,
            "threads": started,
        }
        return {kind: what for kind, what in found.items() if what}

    yield
    deadline = time.monotonic() + LEAVING
    while (left := leftovers()) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in left.get("processes", {}):
        os.kill(pid, signal.SIGKILL)
    assert not left


@pytest.fixture(autouse=True)
async def nothing_runs_on(nothing_stays_behind: None, world: World) -> AsyncIterator[None]:
    """As soon as a test has ended: no task, no child, no file. These our owners promise to have awaited."""
    children = _children().keys()
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert _children().keys() <= children
    assert world.files() == []


def _descriptors() -> dict[int, str]:
    found = {}
    if LINUX:
        for entry in Path("/proc/self/fd").iterdir():
            try:
                found[int(entry.name)] = str(entry.readlink())
            except OSError:  # the one that lists the directory
                continue
    return found


def _children() -> dict[int, str]:
    """Processes whose parent we are, zombies included."""
    children = {}
    for directory in _processes():
        try:
            name, _, rest = (directory / "stat").read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid():
            children[int(directory.name)] = f"{name}) {state}"
    return children


def _marked(mark: str) -> dict[int, str]:
    """Processes that have inherited our environment, whoever their parent is now."""
    marked = {}
    for directory in _processes():
        try:
            if mark.encode() in (directory / "environ").read_bytes().split(b"\0"):
                marked[int(directory.name)] = (directory / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has just ended, or is somebody else's
            continue
    return marked


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()] if LINUX else []


# Loops


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Some tests run on every loop there is."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ON_EVERY_LOOP and sys.platform != "win32":
        import uvloop

        uvloop.new_event_loop().close()  # the first one opens a pipe for the whole process
        factories["uvloop"] = uvloop.new_event_loop
    return factories
