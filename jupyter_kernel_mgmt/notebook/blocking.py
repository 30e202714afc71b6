"""For the two adapters whose callers cannot await: a loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def run_blocking(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `asyncio.run` would give, also where the caller's thread has a loop that runs.

    A Ctrl-C cancels it, waits until it has cleaned up, and is raised then.
    """
    outcome: Future[T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()

    async def started_here() -> T:
        task = asyncio.ensure_future(main())
        started.set_result((asyncio.get_running_loop(), task))
        return await task

    def run() -> None:
        try:
            outcome.set_result(asyncio.run(started_here()))
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="notebook-run")
    try:
        thread.start()
        return outcome.result()
    except KeyboardInterrupt:
        if thread.ident is None:
            raise
        loop, task = started.result()
        with suppress(RuntimeError):  # it has just ended by itself
            loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        if thread.ident is not None:
            thread.join()
