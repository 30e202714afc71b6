"""On which channel a kernel is best asked to end. Source: Messaging in Jupyter, "Kernel shutdown".

ipykernel has a thread for control, which waits for the thread that publishes when it is done with a request.
Asked on control to end, the main thread may end that one first, and the process stays for ten seconds. Asked
on shell, it is the main thread that does one after the other.
"""

import asyncio
from collections.abc import Awaitable, Callable

from jupyter_protocol import Message, messages

from ._router import Request

ON_SHELL = frozenset({"ipython", "bash_kernel"})
"""Implementations that are ipykernel and so are asked on shell; xeus, Deno and others do not answer there."""

PATIENCE = 0.5
"""Seconds that a kernel which seemed idle has to answer on shell, before it is asked on control too."""


def shutdown_channels(implementation: object, *, idle: bool) -> tuple[str, ...]:
    """The channels to ask on, one after the other: one that runs code would answer on shell too late."""
    return ("shell", "control") if idle and implementation in ON_SHELL else ("control",)


async def ask_to_end(
    send: Callable[[str, Message], None],
    reply_to: Callable[[Request], Awaitable[Message]],
    channels: tuple[str, ...],
    *,
    restart: bool,
) -> Message:
    """Ask on each channel until one is answered. Raises what sending and ``reply_to`` raise.

    Cancelling ends the wait.
    """

    async def ask(channel: str) -> Message:
        request = messages.shutdown_request(restart=restart)
        send(channel, request)
        return await reply_to(Request(request.msg_id, channel, needs_idle=False))

    asked: set[asyncio.Task[Message]] = set()
    try:
        for channel in channels:
            asked.add(asyncio.create_task(ask(channel), name=f"shutdown-on-{channel}"))
            patience = None if channel == channels[-1] else PATIENCE
            answered, _ = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if answered:
                return answered.pop().result()
        raise AssertionError("the last channel is waited for without a limit")
    finally:
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)
