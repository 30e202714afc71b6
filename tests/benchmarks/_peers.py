"""Processes and clients to compare with."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
"""For jupyter_client's kernels, which write to our terminal otherwise."""


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
