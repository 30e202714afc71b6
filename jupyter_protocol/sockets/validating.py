"""The debug mode of sockets: everything that passes is held against the specification.

What is sent has to be right; what comes in is delivered whatever it is, and told of.
"""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from ..messages.message import Message
from ..session import DELIMITER, PROTOCOL_VERSION, Session
from ..validation import problems, validate

log = logging.getLogger(__name__)

VARIABLE = "JUPYTER_PROTOCOL_VALIDATE"
"""The environment variable that switches it on where nobody says otherwise: anything but nothing and 0."""

_PROBLEMS_PER_MESSAGE = 100


def is_wanted(*, validate: bool | None) -> bool:
    """Whether to validate: as is said, or else as the environment says."""
    return os.environ.get(VARIABLE, "") not in ("", "0") if validate is None else validate


def check_sent(session: Session, message: Message) -> None:
    """Raise `InvalidMessage` if what the session makes of this is not what the specification says."""
    stamp = {"session": session.session_id, "username": session.username, "version": PROTOCOL_VERSION}
    validate(
        Message(
            message.content,
            {**stamp, **message.header},
            parent_header=message.parent_header,
            metadata=message.metadata,
        )
    )


def note_received(
    session: Session,
    channel: str,
    message: Message,
    frames: Sequence[bytes],
    known: Counter[str],
) -> None:
    """Count the kinds of problems of a received message in ``known``, and log the first of each kind."""
    for problem in islice(problems(_as_sent(session, message, frames)), _PROBLEMS_PER_MESSAGE):
        known[problem.kind] += 1
        if known[problem.kind] == 1:
            log.warning(
                "Not as specified, on %s: %s (further ones of this kind are only counted)", channel, problem
            )


def _as_sent(session: Session, message: Message, frames: Sequence[bytes]) -> Message:
    """The message with null where the session read that as an empty object."""
    start = frames.index(DELIMITER) + 2
    parent_header, metadata = (
        value or session.packer.unpack(frame)
        for value, frame in zip(
            (message.parent_header, message.metadata), frames[start + 1 : start + 3], strict=True
        )
    )
    sent = Message(message.content, message.header, size=message.size)
    sent.parent_header, sent.metadata = parent_header, metadata
    return sent
