"""The ZMQ context that all sockets of this process share, kept while one of them is open."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import zmq

_ZERO_COPY_RECV = 10  # ZMQ_ZERO_COPY_RECV, which pyzmq does not name

TERM_TIMEOUT = 2.0
"""Seconds that closing waits for the context to end; longer than any message lingers."""


@asynccontextmanager
async def opening(close: Callable[[], Awaitable[None]]) -> AsyncGenerator["SharedContext", None]:
    """A context for sockets that are opened within; ``close`` releases it, and is called if that fails.

    ZMQ's errors become `OSError`.
    """
    shared = SharedContext.acquire()
    try:
        yield shared
    except zmq.ZMQError as error:
        await close()
        raise OSError(error.errno, str(error)) from error
    except BaseException:
        await close()
        raise


class SharedContext:
    """A counted hold on the context; `acquire` gives one, and each is released once."""

    _guard = threading.Lock()
    _current: "SharedContext | None" = None

    def __init__(self) -> None:
        self.zmq_context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        # The default of 1,023 sockets would end at the 256th client.
        self.zmq_context.set(zmq.MAX_SOCKETS, self.zmq_context.get(zmq.SOCKET_LIMIT))
        # A message that waits would keep a whole 8 kB receive buffer alive.
        self.zmq_context.set(_ZERO_COPY_RECV, 0)
        self._pid = os.getpid()
        self._users = 0

    @classmethod
    def acquire(cls) -> "SharedContext":
        """The context in use, or a new one: also in a forked process, which must not touch its parent's."""
        with cls._guard:
            if cls._current is None or cls._current._pid != os.getpid():
                cls._current = cls()
            cls._current._users += 1
            return cls._current

    async def release(self) -> None:
        """One user less; after the last, the context ends once its sockets' last messages have left.

        Cancelling it is safe: the context ends in a thread of its own.
        """
        with self._guard:
            self._users -= 1
            if self._users or self._pid != os.getpid():
                return
            if SharedContext._current is self:
                SharedContext._current = None
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def report() -> None:
            if not ended.done():
                ended.set_result(None)

        def end() -> None:
            self.zmq_context.term()
            try:
                loop.call_soon_threadsafe(report)
            except RuntimeError:  # the loop was closed without waiting for us
                return

        # Not a daemon: an exit must not skip the messages that are still leaving.
        threading.Thread(target=end, name="zmq-context-term").start()
        await asyncio.wait([ended], timeout=TERM_TIMEOUT)
