"""Twenty ipykernels at once, started cold: until each has executed a cell, and until all have ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import zmq
from _bare import BareKernel
from _harness import Side, in_loop, interleave, private_directories, table
from _peers import many_peer

from jupyter_kernel_mgmt import Kernel, launch

CELL = "6 * 7"
EXECUTE = {
    "code": CELL,
    "silent": False,
    "store_history": True,
    "user_expressions": {},
    "allow_stdin": False,
    "stop_on_error": True,
}


def run(*, quick: bool) -> None:
    """Compare with as many processes that nobody manages, and with the peer."""
    with private_directories() as directory, in_loop() as side:
        _run(side, directory, kernels=4 if quick else 20, rounds=1 if quick else 5)


def _run(
    side: Callable[[Callable[[], Awaitable[float]]], Side], directory: Path, *, kernels: int, rounds: int
) -> None:
    numbers = count()
    ends: dict[str, list[float]] = {"ours": [], "bare launchers": [], "jupyter_client": []}

    async def ours() -> float:
        elapsed, end = await _ours(kernels)
        ends["ours"].append(end)
        return elapsed

    def bare() -> float:
        elapsed, end = _bare(directory, [f"k{next(numbers)}" for _ in range(kernels)])
        ends["bare launchers"].append(end)
        return elapsed

    async def peer() -> float:
        elapsed, end = await many_peer(kernels)
        ends["jupyter_client"].append(end)
        return elapsed

    sides = {"ours": side(ours), "bare launchers": bare, "jupyter_client": side(peer)}
    begins = interleave(sides, rounds=rounds, warm_up=0)
    table(f"{kernels} kernels at once, each having executed (goal: 1.1 of bare launchers)", begins)
    table(f"{kernels} kernels ended politely at once (goal: 1.1 of their own exits)", ends)


async def _ours(kernels: int) -> tuple[float, float]:
    """Seconds until all have executed, and until all were closed."""
    start = time.perf_counter()
    opened = await asyncio.gather(*(_executed() for _ in range(kernels)))
    middle = time.perf_counter()
    await asyncio.gather(*(kernel.aclose() for kernel in opened))
    return middle - start, time.perf_counter() - middle


async def _executed() -> Kernel:
    kernel = await launch()
    (await kernel.execute(CELL)).raise_for_status()
    return kernel


def _bare(directory: Path, names: list[str]) -> tuple[float, float]:
    """Seconds until all have answered, and until all have exited because they were asked to."""
    with zmq.Context() as context, ExitStack() as stack:
        start = time.perf_counter()
        kernels = []
        for name in names:
            kernel = BareKernel(context, directory, name)
            stack.callback(kernel.end)
            kernel.ask("shell", "execute_request", EXECUTE)
            kernels.append(kernel)
        for kernel in kernels:
            kernel.wait_for_answer("shell")
        middle = time.perf_counter()
        for kernel in kernels:
            kernel.ask("control", "shutdown_request", {"restart": False})
        for kernel in kernels:
            kernel.wait_for_exit()
        return middle - start, time.perf_counter() - middle
