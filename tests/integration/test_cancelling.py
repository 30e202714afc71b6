"""A launch that is cancelled, wherever it is just then, leaves nothing: the fixtures look."""

import asyncio
import sys

import pytest

from jupyter_kernel_mgmt import KernelFinder, KernelState, NoSuchKernel, launch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks for the processes in /proc")


@pytest.fixture
async def finder():
    """With its provider loaded, so that a launch goes through the same steps each time."""
    async with KernelFinder.from_entrypoints() as finder:
        assert "pyimport/kernel" in [name async for name, _ in finder.find_kernels()]
        yield finder


async def _cancel(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("steps", range(8))
async def test_cancelled_after_some_steps_of_the_loop(steps, finder):
    """Before the process is started, just when it is, while its channels are opened."""
    task = asyncio.create_task(launch(finder=finder))
    for _ in range(steps):
        await asyncio.sleep(0)
    await _cancel(task)


async def test_cancelled_while_the_provider_is_loaded():
    """Nothing is loaded yet: the shared finder that was made for it is closed."""
    task = asyncio.create_task(launch())
    await asyncio.sleep(0)
    await _cancel(task)


@pytest.mark.parametrize("seen", ["kernel-*.json", "k-1", "k-2", "k-5"])
async def test_cancelled_while_the_kernel_gets_ready(seen, ipykernel, world, eventually):
    """After the connection file was written, and after the kernel has bound this or that socket."""
    task = asyncio.create_task(launch(ipykernel, transport="ipc"))
    await eventually(lambda: [*world.runtime.glob(seen), *world.temporary.rglob(seen)])
    await _cancel(task)


async def test_cancelled_while_the_kernel_never_gets_ready(spec, descendants, eventually):
    """A process that does nothing, nor heeds SIGTERM, is killed."""
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    spec("silent", [sys.executable, "-c", program, "{connection_file}"])
    task = asyncio.create_task(launch("silent"))
    await eventually(lambda: any("SIG_IGN" in command for command in descendants().values()))
    await _cancel(task)


async def test_given_up_after_a_time_limit_of_the_callers(spec):
    """As asyncio.timeout cancels it."""
    spec("silent", [sys.executable, "-c", "import time; time.sleep(600)", "{connection_file}"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await launch("silent")


async def test_one_of_several_fails_and_its_group_cancels_the_others():
    """What a TaskGroup does to launches that are under way."""

    async def launch_all():
        async with asyncio.TaskGroup() as group:
            for kernel_type in ("pyimport/kernel", "pyimport/kernel", "spec/no-such-kernel"):
                group.create_task(launch(kernel_type))

    with pytest.raises(ExceptionGroup) as caught:
        await launch_all()
    assert [type(error) for error in caught.value.exceptions] == [NoSuchKernel]


@pytest.mark.parametrize("steps", [0, 1, 3])
async def test_a_cancelled_close_still_closes(steps):
    """Whoever closes is cancelled at some step: the kernel is killed instead of asked."""
    kernel = await launch()
    closing = asyncio.create_task(kernel.aclose())
    for _ in range(steps):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    if steps == 0:  # it had not begun
        await kernel.aclose()
    assert kernel.state is KernelState.CLOSED


@pytest.mark.parametrize("steps", [1, 6])
async def test_a_cancelled_restart_leaves_a_dead_kernel_that_can_be_restarted(steps):
    """No process is left, and the next restart works."""
    async with launch() as kernel:
        restarting = asyncio.create_task(kernel.restart())
        for _ in range(steps):
            await asyncio.sleep(0)
        await _cancel(restarting)
        assert kernel.state is KernelState.DEAD
        assert not await kernel.manager.is_alive()
        await kernel.restart()
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_a_restart_cancelled_while_the_new_process_gets_ready(eventually):
    """As before: dead, without a process, and good for another restart."""
    async with launch() as kernel:
        pid = kernel.manager.pid
        restarting = asyncio.create_task(kernel.restart())
        await eventually(lambda: kernel.manager.pid != pid)
        await _cancel(restarting)
        assert kernel.state is KernelState.DEAD
        assert not await kernel.manager.is_alive()
        await kernel.restart()
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_closing_during_a_restart_ends_both():
    """Closing wins; whoever restarts is told."""
    kernel = await launch()
    restarting = asyncio.create_task(kernel.restart())
    await asyncio.sleep(0)
    await kernel.aclose()
    (outcome,) = await asyncio.gather(restarting, return_exceptions=True)
    assert isinstance(outcome, Exception)
    assert kernel.state is KernelState.CLOSED
