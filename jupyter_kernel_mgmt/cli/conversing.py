"""`converse`: opens the kernel of a console, runs the console on it, and tells how it ended."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

from ..events import KernelExited, KernelState, StateChanged, Unresponsive
from ..exceptions import ClientClosed, KernelDied, KernelUnresponsive
from ..kernel import Kernel
from ..opening import connect, launch
from .exit_codes import ExitCode
from .keeping import told
from .program import say
from .progress import Progress
from .repl import Repl

SILENCE = 15.0
"""Seconds without a sign of life after which a kernel that nobody here watches is given up."""


async def converse(target: str, *, connection: bool, launch_params: Mapping[str, Any] | None = None) -> int:
    """A console on a fresh kernel of a type, or on that of a connection file. Returns the exit code.

    Raises as `launch` and `connect` do. Cancelling it leaves; a kernel of our own ends.
    """
    repl = Repl()
    async with AsyncExitStack() as stack:
        if connection:
            opening = connect(target, stdin=repl.ask, unresponsive_after=SILENCE)
            kernel = await stack.enter_async_context(opening)
        else:
            with Progress(target) as progress:
                kernel = await launch(
                    target, launch_params=launch_params, stdin=repl.ask, on_event=progress.heard
                )
            await stack.enter_async_context(kernel)
        return await _until_lost(repl, kernel)


async def _until_lost(repl: Repl, kernel: Kernel) -> int:
    """Run the console until its user leaves, or the kernel does."""
    talking = asyncio.create_task(repl.run(kernel), name="console")
    watching = asyncio.create_task(_lost(kernel), name="console-watch")
    try:
        await asyncio.wait([talking, watching], return_when=asyncio.FIRST_COMPLETED)
        if talking.done() and not watching.done() and isinstance(talking.exception(), _LOST):
            async with asyncio.timeout(1):  # the reason comes with the event that the process has ended
                with suppress(TimeoutError):
                    await asyncio.shield(watching)
        if talking.done() and not isinstance(talking.exception(), _LOST):
            return talking.result()
    finally:
        for task in (talking, watching):
            task.cancel()
        await asyncio.wait([talking, watching])
    say(watching.result() if not watching.cancelled() else str(talking.exception()))
    return ExitCode.KERNEL_LOST


_LOST = (KernelDied, KernelUnresponsive, ClientClosed)


async def _lost(kernel: Kernel) -> str:
    """Wait until the kernel is gone, and return what to say of that."""
    async for event in kernel.events():
        match event:
            case KernelExited(exit_info=info, expected=False):
                return told(info)
            case StateChanged(state=KernelState.DEAD):
                return "the kernel has ended"
            case StateChanged(state=KernelState.RESTARTING):
                say("the kernel was restarted by somebody else: what it knew is gone")
            case Unresponsive(silence=silence):
                return f"the kernel has given no sign of life for {silence:.0f} s"
    return "the kernel was closed"
