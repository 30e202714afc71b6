"""`keep`: a kernel for others to connect to, up until somebody ends it."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..kernel import Kernel
from ..launching import ExitInfo, Transport
from ..opening import launch
from .exit_codes import ExitCode
from .program import say
from .progress import Progress
from .running import ENDING, on_signals


async def keep(
    kernel_type: str,
    *,
    as_json: bool = False,
    cwd: str | os.PathLike[str] | None = None,
    launch_params: Mapping[str, Any] | None = None,
    transport: Transport = "auto",
) -> int:
    """Launch, tell where the kernel is, and wait for a signal or its end. Returns the exit code.

    Raises as `launch` does. Cancelling it, as a signal does during the launch, ends the kernel.
    """
    with Progress(kernel_type) as progress:
        kernel = await launch(
            kernel_type,
            cwd=cwd,
            launch_params=launch_params,
            transport=transport,
            on_event=progress.heard,
        )
    async with kernel:
        print(json.dumps(described(kernel)) if as_json else kernel.connection_file, flush=True)
        if sys.stderr.isatty():
            say("the kernel is ready; Ctrl-C ends it")
        ended = await _until_signal_or_end(kernel)
    if ended is None:
        return ExitCode.OK
    say(told(ended))
    return ExitCode.KERNEL_LOST


def described(kernel: Kernel) -> dict[str, Any]:
    """What ``--json`` writes: where the kernel is, and no secret."""
    info = kernel.connection_info
    return {
        "kernel_type": kernel.kernel_type,
        "kernel_id": kernel.kernel_id,
        "connection_file": None if kernel.connection_file is None else str(kernel.connection_file),
        "transport": None if info is None else info.transport,
        "ip": None if info is None else info.ip,
    }


def told(ended: ExitInfo) -> str:
    """How a kernel ended that nobody here told to, with the end of its output."""
    tail = ended.output_tail.rstrip() if ended.output_tail else ""
    return f"the kernel has ended: {ended}" + (f"\nthe end of its output:\n{tail}" if tail else "")


async def _until_signal_or_end(kernel: Kernel) -> ExitInfo | None:
    """Wait; how the kernel ended, or None where a signal came first."""
    signalled = asyncio.Event()
    with on_signals(ENDING, lambda _: signalled.set()):
        waits: list[asyncio.Task[Any]] = [
            asyncio.create_task(kernel.wait(), name="kernel-end"),
            asyncio.create_task(signalled.wait(), name="signal"),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return waits[0].result() if waits[0].done() and not signalled.is_set() else None
        finally:
            for task in waits:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
