"""The times that people notice: a crash, a cancelled launch, an interrupt, a restart, the end."""

import asyncio
import sys
import time
from contextlib import aclosing
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from _harness import compare, in_loop, private_directories
from _peers import peer_end, peer_launch

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
