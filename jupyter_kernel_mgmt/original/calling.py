"""Calling a method that may be blocking or asynchronous, nobody says which."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from .._threads import in_thread


async def call(method: Callable[..., Any], *args: Any, name: str) -> Any:
    """Call it where it belongs: a coroutine function on the loop, anything else in a daemon thread.

    What comes back and can be awaited is awaited on the loop. Cancelling stops an ordinary method's wait and
    not the method.
    """
    if inspect.iscoroutinefunction(method):
        return await method(*args)
    answer = await in_thread(partial(method, *args), abandoned=close_unawaited, name=name)
    return await answer if inspect.isawaitable(answer) else answer


def close_unawaited(answer: object) -> None:
    """Nobody will await this coroutine any more, which Python would complain about."""
    if inspect.iscoroutine(answer):
        answer.close()


async def awaited(answer: Awaitable[Any]) -> Any:
    """Any awaitable as a coroutine, which a task can be made of."""
    return await answer


def call_now(method: Callable[..., Any], *args: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Call it in this thread; what it leaves to be awaited, the loop awaits if it still runs."""
    answer = method(*args)
    if inspect.isawaitable(answer):
        if loop.is_closed():
            close_unawaited(answer)
        else:
            asyncio.run_coroutine_threadsafe(awaited(answer), loop)
