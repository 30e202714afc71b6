"""From a command to a process: filling it in, its environment, and what happens when it cannot be started."""

import asyncio
import json
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import LaunchError, LaunchRequest, SubprocessLauncher, Unsupported
from jupyter_kernel_mgmt.launching import Launched
from jupyter_kernel_mgmt.subproc.place import runtime_directory
from jupyter_kernel_mgmt.testing import FakeManager, MemoryChannels
from jupyter_kernel_mgmt.testing._residue import Residue
from jupyter_protocol import ConnectionInfo

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ipc, limits and modes are POSIX")

GUARD = 20
PYTHON = (sys.executable, "-S", "-c")
SLEEP = ("sleep", "600")
IPC = {"supported_transports": ["ipc"]}

Launch = Callable[..., Awaitable[Launched]]


@pytest.fixture
def sockets(jupyter_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where directories for sockets are made; its path is short, unlike pytest's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


@pytest.fixture
async def launch(sockets: Path) -> AsyncIterator[Launch]:
    """Launches a command; what came of it is closed after the test."""
    async with AsyncExitStack() as stack:

        async def run(
            argv: tuple[str, ...], request: LaunchRequest | None = None, **options: Any
        ) -> Launched:
            launched = await SubprocessLauncher(argv, **options).launch(request or LaunchRequest())
            assert launched.manager is not None
            stack.push_async_callback(launched.manager.aclose)
            return launched

        yield run


async def output_of(launched: Launched) -> str:
    """All it wrote, once it has ended."""
    assert launched.manager is not None
    async with asyncio.timeout(GUARD):
        return (await launched.manager.wait()).output_tail


def files(sockets: Path) -> list[Path]:
    """All that is left of kernels on the disk."""
    return [*sockets.iterdir(), *runtime_directory().glob("*")]


# A process that runs


async def test_a_kernel_gets_what_was_asked_for(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command, directory and environment, a session of its own, no input, and its output kept."""
    monkeypatch.setenv("OURS", "1")
    code = (
        "import json, os, sys; e = os.environ;"
        "print(json.dumps([os.getcwd(), e['OURS'], e['SPEC'], e['ASKED'], e['JPY_PARENT_PID'],"
        " [os.getpgid(0) - os.getpid(), os.getsid(0) - os.getpid()], sys.stdin.read(), sys.argv[1:]]))"
    )
    request = LaunchRequest(cwd=tmp_path, env={"ASKED": "3"}, launch_params={"level": 5})

    launched = await launch(
        (*PYTHON, code, "{connection_file}", "{level}"),
        request,
        env={"SPEC": "$OURS+1"},
        metadata={"parameters": {"level": {"type": "integer"}}},
    )

    file = launched.connection_file
    assert file is not None
    assert file.name == f"kernel-{request.kernel_id}.json"
    assert launched.connection_info == ConnectionInfo.load(file)
    assert launched.manager is not None
    assert launched.manager.kernel_id == request.kernel_id
    assert launched.command == (*PYTHON, code, str(file), "5")
    assert json.loads(await output_of(launched)) == [
        str(tmp_path), "1", "1+1", "3", str(os.getpid()), [0, 0], "", [str(file), "5"]
    ]  # fmt: skip


async def test_stdout_and_stderr_are_kept_in_the_order_they_were_written(launch: Launch) -> None:
    """They are one pipe."""
    code = "import os; os.write(1, b'a'); os.write(2, b'b'); os.write(1, b'c')"

    assert await output_of(await launch((*PYTHON, code))) == "abc"


async def test_what_is_typed_for_us_is_not_read_by_a_kernel(launch: Launch) -> None:
    """It has no input, whatever ours is."""
    ours = os.dup(0)
    typed, typing = os.pipe()
    try:
        os.write(typing, b"secret")
        os.dup2(typed, 0)

        assert await output_of(await launch((*PYTHON, "import sys; print([sys.stdin.read()])"))) == "['']\n"
    finally:
        os.dup2(ours, 0)
        for fd in (ours, typed, typing):
            os.close(fd)


async def test_no_open_file_of_ours_reaches_a_kernel(launch: Launch) -> None:
    """Whether it could be inherited or not."""
    fd = os.dup(0)
    try:
        os.set_inheritable(fd, True)

        assert "Bad file descriptor" in await output_of(await launch((*PYTHON, f"import os; os.fstat({fd})")))
    finally:
        os.close(fd)


async def test_the_name_and_the_interrupt_mode_are_passed_on(launch: Launch) -> None:
    """The name to the connection file, the mode to whoever interrupts."""
    launched = await launch((*PYTHON, ""), kernel_name="python3", interrupt_mode="message")

    assert launched.connection_info is not None
    assert launched.connection_info.kernel_name == "python3"
    assert launched.interrupt_mode == "message"


@pytest.mark.parametrize(
    ("metadata", "wanted", "transport"), [(IPC, "auto", "ipc"), ({}, "auto", "tcp"), (IPC, "tcp", "tcp")]
)
async def test_the_transport_follows_from_the_request_and_the_metadata(
    launch: Launch, metadata: dict[str, Any], wanted: Any, transport: str
) -> None:
    """As `choose` says."""
    launched = await launch((*PYTHON, ""), LaunchRequest(transport=wanted), metadata=metadata)

    assert launched.connection_info is not None
    assert launched.connection_info.transport == transport


@pytest.mark.parametrize("metadata", [IPC, {}], ids=["ipc", "tcp"])
async def test_the_next_process_of_a_kernel_takes_over_its_place(
    launch: Launch, sockets: Path, metadata: dict[str, Any]
) -> None:
    """Same addresses, key and file, also once the first is closed; nothing is left after both."""
    first = await launch((*PYTHON, ""), metadata=metadata)
    assert first.manager is not None
    await output_of(first)

    second = await launch((*PYTHON, ""), LaunchRequest(previous=first), metadata=metadata)
    assert second.manager is not None
    await first.manager.aclose()

    assert second.connection_info == first.connection_info
    assert second.connection_file == first.connection_file
    assert second.connection_file is not None
    assert ConnectionInfo.load(second.connection_file) == second.connection_info
    await second.manager.aclose()
    assert files(sockets) == []


async def test_a_next_process_that_cannot_be_started_leaves_the_place_to_the_one_before(
    launch: Launch, sockets: Path
) -> None:
    """Until that one is closed."""
    first = await launch((*PYTHON, ""), metadata=IPC)
    with pytest.raises(LaunchError):
        await launch(("/no/such/kernel",), LaunchRequest(previous=first))

    assert first.manager is not None
    assert first.connection_file is not None
    assert first.connection_file.exists()
    await first.manager.aclose()
    assert files(sockets) == []


async def test_the_place_of_another_kind_of_kernel_is_not_taken_over(launch: Launch) -> None:
    """Its manager is not ours; a new place is made."""
    previous = Launched(manager=FakeManager("1"), channels=MemoryChannels())

    launched = await launch((*PYTHON, ""), LaunchRequest(previous=previous))

    assert launched.connection_file is not None
    assert launched.connection_file.exists()


# Launch parameters

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('LEVEL')]))"
LEVEL = {"parameters": {"level": {"type": "integer", "default": 3}}}


@pytest.mark.parametrize(("params", "level"), [({}, "3"), ({"level": 7}, "7")])
async def test_parameters_reach_the_command_and_the_environment(
    launch: Launch, params: dict[str, Any], level: str
) -> None:
    """Those that are not given have their defaults."""
    argv, env = (*PYTHON, SHOW, "--level={level}"), {"LEVEL": "<{parameters.level}>"}
    launched = await launch(argv, LaunchRequest(launch_params=params), env=env, metadata=LEVEL)

    assert json.loads(await output_of(launched)) == [[f"--level={level}"], f"<{level}>"]


async def test_the_next_process_has_the_same_parameters(launch: Launch) -> None:
    """A request that is made again for a restart."""
    request = LaunchRequest(launch_params={"level": 7})
    first = await launch((*PYTHON, SHOW, "{level}"), request, metadata=LEVEL)
    await output_of(first)
    second = await launch((*PYTHON, SHOW, "{level}"), replace(request, previous=first), metadata=LEVEL)

    assert json.loads(await output_of(second))[0] == ["7"]


@pytest.mark.parametrize("allow", [True, False])
async def test_a_text_that_no_schema_limits_has_to_be_allowed(
    allow: bool, launch: Launch, sockets: Path
) -> None:
    """By whoever made the launcher."""
    request = LaunchRequest(launch_params={"level": "x; y"})
    if allow:
        launched = await launch((*PYTHON, SHOW, "{level}"), request, allow_unconstrained=True)
        assert json.loads(await output_of(launched))[0] == ["x; y"]
    else:
        with pytest.raises(Unsupported, match=r"'level' is refused.*allow_unconstrained"):
            await launch((*PYTHON, SHOW, "{level}"), request)
        assert files(sockets) == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"connection_file": "x"}, "'connection_file' is filled in by the launcher"),
        ({"resource_dir": "x"}, "'resource_dir' is filled in by the launcher"),
        ({"lvl": 1}, "no parameter 'lvl'; did you mean 'level'"),
        ({"memory": 1}, "no place for 'memory'; it has level, other"),
        ({"level": "high"}, "'level' must be integer"),
        ({"level": 1}, "'other' must be given"),
    ],
)
async def test_parameters_that_cannot_be_are_refused_before_anything_starts(
    params: dict[str, Any], text: str, sockets: Path
) -> None:
    """By their names; and nothing is left."""
    schemas = {"level": {"type": "integer"}, "other": {"type": "integer"}, "memory": {"type": "integer"}}
    launcher = SubprocessLauncher(
        (*PYTHON, SHOW, "{level}", "{other}"),
        metadata={"parameters": schemas, **IPC},
        fields={"resource_dir": "/share"},
    )
    with pytest.raises(Unsupported, match=text) as caught:
        await launcher.launch(LaunchRequest(launch_params=params))

    assert caught.value.option == "launch_params"
    assert files(sockets) == []


async def test_a_schema_that_is_none_is_a_launch_error(sockets: Path) -> None:
    """It says what is wrong."""
    with pytest.raises(LaunchError, match="metadata cannot be used: parameters must be"):
        await SubprocessLauncher(SLEEP, metadata={"parameters": ["x"]}).launch(LaunchRequest())
    assert files(sockets) == []


# A process that cannot be started


@pytest.fixture
def failing(tmp_path: Path) -> dict[str, tuple[tuple[str, ...], Path | None, str]]:
    """Command, directory and the text of the error."""
    nowhere, file = tmp_path / "nowhere", tmp_path / "file"
    file.touch(0o644)
    (tmp_path / "script").write_text("#!/no/such/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "empty").touch(0o755)
    works = (*PYTHON, "")
    return {
        "no executable": (("/no/such/kernel",), None, "the executable '/no/such/kernel' was not found"),
        "not on the path": (("no-such-kernel",), None, "the executable 'no-such-kernel' was not found"),
        "no interpreter": ((str(tmp_path / "script"),), None, "script' was not found"),
        "not executable": ((str(file),), None, "file' may not be run: Permission denied"),
        "a directory": ((str(tmp_path),), None, "may not be run: Permission denied"),
        "an empty file": ((str(tmp_path / "empty"),), None, "the command could not be run: .*Exec format"),
        "no directory": (works, nowhere, f"the working directory {nowhere} does not exist or is no"),
        "a file as directory": (works, file, f"the working directory {file} does not exist or is no"),
        "NUL in the command": ((*works, "a\0b"), None, "the command could not be run: embedded null byte"),
        "NUL in the directory": (works, Path("a\0b"), "the working directory a\0b does not exist"),
    }


FAILURES = [
    "no executable", "not on the path", "no interpreter", "not executable", "a directory", "an empty file",
    "no directory", "a file as directory", "NUL in the command", "NUL in the directory",
]  # fmt: skip


@pytest.mark.parametrize("what", FAILURES)
async def test_a_command_that_cannot_be_run_is_explained_and_leaves_nothing(
    what: str, failing: dict[str, tuple[tuple[str, ...], Path | None, str]], sockets: Path
) -> None:
    """No file, descriptor, child or thread."""
    argv, cwd, text = failing[what]
    before = Residue.now()

    with pytest.raises(LaunchError, match=text) as caught:
        await SubprocessLauncher(argv, metadata=IPC).launch(LaunchRequest(cwd=cwd))

    assert caught.value.command == argv
    assert caught.value.exit_info is None
    assert await before.wait_for_less(0) == ""
    assert files(sockets) == []


@pytest.mark.parametrize("env", [{"A": "a\0b"}, {"A=B": "c"}])
async def test_an_environment_that_cannot_be_is_a_launch_error(env: dict[str, str], sockets: Path) -> None:
    """The system knows no such variables."""
    before = Residue.now()

    with pytest.raises(LaunchError, match="the command could not be run"):
        await SubprocessLauncher((*PYTHON, "")).launch(LaunchRequest(env=env))

    assert await before.wait_for_less(0) == ""
    assert files(sockets) == []


@pytest.mark.parametrize(
    ("request_", "option"),
    [
        (LaunchRequest(launch_params={"a": 1}), "launch_params"),
        (LaunchRequest(transport="pigeon"), "transport"),  # type: ignore[arg-type]
    ],
)
async def test_a_request_that_is_refused_leaves_nothing(
    request_: LaunchRequest, option: str, sockets: Path
) -> None:
    """It is refused by the name of the option."""
    with pytest.raises(Unsupported) as caught:
        await SubprocessLauncher((*PYTHON, ""), metadata=IPC).launch(request_)

    assert caught.value.option == option
    assert files(sockets) == []


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
@pytest.mark.parametrize("more", range(16))
async def test_with_few_descriptors_left_a_launch_works_or_raises_and_leaves_nothing(
    more: int, transport: Any, sockets: Path
) -> None:
    """Whatever it is that cannot be opened any more: the system's error is a `LaunchError` by then."""
    import resource

    before, (soft, hard) = Residue.now(), resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + more, hard))
    try:
        launched = await SubprocessLauncher(SLEEP).launch(LaunchRequest(transport=transport))
    except LaunchError as error:
        cause = error.__cause__
    else:
        cause = OSError("none")
        assert launched.manager is not None
        assert await launched.manager.is_alive()
        await launched.manager.aclose()
        assert not await launched.manager.is_alive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert isinstance(cause, OSError)
    assert await before.wait_for_less(GUARD) == ""
    assert files(sockets) == []


async def test_without_a_thread_for_its_output_there_is_no_process_and_later_launches_work(
    launch: Launch, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the system's limit of threads is reached right after the process was started."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = Residue.now()
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        with pytest.raises(LaunchError, match="can't start new thread"):
            await SubprocessLauncher(SLEEP, metadata=IPC).launch(LaunchRequest())
    assert await before.wait_for_less(0) == ""
    assert files(sockets) == []

    code = "print('x' * 300_000, 'drained')"
    assert (await output_of(await launch((*PYTHON, code)))).endswith("x drained\n")


async def test_without_a_thread_to_watch_it_there_is_no_process(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where exits are learned of in threads."""
    begin = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("wait-for-"):
            raise RuntimeError("can't start new thread")
        begin(thread)

    def no_pidfd(pid: int, flags: int = 0) -> int:
        raise OSError(1, "as in a sandbox")

    before = Residue.now()
    monkeypatch.setattr(os, "pidfd_open", no_pidfd, raising=False)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(LaunchError, match="can't start new thread"):
        await SubprocessLauncher(SLEEP, metadata=IPC).launch(LaunchRequest())

    assert await before.wait_for_less(GUARD) == ""
    assert files(sockets) == []
