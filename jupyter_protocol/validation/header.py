"""What goes for every message, whatever its type: header, parent header and metadata.

Source: Messaging in Jupyter, "General Message Format".
"""

from collections.abc import Iterator, Mapping
from functools import cache

from ..messages.message import Message
from .checks import DATE, NULL, TEXT, Check, Matching, OneOf
from .compound import OBJECT, By, Either, Fields, Optional
from .faults import Fault, found

VERSION = Matching("a version such as '5.5'", r"\d+(\.\d+)+")

IDENTITY: Mapping[str, Check] = {"msg_id": TEXT, "msg_type": TEXT, "date": DATE}
"""What a message has as soon as it is made."""

STAMP: Mapping[str, Check] = {"session": TEXT, "username": TEXT, "version": VERSION}
"""What a `Session` adds when it serialises the message."""

SUBSHELL: Mapping[str, Check] = {"subshell_id": Optional(Either((TEXT, NULL)))}


def is_stamped(message: Message) -> bool:
    """Whether a message was received, or has anything of what a `Session` adds.

    One that has not was made here, and is to be sent yet.
    """
    header: object = message.header
    return message.size > 0 or not isinstance(header, dict) or any(name in header for name in STAMP)


def header_faults(message: Message) -> Iterator[Fault]:
    """What is wrong with header and metadata."""
    yield from header_check(stamped=is_stamped(message)).faults(message.header, ("header",))
    for fault in OBJECT.faults(message.metadata, ("metadata",)):
        yield Fault(fault.path, fault.expected, fault.found, "Metadata")


def parent_faults(message: Message, msg_type: object, *, known: bool) -> Iterator[Fault]:
    """What is wrong with the parent header. Replies must have one, and a welcome has none.

    That of a reply whose type is ``known`` is the header of the very request.
    """
    parent, path = message.parent_header, ("parent_header",)
    action = msg_type.removesuffix("_reply") if isinstance(msg_type, str) else msg_type
    is_reply = action != msg_type
    if msg_type == "iopub_welcome" and parent:
        yield Fault(path, "an empty object", found(parent), "Welcome message")
    elif is_reply and parent == {}:
        yield Fault(path, "the header of the request", "an empty object", "Parent header")
    elif parent != {}:
        request = f"{action}_request" if is_reply and known else None
        for fault in header_check(stamped=is_stamped(message), request=request).faults(parent, path):
            yield Fault(fault.path, fault.expected, fault.found, "Parent header")


@cache
def header_check(*, stamped: bool, request: str | None = None) -> Check:
    """What a header should be, of any type or of that of one ``request``.

    The specification made ``date`` mandatory in 5.1.
    """
    msg_type = TEXT if request is None else OneOf((request,))
    section = "Message Header"
    made = {**IDENTITY, "msg_type": msg_type, **SUBSHELL}
    if not stamped:
        return Fields({**made, **{name: Optional(check) for name, check in STAMP.items()}}, section)
    sent = {**made, **STAMP}
    old = Fields({**sent, "date": Optional(DATE)}, section)
    return By("version", {"5.0": old, "5.0.0": old}, otherwise=Fields(sent, section))
