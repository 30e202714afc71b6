"""Processes and clients to compare with."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import nan
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.multikernelmanager import AsyncMultiKernelManager
from jupyter_core.paths import jupyter_runtime_dir

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
"""For jupyter_client's kernels, which write to our terminal otherwise."""

PATIENCE = 30.0
"""Seconds that each of many kernels has to be ready, and to execute, before it counts as failed."""


@contextmanager
def raw_kernel(*, flood: int = 0) -> Iterator[dict[str, Any]]:
    """The connection information of a `_raw_kernel` process, for as long as it runs."""
    command = [sys.executable, str(Path(__file__).with_name("_raw_kernel.py")), str(flood)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None, "it was asked for"
            connection: dict[str, Any] = json.loads(process.stdout.readline())
            yield connection
        finally:
            process.kill()


@contextmanager
def peer_client(connection: dict[str, Any], **channels: bool) -> Iterator[AsyncKernelClient]:
    """jupyter_client's client with some of its channels started."""
    client = AsyncKernelClient()
    client.load_connection_info(connection)  # type: ignore[arg-type]
    client.start_channels(**channels)
    try:
        yield client
    finally:
        client.stop_channels()


async def peer_launch() -> tuple[AsyncKernelManager, AsyncKernelClient]:
    """jupyter_client's kernel, launched and ready, as its users do it."""
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel(**QUIET)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    return manager, client


async def peer_end(manager: AsyncKernelManager, client: AsyncKernelClient, *, now: bool) -> None:
    """End it: politely, or at once."""
    client.stop_channels()
    await manager.shutdown_kernel(now=now)


async def many_peer(count: int) -> tuple[float, float]:
    """So many of its kernels at once: seconds until all have executed, and until all were ended politely.

    Both are NaN where a kernel failed, as when somebody took its port meanwhile.
    """
    manager = AsyncMultiKernelManager(connection_dir=jupyter_runtime_dir())

    async def one() -> None:
        kernel_id = await manager.start_kernel(kernel_name="python3", **QUIET)
        client: Any = manager.get_kernel(kernel_id).client()  # declared as the blocking one
        client.start_channels(hb=False)  # whose thread may block the end for ever where a kernel died
        try:
            await client.wait_for_ready(timeout=PATIENCE)
            await client.execute("1", reply=True, timeout=PATIENCE)
        finally:
            client.stop_channels()

    start = time.perf_counter()
    outcomes = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    middle = time.perf_counter()
    async with asyncio.timeout(60):
        await manager.shutdown_all()
    end = time.perf_counter()
    if failed := [outcome for outcome in outcomes if outcome is not None]:
        print(f"\njupyter_client: {len(failed)} of {count} kernels failed: {failed[0]}")
        return nan, nan
    return middle - start, end - middle
