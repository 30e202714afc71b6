"""What kernels write to stdout and stderr, drained by a thread: a busy application stops no kernel."""

import logging
import os
import selectors
import socket
import sys
import threading
from collections import deque
from contextlib import ExitStack, suppress

from .sinks import Sink

log = logging.getLogger(__name__)

TAIL_SIZE = 64 * 1024
"""Bytes of output kept of each kernel."""

_CHUNK = 64 * 1024


class OutputPipe:
    """The reading end of the pipe that is one kernel's stdout and stderr. Owns the descriptor.

    The end of what comes is kept; a ``sink``, which is owned too, gets all of it.
    """

    def __init__(self, fd: int, sink: Sink | None = None) -> None:
        self._fd = fd
        self._sink = sink
        self._guard = threading.RLock()
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        try:
            self._open()
        except BaseException:
            os.close(fd)
            self._close_sink()
            raise

    def tail(self) -> str:
        """The end of the output so far; what is not UTF-8 is replaced."""
        with self._guard:
            return b"".join(self._chunks)[-TAIL_SIZE:].decode(errors="replace")

    def close(self) -> None:
        """Read no more and close the descriptor; the tail stays. May be called again."""
        with self._guard:
            if not self._closed:
                self._closed = True
                os.close(self._fd)
                self._close_sink()

    def _open(self) -> None:
        """Have a thread read it."""
        raise NotImplementedError

    def _add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= TAIL_SIZE:
            self._size -= len(self._chunks.popleft())
        if self._sink is not None:
            try:
                self._sink.write(chunk)
            except Exception as error:  # noqa: BLE001 - a full disk, a closed terminal: the kernel goes on
                log.error("A kernel's output goes no further: %s", error)
                self._close_sink()

    def _close_sink(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            with suppress(OSError):
                sink.close()


class SharedThreadPipe(OutputPipe):
    """Read by a thread that is shared by all kernels of this process. POSIX: Windows cannot select pipes."""

    def _open(self) -> None:
        if sys.platform != "win32":
            os.set_blocking(self._fd, False)
        _Drain.watch(self)

    def fileno(self) -> int:
        """The descriptor, as selectors want it."""
        return self._fd

    def tail(self) -> str:
        """Also what the thread has not come to yet."""
        self.read_available()
        return super().tail()

    def read_available(self) -> bool:
        """Take what is in the pipe, without waiting. False when nothing will ever come again."""
        with self._guard:
            # Bounded, so that a kernel that writes without end keeps no reader from returning.
            for _ in range(64):
                if self._closed:
                    return False
                try:
                    chunk = os.read(self._fd, _CHUNK)
                except BlockingIOError:
                    return True
                except OSError:
                    return False
                if not chunk:
                    return False
                self._add(chunk)
            return True

    def close(self) -> None:
        _Drain.forget(self)
        super().close()


class OwnThreadPipe(OutputPipe):
    """Read by a thread of its own, which ends when nobody can write any more. For Windows.

    What was written in the last moment before the tail is asked for may be missing from it.
    """

    def _open(self) -> None:
        threading.Thread(target=self._run, name="kernel-output", daemon=True).start()

    def close(self) -> None:
        """The thread closes the descriptor, in which it may be waiting."""
        with self._guard:
            self._closed = True
            self._close_sink()

    def _run(self) -> None:
        with suppress(OSError):
            while chunk := os.read(self._fd, _CHUNK):
                with self._guard:
                    if not self._closed:
                        self._add(chunk)
        os.close(self._fd)


def open_output(fd: int, sink: Sink | None = None) -> OutputPipe:
    """The reading end of a kernel's output, in the way this system allows. Owns both, also if it fails."""
    return OwnThreadPipe(fd, sink) if sys.platform == "win32" else SharedThreadPipe(fd, sink)


class _Drain:
    """The thread that reads all pipes; it starts with the first and ends with the last."""

    _guard = threading.Lock()
    _running: "_Drain | None" = None

    def __init__(self) -> None:
        self._pipes: dict[int, SharedThreadPipe] = {}
        with ExitStack() as stack:
            self._selector = stack.enter_context(selectors.DefaultSelector())
            self._waker_read, self._waker_write = map(stack.enter_context, socket.socketpair())
            self._resources = stack.pop_all()
        self._waker_read.setblocking(False)
        self._waker_write.setblocking(False)
        self._selector.register(self._waker_read, selectors.EVENT_READ)
        self._pid = os.getpid()

    @classmethod
    def watch(cls, pipe: SharedThreadPipe) -> None:
        with cls._guard:
            drain = cls._running
            if drain is None or drain._pid != os.getpid():
                drain = cls()
                drain._add(pipe)
                try:
                    threading.Thread(target=drain._run, name="kernel-output", daemon=True).start()
                except BaseException:
                    drain._resources.close()
                    raise
                cls._running = drain
            else:
                drain._add(pipe)
                drain._wake()

    @classmethod
    def forget(cls, pipe: SharedThreadPipe) -> None:
        with cls._guard:
            drain = cls._running
            if drain is not None and drain._pipes.get(pipe.fileno()) is pipe:
                drain._remove(pipe)
                drain._wake()

    def _add(self, pipe: SharedThreadPipe) -> None:
        self._selector.register(pipe, selectors.EVENT_READ)
        self._pipes[pipe.fileno()] = pipe

    def _remove(self, pipe: SharedThreadPipe) -> None:
        del self._pipes[pipe.fileno()]
        with suppress(KeyError, ValueError):
            self._selector.unregister(pipe)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full: it is about to wake up anyway
            self._waker_write.send(b"\0")

    def _run(self) -> None:
        with self._resources:
            while True:
                ready = [key.fileobj for key, _ in self._selector.select()]
                with suppress(BlockingIOError):
                    self._waker_read.recv(4096)
                for pipe in ready:
                    if isinstance(pipe, SharedThreadPipe) and not pipe.read_available():
                        self.forget(pipe)
                with self._guard:
                    if not self._pipes:
                        if _Drain._running is self:
                            _Drain._running = None
                        return
