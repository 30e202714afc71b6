"""`OutputLog`: the output messages of one execution, in bounded memory. Pure."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from jupyter_protocol import Message

from ._budget import OutputBudget
from ._outputs import display_id

MESSAGE_OVERHEAD = 2048
"""Bytes that are counted for each message besides its content and buffers: what it takes in memory."""

STREAM_FIELDS = 64
"""Bytes that are more than a stream message's content takes besides its text."""


SHORT_TEXT = 1000
"""Characters of a text that is not worth cutting."""


@dataclass(frozen=True, slots=True)
class OutputDropped:
    """In the place of ``count`` messages that went over the output limit."""

    count: int


class OutputLog:
    """Keeps messages up to a number of bytes: half of it from the beginning, the other half from the end.

    What lies between is left out and counted; the last message is kept however large it is, text excepted.
    What an update that was left out did to a display of the beginning is kept, in no more room than the end.
    Beyond that, the ``budget`` of all logs together may leave out more. ``limit`` None keeps everything,
    and takes no part in the budget.
    """

    def __init__(self, limit: int | None, budget: OutputBudget | None = None) -> None:
        self.dropped = 0
        self.size = 0
        self._tail_size = 0
        self._budget = OutputBudget(None) if budget is None or limit is None else budget
        self._head_room = None if limit is None else limit // 2
        self._tail_limit = None if limit is None else limit - limit // 2
        self._head: list[Message] = []
        self._tail: deque[tuple[Message, int]] = deque()
        self._shown_in_head: set[str] = set()
        self._cleared: Message | None = None
        self._updates: dict[str, Message] = {}
        self._updates_size = 0
        self._budget.join(self)

    @property
    def end(self) -> int:
        """The position after the last message, counting those that were left out."""
        return len(self._head) + self.dropped + len(self._tail)

    def append(self, message: Message) -> None:
        """Add a message; the oldest of the tail make room for it, here or in a greedier log.

        Text that is longer than all the room there is loses its middle.
        """
        if self._tail_limit is not None and (text := _long_text(message, self._tail_limit)):
            self._append_ends(message, text, self._tail_limit)
        else:
            self._append(message)

    def _append(self, message: Message) -> None:
        size = size_of(message)
        self._count(size)
        if self._fits_head(size):
            if self._head_room is not None:
                self._head_room -= size
            self._head.append(message)
            if shown := display_id(message.content):
                self._shown_in_head.add(shown)
            return
        self._tail.append((message, size))
        self._tail_size += size
        while self._tail_limit is not None and self._tail_size > self._tail_limit and len(self._tail) > 1:
            self._drop_from_tail()
        self._budget.enforce()

    def _append_ends(self, message: Message, text: str, tail_limit: int) -> None:
        beginning = _fitting(text, self._head_room or 0)
        if beginning and self._head_is_open:
            self._append(_with_text(message, text[:beginning]))
            text = text[beginning:]
        while self._tail:
            self._drop_from_tail()
        end = max(_fitting(text, tail_limit), SHORT_TEXT)
        if len(text) > end:
            self.dropped += 1
        if text:
            self._append(_with_text(message, text[-end:]))

    def drop_one(self) -> bool:
        """Leave out a message beside the gap: of head and tail, the longer. False where nothing is left."""
        if len(self._tail) > 1 and 2 * self._tail_size > self.size:
            self._drop_from_tail()
        elif self._head:
            message = self._head.pop()
            self._drop(message, size_of(message), newest=False)
        elif self._tail:
            self._drop_from_tail()
        elif self._updates:
            self._forget_update()
        else:
            return False
        return True

    def close(self) -> None:
        """Nothing more is to come: what is kept no longer counts in the budget."""
        self._budget.leave(self)

    def read(self, position: int) -> tuple[Message | OutputDropped, int]:
        """What is at a position below `end`, and the position after it."""
        if position < len(self._head):
            return self._head[position], position + 1
        tail_start = len(self._head) + self.dropped
        if position < tail_start:
            return OutputDropped(tail_start - position), tail_start
        return self._tail[position - tail_start][0], position + 1

    def kept(self) -> list[Message]:
        """What makes the outputs, in order: messages that were kept, and those whose effect outlives them."""
        tail = [message for message, _ in self._tail]
        if self._cleared is not None:
            return [self._cleared, *tail]
        return [*self._head, *self._updates.values(), *tail]

    def _fits_head(self, size: int) -> bool:
        room = self._head_room is None or size <= self._head_room
        return room and self._head_is_open and not self._budget.exceeded

    @property
    def _head_is_open(self) -> bool:
        return not self._tail and not self.dropped

    def _drop_from_tail(self) -> None:
        message, size = self._tail.popleft()
        self._tail_size -= size
        self._drop(message, size, newest=True)

    def _drop(self, message: Message, size: int, *, newest: bool) -> None:
        """Leave out a message, but do not undo what it did to those before it."""
        self.dropped += 1
        self._count(-size)
        if self._cleared is not None:
            return
        if message.msg_type == "clear_output":
            self._cleared = message
            while self._updates:
                self._forget_update()
        elif message.msg_type == "update_display_data":
            shown = display_id(message.content)
            if shown in self._shown_in_head and (newest or shown not in self._updates):
                self._keep_update(shown, message, size)

    def _keep_update(self, shown: str, message: Message, size: int) -> None:
        """In the place of an older one; all that are kept may take as much as the tail."""
        if shown in self._updates:
            self._forget_update(shown)
        self._updates[shown] = message
        self._updates_size += size
        self._count(size)
        while (
            self._tail_limit is not None and self._updates_size > self._tail_limit and len(self._updates) > 1
        ):
            self._forget_update()

    def _forget_update(self, shown: str | None = None) -> None:
        """That of one display, or the oldest: what it showed remains as it was before."""
        message = self._updates.pop(next(iter(self._updates)) if shown is None else shown)
        self._updates_size -= size_of(message)
        self._count(-size_of(message))

    def _count(self, size: int) -> None:
        self.size += size
        self._budget.used += size


def size_of(message: Message) -> int:
    """The bytes of content and buffers, as they came or else estimated, and the overhead."""
    size = message.size or _estimate(message.content) + sum(len(buffer) for buffer in message.buffers)
    return size + MESSAGE_OVERHEAD


def _long_text(message: Message, limit: int) -> str:
    """The text of a stream message that is over a limit by itself; else none."""
    text = message.content.get("text") if message.msg_type == "stream" else None
    return text if isinstance(text, str) and len(text) > max(_fitting(text, limit), SHORT_TEXT) else ""


def _fitting(text: str, room: int) -> int:
    """How many characters of a text take no more than that room as a message."""
    width = 1 if text.isascii() else 4
    return max(room - MESSAGE_OVERHEAD - STREAM_FIELDS, 0) // width


def _with_text(message: Message, text: str) -> Message:
    content = {**message.content, "text": text}
    return Message(content, message.header, parent_header=message.parent_header, metadata=message.metadata)


def _estimate(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(key)) + _estimate(inner) for key, inner in value.items())
    if isinstance(value, list):
        return sum(map(_estimate, value))
    return 8
