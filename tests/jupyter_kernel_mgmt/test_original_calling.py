"""Methods that may be blocking or asynchronous."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt.original.calling import call, call_now, close_unawaited

from ._original import GUARD


async def on_loop(value: int) -> tuple[int, threading.Thread]:
    return value, threading.current_thread()


def in_a_thread(value: int) -> tuple[int, threading.Thread]:
    return value, threading.current_thread()


@pytest.mark.parametrize(
    ("method", "is_on_loop"), [(on_loop, True), (in_a_thread, False), (lambda value: on_loop(value), True)]
)
async def test_each_runs_where_it_belongs(method: Callable[..., Any], is_on_loop: bool) -> None:
    """Coroutine functions on the loop, others in a thread; what those return is awaited on the loop."""
    value, thread = await call(method, 5, name="a-name")

    assert value == 5
    assert (thread is threading.current_thread()) is is_on_loop
    assert is_on_loop or (thread.daemon and thread.name == "a-name")


async def test_what_is_raised_arrives() -> None:
    async def fails() -> None:
        raise OSError("on the loop")

    with pytest.raises(OSError, match="on the loop"):
        await call(fails, name="x")
    with pytest.raises(ZeroDivisionError):
        await call(lambda: 1 / 0, name="x")


async def test_a_call_that_hangs_can_be_cancelled() -> None:
    """The thread goes on; a coroutine that it makes then is not left unawaited."""
    gate, done = threading.Event(), threading.Event()

    def hangs() -> Any:
        gate.wait(GUARD)
        done.set()
        return on_loop(1)

    calling = asyncio.create_task(call(hangs, name="hanging-call"))
    await asyncio.sleep(0)
    calling.cancel()
    await asyncio.wait([calling])
    gate.set()
    assert await asyncio.to_thread(done.wait, GUARD)
    for thread in threading.enumerate():
        if thread.name == "hanging-call":
            await asyncio.to_thread(thread.join, GUARD)
    assert calling.cancelled()


async def test_what_is_called_now_leaves_the_rest_to_the_loop() -> None:
    """If there is one still."""
    ran = asyncio.Event()

    async def later() -> None:
        ran.set()

    await asyncio.to_thread(call_now, later, loop=asyncio.get_running_loop())
    async with asyncio.timeout(GUARD):
        await ran.wait()
    ran.clear()
    closed = asyncio.new_event_loop()
    closed.close()
    call_now(later, loop=closed)
    assert not ran.is_set()


def test_only_coroutines_are_closed() -> None:
    close_unawaited("anything")
    close_unawaited(on_loop(1))
