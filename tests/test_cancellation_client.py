"""A client's requests, cancelled at each point where they wait: nothing stays, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ClientClosed,
    Comm,
    Execution,
    InterruptOutcome,
    KernelClient,
    _deadlines,
    _interrupts,
    subshells,
)
from jupyter_kernel_mgmt.testing import FakeKernel, FakeRun, MemoryChannels, Quirks
from jupyter_protocol import Message

from ._cancelling import (
    GUARD,
    Moment,
    Plan,
    all_moments,
    both_moments,
    cancel_everywhere,
    comes_true,
    held_by,
)

ABLE = Quirks(supported_features=(subshells.FEATURE,))
TURNS = 30
"""How long code runs that takes a while, in turns of the loop."""

REQUESTS: dict[str, Callable[[KernelClient], Awaitable[Any]]] = {
    "complete": lambda client: client.complete("pri"),
    "inspect": lambda client: client.inspect("print"),
    "is_complete": lambda client: client.is_complete("print("),
    "history": lambda client: client.history(n=1),
    "kernel_info": lambda client: client.kernel_info(),
    "comm_info": lambda client: client.comm_info(),
    "debug": lambda client: client.debug({"command": "debugInfo"}),
    "request_shutdown": lambda client: client.request_shutdown(),
    "list_subshells": lambda client: client.list_subshells(),
}


async def behave(run: FakeRun) -> None:
    """Prints the code; "hang" never ends, "ask" asks for a line, and all else takes a while to end."""
    run.write(run.code)
    if run.code == "hang":
        await asyncio.Event().wait()
    elif run.code == "ask":
        run.write(await run.input("?"))
    run.result(run.code.upper())
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def fakes_may_have_a_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are as safe as ipykernel."""
    monkeypatch.setattr(subshells, "SIDECAR_KERNELS", {"fake"})


async def answer(prompt: str, password: bool) -> str:
    """A person who thinks for a moment."""
    await asyncio.sleep(0)
    return "Ada"


async def never(prompt: str, password: bool) -> str:
    """A person who has left, and takes a moment to be called off."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
    return ""


@asynccontextmanager
async def talking(quirks: Quirks = ABLE) -> AsyncIterator[tuple[KernelClient, FakeKernel]]:
    """A client and the kernel it talks to. At the end of a scene the client waits for nothing any more."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel, behave, quirks=quirks, debugger=debugger) as kernel:
        async with KernelClient(channels, stdin=answer) as client:
            yield client, kernel
            await comes_true(lambda: not held_by(client))
        assert not kernel.subshells


def debugger(kernel: FakeKernel, request: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response", "command": request["command"], "success": True}


async def is_whole(execution: Execution, code: str) -> None:
    """It ended well, with exactly its own output, however often it was waited for before."""
    async with asyncio.timeout(GUARD):
        result = await execution
        messages = [message async for message in execution]
    assert (result.status, result.stdout, result.text) == ("ok", code, code.upper())
    assert [message.msg_type for message in messages if isinstance(message, Message)] == [
        "stream",
        "execute_result",
    ]


# Requests with one reply


@both_moments
@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_is_given_up_alone(name: str, busy: bool, moment: Moment) -> None:
    """Another request under way gets all that is its own, and the same request works again."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, _):
            if busy:
                other = client.execute("before")
                await client.until(lambda: client.executing)
            await plan.run(REQUESTS[name](client))
            assert {"replies", "conditions"}.isdisjoint(held_by(client))
            if not busy:
                other = client.execute("after")
            again = asyncio.create_task(_reply(REQUESTS[name](client)))
            await is_whole(other, "before" if busy else "after")
            reply = await again
            assert isinstance(reply, list) or reply.content.get("status") != "error"

    await cancel_everywhere(scene, moment)


async def _reply(request: Awaitable[Any]) -> Any:
    async with asyncio.timeout(GUARD):
        return await request


@both_moments
async def test_waiting_for_a_condition(moment: Moment) -> None:
    """Others who wait for the same still learn of it."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, _):
            execution = client.execute("code")
            other = asyncio.create_task(client.until(execution.done))
            await plan.run(client.until(execution.done))
            await other
            await is_whole(execution, "code")

    await cancel_everywhere(scene, moment)


@both_moments
async def test_settling(moment: Moment) -> None:
    """It waits for nothing but time."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, _):
            execution = client.execute("code")
            await plan.run(client.settle())
            await is_whole(execution, "code")

    await cancel_everywhere(scene, moment)


# Code that runs


async def read(execution: Execution) -> list[Any]:
    return [message async for message in execution]


async def wait(execution: Execution) -> Any:
    return await execution


@both_moments
@pytest.mark.parametrize("use", [wait, read])
@pytest.mark.parametrize("code", ["code", "ask"])
async def test_an_execution_runs_on(code: str, use: Callable[[Execution], Any], moment: Moment) -> None:
    """Whoever waits for it later gets everything, and so does the one behind it."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):
            execution = client.execute(code, timeout=60, queue_timeout=60)
            other = client.execute("other")
            await plan.run(use(execution))
            result = await execution
            assert (result.status, result.text) == ("ok", code.upper())
            assert len(await read(execution)) == (3 if code == "ask" else 2)
            await is_whole(other, "other")
            assert not kernel.requests("interrupt_request")

    await cancel_everywhere(scene, moment)


@both_moments
@pytest.mark.parametrize("use", [wait, read])
@pytest.mark.parametrize("queued", [False, True])
async def test_an_execution_is_interrupted_when_that_is_wanted(
    queued: bool, use: Callable[[Execution], Any], moment: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``interrupt_on_cancel``: it alone, now or when it has begun, and once."""
    monkeypatch.setattr(_deadlines, "SPARED", 0)  # what ends at once is not interrupted
    monkeypatch.setattr(_interrupts, "SETTLE", 0)

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):
            first = client.execute("first") if queued else None
            execution = client.execute("code", interrupt_on_cancel=True)
            other = client.execute("other")
            await plan.run(use(execution))
            ended = execution.result is not None and execution.result.status == "ok"
            assert plan.cancelled or ended
            assert (await execution).status == ("ok" if ended else "interrupted")
            await is_whole(other, "other")
            if first is not None:
                await is_whole(first, "first")
            assert len(kernel.requests("interrupt_request")) == (0 if ended else 1)

    await cancel_everywhere(scene, moment)


@both_moments
@pytest.mark.parametrize("options", [{"timeout": 0.01}, {"timeout": 0.01, "interrupt_on_cancel": True}])
async def test_a_time_out_comes_all_the_same(options: dict[str, Any], moment: Moment) -> None:
    """Nobody need wait for it."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):
            execution, other = client.execute("hang", **options), client.execute("other")
            await plan.run(wait(execution))
            async with asyncio.timeout(GUARD):
                result = await execution
            given_up = plan.cancelled and options.get("interrupt_on_cancel")
            assert result.status in (("interrupted", "timeout") if given_up else ("timeout",))
            await is_whole(other, "other")
            assert len(kernel.requests("interrupt_request")) == 1

    await cancel_everywhere(scene, moment)


@both_moments
async def test_a_time_out_in_the_queue_comes_all_the_same(moment: Moment) -> None:
    """And what was given up does not run when its turn comes."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, _):
            hanging = client.execute("hang")
            execution, other = client.execute("hang", queue_timeout=0.01), client.execute("other")
            await plan.run(wait(execution))
            assert (await execution).status == "timeout"
            await hanging.interrupt()
            await is_whole(other, "other")

    await cancel_everywhere(scene, moment)


# Interrupts


@both_moments
@pytest.mark.parametrize("queued", [False, True])
async def test_interrupting_an_execution(queued: bool, moment: Moment) -> None:
    """Another attempt does the rest, and nothing else is hit."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, _):
            first = client.execute("first") if queued else None
            execution, other = client.execute("hang"), client.execute("other")
            outcome = await plan.run(execution.interrupt())
            assert plan.cancelled or outcome is InterruptOutcome.IDLE
            assert await execution.interrupt() is InterruptOutcome.IDLE
            assert (await execution).status == "interrupted"
            await is_whole(other, "other")
            if first is not None:
                await is_whole(first, "first")

    await cancel_everywhere(scene, moment)


@both_moments
async def test_interrupting_whatever_runs(moment: Moment) -> None:
    """The kernel works on."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, _):
            execution = client.execute("hang")
            await anext(execution.__aiter__())
            outcome = await plan.run(client.interrupt())
            assert plan.cancelled or outcome is InterruptOutcome.IDLE
            assert await execution.interrupt() is InterruptOutcome.IDLE
            assert (await execution).status == "interrupted"
            await is_whole(client.execute("other"), "other")

    await cancel_everywhere(scene, moment)


# What comes unasked


@both_moments
async def test_reading_a_stream_of_messages(moment: Moment) -> None:
    """The message that came stays for the next who reads."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, _):
            async with client.messages() as stream:
                execution = client.execute("code")
                first = await plan.run(anext(stream))
                await is_whole(execution, "code")
                types = [first[1].msg_type] if first else []
                while types[-1:] != ["execute_result"]:
                    types.append((await anext(stream))[1].msg_type)
                assert types == ["status", "execute_input", "stream", "execute_result"]
            assert not client._handlers._entries

    await cancel_everywhere(scene, moment)


@both_moments
async def test_reading_a_comm(moment: Moment) -> None:
    """The message that came stays for the next who reads."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):
            kernel.comms.targets["echo"] = lambda comm, message: comm.send(message.content["data"])
            async with client.open_comm("echo", {"number": 1}) as comm:
                comm.send({"number": 2})
                first = await plan.run(anext(comm))
                messages = [first] if first is not None else []
                while len(messages) < 2:
                    messages.append(await anext(comm))
                assert [message.content["data"]["number"] for message in messages] == [1, 2]
            assert not client._comms._comms

    await cancel_everywhere(scene, moment)


@all_moments
async def test_a_comm_handler_ends_with_its_client(moment: Moment) -> None:
    """Also where the client's closing is cancelled while it waits for that."""

    async def scene(plan: Plan) -> None:
        ended: list[str] = []

        async def handler(comm: Comm, message: Message) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(comm.target_name)

        async with talking() as (client, kernel):
            client.on_comm("theirs", handler)
            kernel.comms.open("theirs")
            await comes_true(lambda: client._comms._tasks._tasks)
            await plan.run(client.aclose())
            await comes_true(lambda: ended == ["theirs"])

    await cancel_everywhere(scene, moment)


# Subshells


@all_moments
async def test_making_a_subshell(moment: Moment) -> None:
    """One that nobody learned of is deleted as soon as the kernel tells its id."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):
            made = await plan.run(client.create_subshell())
            await comes_true(lambda: kernel.subshells == ([made] if made else []))
            await is_whole(client.execute("code", subshell_id=await client.create_subshell()), "code")

    await cancel_everywhere(scene, moment)


@both_moments
async def test_deleting_a_subshell(moment: Moment) -> None:
    """It is deleted or not, also where code ran in it; the next attempt does the rest."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):
            made = await client.create_subshell()
            execution = client.execute("code", subshell_id=made)
            await client.until(lambda: client.executing)
            await plan.run(client.delete_subshell(made))
            await is_whole(execution, "code")
            if made in await client.list_subshells():
                assert plan.cancelled
                await client.delete_subshell(made)
            assert not kernel.subshells

    await cancel_everywhere(scene, moment)


@all_moments
async def test_a_subshell_for_a_block(moment: Moment) -> None:
    """Cancelled while it is entered, inside or left: the subshell does not outlive it for long."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):

            async def block() -> None:
                async with client.subshell() as subshell_id:
                    await client.execute("code", subshell_id=subshell_id)

            await plan.run(block())
            await comes_true(lambda: not kernel.subshells and not held_by(client))

    await cancel_everywhere(scene, moment, at_least=4)


# The end


@all_moments
@pytest.mark.parametrize("how", ["aclose", "leave", "detach", "close_subshells"])
async def test_closing(how: str, moment: Moment) -> None:
    """Whoever waits is told, all is released, and what was deleted on the way is deleted."""

    async def scene(plan: Plan) -> None:
        async with talking() as (client, kernel):
            await client.create_subshell()
            client.stdin = never
            execution = client.execute("ask")
            await comes_true(lambda: client._prompts._asked)
            channels: Any = client._line.channels
            if how == "aclose":
                await plan.run(client.aclose())
            elif how == "leave":
                await plan.run(client.__aexit__(None, None, None))
            elif how == "detach":
                await client.close_subshells()
                await plan.run(client.detach(lambda result: ClientClosed(result=result)))
            else:
                await plan.run(client.close_subshells())
                await client.aclose()
            with pytest.raises(ClientClosed):
                await execution
            with pytest.raises(ClientClosed):
                client.execute("more")
            assert channels.closed
            assert not held_by(client) or plan.cancelled
            await comes_true(lambda: not kernel.subshells)

    await cancel_everywhere(scene, moment)
