"""`Loop`: waits for descriptors and signals, and calls whoever wants to know."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

assert sys.platform != "win32"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 64 * 1024
"""Bytes that are taken from a descriptor at once, before it is another's turn."""


class Loop:
    """Calls back when descriptors can be read or written, one after the other, until it is stopped."""

    def __init__(self) -> None:
        self.stopped = False
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], object]] = {}
        self._writers: dict[int, Callable[[], object]] = {}

    def watch(self, fd: int, reader: Callable[[], object]) -> None:
        """Call back whenever there is something to read, or the end."""
        self._readers[fd] = reader
        self._poll.register(fd, select.POLLIN)

    def when_writable(self, fd: int, writer: Callable[[], object]) -> None:
        """Call back whenever it can be written, as long as that is what `want` says."""
        self._writers[fd] = writer

    def want(self, fd: int, events: int) -> None:
        """Wait for these events of a descriptor from now on; for 0 not even for its end."""
        if events:
            self._poll.register(fd, events)
        else:
            with contextlib.suppress(KeyError):
                self._poll.unregister(fd)

    def forget(self, fd: int) -> None:
        """Wait for it no more, and close it."""
        del self._readers[fd]
        self._poll.unregister(fd)
        os.close(fd)

    def turn(self, timeout: float | None) -> None:
        """Wait, at most so many milliseconds, and call back for what there is."""
        for fd, events in self._poll.poll(timeout):
            if events & ~select.POLLIN and fd in self._writers:
                self._writers[fd]()
            if events & ~select.POLLOUT and fd in self._readers and not self.stopped:
                self._readers[fd]()

    def catch_signals(self, woken: Callable[[], object]) -> None:
        """Call back after signals. Handlers do nothing, rather than SIG_IGN, which programs would inherit."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGTSTP"):
            signal.signal(getattr(signal, name), _nothing)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

        def wake() -> None:
            with contextlib.suppress(BlockingIOError):
                os.read(read_end, CHUNK)
            woken()

        self.watch(read_end, wake)


def _nothing(number: int, frame: object) -> None:
    """Handles a signal by waking the loop, which the wake-up descriptor does."""
