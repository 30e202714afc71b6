"""The core on asyncio's loop and on uvloop, in debug mode; and every way to call launch."""

import asyncio

import pytest

from jupyter_kernel_mgmt import (
    InterruptOutcome,
    KernelDied,
    KernelExited,
    KernelState,
    connect,
    find_kernels,
    launch,
)


@pytest.mark.parametrize(("kernel_type", "transport"), [("python3", "ipc"), ("ipykernel6", "tcp")])
async def test_a_whole_life(kernel_type, transport, require, run_until):
    """Launch, output, error, completion, interrupt, restart, a second client, shutdown."""
    require(kernel_type)
    async with launch(kernel_type, transport=transport) as kernel:
        assert (await kernel.execute("print('hello'); 6 * 7")).text == "42"
        assert (await kernel.execute("1/0")).error.ename == "ZeroDivisionError"
        assert "import" in (await kernel.complete("impor")).content["matches"]
        running = await run_until(kernel, "print('started')\nwhile True: pass")
        assert await kernel.interrupt() is InterruptOutcome.IDLE
        assert (await running).status == "interrupted"
        await kernel.restart()
        async with connect(kernel.connection_file) as other:
            assert (await other.execute("6 * 7")).text == "42"
        assert (await kernel.shutdown()).returncode == 0


async def test_a_death():
    """Noticed as an event; a restart makes it good."""
    async with launch() as kernel:
        with pytest.raises(KernelDied) as caught:
            await kernel.execute("import os; os._exit(3)")
        assert caught.value.exit_info.returncode == 3
        await kernel.restart()
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_much_output_and_many_requests():
    """All of it, in order."""
    async with launch() as kernel:
        talking = kernel.execute("for i in range(3000): print(i)")
        others = [kernel.execute(str(i)) for i in range(50)]
        assert [(await execution).text for execution in others] == [str(i) for i in range(50)]
        assert (await talking).stdout.split() == [str(i) for i in range(3000)]


async def test_prompts():
    """Answered."""

    async def answer(prompt, password):
        return "me"

    async with launch(stdin=answer) as kernel:
        assert (await kernel.execute("input('who? ')")).text == "'me'"


async def test_cancelled_launches():
    """They leave nothing: the fixtures look."""
    for steps in (1, 3, 6):
        task = asyncio.create_task(launch())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_kernel_types_are_found():
    """Those of both providers that come with the package."""
    found = {kernel_type async for kernel_type, _ in find_kernels()}
    assert {"pyimport/kernel", "spec/python3"} <= found


# Every way to call launch


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
