"""Three providers as outsiders would write them: one that blocks, one without sockets, one in steps.

The first drives real processes through a client library that only blocks, as Docker's does. The second
reaches its kernels by other channels than ZMQ's, as over a WebSocket. The third launches in steps, tells of
each, and can be cancelled at any of them.
"""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    ExitInfo,
    InterruptOutcome,
    Kernel,
    KernelDied,
    KernelFinder,
    KernelManagerBase,
    KernelProviderBase,
    KernelRestarted,
    KernelTypeInfo,
    LaunchError,
    LaunchRequest,
    NoSuchKernel,
    StartupTimeout,
    Unsupported,
    connect,
    launch,
)
from jupyter_kernel_mgmt.events import KernelExited, LaunchProgress
from jupyter_kernel_mgmt.launching import InterruptMode, Launched
from jupyter_kernel_mgmt.managerbase import BlockingManagerBase
from jupyter_kernel_mgmt.providerbase import BlockingProviderBase
from jupyter_kernel_mgmt.testing import FakeKernel, FakeManager, FakeRun, MemoryChannels, check_provider
from jupyter_kernel_mgmt.testing._residue import Residue
from jupyter_protocol import ConnectionInfo

GUARD = 30

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals to a process's handler")


@pytest.fixture(autouse=True)
async def no_residue() -> AsyncIterator[None]:
    """After each test there is no task, child process, descriptor or thread more than before it."""
    before, threads = Residue.now(), set(threading.enumerate())
    yield
    assert await before.wait_for_less(GUARD) == ""
    for thread in set(threading.enumerate()) - threads:
        thread.join(GUARD)
        assert not thread.is_alive(), thread.name


# A provider that blocks, in the manner of a Docker client


MINI_KERNEL = """
import asyncio, json, os, signal
from jupyter_kernel_mgmt.testing import FakeKernel
from jupyter_protocol import ConnectionInfo, KernelSockets

async def behave(run):
    if run.code == "die":
        print("last words", flush=True)
        os._exit(3)
    elif run.code == "forever":
        run.write("started")
        await asyncio.Event().wait()
    run.result(run.code.upper() + " " + os.environ.get("COLOUR", ""))

async def main():
    shut_down = asyncio.Event()
    async with KernelSockets(ConnectionInfo()) as sockets:
        async with FakeKernel(sockets, behave, on_shutdown=lambda restart: shut_down.set()) as kernel:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, kernel.interrupt)
            print(json.dumps(sockets.connection_info.to_dict()), flush=True)
            await shut_down.wait()

asyncio.run(main())
"""


class Container:
    """A process here; what it writes is its log."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self.process = process
        self.stream = process.stdout
        self.log: list[str] = []
        self.reading = threading.Lock()


class Engine:
    """A client library that only blocks. Notes in which threads it was used."""

    def __init__(self) -> None:
        self.containers: list[Container] = []
        self.threads: set[int] = set()

    def run(self, command: list[str], *, cwd: Path | None) -> Container:
        self.threads.add(threading.get_ident())
        container = Container(
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd
            )
        )
        self.containers.append(container)
        return container

    def first_line(self, container: Container) -> str:
        """Blocks until the container wrote a line or stopped."""
        self.threads.add(threading.get_ident())
        return container.stream.readline().decode()

    def running(self, container: Container) -> bool:
        self.threads.add(threading.get_ident())
        return container.process.poll() is None

    def wait(self, container: Container) -> int:
        """Blocks until the container has stopped."""
        self.threads.add(threading.get_ident())
        with container.reading:
            if not container.stream.closed:
                container.log += [line.decode() for line in container.stream]
                container.stream.close()
        return container.process.wait()

    def kill(self, container: Container, number: int) -> None:
        self.threads.add(threading.get_ident())
        container.process.send_signal(number)

    def remove(self, container: Container) -> None:
        """Ends it where it still runs."""
        container.process.kill()
        self.wait(container)


class ContainerManager(BlockingManagerBase):
    """Not one line of asyncio."""

    def __init__(self, kernel_id: str, engine: Engine, container: Container) -> None:
        self.kernel_id = kernel_id
        self.engine = engine
        self.container = container

    def is_alive(self) -> bool:
        return self.engine.running(self.container)

    def wait(self) -> ExitInfo:
        code = self.engine.wait(self.container)
        return ExitInfo(code, output_tail=self.output_tail())

    def signal(self, number: int) -> None:
        self.engine.kill(self.container, number)

    def output_tail(self) -> str:
        return "".join(self.container.log)

    def aclose(self) -> None:
        self.engine.remove(self.container)


class ContainerProvider(BlockingProviderBase):
    """Neither."""

    id = "containers"

    def __init__(self) -> None:
        self.engine = Engine()
        self.may_start = threading.Event()
        self.may_start.set()
        self.closed = 0

    def find_kernels(self) -> Generator[tuple[str, KernelTypeInfo], None, None]:
        self.engine.threads.add(threading.get_ident())
        yield "mini", KernelTypeInfo(display_name="Mini (in a container)", language="upper case")

    def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name != "mini":
            raise NoSuchKernel(name, known=["mini"], searched=["the images of this engine"])
        colour = self._colour(request)
        request.progress("creating the container", 0.2)
        if not self.may_start.wait(GUARD):
            raise LaunchError("nobody let it start")
        command = [sys.executable, "-c", f"import os; os.environ['COLOUR'] = {colour!r}\n{MINI_KERNEL}"]
        container = self.engine.run(command, cwd=request.cwd)
        manager = ContainerManager(request.kernel_id, self.engine, container)
        request.progress("waiting for its address", 0.6)
        line = self.engine.first_line(container)
        try:
            info = ConnectionInfo.from_dict(json.loads(line))  # the kernel chose its ports: there is no race
        except ValueError as error:
            if line:  # else it has stopped by itself
                manager.aclose()
            raise LaunchError(f"no address came but {line!r}", exit_info=manager.wait()) from error
        return Launched(connection_info=info, manager=manager)

    def _colour(self, request: LaunchRequest) -> str:
        for name in request.launch_params:
            if name != "colour":
                raise Unsupported("launch_params", f"containers have no place for {name!r}")
        if request.transport == "ipc":
            raise Unsupported("transport", "containers are reached over tcp")
        return str(request.launch_params.get("colour", ""))

    def aclose(self) -> None:
        self.closed += 1


@pytest.fixture
async def containers() -> AsyncIterator[ContainerProvider]:
    """A provider; its finder is closed after the test, and no call of it was in the loop's thread."""
    provider = ContainerProvider()
    yield provider
    assert provider.engine.threads
    assert threading.get_ident() not in provider.engine.threads


@posix
async def test_a_kernel_of_a_provider_that_blocks_is_like_any_other(containers: ContainerProvider) -> None:
    """Found, launched with progress, executed on, interrupted and ended in the usual way."""
    events: list[Any] = []
    async with KernelFinder([containers]) as finder, asyncio.timeout(GUARD):
        assert [kernel_type async for kernel_type, _ in finder.find_kernels()] == ["containers/mini"]
        params = {"colour": "red"}
        async with launch(
            "containers/mini", finder=finder, launch_params=params, on_event=events.append
        ) as kernel:
            assert (await kernel.execute("hello")).text == "HELLO red"

            execution = kernel.execute("forever")
            async for message in execution:
                if message.msg_type == "stream":
                    break
            assert await execution.interrupt() is InterruptOutcome.IDLE
            assert (await execution).status == "interrupted"
    assert containers.closed == 1
    progress = [(e.text, e.fraction) for e in events if isinstance(e, LaunchProgress)]
    assert progress == [("creating the container", 0.2), ("waiting for its address", 0.6)]
    (exited,) = [e for e in events if isinstance(e, KernelExited)]
    assert exited.expected
    assert exited.exit_info.returncode == 0


async def test_the_loop_runs_on_while_a_provider_blocks(containers: ContainerProvider) -> None:
    """What it waits for may come from the loop itself."""
    containers.may_start.clear()

    def go_on(event: object) -> None:
        if isinstance(event, LaunchProgress):
            containers.may_start.set()

    async with (
        asyncio.timeout(GUARD),
        KernelFinder([containers]) as finder,
        launch("containers/mini", finder=finder, on_event=go_on) as kernel,
    ):
        assert (await kernel.execute("hello")).text == "HELLO "


async def test_the_death_of_a_container_is_told_with_code_and_log(containers: ContainerProvider) -> None:
    """Its `wait` runs in a thread all the while."""
    async with (
        asyncio.timeout(GUARD),
        KernelFinder([containers]) as finder,
        launch("containers/mini", finder=finder) as kernel,
    ):
        with pytest.raises(KernelDied) as caught:
            await kernel.execute("die")

        assert caught.value.exit_info == ExitInfo(3, output_tail="last words\n")
        assert await kernel.wait() == caught.value.exit_info


async def test_a_restart_is_another_container(containers: ContainerProvider) -> None:
    """With the same parameters; the first one is gone."""
    async with KernelFinder([containers]) as finder, asyncio.timeout(GUARD):
        params = {"colour": "red"}
        async with launch("containers/mini", finder=finder, launch_params=params) as kernel:
            await kernel.restart()

            first, _second = containers.engine.containers
            assert first.process.returncode == 0
            assert (await kernel.execute("again")).text == "AGAIN red"


@pytest.mark.parametrize(
    ("kernel_type", "options", "option"),
    [
        ("containers/mini", {"launch_params": {"size": 1}}, "launch_params"),
        ("containers/mini", {"transport": "ipc"}, "transport"),
    ],
)
async def test_what_a_provider_refuses_in_its_thread_arrives(
    kernel_type: str, options: dict[str, Any], option: str
) -> None:
    """The same error, by the name of the option."""
    async with KernelFinder([ContainerProvider()]) as finder, asyncio.timeout(GUARD):
        with pytest.raises(Unsupported) as caught:
            await launch(kernel_type, finder=finder, **options)

    assert caught.value.option == option


@pytest.mark.parametrize(
    ("code", "text", "returncode"),
    [("raise SystemExit(7)", "no address came but ''", 7), ("print('hello', flush=True)", "but 'hello", -9)],
)
async def test_a_container_that_cannot_be_reached_is_a_launch_error(
    containers: ContainerProvider, monkeypatch: pytest.MonkeyPatch, code: str, text: str, returncode: int
) -> None:
    """Raised in a thread; the container is removed there."""
    monkeypatch.setattr(sys.modules[__name__], "MINI_KERNEL", f"{code}\nimport time; time.sleep(600)")
    async with KernelFinder([containers]) as finder, asyncio.timeout(GUARD):
        with pytest.raises(LaunchError, match=text) as caught:
            await launch("containers/mini", finder=finder)

    assert caught.value.exit_info == ExitInfo(returncode)


async def test_a_launch_cancelled_while_its_provider_blocks_leaves_no_container(
    containers: ContainerProvider,
) -> None:
    """The waiting ends at once; the container that comes all the same is removed."""
    containers.may_start.clear()
    blocked = asyncio.Event()

    def note(event: object) -> None:
        if isinstance(event, LaunchProgress):
            blocked.set()

    async with KernelFinder([containers]) as finder, asyncio.timeout(GUARD):
        opening = asyncio.create_task(launch("containers/mini", finder=finder, on_event=note))
        await blocked.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert containers.engine.containers == []
    threads = [thread for thread in threading.enumerate() if thread.name == "kernel-launch"]

    containers.may_start.set()
    for thread in threads:
        thread.join(GUARD)

    (container,) = containers.engine.containers
    assert container.process.returncode == -signal.SIGKILL


@posix
async def test_the_provider_that_blocks_keeps_all_promises(containers: ContainerProvider) -> None:
    """By the check that its author would run."""
    await check_provider(containers, timeout=GUARD)


# A provider whose kernels are reached by other channels than ZMQ's


class Gateway:
    """A server elsewhere: runs kernels, knows them by id, and has one connection to each."""

    def __init__(self) -> None:
        self.kernels: dict[str, FakeManager] = {}
        self.connections: dict[str, MemoryChannels] = {}
        self.opened = 0

    async def start(self, kernel_id: str) -> MemoryChannels:
        channels = self.connections[kernel_id] = MemoryChannels()
        kernel = FakeKernel(channels.kernel, self._behave)
        manager = self.kernels[kernel_id] = FakeManager(kernel_id, kernel=kernel)
        kernel.on_shutdown = lambda restart: manager.die(ExitInfo(0))
        await kernel.__aenter__()
        self.opened += 1
        return channels

    def drop_connection(self, kernel_id: str, error: Exception | None = None) -> None:
        self.connections[kernel_id].kernel.close(error)

    async def _behave(self, run: FakeRun) -> None:
        if run.code == "forever":
            run.write("started")
            await asyncio.Event().wait()
        run.result(run.code[::-1])


class GatewayManager(KernelManagerBase):
    """Every call is a request to the server."""

    def __init__(self, kernel_id: str, gateway: Gateway) -> None:
        self.kernel_id = kernel_id
        self.far = gateway.kernels[kernel_id]

    async def is_alive(self) -> bool:
        return await self.far.is_alive()

    async def wait(self) -> ExitInfo:
        return await self.far.wait()

    async def signal(self, number: int) -> None:
        if number not in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            raise Unsupported("signal", "the gateway interrupts and ends kernels, and no more")
        await self.far.signal(number)

    async def aclose(self) -> None:
        await self.far.aclose()


class GatewayProvider(KernelProviderBase):
    """Gives channels instead of connection information."""

    id = "gateway"

    def __init__(self, interrupt_mode: InterruptMode = "signal") -> None:
        self.gateway = Gateway()
        self.interrupt_mode: InterruptMode = interrupt_mode

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "backwards", KernelTypeInfo(display_name="Backwards", language="none")

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name != "backwards":
            raise NoSuchKernel(name, known=["backwards"], searched=["the gateway"])
        if request.launch_params:
            raise Unsupported("launch_params", "the gateway passes none on")
        channels = await self.gateway.start(request.kernel_id)
        return Launched(
            channels=channels,
            manager=GatewayManager(request.kernel_id, self.gateway),
            interrupt_mode=self.interrupt_mode,
        )


async def gateway_kernel(stack: AsyncExitStack, provider: GatewayProvider) -> Kernel:
    finder = await stack.enter_async_context(KernelFinder([provider]))
    return await stack.enter_async_context(launch("gateway/backwards", finder=finder))


@pytest.mark.parametrize("interrupt_mode", ["signal", "message"])
async def test_a_kernel_without_sockets_is_like_any_other(interrupt_mode: InterruptMode) -> None:
    """There is no address and no file; everything else is there."""
    provider = GatewayProvider(interrupt_mode)
    async with AsyncExitStack() as stack, asyncio.timeout(GUARD):
        kernel = await gateway_kernel(stack, provider)
        assert (kernel.connection_info, kernel.connection_file) == (None, None)
        assert (await kernel.execute("abc")).text == "cba"

        execution = kernel.execute("forever")
        async for message in execution:
            if message.msg_type == "stream":
                break
        assert await execution.interrupt() is InterruptOutcome.IDLE
        assert (await execution).status == "interrupted"
        far = provider.gateway.kernels[kernel.kernel_id or ""]
        assert far.signals == ([signal.SIGINT] if interrupt_mode == "signal" else [])

        info = await kernel.shutdown()
        assert info == ExitInfo(0)
    assert provider.gateway.connections[far.kernel_id].closed


async def test_a_restart_opens_another_connection() -> None:
    """Whoever waited on the old one is told; the client stays the same object."""
    provider = GatewayProvider()
    async with AsyncExitStack() as stack, asyncio.timeout(GUARD):
        kernel = await gateway_kernel(stack, provider)
        client, first = kernel.client, provider.gateway.connections[kernel.kernel_id or ""]
        execution = kernel.execute("forever")

        await kernel.restart()

        with pytest.raises(KernelRestarted):
            await execution
        assert first.closed
        assert provider.gateway.opened == 2
        assert kernel.client is client
        assert (await kernel.execute("abc")).text == "cba"


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset by the gateway")])
async def test_a_connection_that_breaks_fails_whoever_waits(error: Exception | None) -> None:
    """The kernel may live on: it is the client that has nothing to say any more."""
    provider = GatewayProvider()
    async with AsyncExitStack() as stack, asyncio.timeout(GUARD):
        kernel = await gateway_kernel(stack, provider)
        execution = kernel.execute("forever")

        provider.gateway.drop_connection(kernel.kernel_id or "", error)

        with pytest.raises(ClientClosed):
            await execution
        assert await provider.gateway.kernels[kernel.kernel_id or ""].is_alive()


async def test_the_death_of_a_kernel_elsewhere_is_told_by_its_manager() -> None:
    """Though its connection is still open."""
    provider = GatewayProvider()
    async with AsyncExitStack() as stack, asyncio.timeout(GUARD):
        kernel = await gateway_kernel(stack, provider)
        execution = kernel.execute("forever")

        provider.gateway.kernels[kernel.kernel_id or ""].die(ExitInfo(137, "out of memory"))

        with pytest.raises(KernelDied, match="out of memory"):
            await execution


async def test_connecting_to_what_was_launched_leaves_the_kernel_alone() -> None:
    """The layers join: a provider's `Launched` is all that `connect` needs."""
    provider = GatewayProvider()
    launched = await provider.launch("backwards", LaunchRequest(kernel_id="1"))
    async with asyncio.timeout(GUARD):
        async with connect(launched) as kernel:
            assert (await kernel.execute("abc")).text == "cba"

        far = provider.gateway.kernels["1"]
        assert await far.is_alive()
        assert provider.gateway.connections["1"].closed
        await far.aclose()


async def test_the_provider_without_sockets_keeps_all_promises() -> None:
    """By the check that its author would run."""
    await check_provider(GatewayProvider(), timeout=GUARD)


# A provider that launches in steps


STEPS = ["booking a machine", "opening a tunnel", "starting the kernel", "watching it"]


class TunnelManager(FakeManager):
    """Owns what the launch has acquired, and gives it back."""

    resources: AsyncExitStack

    async def aclose(self) -> None:
        await super().aclose()
        await self.resources.aclose()


class SteppingProvider(KernelProviderBase):
    """Acquires a process, a thread and a task, one a step; all or nothing, by one `AsyncExitStack`."""

    id = "steps"

    def __init__(self) -> None:
        self.held: list[str] = []

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "kernel", KernelTypeInfo(display_name="In steps", language="none")

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        async with AsyncExitStack() as stack:
            channels = MemoryChannels()
            kernel = FakeKernel(channels.kernel)
            for number, (text, acquire) in enumerate(
                zip(STEPS, (self._process, self._thread, kernel.__aenter__, self._task), strict=True)
            ):
                request.progress(text, number / len(STEPS))
                await asyncio.sleep(0)  # as any step that waits for something
                if acquire == kernel.__aenter__:
                    await stack.enter_async_context(kernel)
                else:
                    await acquire(stack)  # type: ignore[arg-type]
            manager = TunnelManager(request.kernel_id, kernel=kernel)
            kernel.on_shutdown = lambda restart: manager.die()
            manager.resources = stack.pop_all()
            return Launched(channels=channels, manager=manager)

    async def _process(self, stack: AsyncExitStack) -> None:
        process = await asyncio.create_subprocess_exec("sleep", "600")
        self.held.append("process")

        async def end() -> None:
            process.kill()
            await process.wait()
            self.held.remove("process")

        stack.push_async_callback(end)
        await asyncio.sleep(0)

    async def _thread(self, stack: AsyncExitStack) -> None:
        wanted = threading.Event()
        thread = threading.Thread(target=wanted.wait, name="tunnel", daemon=True)
        thread.start()
        self.held.append("thread")

        def end() -> None:
            wanted.set()
            thread.join(GUARD)
            self.held.remove("thread")

        stack.callback(end)
        await asyncio.sleep(0)

    async def _task(self, stack: AsyncExitStack) -> None:
        task = asyncio.create_task(asyncio.Event().wait(), name="keep-alive")
        self.held.append("task")

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])
            self.held.remove("task")

        stack.push_async_callback(end)
        await asyncio.sleep(0)


async def test_a_launch_in_steps_tells_of_each_and_holds_all_until_the_kernel_is_closed() -> None:
    """Closing the manager gives it back."""
    provider, events = SteppingProvider(), []
    async with (
        asyncio.timeout(GUARD),
        KernelFinder([provider]) as finder,
        launch("steps/kernel", finder=finder, on_event=events.append) as kernel,
    ):
        assert provider.held == ["process", "thread", "task"]
        assert (await kernel.execute("")).status == "ok"

    progress = [(e.text, e.fraction) for e in events if isinstance(e, LaunchProgress)]
    assert progress == [(text, number / 4) for number, text in enumerate(STEPS)]
    assert provider.held == []


@pytest.mark.parametrize("step", range(len(STEPS)))
async def test_a_launch_cancelled_at_any_step_leaves_nothing(step: int) -> None:
    """Neither what was acquired by then nor what would have come: no process, thread or task."""
    provider, seen = SteppingProvider(), []

    def cancel_at_step(event: object) -> None:
        if isinstance(event, LaunchProgress):
            seen.append(event.text)
            if event.text == STEPS[step]:
                opening.cancel()

    before = Residue.now()
    async with KernelFinder([provider]) as finder, asyncio.timeout(GUARD):
        opening = asyncio.create_task(launch("steps/kernel", finder=finder, on_event=cancel_at_step))
        with pytest.raises(asyncio.CancelledError):
            await opening

        assert provider.held == []
        assert Residue.now().children == before.children
        assert Residue.now().tasks <= before.tasks
    assert seen == STEPS[: step + 1]


async def test_a_step_that_never_ends_is_given_up_in_time_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The deadline of the request is the one that the launch keeps."""
    provider, remaining = SteppingProvider(), []

    async def hang(stack: AsyncExitStack) -> None:
        await asyncio.Event().wait()

    def note(event: object) -> None:
        if isinstance(event, LaunchProgress):
            remaining.append(event.text)

    monkeypatch.setattr(provider, "_task", hang)
    async with KernelFinder([provider]) as finder, asyncio.timeout(GUARD):
        with pytest.raises(StartupTimeout):
            await launch("steps/kernel", finder=finder, startup_timeout=0.2, on_event=note)

    assert provider.held == []
    assert remaining == STEPS


async def test_a_step_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's error arrives as it is."""
    provider = SteppingProvider()

    async def fail(stack: AsyncExitStack) -> None:
        raise LaunchError("the keep-alive was refused")

    monkeypatch.setattr(provider, "_task", fail)
    async with KernelFinder([provider]) as finder, asyncio.timeout(GUARD):
        with pytest.raises(LaunchError, match="the keep-alive was refused"):
            await launch("steps/kernel", finder=finder)

    assert provider.held == []
