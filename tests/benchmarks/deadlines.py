"""The times that people notice: a crash, a cancelled launch, an interrupt, a restart, the end."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from _harness import compare, in_loop, interleave, private_directories, table
from _peers import QUIET, peer_end, peer_launch
from jupyter_client.multikernelmanager import AsyncMultiKernelManager
from jupyter_core.paths import jupyter_runtime_dir

from jupyter_kernel_mgmt import (
    Kernel,
    KernelDied,
    LaunchError,
    LaunchRequest,
    SubprocessLauncher,
    launch,
)
from jupyter_kernel_mgmt.launching import Transport

PEER_TIMEOUT = 1.0
"""Seconds: the peer's caller hears of a death only by its own time limit, and this is the one we chose."""

# CLOCK_MONOTONIC is one for all processes.
_EXIT = """
import os, time
with open({file!r}, "w") as file:
    file.write(repr(time.monotonic()))
os._exit(3)
"""
# Sleeps little at a time: a SIGINT that comes just before a long sleep is only noticed after it. Ends
# without a traceback: IPython takes 80 or 300 ms for one, whoever interrupts.
_BUSY = """
import time
try:
    print("up", flush=True)
    while True:
        time.sleep(0.001)
except KeyboardInterrupt:
    pass
"""


def run(*, quick: bool) -> None:
    """Compare each with the peer where the peer has it."""
    few, some = (2, 3) if quick else (10, 15)
    with private_directories() as directory, in_loop() as side:
        mark = directory / "exit"
        compare(
            f"exit in a cell to the exception (goal 10 ms, at most 50; peer: timeout={PEER_TIMEOUT:g})",
            {"ours": side(lambda: _exit_ours(mark)), "jupyter_client": side(lambda: _exit_peer(mark))},
            rounds=some,
        )
        compare(
            "exit while it starts to the error that says why (at most 1 s)",
            {way: side(partial(_failing_start, mark, way)) for way in ("ipc", "own-ports", "picked-ports")},
            rounds=some,
        )
        compare(
            "launch cancelled after 150 ms to nothing left (the peer leaves the process to its caller)",
            {"ours": side(_cancel_ours)},
            rounds=some,
        )
        for title, ours, peer in (
            ("interrupt to idle", _interrupt_ours, _interrupt_peer),
            ("restart to ready", _restart_ours, _restart_peer),
            ("polite end of one kernel", _close_ours, _close_peer),
        ):
            compare(title, {"ours": side(ours), "jupyter_client": side(peer)}, rounds=few)
        _many(side, count=4 if quick else 20, rounds=1 if quick else 3)


def _many(
    side: Callable[[Callable[[], Awaitable[float]]], Callable[[], float]], *, count: int, rounds: int
) -> None:
    ends: dict[str, list[float]] = {"ours": [], "jupyter_client": []}

    async def ours() -> float:
        elapsed, end = await _many_ours(count)
        ends["ours"].append(end)
        return elapsed

    async def peer() -> float:
        elapsed, end = await many_peer(count)
        ends["jupyter_client"].append(end)
        return elapsed

    begins = interleave({"ours": side(ours), "jupyter_client": side(peer)}, rounds=rounds, warm_up=0)
    table(f"{count} kernels launched at once, all of them having executed", begins)
    table(f"{count} kernels ended politely at once", ends)


async def _exit_ours(mark: Path) -> float:
    async with launch() as kernel:
        try:
            await kernel.execute(_EXIT.format(file=str(mark)))
        except KernelDied:
            return time.monotonic() - float(mark.read_text())
    raise RuntimeError("the kernel should have died")


async def _exit_peer(mark: Path) -> float:
    manager, client = await peer_launch()
    try:
        await client.execute(_EXIT.format(file=str(mark)), reply=True, timeout=PEER_TIMEOUT)
    except TimeoutError:
        return time.monotonic() - float(mark.read_text())
    finally:
        await peer_end(manager, client, now=True)
    raise RuntimeError("the kernel should have died")


async def _failing_start(mark: Path, way: Transport) -> float:
    argv = [sys.executable, "-c", _EXIT.format(file=str(mark)), "{connection_file}"]
    try:
        await Kernel.from_launched(await SubprocessLauncher(argv).launch(LaunchRequest(transport=way)))
    except LaunchError:
        return time.monotonic() - float(mark.read_text())
    raise RuntimeError("it should not have started")


async def _cancel_ours() -> float:
    before = psutil.Process().children(recursive=True)
    task = asyncio.create_task(launch())
    await asyncio.sleep(0.15)  # in the middle of ipykernel's imports
    start = time.perf_counter()
    task.cancel()
    await asyncio.wait([task])
    elapsed = time.perf_counter() - start
    while psutil.Process().children(recursive=True) != before:
        elapsed = time.perf_counter() - start
    return elapsed


async def _interrupt_ours() -> float:
    async with launch() as kernel:
        execution = kernel.execute(_BUSY)
        async with aclosing(aiter(execution)) as output:
            await anext(output)
        start = time.perf_counter()
        await kernel.interrupt()
        elapsed = time.perf_counter() - start
        await execution
        return elapsed


async def _interrupt_peer() -> float:
    manager, client = await peer_launch()
    msg_id = client.execute(_BUSY)
    while (await client.get_iopub_msg())["msg_type"] != "stream":
        pass
    start = time.perf_counter()
    await manager.interrupt_kernel()
    while True:
        message = await client.get_iopub_msg()
        idle = message["content"].get("execution_state") == "idle"
        if idle and message["parent_header"]["msg_id"] == msg_id:
            break
    elapsed = time.perf_counter() - start
    await peer_end(manager, client, now=True)
    return elapsed


async def _restart_ours() -> float:
    async with launch() as kernel:
        start = time.perf_counter()
        await kernel.restart()
        return time.perf_counter() - start


async def _restart_peer() -> float:
    manager, client = await peer_launch()
    start = time.perf_counter()
    await manager.restart_kernel()
    await client.wait_for_ready(timeout=60)
    elapsed = time.perf_counter() - start
    await peer_end(manager, client, now=True)
    return elapsed


async def _close_ours() -> float:
    kernel = await launch()
    start = time.perf_counter()
    await kernel.aclose()
    return time.perf_counter() - start


async def _close_peer() -> float:
    manager, client = await peer_launch()
    start = time.perf_counter()
    await peer_end(manager, client, now=False)
    return time.perf_counter() - start


async def _many_ours(count: int) -> tuple[float, float]:
    start = time.perf_counter()
    kernels = await asyncio.gather(*(launch() for _ in range(count)))
    await asyncio.gather(*(_executed(kernel.execute("1")) for kernel in kernels))
    middle = time.perf_counter()
    await asyncio.gather(*(kernel.aclose() for kernel in kernels))
    return middle - start, time.perf_counter() - middle


async def _executed(execution: Awaitable[object]) -> None:
    await execution


async def many_peer(count: int) -> tuple[float, float]:
    manager = AsyncMultiKernelManager(connection_dir=jupyter_runtime_dir())

    async def one() -> None:
        kernel_id = await manager.start_kernel(kernel_name="python3", **QUIET)
        client: Any = manager.get_kernel(kernel_id).client()  # declared as the blocking one
        client.start_channels(hb=False)  # whose thread may block the end for ever where a kernel died
        try:
            await client.wait_for_ready(timeout=60)
            await client.execute("1", reply=True, timeout=60)
        finally:
            client.stop_channels()

    start = time.perf_counter()
    outcomes = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    middle = time.perf_counter()
    async with asyncio.timeout(60):
        await manager.shutdown_all()
    end = time.perf_counter()
    if failed := [outcome for outcome in outcomes if outcome is not None]:  # as when a port was taken
        print(f"\njupyter_client: {len(failed)} of {count} kernels failed: {failed[0]}")
    return middle - start, end - middle
