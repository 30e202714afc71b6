"""`Message`: one Jupyter message in memory, and the making of new ones."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from time import time_ns
from typing import Any, TypedDict, Unpack

Frame = bytes | bytearray | memoryview
"""One frame as it travels: anything that offers a contiguous buffer."""

JSONDict = dict[str, Any]
"""A JSON object: what every one of the four parts of a message is."""


class Message:
    """One message: four dicts kept verbatim, and raw buffers.

    ``header``, ``parent_header``, ``metadata`` and ``content`` are the very dicts given or received;
    unknown fields survive, and a kernel can echo a parent header it does not understand.
    ``buffers`` is a list of bytes-like objects; ``idents`` the ZMQ routing frames, empty on a client.
    ``size`` is the number of bytes that content and buffers took on the wire, 0 for a message made here.

    Source: Messaging in Jupyter, "General Message Format".
    """

    __slots__ = ("buffers", "content", "header", "idents", "metadata", "parent_header", "size")

    def __init__(
        self,
        content: JSONDict,
        header: JSONDict,
        *,
        parent_header: JSONDict | None = None,
        metadata: JSONDict | None = None,
        buffers: Sequence[Frame] | None = None,
        idents: Sequence[bytes] | None = None,
        size: int = 0,
    ) -> None:
        self.content = content
        self.header = header
        self.parent_header: JSONDict = {} if parent_header is None else parent_header
        self.metadata: JSONDict = {} if metadata is None else metadata
        self.buffers: list[Frame] = [] if buffers is None else list(buffers)
        self.idents: list[bytes] = [] if idents is None else list(idents)
        self.size = size

    @property
    def msg_id(self) -> str:
        """The identifier of this message, unique within its session."""
        value: str = self.header["msg_id"]
        return value

    @property
    def msg_type(self) -> str:
        """The type, for instance ``"execute_request"``."""
        value: str = self.header["msg_type"]
        return value

    @property
    def session(self) -> str | None:
        """The session that sent the message, or None before a `Session` filled it in."""
        return _text(self.header.get("session"))

    @property
    def parent_id(self) -> str | None:
        """The ``msg_id`` of the message that caused this one, or None."""
        return _text(self.parent_header.get("msg_id"))

    @property
    def date(self) -> datetime | None:
        """The time stamp of the header, aware where it names its zone; None if missing or unreadable."""
        text = self.header.get("date")
        try:
            return datetime.fromisoformat(text) if isinstance(text, str) else None
        except ValueError:
            return None

    def __repr__(self) -> str:
        buffers = f", {len(self.buffers)} buffers" if self.buffers else ""
        kind, msg_id = self.header.get("msg_type"), self.header.get("msg_id")
        return f"<Message {kind} {msg_id} parent={self.parent_id}{buffers}>"


_blank = object.__new__


def assemble(
    content: JSONDict,
    header: JSONDict,
    parent_header: JSONDict,
    metadata: JSONDict,
    buffers: list[Frame],
    idents: list[bytes],
    size: int = 0,
) -> Message:
    """A message of parts that are whole and nobody else's, in half the time that its class takes."""
    message = _blank(Message)
    message.content = content
    message.header = header
    message.parent_header = parent_header
    message.metadata = metadata
    message.buffers = buffers
    message.idents = idents
    message.size = size
    return message


class Envelope(TypedDict, total=False):
    """What every constructor takes besides a message's own fields.

    ``parent`` is the message that causes this one; a reply is also addressed to its sender. ``metadata``
    and ``buffers`` go into the message. ``subshell_id`` asks a kernel for that subshell (JEP 91).
    """

    parent: Message | None
    metadata: JSONDict | None
    buffers: Sequence[Frame] | None
    subshell_id: str | None


def new_message(
    msg_type: str,
    content: JSONDict,
    *,
    parent: Message | None = None,
    metadata: JSONDict | None = None,
    buffers: Sequence[Frame] | None = None,
    subshell_id: str | None = None,
) -> Message:
    """Make a message of any type: ``msg_id``, ``msg_type`` and ``date`` are set here.

    ``session``, ``username`` and ``version`` are added to a copy by `Session.serialize`.
    """
    header = {"msg_id": new_msg_id(), "msg_type": msg_type, "date": utc_now()}
    if subshell_id is not None:
        header["subshell_id"] = subshell_id
    return assemble(
        content,
        header,
        {} if parent is None else parent.header,
        {} if metadata is None else metadata,
        list(buffers) if buffers else [],
        [],
    )


def make(msg_type: str, content: JSONDict, envelope: Envelope) -> Message:
    """`new_message` for constructors: what they mostly get is a parent alone, which takes less time."""
    parent = envelope.get("parent")
    if len(envelope) > (parent is not None):
        return new_message(msg_type, content, **envelope)
    message = _blank(Message)  # not by `assemble`: a call takes a tenth of the time of all this
    message.content = content
    message.header = {"msg_id": new_msg_id(), "msg_type": msg_type, "date": utc_now()}
    message.parent_header = {} if parent is None else parent.header
    message.metadata = {}
    message.buffers = []
    message.idents = []
    message.size = 0
    return message


def new_reply(msg_type: str, content: JSONDict, **envelope: Unpack[Envelope]) -> Message:
    """Like `new_message`, and addressed to the sender of ``parent``."""
    message = make(msg_type, content, envelope)
    parent = envelope.get("parent")
    if parent is not None:
        message.idents = list(parent.idents)
    return message


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class _Ids:
    """Message ids: a random prefix of this process and a count, so that making one costs no entropy."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.prefix = os.urandom(16).hex()
        self.count = count(1)

    def next(self) -> str:
        return f"{self.prefix}_{next(self.count)}"


_ids = _Ids()
new_msg_id = _ids.next
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ids.renew)


class _Clock:
    """ISO 8601 time stamps in UTC with microseconds; all but the last three digits are kept for a while."""

    def __init__(self) -> None:
        self.cached = (-1000, "")  # the microsecond in which a millisecond began, and the text of that one
        self._endings = [f"{number:03d}Z" for number in range(1000)]

    def now(self) -> str:
        microseconds = time_ns() // 1000
        start, text = self.cached
        if not start <= microseconds < start + 1000:
            millisecond = microseconds // 1000
            moment = datetime.fromtimestamp(millisecond // 1000, UTC)
            text = f"{moment:%Y-%m-%dT%H:%M:%S}.{millisecond % 1000:03d}"
            start = millisecond * 1000
            self.cached = (start, text)
        return text + self._endings[microseconds - start]


utc_now = _Clock().now
