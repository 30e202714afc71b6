"""`launch` and `connect` in every way that a coroutine can be used."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    Kernel,
    KernelDied,
    KernelFinder,
    KernelState,
    Launched,
    LaunchError,
    LaunchProgress,
    LaunchRequest,
    NoSuchKernel,
    NotOwned,
    StartupTimeout,
    StateChanged,
    Unsupported,
    connect,
    launch,
)
from jupyter_kernel_mgmt.testing import FakeKernel, FakeManager, FakeProvider, MemoryChannels, Quirks
from jupyter_protocol import ConnectionInfo, KernelSockets

GUARD = 20


@pytest.fixture
async def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def finder(provider: FakeProvider) -> AsyncIterator[KernelFinder]:
    async with KernelFinder([provider]) as made:
        yield made


# Ways to open


async def test_await_gives_an_open_kernel(finder: KernelFinder, provider: FakeProvider) -> None:
    """It stays open until it is closed."""
    kernel = await launch("fake/kernel", finder=finder)
    assert (kernel.state, kernel.owned) == (KernelState.READY, True)
    assert (kernel.kernel_type, kernel.kernel_id) == ("fake/kernel", provider.launches[0].kernel_id)
    await kernel.aclose()

    assert not await provider.managers[0].is_alive()


async def test_async_with_closes_it_at_the_end(finder: KernelFinder, provider: FakeProvider) -> None:
    """Also when the block raises."""
    kernels: list[Kernel] = []

    async def fail_inside() -> None:
        async with launch("fake/kernel", finder=finder) as kernel:
            kernels.append(kernel)
            assert kernel.state is KernelState.READY
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_inside()

    assert kernels[0].state is KernelState.CLOSED
    assert provider.managers[0].closed


async def test_an_awaited_kernel_is_a_context_manager_too(finder: KernelFinder) -> None:
    """``async with await launch(…)``."""
    async with await launch("fake/kernel", finder=finder) as kernel:
        assert kernel.state is KernelState.READY
    assert kernel.state is KernelState.CLOSED


async def test_create_task_and_gather(finder: KernelFinder) -> None:
    """Several at once."""
    task = asyncio.create_task(launch("fake/kernel", finder=finder))
    kernels = [await task, *await asyncio.gather(*(launch("fake/kernel", finder=finder) for _ in range(3)))]
    assert len({kernel.kernel_id for kernel in kernels}) == 4
    for kernel in kernels:
        await kernel.aclose()


async def test_task_groups(finder: KernelFinder) -> None:
    """Which ask for a coroutine."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(launch("fake/kernel", finder=finder)) for _ in range(2)]
    for task in tasks:
        await task.result().aclose()


async def test_a_time_limit_around_it(finder: KernelFinder, provider: FakeProvider) -> None:
    """`asyncio.wait_for` cancels the launch, which leaves nothing behind."""
    provider.quirks = Quirks(silent=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(launch("fake/kernel", finder=finder), 0.05)

    assert provider.managers[0].closed


def test_asyncio_run() -> None:
    """As the whole of a program."""

    async def close(kernel: Kernel) -> None:
        await kernel.aclose()

    with asyncio.Runner() as runner:
        kernel = runner.run(launch("fake/kernel", finder=KernelFinder([FakeProvider()])))
        assert kernel.state is KernelState.READY
        runner.run(close(kernel))


async def test_one_that_is_never_awaited_can_be_closed(finder: KernelFinder) -> None:
    """Like any coroutine; nothing was launched."""
    opening = launch("fake/kernel", finder=finder)
    opening.close()


async def test_what_an_opening_throws_comes_out(finder: KernelFinder) -> None:
    """In each of the ways."""
    with pytest.raises(NoSuchKernel):
        await launch("fake/other", finder=finder)
    with pytest.raises(NoSuchKernel):
        async with launch("fake/other", finder=finder):
            pass
    with pytest.raises(NoSuchKernel):
        await asyncio.create_task(launch("fake/other", finder=finder))


# launch


async def test_options_go_into_the_request(finder: KernelFinder, provider: FakeProvider) -> None:
    """As paths and plain dicts, with a deadline."""
    async with launch(
        "fake/kernel", cwd="/tmp", env={"A": "b"}, transport="tcp", startup_timeout=30, finder=finder
    ):
        [request] = provider.launches

    assert (request.cwd, request.env, request.transport) == (Path("/tmp"), {"A": "b"}, "tcp")
    assert request.launch_params == {}
    assert request.deadline is not None
    with pytest.raises(Unsupported, match="colour"):
        await launch("fake/kernel", launch_params={"colour": "red"}, finder=finder)


async def test_stdin_answers_from_the_start(finder: KernelFinder, provider: FakeProvider) -> None:
    """It is the client's."""

    async def ask(run: Any) -> None:
        run.result(await run.input("?"))

    async def stdin(prompt: str, password: bool) -> str:
        return "answer"

    provider.behaviour = ask
    async with launch("fake/kernel", finder=finder, stdin=stdin) as kernel:
        assert (await kernel.execute("x")).text == "answer"


async def test_on_event_hears_everything_from_the_first_progress_on(
    finder: KernelFinder, provider: FakeProvider
) -> None:
    """Also progress that is told in another thread; `Kernel.events` begins with the same."""

    async def from_a_thread(manager: FakeManager) -> None:
        thread = threading.Thread(target=provider.launches[0].progress, args=("from a thread",))
        thread.start()
        await asyncio.to_thread(thread.join)

    provider.on_launch = from_a_thread
    heard: list[Any] = []
    async with launch("fake/kernel", finder=finder, on_event=heard.append) as kernel:
        first = [event for event in heard if isinstance(event, StateChanged | LaunchProgress)]
        assert first == [
            StateChanged(KernelState.STARTING, 1),
            LaunchProgress("starting a kernel that does not exist", 0.5),
            LaunchProgress("from a thread"),
            StateChanged(KernelState.READY, 1),
        ]
    assert [event async for event in kernel.events()] == heard


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_a_launch_cancelled_at_any_moment_leaves_nothing(turns: int) -> None:
    """No kernel, no task; the finder's kernels are the only thing that it starts."""
    provider = FakeProvider()
    async with KernelFinder([provider]) as finder:
        before = asyncio.all_tasks()
        task = asyncio.create_task(launch("fake/kernel", finder=finder))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            await task.result().aclose()

        assert asyncio.all_tasks() == before
        assert all(manager.closed for manager in provider.managers)
        assert all(kernel.side.closed for kernel in provider.kernels)  # type: ignore[attr-defined]


async def test_a_provider_that_hangs_is_a_startup_timeout(
    finder: KernelFinder, provider: FakeProvider
) -> None:
    """What it had begun is cancelled."""

    async def hang(manager: FakeManager) -> None:
        await asyncio.Event().wait()

    provider.on_launch = hang
    with pytest.raises(StartupTimeout, match=r"did not start the kernel within 0\.05 s") as caught:
        await launch("fake/kernel", finder=finder, startup_timeout=0.05)

    assert isinstance(caught.value, TimeoutError)
    assert provider.managers[0].closed


@pytest.mark.parametrize(
    ("quirks", "text"),
    [
        (Quirks(silent=True), "it did not answer at all"),
        (Quirks(lost_on_iopub=10**6), "it answered kernel_info but sent nothing on iopub"),
    ],
)
async def test_a_kernel_that_is_not_ready_in_time(
    finder: KernelFinder, provider: FakeProvider, quirks: Quirks, text: str
) -> None:
    """The error says what was missing and ends with what the kernel wrote; the kernel is ended."""

    async def prepare(manager: FakeManager) -> None:
        manager.output = "loading a large library"

    provider.quirks, provider.on_launch = quirks, prepare
    with pytest.raises(StartupTimeout, match=text) as caught:
        await launch("fake/kernel", finder=finder, startup_timeout=0.5)

    assert "loading a large library" in str(caught.value)
    assert provider.managers[0].closed


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(answers_on_control=False),
        Quirks(answers_kernel_info_on_control=False),
        Quirks(says_idle=False),
        Quirks(lost_on_iopub=5),
        Quirks(says_status_in_replies=False),
        Quirks(replies_before_busy=True),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("impatient")
async def test_kernels_with_bad_habits_become_ready_too(
    finder: KernelFinder, provider: FakeProvider, quirks: Quirks
) -> None:
    """No particular message is needed: one reply, and anything on iopub."""
    provider.quirks = quirks
    async with asyncio.timeout(GUARD), launch("fake/kernel", finder=finder) as kernel:
        assert kernel.state is KernelState.READY


async def test_a_kernel_that_dies_while_starting_fails_at_once(
    finder: KernelFinder, provider: FakeProvider
) -> None:
    """With how it ended and what it wrote; nothing waits for the time limit."""

    async def die(manager: FakeManager) -> None:
        manager.output = "ImportError: no module"
        manager.kernel.quirks = Quirks(silent=True)  # type: ignore[union-attr]
        asyncio.get_running_loop().call_soon(manager.die)

    provider.on_launch = die
    async with asyncio.timeout(GUARD):
        with pytest.raises(LaunchError, match="ImportError: no module") as caught:
            await launch("fake/kernel", finder=finder, startup_timeout=1000)

    assert caught.value.exit_info is not None
    assert caught.value.exit_info.returncode == 0
    assert isinstance(caught.value.__cause__, KernelDied)
    assert len(provider.launches) == 1


# connect


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[ConnectionInfo]:
    """A kernel that somebody else started."""
    sockets = KernelSockets(ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"), kernel_name="theirs"))
    async with FakeKernel(sockets), sockets:
        yield sockets.connection_info


async def test_connecting_in_each_way(
    running: ConnectionInfo, jupyter_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path, a name in the runtime directory, the dict in the file, a ConnectionInfo, a Launched."""
    runtime = jupyter_home / "runtime"
    runtime.mkdir()
    running.write(runtime / "kernel-1.json")
    elsewhere = jupyter_home / "elsewhere.json"
    running.write(elsewhere)
    monkeypatch.chdir(jupyter_home)
    for connection, file in [
        (elsewhere, elsewhere),
        ("elsewhere.json", Path("elsewhere.json")),
        ("kernel-1.json", runtime / "kernel-1.json"),
        (running.to_dict(), None),
        (running, None),
        (Launched(manager=None, connection_info=running), None),
    ]:
        async with asyncio.timeout(GUARD), connect(connection) as kernel:
            assert (kernel.owned, kernel.kernel_type, kernel.manager) == (False, None, None)
            assert kernel.connection_info == running
            assert kernel.connection_file == file
            assert (await kernel.execute("x")).status == "ok"
    assert elsewhere.exists()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda home: home / "missing.json", "missing.json"),
        (lambda home: home / "bad.json", "not JSON"),
        (lambda home: {"transport": "pigeon"}, "transport"),
        (lambda home: {"shell_port": -3}, "shell_port"),
    ],
    ids=["missing", "bad", "transport", "port"],
)
async def test_what_cannot_be_connected_to_is_a_launch_error(
    jupyter_home: Path, make: Callable[[Path], Any], text: str
) -> None:
    """That names the file or the field."""
    (jupyter_home / "bad.json").write_text("{nonsense")
    with pytest.raises(LaunchError, match=text):
        await connect(make(jupyter_home))


async def test_nobody_there_is_a_startup_timeout(tmp_path: Path) -> None:
    """After the time given."""
    info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "nobody"))
    with pytest.raises(StartupTimeout, match="did not answer at all"):
        await connect(info, startup_timeout=0.05)


async def test_a_connected_kernel_is_not_ours_to_end(running: ConnectionInfo) -> None:
    """But to use and to interrupt; nobody here can wait for its end."""
    async with connect(running) as kernel:
        for action in (kernel.shutdown, kernel.restart):
            with pytest.raises(NotOwned, match="not ours"):
                await action()
        with pytest.raises(Unsupported, match="nobody here watches"):
            await kernel.wait()
        await kernel.interrupt()
        assert "not owned" in repr(kernel)
    with pytest.raises(ClientClosed):
        kernel.execute("x")
    async with connect(running) as again:
        assert again.state is KernelState.READY


async def test_with_a_manager_a_death_is_noticed_and_the_manager_stays_its_callers(
    running: ConnectionInfo,
) -> None:
    """Closing the kernel does not close it."""
    manager = FakeManager("theirs")
    async with connect(running, manager=manager) as kernel:
        assert kernel.kernel_id == "theirs"
        waiting = asyncio.create_task(kernel.wait())
        await asyncio.sleep(0)
        manager.die()
        assert (await waiting).returncode == 0
        await state_of(kernel, KernelState.DEAD)
    assert not manager.closed

    alive = FakeManager("theirs")
    async with connect(running, manager=alive):
        pass
    assert await alive.is_alive()
    await alive.aclose()


async def state_of(kernel: Kernel, state: KernelState) -> None:
    async with asyncio.timeout(GUARD):
        async for event in kernel.events():
            if isinstance(event, StateChanged) and event.state is state:
                return


async def test_a_launched_kernel_with_channels_can_be_connected_to() -> None:
    """Its channels are closed with the connection, its manager is not."""
    channels, manager = MemoryChannels(), FakeManager("id")
    async with FakeKernel(channels.kernel):
        async with connect(Launched(channels=channels, manager=manager)) as kernel:
            assert kernel.kernel_id == "id"
            assert kernel.connection_info is None
        assert channels.closed
    assert not manager.closed


async def test_a_request_is_not_needed_to_use_a_finder_alone(
    finder: KernelFinder, provider: FakeProvider
) -> None:
    """The layers join: finder, Launched, Kernel."""
    launched = await finder.launch("fake/kernel", LaunchRequest(kernel_id="mine"))
    async with await Kernel.from_launched(launched) as kernel:
        assert (kernel.kernel_id, kernel.owned, kernel.kernel_type) == ("mine", True, None)
        assert (await kernel.execute("x")).status == "ok"
    assert provider.managers[0].closed
