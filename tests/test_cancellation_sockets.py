"""Sockets and heartbeats, cancelled at each point where they wait: closed, or good for the next message."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from jupyter_kernel_mgmt import StartupTimeout, _reachability, connect
from jupyter_kernel_mgmt.testing import FakeKernel, FakeRun, Quirks
from jupyter_protocol import (
    ChannelClosed,
    ClientSockets,
    ConnectionInfo,
    Heartbeat,
    KernelSockets,
    RegistrationSocket,
    messages,
    write_private,
)

from ._cancelling import GUARD, Moment, Plan, all_moments, both_moments, cancel_everywhere

TOO_MUCH = 1500
"""Messages that ZMQ has no room for while nobody reads them."""

NOBODY = ConnectionInfo(shell_port=1, iopub_port=1, stdin_port=1, control_port=1, hb_port=1)
"""Where nobody listens."""

Sockets = ClientSockets | KernelSockets | Heartbeat


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[KernelSockets, ClientSockets]]:
    """Both ends, once messages pass in both directions."""
    async with KernelSockets(ConnectionInfo()) as kernel, ClientSockets(kernel.connection_info) as client:
        async with asyncio.timeout(GUARD):
            assert (await anext(client))[1].msg_type == "iopub_welcome"
        yield kernel, client


@both_moments
@pytest.mark.parametrize("kind", [ClientSockets, KernelSockets, Heartbeat])
async def test_opening_what_cannot_be_opened(kind: type[Sockets], moment: Moment) -> None:
    """What was open before the failure is closed all the same."""
    info = ConnectionInfo(transport="ipc", ip="/no/such/directory/" + 200 * "x")

    async def scene(plan: Plan) -> None:
        sockets = kind(info)

        async def enter() -> None:
            with pytest.raises(OSError):  # noqa: PT011 - its text is ZMQ's
                await sockets.__aenter__()

        await plan.run(enter())
        with pytest.raises(ChannelClosed):
            await sockets.__aenter__()

    await cancel_everywhere(scene, moment)


@all_moments
async def test_registering(moment: Moment) -> None:
    """The sockets are closed, and the kernel may be expected and register again."""

    async def scene(plan: Plan) -> None:
        template = ConnectionInfo()
        with TemporaryDirectory(prefix="k") as directory:
            file = Path(directory) / "kernel.json"
            async with RegistrationSocket() as registration:
                write_private(file, registration.file("one", template))
                first = registration.expect("one", template)
                sockets = KernelSockets.from_file(file)
                await plan.run(sockets.__aenter__())
                assert sockets.closed is plan.cancelled
                await sockets.aclose()
                first.cancel()
                second = registration.expect("one", template)
                async with KernelSockets.from_file(file) as again:
                    assert await second == again.connection_info

    await cancel_everywhere(scene, moment)


async def close(sockets: Sockets) -> None:
    await sockets.aclose()


async def leave(sockets: Sockets) -> None:
    await sockets.__aexit__(None, None, None)


@all_moments
@pytest.mark.parametrize("kind", [ClientSockets, KernelSockets, Heartbeat])
@pytest.mark.parametrize("how", [close, leave])
async def test_closing(
    how: Callable[[Sockets], Awaitable[None]], kind: type[Sockets], moment: Moment
) -> None:
    """They are closed all the same, and closing again is harmless."""

    async def scene(plan: Plan) -> None:
        sockets = kind(ConnectionInfo() if kind is KernelSockets else NOBODY)
        await sockets.__aenter__()
        await plan.run(how(sockets))
        with pytest.raises(ChannelClosed):
            await sockets.__aenter__()
        await sockets.aclose()

    await cancel_everywhere(scene, moment)


@all_moments
async def test_closing_with_messages_that_cannot_leave(moment: Moment) -> None:
    """They are not waited for any longer."""

    async def scene(plan: Plan) -> None:
        sockets = ClientSockets(NOBODY)
        sockets.linger = 10
        await sockets.__aenter__()
        for _ in range(TOO_MUCH):
            sockets.send("shell", messages.kernel_info_request())
        await plan.run(sockets.aclose())
        assert sockets.closed
        with pytest.raises(ChannelClosed):
            sockets.send("shell", messages.kernel_info_request())

    await cancel_everywhere(scene, moment, at_least=2)


@both_moments
async def test_draining(moment: Moment) -> None:
    """No message is lost, and all arrive in order, at a kernel that comes late."""

    async def scene(plan: Plan) -> None:
        with TemporaryDirectory(prefix="k") as directory:
            info = ConnectionInfo(
                transport="ipc",
                ip=f"{directory}/k",
                shell_port=1,
                iopub_port=2,
                stdin_port=3,
                control_port=4,
                hb_port=5,
            )
            async with ClientSockets(info) as client:
                for number in range(TOO_MUCH):
                    client.send("shell", messages.execute_request(str(number)))
                async with KernelSockets(info) as kernel, asyncio.timeout(GUARD):
                    await plan.run(client.drain())
                    await client.drain()
                    arrived = [(await anext(kernel))[1].content["code"] for _ in range(TOO_MUCH)]
            assert arrived == [str(number) for number in range(TOO_MUCH)]

    await cancel_everywhere(scene, moment)


@both_moments
async def test_receiving(moment: Moment) -> None:
    """The message that came stays for the next who reads; none is lost, and none comes twice."""

    async def scene(plan: Plan) -> None:
        async with joined() as (kernel, client):
            numbers: list[str] = []

            async def read() -> None:
                while numbers[-1:] != ["9"]:
                    _, message = await anext(client)
                    numbers.append(message.content["text"])

            async def write() -> None:
                for number in range(10):
                    kernel.send("iopub", messages.stream("stdout", str(number)))
                    await asyncio.sleep(0)

            writing = asyncio.create_task(write())
            await plan.run(read())
            await writing
            async with asyncio.timeout(GUARD):
                await read()
            assert numbers == [str(number) for number in range(10)]

    await cancel_everywhere(scene, moment)


@both_moments
async def test_waiting_for_an_echo(moment: Moment) -> None:
    """The heartbeat goes on, and others who wait hear it."""

    async def scene(plan: Plan) -> None:
        async with (
            KernelSockets(ConnectionInfo()) as kernel,
            Heartbeat(kernel.connection_info, interval=0.01) as heartbeat,
        ):
            other = asyncio.create_task(heartbeat.wait_for_echo())
            await plan.run(heartbeat.wait_for_echo())
            async with asyncio.timeout(GUARD):
                await other
                await heartbeat.wait_for_echo()

    await cancel_everywhere(scene, moment)


async def behave(run: FakeRun) -> None:
    run.write(run.code)


@both_moments
async def test_connecting_by_sockets(moment: Moment) -> None:
    """The kernel serves the next client, and nothing of the first is left."""

    async def scene(plan: Plan) -> None:
        async with KernelSockets(ConnectionInfo()) as sockets, FakeKernel(sockets, behave):
            kernel: Any = await plan.run(connect(sockets.connection_info, unresponsive_after=60))
            if kernel is not None:
                await kernel.aclose()
            async with asyncio.timeout(GUARD), connect(sockets.connection_info) as another:
                assert (await another.execute("code")).stdout == "code"

    await cancel_everywhere(scene, moment, at_least=2)


@both_moments
async def test_connecting_to_a_silent_kernel(moment: Moment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor of what looks at the kernel from outside meanwhile."""
    monkeypatch.setattr(_reachability, "LOOK_AFTER", 0)

    async def scene(plan: Plan) -> None:
        async with (
            KernelSockets(ConnectionInfo()) as sockets,
            FakeKernel(sockets, quirks=Quirks(silent=True)),
        ):

            async def attempt() -> None:
                with pytest.raises(StartupTimeout):
                    await connect(sockets.connection_info, startup_timeout=0.03)

            await plan.run(attempt())

    await cancel_everywhere(scene, moment, at_least=8)


@all_moments
async def test_disconnecting_sockets(moment: Moment) -> None:
    """The kernel serves the next client, and nothing of the first is left."""

    async def scene(plan: Plan) -> None:
        async with KernelSockets(ConnectionInfo()) as sockets, FakeKernel(sockets, behave):
            async with asyncio.timeout(GUARD):
                kernel = await connect(sockets.connection_info)
            await plan.run(kernel.aclose())
            assert kernel.client._line.channels is None
            async with asyncio.timeout(GUARD), connect(sockets.connection_info) as another:
                assert (await another.execute("code")).stdout == "code"

    await cancel_everywhere(scene, moment)
