"""`Rule`: what the specification says of one message type; and what it says of all replies."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..messages.message import Message
from .checks import ABSENT, TEXT, Check
from .compound import TEXTS, By, Fields
from .faults import Fault

SPECIFICATION = "Messaging in Jupyter"


@dataclass(frozen=True, slots=True)
class Rule:
    """What the content of a message should be, and which section of which document says so.

    ``also`` looks at what no field tells alone, in messages that are right field by field.
    """

    section: str
    content: Check
    also: Callable[[Message], Iterator[Fault]] | None = None
    document: str = SPECIFICATION


ABORTED = ("aborted", "abort")
"""The one word is in "Execution results", the other in "Request-Reply"."""

FAILURE: Mapping[str, Check] = {"ename": TEXT, "evalue": TEXT, "traceback": TEXTS}
"""What is told of an error, in replies and elsewhere."""


def reply(
    fields: Mapping[str, Check],
    *,
    always: Mapping[str, Check] | None = None,
    missing: str | None = None,
) -> By:
    """The content of a reply: ``fields`` when its status is "ok", ``always`` whatever its status.

    A reply without status counts as one with the status ``missing``; None: it has to have one. A failed reply
    has what tells of the error; an aborted one has no more, and calls itself "aborted" or "abort".
    """
    return by_status({"ok": fields}, always=always, missing=missing)


def by_status(
    successes: Mapping[str, Mapping[str, Check]],
    *,
    always: Mapping[str, Check] | None = None,
    missing: str | None = None,
) -> By:
    """The same for replies whose status says more than "ok"."""
    always = always or {}
    section = "Request-Reply"
    known = [name for fields in successes.values() for name in fields]
    cases: dict[str | bool, Check] = {
        status: Fields({**always, **fields}) for status, fields in successes.items()
    }
    cases["error"] = Fields({**always, **FAILURE}, section)
    aborted = Fields({**dict.fromkeys((*known, *FAILURE), ABSENT), **always}, section)
    cases |= dict.fromkeys(ABORTED, aborted)
    return By("status", cases, missing=missing, section=section)
