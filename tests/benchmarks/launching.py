"""From the call to a kernel that is ready: ipykernel, one launch after the other."""

import time
from itertools import count
from pathlib import Path

import zmq
from _bare import BareKernel
from _harness import compare, in_loop, private_directories
from _peers import peer_end, peer_launch

from jupyter_kernel_mgmt import launch


def run(*, quick: bool) -> None:
    """Compare with the peer, and with a launcher that does nothing but start the process and ask once."""
    numbers = count()
    with private_directories() as directory, in_loop() as side:
        compare(
            "launch to ready, ipykernel",
            {
                "ours": side(_ours),
                "jupyter_client": side(_peer),
                "bare launcher, its first answer": lambda: _bare(directory, f"k{next(numbers)}"),
            },
            rounds=3 if quick else 15,
        )


async def _ours() -> float:
    start = time.perf_counter()
    async with launch("pyimport/kernel"):
        return time.perf_counter() - start


async def _peer() -> float:
    start = time.perf_counter()
    manager, client = await peer_launch()
    elapsed = time.perf_counter() - start
    await peer_end(manager, client, now=True)
    return elapsed


def _bare(directory: Path, name: str) -> float:
    start = time.perf_counter()
    with zmq.Context() as context:
        kernel = BareKernel(context, directory, name)
        try:
            kernel.ask("shell", "kernel_info_request", {})
            kernel.wait_for_answer("shell")
            return time.perf_counter() - start
        finally:
            kernel.end()
