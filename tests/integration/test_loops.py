"""The core on asyncio's loop and on uvloop, in debug mode."""

import asyncio

import pytest

from jupyter_kernel_mgmt import (
    InterruptOutcome,
    KernelDied,
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
