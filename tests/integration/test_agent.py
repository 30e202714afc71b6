"""ipykernel, forked by an agent that has imported it."""

import ast
import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from jupyter_kernel_mgmt import KernelClient, connect
from jupyter_kernel_mgmt.agent import IPYKERNEL_ENTRY, IPYKERNEL_MODULES, Agent, AgentProcess
from jupyter_kernel_mgmt.kernelspec import get_kernelspec
from jupyter_protocol import CHANNELS, ConnectionInfo, ProtocolError

from ._world import World

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

GUARD = 30.0


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    async with await Agent.start(prepare=IPYKERNEL_MODULES) as prepared:
        assert prepared.prepared["problems"] == {}
        assert prepared.prepared["threads"] == 1
        assert prepared.prepared["descriptors"] == 0
        yield prepared


async def fork(
    agent: Agent, world: World, name: str = "a", info: ConnectionInfo | None = None, **options: Any
) -> tuple[AgentProcess, Path]:
    """A kernel, over ipc unless told, with its connection file."""
    file, directory = world.runtime / f"kernel-{name}.json", world.temporary / name
    directory.mkdir(mode=0o700)
    ports: dict[str, Any] = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, 1)}
    (info or ConnectionInfo(transport="ipc", ip=str(directory / "k"), **ports)).write(file)
    argv = ["ipykernel_launcher", "-f", str(file), f"--IPKernelApp.parent_handle={agent.pid}"]
    process = await agent.fork(IPYKERNEL_ENTRY, argv, files=[file], directories=[directory], **options)
    return process, file


async def value(client: Any, code: str) -> Any:
    async with asyncio.timeout(GUARD):
        result = await client.execute(code)
    assert result.status == "ok", result.error
    return result.text


async def test_a_forked_kernel_is_a_kernel(agent: Agent, world: World) -> None:
    """It executes, completes, is interrupted and ends by itself when asked."""
    process, file = await fork(agent, world, cwd=world.other, env={"COLOUR": "blue"})
    async with connect(file) as kernel:
        assert await value(kernel, "6 * 7") == "42"
        assert await value(kernel, "import os; os.getcwd(), os.environ['COLOUR'], os.getpid()") == repr(
            (str(world.other), "blue", process.pid)
        )
        assert "import" in (await kernel.complete("impo")).content["matches"]
        execution = kernel.execute("import time\nprint('up', flush=True)\ntime.sleep(1000)")
        async for message in execution:
            if message.msg_type == "stream":
                break
        await process.signal(signal.SIGINT)
        async with asyncio.timeout(GUARD):
            assert (await execution).status in ("error", "interrupted")
        assert await value(kernel, "__name__, __import__('sys').modules['__main__'].__name__") == repr(
            ("__main__", "__main__")
        )
        await kernel.client.request_shutdown()
    async with asyncio.timeout(GUARD):
        assert (await process.wait()).returncode == 0


async def test_its_debugger_works(agent: Agent, world: World) -> None:
    """Though debugpy was imported by another process."""
    process, file = await fork(agent, world)
    async with connect(file) as kernel, asyncio.timeout(GUARD):
        arguments = {"clientID": "x", "adapterID": "", "pathFormat": "path"}
        request = {"type": "request", "seq": 1, "command": "initialize", "arguments": arguments}
        reply = await kernel.debug(request)
        assert reply.content["success"], reply.content
        request = {"type": "request", "seq": 2, "command": "attach", "arguments": {}}
        await kernel.debug(request)
        assert await value(kernel, "1 + 1") == "2"
        await kernel.client.request_shutdown()
        await process.wait()
    shutil.rmtree(world.temporary / f"ipykernel_{process.pid}")  # ipykernel's own, which it leaves


async def test_curve_works_in_a_fork(
    agent: Agent, world: World, eventually: Callable[[Callable[[], Any]], Awaitable[Any]]
) -> None:
    """The library that encrypts was loaded by another process, and knows it."""
    pytest.importorskip("ipykernel", minversion="7")
    public, secret = (key.decode() for key in zmq.curve_keypair())
    info = ConnectionInfo(curve_publickey=public, curve_secretkey=secret)  # ports 0: it writes its own
    process, file = await fork(agent, world, info=info)
    await eventually(lambda: _is_bound(file))
    async with connect(file) as kernel:
        assert kernel.connection_info is not None
        assert kernel.connection_info.curve_publickey == public
        assert await value(kernel, "6 * 7") == "42"
    await process.end()


def _is_bound(file: Path) -> bool:
    try:
        return all(ConnectionInfo.load(file).port(channel) for channel in CHANNELS)
    except (OSError, ProtocolError):  # it is being rewritten
        return False


async def test_an_older_ipykernel_is_forked_by_its_own_interpreter(
    world: World, require: Callable[[str], None]
) -> None:
    """What that one does not have is told and does no harm."""
    require("ipykernel6")
    python = get_kernelspec("ipykernel6").command()[0]
    async with await Agent.start(python=python, prepare=IPYKERNEL_MODULES) as agent:
        process, file = await fork(agent, world)
        async with connect(file) as kernel:
            assert await value(kernel, "__import__('ipykernel').version_info[0]") == "6"
        await process.end()


async def test_it_notices_when_the_agent_is_killed(agent: Agent, world: World) -> None:
    """Ended from here, before its own poller looks."""
    process, file = await fork(agent, world)
    async with connect(file) as kernel:
        assert await value(kernel, "6 * 7") == "42"
    os.kill(agent.pid, signal.SIGKILL)
    async with asyncio.timeout(GUARD):
        info = await process.wait()
    assert info.returncode is None
    assert not file.exists()


async def test_two_of_them_are_strangers(agent: Agent, world: World) -> None:
    """Different sessions, randomness and namespaces, at the same time."""
    kernels = await asyncio.gather(*(fork(agent, world, name) for name in "ab"))
    code = "import random; name = dir().count('x'); x = 1; (random.random(), name)"
    said = []
    for _, file in kernels:
        async with connect(file) as kernel:
            said.append(await value(kernel, code))
            said.append(await value(kernel, "get_ipython().kernel.session.session"))
    assert len(set(said)) == 4
    assert all(", 0)" in text for text in said[::2])
    await asyncio.gather(*(process.end() for process, _ in kernels))


async def test_multiprocessing_and_subprocesses_of_a_cell_end_with_it(agent: Agent, world: World) -> None:
    """Also one that left the group."""
    process, file = await fork(agent, world)
    async with connect(file) as kernel:
        code = (
            "import multiprocessing, subprocess, time\n"
            "child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(1000,))\n"
            "child.start()\n"
            "away = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
            "child.pid, away.pid"
        )
        children = ast.literal_eval(await value(kernel, code))
        pidfds = [os.pidfd_open(pid) for pid in children]
    await process.end()
    await process.wait()
    loop = asyncio.get_running_loop()
    for fd in pidfds:
        ended = asyncio.Event()
        loop.add_reader(fd, ended.set)
        async with asyncio.timeout(GUARD):
            await ended.wait()
        loop.remove_reader(fd)
        os.close(fd)


async def test_a_kernel_that_kills_itself_is_explained(agent: Agent, world: World) -> None:
    """By code and what it wrote; the agent serves on."""
    process, file = await fork(agent, world)
    async with connect(file) as kernel:
        client: KernelClient = kernel.client
        client.execute("import os, signal; os.write(2, b'last words'); os.kill(os.getpid(), signal.SIGSEGV)")
        async with asyncio.timeout(GUARD):
            info = await process.wait()
    assert (info.returncode, info.output_tail) == (-11, "last words")
    process, file = await fork(agent, world, "b")
    async with connect(file) as kernel:
        assert await value(kernel, "6 * 7") == "42"
    await process.end()


async def test_a_file_that_does_not_parse_is_explained(agent: Agent, world: World) -> None:
    """With ipykernel's own words in the tail."""
    file = world.runtime / "kernel-bad.json"
    file.write_text("{")
    process = await agent.fork(IPYKERNEL_ENTRY, ["ipykernel_launcher", "-f", str(file)], files=[file])
    async with asyncio.timeout(GUARD):
        info = await process.wait()
    assert info.returncode == 1
    assert "Failed to load connection file" in info.output_tail
