"""`OutputLog`: the output messages of one execution, in bounded memory. Pure."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from jupyter_protocol import Message


@dataclass(frozen=True, slots=True)
class OutputDropped:
    """In the place of ``count`` messages that went over the output limit."""

    count: int


class OutputLog:
    """Keeps messages up to a number of bytes: half of it from the beginning, the other half from the end.

    What lies between is left out and counted. ``limit`` None keeps everything.
    """

    def __init__(self, limit: int | None) -> None:
        self._head_room = None if limit is None else limit // 2
        self._tail_limit = 0 if limit is None else limit - limit // 2
        self._head: list[Message] = []
        self._tail: deque[tuple[Message, int]] = deque()
        self._tail_size = 0
        self.dropped = 0

    @property
    def end(self) -> int:
        """The position after the last message, counting those that were left out."""
        return len(self._head) + self.dropped + len(self._tail)

    def append(self, message: Message) -> None:
        """Add a message; the oldest of the tail make room for it."""
        if self._head_room is None:
            self._head.append(message)
            return
        size = size_of(message)
        if not self._tail and not self.dropped and size <= self._head_room:
            self._head_room -= size
            self._head.append(message)
            return
        self._tail.append((message, size))
        self._tail_size += size
        while self._tail_size > self._tail_limit and len(self._tail) > 1:
            self._tail_size -= self._tail.popleft()[1]
            self.dropped += 1

    def read(self, position: int) -> tuple[Message | OutputDropped, int]:
        """What is at a position below `end`, and the position after it."""
        if position < len(self._head):
            return self._head[position], position + 1
        tail_start = len(self._head) + self.dropped
        if position < tail_start:
            return OutputDropped(tail_start - position), tail_start
        return self._tail[position - tail_start][0], position + 1

    def kept(self) -> list[Message]:
        """All messages that were kept, in order."""
        return [*self._head, *(message for message, _ in self._tail)]


def size_of(message: Message) -> int:
    """The bytes of a message's content and buffers: as they came, or estimated for one made here."""
    return message.size or _estimate(message.content) + sum(len(buffer) for buffer in message.buffers)


def _estimate(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(key)) + _estimate(inner) for key, inner in value.items())
    if isinstance(value, list):
        return sum(map(_estimate, value))
    return 8
