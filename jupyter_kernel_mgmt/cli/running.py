"""Running a coroutine as a program: signals become calls, and an end by a signal is an orderly one."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .exit_codes import for_signal

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that end the program, after it has closed what it owns."""


_SIGHUP = getattr(signal, "SIGHUP", None)


class Signalled(Exception):
    """A signal ended the run; ``signum`` is its number."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run it in a loop of its own and return its exit code, or that of the signal that ended it.

    It is cancelled by a signal of `ENDING`, and by each further one again: what hangs is hurried.
    """
    return asyncio.run(_until_signalled(main))


async def _until_signalled(main: Coroutine[Any, Any, int]) -> int:
    task = asyncio.create_task(main)
    signals: list[int] = []

    def end(signum: int) -> None:
        signals.append(signum)
        task.cancel()

    with on_signals(ENDING, end):
        try:
            return await task
        except Signalled as signalled:
            return for_signal(signalled.signum)
        except asyncio.CancelledError:
            if not signals:
                raise
            return for_signal(signals[0])


@contextmanager
def on_signals(signums: tuple[int, ...], call: Callable[[int], None]) -> Iterator[None]:
    """Call ``call(signum)`` in the running loop for each of these signals, within the block.

    Blocks may be nested: the inner one gets the signal. Afterwards the outer one does again.
    """
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def arrived(signum: int, frame: object) -> None:
        with suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(call, signum)

    for signum in signums:
        if signum == _SIGHUP and signal.getsignal(signum) is signal.SIG_IGN:
            continue  # nohup: it is to outlive its terminal
        before[signum] = signal.signal(signum, arrived)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
