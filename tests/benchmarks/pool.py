"""From the wish for a kernel to one that is ready: out of a pool, which fills up again between the rounds."""

import asyncio
import time
from pathlib import Path

from _harness import compare, in_loop, private_directories
from _peers import peer_end, peer_launch

from jupyter_kernel_mgmt import KernelPool


def run(*, quick: bool) -> None:
    """Compare a hand-out, with directory and environment set, to a launch by the peer."""
    with private_directories() as directory, in_loop() as side:
        pool = KernelPool("spec/python3", size=2, max_uses=1)
        side(lambda: _enter(pool))()
        try:
            compare(
                "hand-out of a warm ipykernel",
                {
                    "ours": side(lambda: _ours(pool, directory)),
                    "jupyter_client, launch to ready": side(_peer),
                },
                rounds=3 if quick else 15,
            )
        finally:
            side(lambda: _leave(pool))()


async def _enter(pool: KernelPool) -> float:
    await pool.__aenter__()
    return 0.0


async def _leave(pool: KernelPool) -> float:
    await pool.aclose()
    return 0.0


async def _ours(pool: KernelPool, directory: Path) -> float:
    await pool.filled()
    start = time.perf_counter()
    async with pool.acquire(cwd=directory, env={"NAME": "value"}) as kernel:
        elapsed = time.perf_counter() - start
        (await kernel.execute("6 * 7")).raise_for_status()
    await _at_rest(pool)
    return elapsed


async def _at_rest(pool: KernelPool) -> None:
    """Until its replacement is there and the kernel has ended, so that the peer is not held up by them."""
    await pool.filled()
    while pool.metrics.ending:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


async def _peer() -> float:
    start = time.perf_counter()
    manager, client = await peer_launch()
    elapsed = time.perf_counter() - start
    await peer_end(manager, client, now=True)
    return elapsed
