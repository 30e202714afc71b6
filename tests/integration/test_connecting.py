"""Kernels that somebody else started: full use, and no ending."""

import asyncio
import json
import sys

import pytest

from jupyter_kernel_mgmt import (
    KernelDied,
    KernelState,
    LaunchError,
    NotOwned,
    StartupTimeout,
    connect,
    launch,
)
from jupyter_protocol import ConnectionInfo

# An application with jupyter_client: starts a kernel, says where it is, ends it when its input ends.
APPLICATION = """
import sys
from jupyter_client import KernelManager

manager = KernelManager(kernel_name=sys.argv[1], transport=sys.argv[2])
if sys.argv[2] == "ipc":
    manager.ip = sys.argv[3]
manager.start_kernel(stdout=2)
print(manager.connection_file, flush=True)
sys.stdin.read()
print(manager.is_alive(), flush=True)
manager.shutdown_kernel(now=True)
"""


@pytest.fixture(params=["python3 tcp", "ipykernel6 ipc"])
async def foreign(request, require, world):
    """The connection file of a kernel that jupyter_client started in another process; it must survive us."""
    kernel_name, transport = request.param.split()
    require(kernel_name)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", APPLICATION, kernel_name, transport, world.temporary / "k"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield (await process.stdout.readline()).decode().strip()
    alive, _ = await process.communicate(b"")
    assert alive == b"True\n"
    assert process.returncode == 0


async def test_it_talks_to_a_kernel_that_jupyter_client_started(foreign):
    """Requests, output, interrupts and errors; disconnecting leaves the kernel and its file alone."""
    async with connect(foreign) as kernel:
        assert (kernel.state, kernel.owned) == (KernelState.READY, False)
        result = await kernel.execute("print('hello'); 6 * 7")
        assert (result.stdout, result.text) == ("hello\n", "42")
        assert (await kernel.execute("1/0")).error.ename == "ZeroDivisionError"
        assert "import" in (await kernel.complete("impor")).content["matches"]
    assert kernel.state is KernelState.CLOSED
    async with connect(foreign) as again:
        assert (await again.execute("6 * 7")).text == "42"


async def test_it_connects_while_the_kernel_is_busy(foreign, run_until):
    """Somebody's long cell does not keep us from connecting; ours wait for it."""
    async with connect(foreign) as first:
        running = await run_until(first, "print('started')\nwhile True: pass")
        async with connect(foreign) as second:
            assert second.state is KernelState.READY
            assert second.execution_state == "busy" or not running.done()
            queued = second.execute("6 * 7")
            await second.client.interrupt()
            assert (await running).error.ename == "KeyboardInterrupt"
            assert (await queued).text == "42"


async def test_what_is_not_ours_is_not_ended_by_us(foreign):
    """Shutting down and restarting raise NotOwned, and the kernel goes on."""
    kernel = await connect(foreign)
    with pytest.raises(NotOwned):
        await kernel.shutdown()
    with pytest.raises(NotOwned):
        await kernel.restart()
    assert (await kernel.execute("6 * 7")).text == "42"
    await kernel.aclose()
    await kernel.aclose()


async def test_every_way_to_say_where_a_kernel_is():
    """A path, a bare file name of the runtime directory, a dict and a ConnectionInfo."""
    async with launch() as kernel:
        file = kernel.connection_file
        for connection in (
            file,
            str(file),
            file.name,
            json.loads(file.read_text()),
            ConnectionInfo.load(file),
        ):
            async with connect(connection) as other:
                assert (await other.execute("6 * 7")).text == "42"
                assert not other.owned
        assert file.exists()
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_two_clients_do_not_see_each_others_answers():
    """Each gets its own output and nothing of the other's, whoever is served first."""
    async with launch() as kernel, connect(kernel.connection_file) as other:
        ours = [kernel.execute(f"print('ours', {i})") for i in range(20)]
        theirs = [other.execute(f"print('theirs', {i})") for i in range(20)]
        assert [(await e).stdout for e in ours] == [f"ours {i}\n" for i in range(20)]
        assert [(await e).stdout for e in theirs] == [f"theirs {i}\n" for i in range(20)]


async def test_with_the_manager_a_death_is_noticed_by_who_connected():
    """A manager that is lent tells of the death; it stays its owner's."""
    async with launch() as kernel, connect(kernel.connection_file, manager=kernel.manager) as other:
        with pytest.raises(KernelDied) as caught:
            await other.execute("import os; os._exit(3)")
        assert caught.value.exit_info.returncode == 3
        assert (await other.wait()).returncode == 3


async def test_a_connected_kernel_sees_the_restart_by_its_owner(run_until):
    """The channels find the new process at the old address."""
    async with launch() as kernel, connect(kernel.connection_file) as other:
        await other.execute("kept = 1")
        await kernel.restart()
        async with asyncio.timeout(30):
            assert (await other.execute("kept")).error.ename == "NameError"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"transport": "carrier pigeon"}', '{"shell_port": "x"}'])
async def test_a_file_that_is_no_connection_file_is_a_clear_error(content, world):
    """LaunchError naming the file."""
    file = world.other / "kernel.json"
    file.write_text(content)
    with pytest.raises(LaunchError, match=r"kernel\.json"):
        await connect(file)


async def test_a_missing_connection_file_is_a_clear_error(world):
    """LaunchError naming the file."""
    with pytest.raises(LaunchError, match=r"nowhere\.json"):
        await connect(world.other / "nowhere.json")


async def test_nobody_at_the_address_is_a_timeout(world):
    """StartupTimeout, which says that nothing answered; nothing stays open."""
    info = ConnectionInfo(
        transport="ipc",
        ip=str(world.other / "k"),
        shell_port=1,
        iopub_port=2,
        stdin_port=3,
        control_port=4,
        hb_port=5,
    )
    with pytest.raises(StartupTimeout, match="did not answer at all"):
        await connect(info, startup_timeout=0.2)


async def test_a_wrong_key_is_a_timeout_and_harms_no_kernel():
    """Requests with a bad signature get no answer, and the kernel goes on for others."""
    async with launch() as kernel:
        values = kernel.connection_info.to_dict() | {"key": "not the key"}
        with pytest.raises(StartupTimeout):
            await connect(values, startup_timeout=0.5)
        assert (await kernel.execute("6 * 7")).text == "42"
