"""Kernels out of a fork server that is held by a finder: one after the other, and many at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from _harness import Side, compare, in_loop, interleave, private_directories, table
from _peers import many_peer, peer_end, peer_launch

from jupyter_kernel_mgmt import KernelFinder, launch


def run(*, quick: bool) -> None:
    """Compare a forked launch with a cold one and the peer's; then many, launched and ended."""
    with private_directories(), in_loop() as side:
        finder = KernelFinder.from_entrypoints()
        try:
            compare(
                "launch to ready, ipykernel forked",
                {"forked": side(lambda: _forked(finder)), "cold": side(_cold), "jupyter_client": side(_peer)},
                rounds=3 if quick else 15,
            )
            _many(side, finder, count=4 if quick else 20, rounds=1 if quick else 3)
        finally:
            side(lambda: _close(finder))()


def _many(
    side: Callable[[Callable[[], Awaitable[float]]], Side], finder: KernelFinder, *, count: int, rounds: int
) -> None:
    ends: dict[str, list[float]] = {"forked": [], "jupyter_client": []}

    async def ours() -> float:
        start = time.perf_counter()
        kernels = await asyncio.gather(*(launch(finder=finder, forkserver=True) for _ in range(count)))
        for result in await asyncio.gather(*(kernel.execute("6 * 7") for kernel in kernels)):
            result.raise_for_status()
        elapsed = time.perf_counter() - start
        start = time.perf_counter()
        await asyncio.gather(*(kernel.aclose() for kernel in kernels))
        ends["forked"].append(time.perf_counter() - start)
        return elapsed

    async def peer() -> float:
        elapsed, end = await many_peer(count)
        ends["jupyter_client"].append(end)
        return elapsed

    begins = interleave({"forked": side(ours), "jupyter_client": side(peer)}, rounds=rounds, warm_up=0)
    table(f"{count} kernels launched at once, all of them having executed", begins)
    table(f"{count} kernels ended politely at once", ends)


async def _forked(finder: KernelFinder) -> float:
    start = time.perf_counter()
    async with launch(finder=finder, forkserver=True):
        return time.perf_counter() - start


async def _cold() -> float:
    start = time.perf_counter()
    async with launch():
        return time.perf_counter() - start


async def _peer() -> float:
    start = time.perf_counter()
    manager, client = await peer_launch()
    elapsed = time.perf_counter() - start
    await peer_end(manager, client, now=True)
    return elapsed


async def _close(finder: KernelFinder) -> float:
    await finder.aclose()
    return 0.0
