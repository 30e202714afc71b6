"""Many clients at once, and kernels again and again on one loop: what was opened is closed, to the last one.

Here it is looked while the loop and whatever is shared on it live on. `thousand` and `cycles` in
`tests/benchmarks` are the same at length.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

import pytest

from jupyter_kernel_mgmt import KernelFinder, connect, launch
from jupyter_kernel_mgmt.testing import FakeKernel
from jupyter_kernel_mgmt.testing._residue import Residue
from jupyter_protocol import ConnectionInfo, KernelSockets

CLIENTS = 20
CYCLES = 3
AT_ONCE = 2

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is in /proc")


@pytest.mark.timeout(60)
async def test_twenty_clients_of_as_many_kernels_leave_nothing(world):
    """Each gets the answer of its own kernel."""
    before = Residue.now()
    async with AsyncExitStack() as stack:
        connections = [await _served(stack, world.other / f"k{number}") for number in range(CLIENTS)]
        opening = (connect(connection, unresponsive_after=30) for connection in connections)
        kernels = await asyncio.gather(*opening)
        results = await asyncio.gather(*(kernel.execute("who?") for kernel in kernels))
        assert [result.text for result in results] == [connection.ip for connection in connections]
        await asyncio.gather(*(kernel.aclose() for kernel in kernels))
    assert Residue.now() == before


@pytest.mark.timeout(60)
@pytest.mark.parametrize("forkserver", [False, True])
async def test_launching_and_closing_again_and_again_leaves_nothing(forkserver):
    """After each time there is what was there after the first: with a fork server, that one alone."""
    async with KernelFinder.from_entrypoints() as finder:
        await _cycle(finder, forkserver=forkserver)
        before = Residue.now()
        assert len(before.children) == int(forkserver)
        for _ in range(CYCLES):
            await asyncio.gather(*(_cycle(finder, forkserver=forkserver) for _ in range(AT_ONCE)))
            assert Residue.now() == before


async def _cycle(finder, *, forkserver):
    async with launch(finder=finder, forkserver=forkserver) as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"


async def _served(stack, path):
    """Where a kernel is that says its own path, until the stack is unwound."""

    async def behave(run):
        run.result(str(path))

    sockets = KernelSockets(ConnectionInfo(transport="ipc", ip=str(path)))
    await stack.enter_async_context(sockets)
    await stack.enter_async_context(FakeKernel(sockets, behave))
    return sockets.connection_info
