"""Every way to call launch."""

import asyncio
import sys

import pytest

from jupyter_kernel_mgmt import KernelExited, KernelState, LaunchProgress, launch


async def test_launch_awaited():
    """Then the kernel is closed by its owner."""
    kernel = await launch()
    try:
        assert (await kernel.execute("6 * 7")).text == "42"
    finally:
        await kernel.aclose()


async def test_launch_awaited_and_entered():
    """A Kernel is a context manager too."""
    async with await launch() as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"
    assert kernel.state is KernelState.CLOSED


async def test_launch_as_a_context_manager():
    """It ends at the end of the block, also when that raises."""
    with pytest.raises(ZeroDivisionError):
        async with launch() as kernel:
            _ = 1 / 0
    assert kernel.state is KernelState.CLOSED


async def test_launch_as_a_task():
    """It is a coroutine."""
    kernel = await asyncio.create_task(launch())
    await kernel.aclose()


async def test_launch_in_a_task_group():
    """Several at once."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(launch()) for _ in range(3)]
    kernels = [task.result() for task in tasks]
    results = await asyncio.gather(*(kernel.execute("6 * 7") for kernel in kernels))
    assert [result.text for result in results] == ["42"] * 3
    await asyncio.gather(*(kernel.aclose() for kernel in kernels))


async def test_several_awaited_with_gather():
    """gather takes it as it takes any coroutine."""
    kernels = await asyncio.gather(launch(), launch())
    await asyncio.gather(*(kernel.aclose() for kernel in kernels))


async def test_of_a_slow_launch_is_told_what_is_waited_for(spec, world):
    """More than once; it goes on when the kernel does."""
    gate = world.other / "gate"
    program = """if True:
        import os, sys, time
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
        os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", sys.argv[2]])
    """
    spec("slow", [sys.executable, "-c", program, str(gate), "{connection_file}"])
    told = []

    def hear(event):
        if isinstance(event, LaunchProgress):
            told.append(event.text)
            if len(told) == 2:
                gate.touch()

    async with launch("slow", on_event=hear) as kernel:
        assert len(told) >= 2
        assert all(text.startswith("not ready yet: it did not answer") for text in told)
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_on_event_hears_everything():
    """From the launch to the closing, in order."""
    heard = []
    async with launch(on_event=heard.append) as kernel:
        await kernel.restart()
        read = kernel.events()
    assert [event async for event in read] == heard
    exits = [(event.generation, event.expected) for event in heard if isinstance(event, KernelExited)]
    assert exits == [(1, True), (2, True)]


@pytest.mark.parametrize("debug", [False, True])
def test_launch_under_asyncio_run(debug, python_program):
    """A whole program whose main is an owned kernel, with warnings as errors: it ends, quietly."""
    assert python_program(PROGRAM, str(debug)) == "42\n42\n"


def test_launch_given_to_a_runner(python_program):
    """What asyncio.run takes, too; the loop has to go on until the kernel is closed."""
    assert python_program(RUNNER) == "KernelState.READY\n"


RUNNER = """
import asyncio
from jupyter_kernel_mgmt import launch

with asyncio.Runner() as runner:
    kernel = runner.run(launch())
    print(kernel.state)
    runner.run(kernel.aclose())
"""

PROGRAM = """
import asyncio, sys
from jupyter_kernel_mgmt import connect, launch

async def main():
    async with launch() as kernel:
        print((await kernel.execute("6 * 7")).text)
        async with connect(kernel.connection_file) as other:
            print((await other.execute("6 * 7")).text)

asyncio.run(main(), debug=sys.argv[1] == "True")
"""
