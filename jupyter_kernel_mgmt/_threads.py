"""Calling code that blocks, and that may hang, without holding up the loop or the end of the program.

Daemon threads, one a call: a pool's threads are joined when the loop ends, so that a function that hangs
would hang the program.
"""

import asyncio
import concurrent.futures
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

ITEMS_TOGETHER = 0.005
"""Seconds within which the items of a thread come together: two threads that take turns are slow."""

ITEMS_AHEAD = 1000
"""Items that a thread may be ahead of the loop, which has other work too."""


async def in_thread(
    function: Callable[[], T], *, abandoned: Callable[[T], None] | None = None, name: str = "blocking-call"
) -> T:
    """Run a function in a thread and wait for what it returns or raises.

    Cancelling stops the waiting at once; the function runs on, and what it returns in the end goes to
    ``abandoned``, in a thread.
    """
    promise: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - carried over to the task that waits
            if promise.set_running_or_notify_cancel():
                promise.set_exception(_for_the_loop(error))
        else:
            # The promise is cancelled or taken in one step, so that exactly one side gets the result.
            if promise.set_running_or_notify_cancel():
                promise.set_result(result)
            else:
                _dispose(abandoned, result, name)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        return await asyncio.wrap_future(promise)
    except asyncio.CancelledError:
        if not promise.cancelled():  # it finished, or is about to, just before the cancellation got here

            def dispose(finished: concurrent.futures.Future[T]) -> None:
                if finished.exception() is None:
                    arguments = (abandoned, finished.result(), name)
                    threading.Thread(target=_dispose, args=arguments, name=name, daemon=True).start()

            promise.add_done_callback(dispose)
        raise


async def iterate_in_thread(iterable: Callable[[], Iterable[T]], *, name: str) -> AsyncGenerator[T, None]:
    """The items of a blocking iterable, each as soon as it is there, or `ITEMS_TOGETHER` after others.

    Closing the generator, or cancelling what waits for it, makes the thread stop after its current item. One
    that is `ITEMS_AHEAD` of the loop waits.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()
    posted: deque[tuple[T] | BaseException | None] = deque()
    room = threading.Event()
    taken_at = -ITEMS_TOGETHER
    wanted = True

    def take() -> None:
        nonlocal taken_at
        taken_at = loop.time()
        for _ in range(len(posted)):  # and no more: a quick thread would keep the loop here
            arrived.put_nowait(posted.popleft())
        room.set()
        if posted:
            wake_up()

    def wake_up() -> None:
        wait = taken_at + ITEMS_TOGETHER - loop.time()
        if wait > 0:
            loop.call_later(wait, take)
        else:
            take()

    def post(item: tuple[T] | BaseException | None) -> None:
        posted.append(item)
        is_last = not isinstance(item, tuple)
        if is_last or len(posted) == 1:  # else somebody has been told already, and takes all there are
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(take if is_last else wake_up)

    def run() -> None:
        try:
            for item in iterable():
                if not wanted:
                    return
                post((item,))
                room.clear()
                if len(posted) >= ITEMS_AHEAD and wanted:  # looked at after clear: no set is missed
                    room.wait()
        except BaseException as error:  # noqa: BLE001 - carried over to the task that waits
            post(_for_the_loop(error))
        else:
            post(None)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        while (item := await arrived.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        wanted = False
        room.set()


def _for_the_loop(error: BaseException) -> Exception:
    """The error itself; but a plug-in's SystemExit must not end a loop, and with it the whole program.

    Nor may its StopIteration be lost: no future takes that.
    """
    if isinstance(error, StopIteration):
        wrapped = RuntimeError(f"it raised {error!r}")
    elif isinstance(error, Exception):
        return error
    else:
        wrapped = RuntimeError(f"it wanted to end the program: {error!r}")
    wrapped.__cause__ = error
    return wrapped


def _dispose(abandoned: Callable[[T], None] | None, result: T, name: str) -> None:
    if abandoned is None:
        return
    try:
        abandoned(result)
    except Exception:  # somebody else's clean-up, with nobody left to tell
        log.exception("Cleaning up after an abandoned %s failed", name)
