"""Watch messages as they pass, with secrets left out: for people who debug kernels.

A trace is a callable that takes a `TraceEntry`: ``client.trace = log_trace``, or ``launch(trace=print)``.
It sees what is sent before it is packed, and what is received before anybody acts on it.

Left out are the answers to the kernel's questions (``input_reply``), all but harmless fields of handshakes,
and the keys of connection files, should one be shown. Keys of the connection itself are in no message.
What code, its output and comms hold is shown as it is.
"""

import json
import logging
import os
import reprlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Literal

from jupyter_protocol import Message

log = logging.getLogger(__name__)
wire_log = logging.getLogger("jupyter_kernel_mgmt.wire")

SECRET = "<secret>"  # noqa: S105 - what is shown in the place of one
"""In the place of a secret."""

LINE_LIMIT = 1000
"""Characters of a line that `log_trace` writes."""

Direction = Literal["sent", "received"]

_HANDSHAKE_FIELDS = frozenset(
    {"status", "kernel_id", "ip", "transport", "signature_scheme"}
    | {f"{channel}_port" for channel in ("shell", "iopub", "stdin", "control", "hb", "registration")}
)


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One message that passed, at ``time`` (seconds since the epoch, as `time.time`).

    ``content`` and ``metadata`` are copies without secrets. ``parent_id`` is the id of the message that
    caused this one. ``session`` is that of the sender; None for what we send, since it is filled in below
    the client. ``buffers`` are the sizes of the buffers, in bytes.
    """

    time: float
    direction: Direction
    channel: str
    msg_type: str
    msg_id: str
    parent_id: str | None
    session: str | None
    metadata: dict[str, Any]
    content: dict[str, Any]
    buffers: tuple[int, ...]


WireTrace = Callable[[TraceEntry], None]
"""Called on the loop for each message, in order; it should be quick. What it raises is logged once."""


class Tracer:
    """Shows messages to a `WireTrace`. The client has one while it is traced, and None otherwise."""

    def __init__(self, trace: WireTrace) -> None:
        self.trace = trace
        self._failed = False

    def show(self, direction: Direction, channel: str, message: Message) -> None:
        """Show a message. Raises nothing: the first error of a trace is logged, and it is called again."""
        try:
            self.trace(make_entry(direction, channel, message))
        except Exception:  # somebody else's code
            if not self._failed:
                log.exception("The wire trace %r failed; this is logged once", self.trace)
            self._failed = True


def make_entry(direction: Direction, channel: str, message: Message) -> TraceEntry:
    """What a trace is told of a message."""
    return TraceEntry(
        time=time.time(),
        direction=direction,
        channel=channel,
        msg_type=message.msg_type,
        msg_id=message.msg_id,
        parent_id=message.parent_id,
        session=message.session,
        metadata=_without_keys(message.metadata),
        content=_shown_content(message.msg_type, message.content),
        buffers=tuple(memoryview(buffer).nbytes for buffer in message.buffers),
    )


def log_trace(entry: TraceEntry) -> None:
    """Log an entry in one line of at most `LINE_LIMIT` characters, as ``jupyter_kernel_mgmt.wire``, DEBUG."""
    if wire_log.isEnabledFor(logging.DEBUG):
        wire_log.debug("%s", format_entry(entry))


def format_entry(entry: TraceEntry) -> str:
    """An entry as one readable line; long contents are shortened, and nothing in them can break the line."""
    parts = [
        f"{entry.direction:8} {entry.channel:7} {_printable(entry.msg_type)} {_printable(entry.msg_id)}",
        f"(of {_printable(entry.parent_id)})" if entry.parent_id else "",
        _short.repr(entry.content),
        f"+ buffers of {', '.join(map(str, entry.buffers))} bytes" if entry.buffers else "",
    ]
    line = " ".join(part for part in parts if part)
    return line if len(line) <= LINE_LIMIT else f"{line[: LINE_LIMIT - 3]}..."


@contextmanager
def trace_to_file(path: str | os.PathLike[str]) -> Iterator[WireTrace]:
    """Within this context, a `WireTrace` that writes each entry as one line of JSON; later ones are left out.

    The file must not exist yet (`FileExistsError`) and is readable by its owner alone. Writing blocks the
    loop for as long as the disk takes.
    """
    with open(path, "x", encoding="ascii", buffering=1, opener=_open_private) as file:

        def write(entry: TraceEntry) -> None:
            if not file.closed:
                values = {field.name: getattr(entry, field.name) for field in fields(entry)}
                file.write(json.dumps(values, default=repr) + "\n")

        yield write


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _shown_content(msg_type: str, content: dict[str, Any]) -> dict[str, Any]:
    """A copy of a content without secrets."""
    if msg_type == "input_reply":
        return {name: value if name == "status" else SECRET for name, value in content.items()}
    if msg_type.startswith("handshake_"):
        return {name: value if name in _HANDSHAKE_FIELDS else SECRET for name, value in content.items()}
    shown: dict[str, Any] = _without_keys(content)
    return shown


def _without_keys(value: Any) -> Any:
    """A copy of a JSON value, in which what looks like a connection file has no keys."""
    if isinstance(value, dict):
        secret = {"curve_secretkey", "key"} if "signature_scheme" in value else {"curve_secretkey"}
        return {name: SECRET if name in secret else _without_keys(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_keys(inner) for inner in value]
    return value


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _shortener() -> reprlib.Repr:
    """Shows a part of each value, so that a large content costs little; `repr` escapes what is no text."""
    short = reprlib.Repr()
    short.maxlevel, short.maxdict, short.maxlist = 6, 12, 6
    short.maxstring = short.maxother = 200
    return short


_short = _shortener()
