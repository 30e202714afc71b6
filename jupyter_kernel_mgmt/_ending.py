"""Ending a kernel: ask, and where it is ours to end, escalate on fixed deadlines."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from jupyter_protocol import ProtocolError

from .client import KernelClient
from .exceptions import KernelError
from .launching import ExitInfo
from .managerbase import KernelManagerBase

log = logging.getLogger(__name__)

REPLY_TIMEOUT = 5.0
"""Seconds that a kernel has to answer a shutdown request."""

EXIT_TIMEOUT = 3.0
"""Seconds that a kernel which answered has to end; some answer and stay, as bash_kernel does."""

TERMINATE_TIMEOUT = 2.0
"""Seconds between SIGTERM and SIGKILL."""

KILL_TIMEOUT = 5.0
"""Seconds that the operating system has to end a killed process."""


async def end_kernel(
    client: KernelClient, manager: KernelManagerBase, *, restart: bool, interrupt_first: bool
) -> ExitInfo | None:
    """End a kernel's process: a shutdown message, then SIGTERM, then SIGKILL, each racing the exit.

    How it ended, or None where it could not be ended. A busy kernel is interrupted first, so that it can
    end politely. Bounded by the sum of the deadlines. Cancelling it leaves the process as it is then;
    whoever owns the manager closes it.
    """
    async with _exit_of(manager) as exited:
        await _ask(client, exited, restart=restart, interrupt_first=interrupt_first)
        for act, timeout in ((manager.terminate, TERMINATE_TIMEOUT), (manager.kill, KILL_TIMEOUT)):
            if _has_ended(exited):
                break
            log.warning("Kernel %s did not end; going on with %s", manager.kernel_id, act.__name__)
            try:
                async with asyncio.timeout(timeout):
                    await act()
                    await asyncio.wait([exited])
            except TimeoutError:
                continue
            except Exception:  # a manager of somebody else's: the next step may work all the same
                log.exception("%s failed for kernel %s", act.__name__, manager.kernel_id)
        return exited.result() if _has_ended(exited) else None


async def ask_to_restart(client: KernelClient, manager: KernelManagerBase, *, interrupt_first: bool) -> None:
    """Ask a kernel to make room for its next process, and wait as long as it seems to be on its way.

    What it does not do, `CanRestart.restart` does. Source: Messaging in Jupyter, "Kernel shutdown".
    """
    async with _exit_of(manager) as exited:
        await _ask(client, exited, restart=True, interrupt_first=interrupt_first)


@asynccontextmanager
async def _exit_of(manager: KernelManagerBase) -> "AsyncGenerator[asyncio.Task[ExitInfo], None]":
    exited = asyncio.create_task(manager.wait())
    try:
        yield exited
    finally:
        exited.cancel()
        await asyncio.wait([exited])


def _has_ended(exited: "asyncio.Task[ExitInfo]") -> bool:
    """Whether the end was seen; a manager whose ``wait`` fails has not seen it."""
    return exited.done() and not exited.cancelled() and exited.exception() is None


async def _ask(
    client: KernelClient,
    exited: "asyncio.Task[ExitInfo]",
    *,
    restart: bool,
    interrupt_first: bool,
) -> None:
    """Ask politely, and wait for the exit as long as the kernel seems to be on its way."""
    asked = asyncio.create_task(_request(client, restart=restart, interrupt_first=interrupt_first))
    try:
        await asyncio.wait([asked, exited], timeout=REPLY_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if asked.done() and not asked.cancelled() and asked.result():
            await asyncio.wait([exited], timeout=EXIT_TIMEOUT)
    finally:
        asked.cancel()
        await asyncio.wait([asked])


async def _request(client: KernelClient, *, restart: bool, interrupt_first: bool) -> bool:
    """Whether the kernel said that it will end."""
    if interrupt_first:
        try:
            await client.interrupter()
        except Exception as error:  # noqa: BLE001 - a manager of somebody else's; the request may work
            log.warning("A busy kernel could not be interrupted before its end: %s", error)
    try:
        await client.request_shutdown(restart=restart)
    except (KernelError, ProtocolError) as error:
        log.debug("A kernel cannot be asked to end: %s", error)
        return False
    return True
