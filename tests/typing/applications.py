"""What applications write has the types that they expect. Only type-checked, never run."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, assert_type

from jupyter_kernel_mgmt import (
    Backoff,
    ClientClosed,
    Execution,
    ExecutionError,
    ExecutionResult,
    ExitInfo,
    InterruptOutcome,
    Kernel,
    KernelClient,
    KernelDied,
    KernelEvent,
    KernelFinder,
    KernelPool,
    KernelRestarter,
    KernelSpecProvider,
    KernelState,
    KernelTypeInfo,
    Launched,
    LaunchError,
    LaunchRequest,
    Limits,
    NoSuchKernel,
    OutputDropped,
    PoolMetrics,
    StateChanged,
    Unsupported,
    connect,
    find_kernels,
    launch,
)
from jupyter_kernel_mgmt.testing import FakeKernel, FakeProvider, FakeRun, MemoryChannels, Quirks
from jupyter_protocol import ChannelClosed, ConnectionInfo, Message, ProtocolError


async def open_in_each_way(finder: KernelFinder) -> None:
    async with launch("spec/python3") as kernel:
        assert_type(kernel, Kernel)
    awaited = await launch(
        cwd=Path("/tmp"), env={"A": "b"}, launch_params={"n": 1}, transport="ipc", finder=finder
    )
    assert_type(awaited, Kernel)
    task = asyncio.create_task(launch("python3", startup_timeout=5, packer="msgpack"))
    assert_type(await task, Kernel)
    assert_type(await asyncio.gather(launch(), launch()), tuple[Kernel, Kernel])
    async with asyncio.TaskGroup() as group:
        grouped = group.create_task(launch())
    assert_type(grouped.result(), Kernel)
    async with connect("kernel-1.json") as other:
        assert_type(other, Kernel)
    for connection in (Path("x.json"), {"transport": "tcp"}, ConnectionInfo()):
        await (await connect(connection)).aclose()
    async with await launch() as again:
        assert_type(again.kernel_id, str | None)


def whole_program() -> None:
    assert_type(asyncio.run(launch()), Kernel)


async def use(kernel: Kernel) -> None:
    execution = kernel.execute("6 * 7", silent=False, user_expressions={"a": "b"}, output_limit=None)
    also: Execution = execution
    result = await execution
    assert_type(result, ExecutionResult)
    assert_type(result.raise_for_status(), ExecutionResult)
    assert_type(result.stdout, str)
    assert_type(result.text, str)
    assert_type(result.data, dict[str, Any])
    assert_type(result.execution_count, int | None)
    assert_type(result.reply, Message | None)
    match result.status:
        case "ok" | "error" | "aborted" | "interrupted" | "timeout" | None:
            pass
    if result.error is not None:
        assert_type(result.error.traceback, tuple[str, ...])
    async for item in kernel.execute("print(1)"):
        assert_type(item, Message | OutputDropped)
        if isinstance(item, OutputDropped):
            assert_type(item.count, int)
    assert_type(await also.interrupt(), InterruptOutcome)
    assert_type(await kernel.interrupt(), InterruptOutcome)
    assert_type(await kernel.complete("pri", 3), Message)
    assert_type(await kernel.inspect("x", detail_level=1), Message)
    assert_type(await kernel.history(hist_access_type="tail", n=3), Message)
    assert_type(await kernel.wait(), ExitInfo)
    assert_type(await kernel.shutdown(), ExitInfo | None)
    assert_type(kernel.state, KernelState)
    assert_type(kernel.client, KernelClient)
    assert_type(kernel.connection_info, ConnectionInfo | None)
    assert_type(kernel.connection_file, Path | None)
    await kernel.restart()


async def watch(kernel: Kernel, client: KernelClient) -> None:
    events = kernel.events()
    assert_type(events, AsyncGenerator[KernelEvent, None])
    async for event in events:
        if isinstance(event, StateChanged):
            assert_type(event.state, KernelState)

    def handler(channel: str, message: Message) -> None: ...

    client.add_handler(handler, ["iopub"])
    client.remove_handler(handler)
    async with client.messages(("iopub", "shell"), limit=5) as stream:
        async for channel, message in stream:
            assert_type(channel, str)
            assert_type(message, Message)
        assert_type(stream.dropped, int)
    assert_type(await client.request_shutdown(restart=True), Message)


async def answer(prompt: str, password: bool) -> str:
    return "secret" if password else prompt


async def with_stdin() -> None:
    async with launch(stdin=answer, on_event=print) as kernel:
        kernel.client.stdin = None
        kernel.client.stdin = answer


async def find() -> None:
    async for kernel_type, info in find_kernels():
        assert_type(kernel_type, str)
        assert_type(info, KernelTypeInfo)
    async with KernelFinder([KernelSpecProvider(), FakeProvider()]) as finder:
        search = finder.find_kernels()
        names = [name async for name, _ in search]
        assert_type(names, list[str])
        assert_type([str(problem) for problem in search.problems], list[str])
        launched = await finder.launch("spec/python3", LaunchRequest(kernel_id="mine"))
        assert_type(launched, Launched)
        async with await Kernel.from_launched(launched) as kernel:
            assert_type(kernel, Kernel)


async def catch(kernel: Kernel) -> None:
    try:
        (await kernel.execute("1/0")).raise_for_status()
    except ExecutionError as error:
        assert_type(error.result, ExecutionResult)
    except KernelDied as error:
        assert_type(error.exit_info, ExitInfo | None)
        assert_type(error.result, ExecutionResult | None)
    except ClientClosed as error:
        closed: ChannelClosed = error
        assert_type(error.result, ExecutionResult | None)
        raise closed from None
    except NoSuchKernel as error:
        missing: KeyError = error
        assert_type(error.suggestions, list[str])
        raise missing from None
    except LaunchError as error:
        assert_type(error.command, tuple[str, ...] | None)
    except Unsupported as error:
        assert_type(error.option, str)
    except ProtocolError:
        pass


async def lend_and_restart() -> None:
    async with (
        KernelPool("spec/python3", size=2, max_uses=3, env={"A": "b"}, forkserver=True) as pool,
        pool.acquire(cwd="/", timeout=5) as kernel,
    ):
        assert_type(kernel, Kernel)
        assert_type(pool.metrics, PoolMetrics)
    limits = Limits(memory=2**30, nice=5)
    async with (
        launch(
            limits=limits, env_policy=["PATH"], encryption="required", packer="msgpack", output=print
        ) as owned,
        KernelRestarter(owned, restart_limit=3, backoff=Backoff(initial=0.1)) as restarter,
    ):
        async for event in restarter.events():
            assert_type(event, KernelEvent)


async def test_with_fakes() -> None:
    async def behave(run: FakeRun) -> None:
        run.write("text", "stderr")
        run.result(await run.input("?", password=True))

    channels = MemoryChannels()
    async with (
        FakeKernel(channels.kernel, behave, quirks=Quirks(says_idle=False)),
        KernelClient(channels) as client,
    ):
        assert_type(client, KernelClient)
