"""Kernels that somebody else started: full use, and no ending."""

import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack

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
from jupyter_kernel_mgmt.testing import FakeKernel
from jupyter_protocol import ConnectionInfo, KernelSockets
from jupyter_protocol.connection import CHANNELS

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


def nobody(world):
    """An address where no kernel is."""
    ports = {f"{channel}_port": n for n, channel in enumerate(CHANNELS, 1)}
    return ConnectionInfo(transport="ipc", ip=str(world.other / "nobody"), **ports)


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


@pytest.fixture
async def irkernel(require):
    """A kernel that answers kernel_info on shell alone, and nothing at all while it is busy."""
    require("ir")
    async with launch("ir", transport="ipc") as kernel:
        yield kernel


R_ENDLESS = "cat('started\\n'); flush(stdout()); while (TRUE) Sys.sleep(0.05)"
R_TALKING = "repeat { cat('started\\n'); flush(stdout()); Sys.sleep(0.05) }"


@pytest.mark.parametrize("code", [R_ENDLESS, R_TALKING], ids=["in silence", "with output"])
async def test_a_busy_kernel_that_answers_on_shell_alone_is_waited_for(irkernel, run_until, code):
    """Until it has ended what it does; then our requests are served as usual."""
    running = await run_until(irkernel, code)
    connecting = asyncio.create_task(connect(irkernel.connection_info))
    done, _ = await asyncio.wait([connecting], timeout=1.5)  # long enough to ask for a second time
    assert not done
    await irkernel.interrupt()
    async with asyncio.timeout(30), await connecting as kernel:
        assert (await running).status != "ok"
        assert (await kernel.execute("cat(6 * 7)")).stdout == "42"
        assert kernel.execution_state == "idle"


async def test_a_kernel_that_stays_busy_is_a_timeout_that_says_so(irkernel, run_until):
    """Known by what it sends for somebody else's request; it runs on undisturbed."""
    running = await run_until(irkernel, R_TALKING)
    with pytest.raises(StartupTimeout, match="it is busy with somebody else's request"):
        await connect(irkernel.connection_info, startup_timeout=1)
    assert not running.done()
    await irkernel.interrupt()
    assert (await running).status != "ok"
    assert (await irkernel.execute("cat(6 * 7)")).stdout == "42"


async def test_a_kernel_that_is_busy_in_silence_is_a_timeout_that_says_so(irkernel, run_until):
    """It echoes no heartbeat either, but ZMQ greets for it."""
    running = await run_until(irkernel, R_ENDLESS)
    with pytest.raises(StartupTimeout, match=r"a kernel listens at ipc://.* it is busy or stopped"):
        await connect(irkernel.connection_info, startup_timeout=1)
    assert not running.done()
    await irkernel.interrupt()
    assert (await running).status != "ok"


async def test_a_busy_kernel_without_a_word_on_iopub_is_a_timeout_that_says_so(require, run_until):
    """Deno answers on control while it runs code, and says so to nobody: whether iopub works is not known."""
    require("deno")
    async with launch("deno") as kernel:
        running = await run_until(kernel, "console.log('started'); while (true) {}")
        with pytest.raises(StartupTimeout, match="it is busy: it answered kernel_info on control"):
            await connect(kernel.connection_info, startup_timeout=1)
        assert not running.done()


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")
async def test_a_stopped_kernel_is_a_timeout_that_says_so():
    """The system takes connections for it; it works again as soon as it goes on."""
    async with launch(transport="tcp") as kernel:
        await kernel.manager.signal(signal.SIGSTOP)
        with pytest.raises(StartupTimeout, match="is stopped, or is no kernel"):
            await connect(kernel.connection_info, startup_timeout=2)
        await kernel.manager.signal(signal.SIGCONT)
        async with asyncio.timeout(30), connect(kernel.connection_info) as other:
            assert (await other.execute("6 * 7")).text == "42"


@pytest.mark.parametrize("steps", [*range(8), 30, 100, 300])
@pytest.mark.parametrize("there", [True, False], ids=["a kernel", "nobody"])
async def test_connecting_can_be_cancelled_anywhere(world, there, steps):
    """Nothing stays open (see the fixtures), and the kernel serves the next one."""
    async with AsyncExitStack() as stack:
        info = nobody(world)
        if there:
            sockets = KernelSockets(ConnectionInfo(transport="ipc", ip=str(world.other / "k")))
            await stack.enter_async_context(FakeKernel(sockets))
            await stack.enter_async_context(sockets)
            info = sockets.connection_info
        connecting = asyncio.create_task(connect(info))
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled():
            await connecting.result().aclose()
        if there:
            async with connect(info) as kernel:
                assert (await kernel.execute("6 * 7")).status == "ok"


async def test_connecting_to_a_busy_kernel_can_be_given_up_again_and_again(irkernel, run_until):
    """What was asked is answered to nobody; later requests get their own answers."""
    running = await run_until(irkernel, R_ENDLESS)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await connect(irkernel.connection_info)
    await irkernel.interrupt()
    assert (await running).status != "ok"
    async with asyncio.timeout(30), connect(irkernel.connection_info) as kernel:
        assert (await kernel.execute("cat(6 * 7)")).stdout == "42"


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
    """StartupTimeout, which says that nobody is there; nothing stays open."""
    info = nobody(world)
    with pytest.raises(StartupTimeout, match=f"did not answer at all: nobody listens at {info.url('shell')}"):
        await connect(info, startup_timeout=1)
    with pytest.raises(StartupTimeout, match=r"did not answer at all$"):
        await connect(info, startup_timeout=0.01)


async def test_a_wrong_key_is_a_timeout_and_harms_no_kernel():
    """Requests with a bad signature get no answer, and the kernel goes on for others."""
    async with launch() as kernel:
        values = kernel.connection_info.to_dict() | {"key": "not the key"}
        with pytest.raises(StartupTimeout, match="refuses our messages") as caught:
            await connect(values, startup_timeout=1)
        assert "not the key" not in str(caught.value)
        assert (await kernel.execute("6 * 7")).text == "42"
