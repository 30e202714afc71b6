"""The same code launches, restarts and ends every kind of kernel; what it does between is in behaviours/."""

import json
import sys

import pytest

from jupyter_kernel_mgmt import (
    InterruptOutcome,
    KernelExited,
    KernelRestarted,
    KernelState,
    StartupTimeout,
    _ending,
    connect,
    launch,
)

GUARD = 40.0

# With jupyter_client's own blocking client: what a console or qtconsole does with a connection file.
CONSOLE = """
import sys
from jupyter_client import BlockingKernelClient

client = BlockingKernelClient(connection_file=sys.argv[1])
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=30)
client.execute_interactive(sys.argv[2], timeout=30)
client.stop_channels()
"""


@pytest.fixture
def time_to_end(kind, monkeypatch):
    """A kernel that ends by itself has all the time that a busy machine may need for it."""
    if kind.kernel_type != "bash":  # it may answer and stay
        monkeypatch.setattr(_ending, "REPLY_TIMEOUT", GUARD)
        monkeypatch.setattr(_ending, "EXIT_TIMEOUT", GUARD)


async def test_it_is_launched_and_answers(kind, world):
    """Output, an error and completions come as what they are, and shutting down ends the process."""
    async with launch(kind.kernel_type) as kernel:
        assert kernel.state is KernelState.READY
        assert kernel.owned
        assert kernel.connection_file == world.runtime / f"kernel-{kernel.kernel_id}.json"
        hello = await kernel.execute(kind.hello)
        assert (hello.status, hello.stdout.strip()) == ("ok", "hello")
        failed = await kernel.execute(kind.error)
        assert failed.status == "error"
        assert failed.error is not None
        code, completed = kind.complete
        assert completed in (await kernel.complete(code)).content["matches"]
        info = await kernel.shutdown()
        assert info is not None
        assert info.returncode in kind.exit_codes
        assert kernel.state is KernelState.DEAD
    assert kernel.state is KernelState.CLOSED


async def test_a_restart_gives_a_new_process_at_the_same_place(kind):
    """Identity, key, file and client stay, and memory goes."""
    async with launch(kind.kernel_type) as kernel:
        if kind.remember:
            await kernel.execute(kind.remember)
        client, pid, identity = kernel.client, kernel.manager.pid, kernel.kernel_id
        file, key = kernel.connection_file, kernel.connection_info.key
        await kernel.restart()
        assert kernel.state is KernelState.READY
        assert kernel.client is client
        assert kernel.manager.pid != pid
        assert (kernel.kernel_id, kernel.connection_file) == (identity, file)
        assert kernel.connection_info.key == key
        assert json.loads(file.read_text())["key"] == key
        if kind.recall:
            assert (await kernel.execute(kind.recall)).status == "error"
        assert (await kernel.execute(kind.hello)).stdout.strip() == "hello"


async def test_restarting_a_busy_kernel_tells_who_waited(kind, run_until, time_to_end):
    """The running code fails with its output so far, and the process still ends politely."""
    async with launch(kind.kernel_type) as kernel:
        waiting = await run_until(kernel, kind.endless)
        await kernel.restart()
        with pytest.raises(KernelRestarted) as caught:
            await waiting
        assert caught.value.result.stdout.strip() == "started"
        assert (await kernel.execute(kind.hello)).stdout.strip() == "hello"
        events = kernel.events()
    exits = [event async for event in events if isinstance(event, KernelExited)]
    assert [(event.generation, event.expected) for event in exits][:1] == [(1, True)]
    assert exits[0].exit_info.returncode in kind.busy_exit_codes


async def test_a_kernel_that_is_closed_while_busy_ends(kind, run_until, time_to_end):
    """Closing interrupts what runs and does not wait for it."""
    async with launch(kind.kernel_type) as kernel:
        await run_until(kernel, kind.endless)
        events = kernel.events()
    exits = [event async for event in events if isinstance(event, KernelExited)]
    assert len(exits) == 1
    assert exits[0].exit_info.returncode in kind.busy_exit_codes


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to end")
async def test_the_children_of_a_kernel_end_with_it(kind, descendants, eventually):
    """What its code started and left running is gone after closing."""
    if not kind.child:
        pytest.skip("its code starts nothing")
    async with launch(kind.kernel_type) as kernel:
        assert (await kernel.execute(kind.child)).status == "ok"
        assert any("sleep" in command for command in descendants().values())
    await eventually(lambda: not descendants())


async def test_its_connection_file_serves_other_programs(kind, python_process):
    """jupyter_client's blocking client, in a process of its own, talks to a kernel that we launched."""
    async with launch(kind.kernel_type) as kernel:
        assert sys.platform == "win32" or kernel.connection_file.stat().st_mode & 0o077 == 0
        output = await python_process(CONSOLE, kernel.connection_file, kind.hello)
        assert output.strip() == "hello"
        assert (await kernel.execute(kind.hello)).stdout.strip() == "hello"


async def test_a_second_client_connects_while_the_kernel_is_busy(kind, run_until):
    """It gets ready without waiting for the code that runs, and then its own answers and no others.

    Where the kernel cannot answer meanwhile, it waits, and is told of it when its time is over.
    """
    async with launch(kind.kernel_type) as kernel:
        execution = await run_until(kernel, kind.endless)
        if kind.told_while_busy:
            with pytest.raises(StartupTimeout, match=kind.told_while_busy):
                await connect(kernel.connection_file, startup_timeout=1)
            assert not execution.done()
            assert (await kernel.interrupt()) is not InterruptOutcome.IGNORED
            return
        async with connect(kernel.connection_file) as other:
            assert other.state is KernelState.READY
            assert not execution.done()
            queued = other.execute(kind.hello)
            if not kind.dies_of_sigint:
                await kernel.interrupt()
                assert (await execution).status == "interrupted"
                assert (await queued).stdout.strip() == "hello"
