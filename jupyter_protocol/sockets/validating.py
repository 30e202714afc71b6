"""The debug mode of sockets: everything that passes is held against the specification.

What is sent has to be right; what comes in is delivered whatever it is, and told of.
"""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from ..messages.message import Frame, Message
from ..session import DELIMITER, Session
from ..validation import problems
from ..validation.problem import raise_first

log = logging.getLogger(__name__)

VARIABLE = "JUPYTER_PROTOCOL_VALIDATE"
"""The environment variable that switches it on where nobody says otherwise: anything but nothing and 0."""

_PROBLEMS_PER_MESSAGE = 100
_IN_PARENT = ("parent_header.", "parent_header[")


def is_wanted(*, validate: bool | None) -> bool:
    """Whether to validate: as is said, or else as the environment says."""
    return os.environ.get(VARIABLE, "") not in ("", "0") if validate is None else validate


def check_sent(session: Session, frames: Sequence[Frame]) -> None:
    """Raise `InvalidMessage` if these frames, which the session made, are not what the specification says.

    In a parent header there are the peer's own words, repeated as they came: for what is wrong within it
    nobody is blamed who sends it back.
    """
    start = frames.index(DELIMITER) + 2
    unpack = session.packer.unpack
    header, parent_header, metadata, content = (unpack(bytes(part)) for part in frames[start : start + 4])
    sent = Message(content, header, parent_header=parent_header, metadata=metadata)
    raise_first(problem for problem in problems(sent) if not problem.field.startswith(_IN_PARENT))


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
