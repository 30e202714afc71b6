"""Kernels that choose their ports themselves: xeus-python registers, ipykernel rewrites its file."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import ExitInfo
from jupyter_kernel_mgmt.kernelspec import get_kernelspec
from jupyter_kernel_mgmt.subproc.addresses import reserve
from jupyter_kernel_mgmt.subproc.rewritten_file import wait_for_ports
from jupyter_protocol import CHANNELS, ClientSockets, ConnectionInfo, RegistrationSocket, messages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="exits are watched by pidfd here")

GUARD = 60.0
HERE = "127.0.0.1"


@pytest.fixture
def xpython(require: Callable[[str], None]) -> tuple[str, ...]:
    """The command of xeus-python."""
    require("xpython")
    return get_kernelspec("xpython").command()


@asynccontextmanager
async def started(
    command: tuple[str, ...], file: Path, values: dict[str, Any]
) -> AsyncIterator[tuple[subprocess.Popen[bytes], "asyncio.Future[ExitInfo]"]]:
    """A kernel's process with that in its file, and its exit; ended by its pid, and reaped."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as opened:
        json.dump(values, opened)
    argv = [argument.replace("{connection_file}", str(file)) for argument in command]
    loop = asyncio.get_running_loop()
    exited = loop.create_future()
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    pidfd = os.pidfd_open(process.pid)

    def ended() -> None:
        loop.remove_reader(pidfd)
        exited.set_result(ExitInfo(process.wait()))

    try:
        loop.add_reader(pidfd, ended)
        yield process, exited
    finally:
        if not exited.done():
            os.kill(process.pid, signal.SIGKILL)
            await exited
        os.close(pidfd)
        file.unlink(missing_ok=True)


async def answer_of(info: ConnectionInfo) -> dict[str, Any]:
    """The kernel's reply to a kernel_info_request."""
    async with ClientSockets(info) as sockets:
        sockets.send("shell", messages.kernel_info_request())
        async for channel, message in sockets:
            if channel == "shell" and message.msg_type == "kernel_info_reply":
                return message.content
    raise AssertionError("closed")


async def test_xeus_registers_and_answers(xpython, world):
    """On ports of its own; the answer to the registration is what keeps it running."""
    template = ConnectionInfo(kernel_name="xpython")
    async with asyncio.timeout(GUARD), RegistrationSocket() as registration:
        waiter = registration.expect("one", template)
        async with started(xpython, world.other / "one.json", registration.file("one", template)):
            info = await waiter
            assert replace(info, **dict.fromkeys([f"{c}_port" for c in CHANNELS], 0)) == template
            assert (await answer_of(info))["implementation"] == "xeus-python"
        assert registration.refused == {}


async def test_twenty_at_once_register_at_one_socket(xpython, world):
    """Each gets its own connection, and no two share a port."""
    async with asyncio.timeout(2 * GUARD), RegistrationSocket() as registration:

        async def one(number: int) -> ConnectionInfo:
            kernel_id = f"kernel-{number}"
            waiter = registration.expect(kernel_id, template := ConnectionInfo())
            file = world.other / f"{number}.json"
            async with started(xpython, file, registration.file(kernel_id, template)):
                info = await waiter
                assert info.key == template.key
                assert (await answer_of(info))["implementation"] == "xeus-python"
                return info

        async with asyncio.TaskGroup() as tasks:
            kernels = [tasks.create_task(one(number)) for number in range(20)]
        assert len({task.result().key for task in kernels}) == 20
        assert registration.refused == {}


async def test_a_kernel_that_starts_again_registers_again(xpython, world):
    """With the same id and the same key, once it is expected again."""
    template = ConnectionInfo()
    async with asyncio.timeout(GUARD), RegistrationSocket() as registration:
        ports = []
        for _ in range(2):
            waiter = registration.expect("one", template)
            async with started(xpython, world.other / "one.json", registration.file("one", template)):
                info = await waiter
                ports.append(info.shell_port)
                assert (await answer_of(info))["implementation"] == "xeus-python"
        assert ports[0] != ports[1]


async def test_with_ports_in_its_file_xeus_registers_all_the_same(xpython, world):
    """So that one file serves kernels that know the handshake and kernels that do not."""
    reservation, addresses = reserve(CHANNELS)
    reservation.close()
    template = ConnectionInfo(**addresses)
    async with asyncio.timeout(GUARD), RegistrationSocket() as registration:
        waiter = registration.expect("one", template)
        async with started(xpython, world.other / "one.json", registration.file("one", template)):
            info = await waiter
            assert info.shell_port != template.shell_port
            assert (await answer_of(info))["implementation"] == "xeus-python"


async def test_a_kernel_that_does_not_register_takes_the_ports_in_that_file(require, world):
    """ipykernel knows no handshake; what it does not know in its file does it no harm."""
    require("spec/python3")
    reservation, addresses = reserve(CHANNELS)
    reservation.close()
    template = ConnectionInfo(**addresses)
    async with asyncio.timeout(GUARD), RegistrationSocket() as registration:
        registration.expect("one", template)
        values = registration.file("one", template)
        async with started(get_kernelspec("python3").command(), world.other / "one.json", values):
            assert (await answer_of(template))["implementation"] == "ipython"


async def test_xeus_ends_itself_when_it_is_not_answered(xpython, world):
    """It waits five seconds: a launcher that gave up leaves no kernel that nobody knows."""
    template = ConnectionInfo()
    async with asyncio.timeout(GUARD), RegistrationSocket() as registration:
        values = registration.file("one", template)
        async with started(xpython, world.other / "one.json", values) as (_, exited):
            assert (await exited).returncode != 0
        assert registration.refused == {"InvalidSignature": 1}


async def test_ipykernel_writes_the_ports_it_chose(ipykernel, world):
    """Where they were 0; what else was in the file is kept."""
    template = ConnectionInfo(extra={"mine": {"kept": True}})
    file = world.other / "one.json"
    command = get_kernelspec(ipykernel.removeprefix("spec/")).command()
    async with asyncio.timeout(GUARD):
        async with started(command, file, template.to_dict()) as (_, exited):
            info = await wait_for_ports(file, exited)
            assert (info.key, info.extra) == (template.key, template.extra)
            assert len({info.port(channel) for channel in CHANNELS}) == len(CHANNELS)
            assert (await answer_of(info))["implementation"] == "ipython"
