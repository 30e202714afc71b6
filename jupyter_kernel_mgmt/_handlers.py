"""Who else wants to see messages: handlers, and streams for those who would rather iterate."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self
from weakref import WeakSet

from jupyter_protocol import Message

log = logging.getLogger(__name__)

Handler = Callable[[str, Message], None]
"""Called with the channel's name and a message."""


STREAM_LIMIT = 10_000
"""Messages that wait in a stream for a reader that lags behind."""


class Handlers:
    """Handlers in the order they were added, each for all channels or for some; and streams among them."""

    def __init__(self) -> None:
        self._entries: list[tuple[Handler, frozenset[str] | None]] = []
        self._streams: WeakSet[MessageStream] = WeakSet()
        self._ended = False

    def add(self, handler: Handler, channels: Iterable[str] | None) -> None:
        """Call a handler from now on."""
        self._entries = [*self._entries, (handler, None if channels is None else frozenset(channels))]

    def remove(self, handler: Handler) -> None:
        """Call a handler no longer."""
        self._entries = [entry for entry in self._entries if entry[0] != handler]

    def call(self, channel: str, message: Message) -> None:
        """Call all that want this channel; what one raises is logged and stops nothing."""
        for handler, channels in self._entries:
            if channels is None or channel in channels:
                try:
                    handler(channel, message)
                except Exception:  # somebody else's code
                    log.exception("A handler failed for %r", message)

    def stream(self, channels: Iterable[str], limit: int) -> "MessageStream":
        """A stream of these channels, which has ended already after `end_streams`."""
        stream = MessageStream(self, channels, limit)
        if self._ended:
            stream.end()
        self._streams.add(stream)
        return stream

    def end_streams(self) -> None:
        """End all streams, and those that are yet to be made."""
        self._ended = True
        for stream in list(self._streams):
            stream.end()


class MessageStream:
    """The messages of some channels as an async iterator, from the entering of its context to the leaving.

    At most ``limit`` messages wait for a reader that lags behind; then the oldest are dropped and counted
    in ``dropped``. The stream goes on when the kernel restarts and ends when the client is closed.
    Cancelling a read is safe: the message stays for the next one.
    """

    def __init__(self, handlers: Handlers, channels: Iterable[str], limit: int) -> None:
        self.dropped = 0
        self._handlers = handlers
        self._channels = tuple(channels)
        self._limit = limit
        self._waiting: deque[tuple[str, Message]] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._ended = False

    async def __aenter__(self) -> Self:
        if not self._ended:
            self._handlers.add(self._put, self._channels)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[str, Message]:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            if self._arrival is None:
                self._arrival = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._arrival])
        return self._waiting.popleft()

    def end(self) -> None:
        """Take no more messages; iteration stops after those that wait."""
        self._ended = True
        self._handlers.remove(self._put)
        self._wake()

    def _put(self, channel: str, message: Message) -> None:
        self._waiting.append((channel, message))
        if len(self._waiting) > self._limit:
            self._waiting.popleft()
            self.dropped += 1
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None
