"""Every message type's rule, and what is found when a message is held against its own."""

from collections.abc import Iterator
from itertools import chain

from ..messages.message import JSONDict, Message
from .comm import COMM
from .compound import OBJECT
from .control import CONTROL
from .debug import DEBUG
from .faults import Fault
from .handshake import HANDSHAKE, REGISTRATION
from .header import header_faults, parent_faults
from .iopub import IOPUB
from .problem import Problem
from .rules import Rule
from .shell import SHELL
from .stdin import STDIN

RULES: dict[str, Rule] = {**SHELL, **CONTROL, **DEBUG, **IOPUB, **STDIN, **COMM, **HANDSHAKE}
"""What there is to say of each message type that the specification knows."""

_CUSTOM = Rule("Content", OBJECT)
_LONGEST_TYPE = 60


def message_problems(message: Message) -> Iterator[Problem]:
    """All that is wrong with a message."""
    header: object = message.header
    msg_type = header.get("msg_type") if isinstance(header, dict) else None
    rule = RULES.get(msg_type) if isinstance(msg_type, str) else None
    for fault in _faults(message, msg_type, rule):
        if rule is None:
            yield _problem(fault, _CUSTOM, _shown(msg_type), "custom message")
        else:
            yield _problem(fault, rule, str(msg_type), str(msg_type))


def registration_problems(content: JSONDict) -> Iterator[Problem]:
    """All that is wrong with what a kernel registers with in the standard dialect."""
    for fault in REGISTRATION.content.faults(content, ("content",)):
        yield _problem(fault, REGISTRATION, "registration", "registration")


def _faults(message: Message, msg_type: object, rule: Rule | None) -> Iterator[Fault]:
    rule, known = rule or _CUSTOM, rule is not None
    right = True
    for fault in chain(
        header_faults(message),
        parent_faults(message, msg_type, known=known),
        rule.content.faults(message.content, ("content",)),
    ):
        right = False
        yield fault
    if right and rule.also is not None:
        yield from rule.also(message)


def _problem(fault: Fault, rule: Rule, msg_type: str, kind: str) -> Problem:
    place = "".join("[*]" if step.startswith("[") else step for step in fault.path)
    return Problem(
        msg_type=msg_type,
        field="".join(fault.path),
        expected=fault.expected,
        found=fault.found,
        section=f'{rule.document}, "{fault.section or rule.section}"',
        kind=f"{kind} {place}",
    )


def _shown(msg_type: object) -> str:
    """A type that nobody knows, in one short line."""
    if not isinstance(msg_type, str):
        return "message"
    text = msg_type if msg_type.isascii() and msg_type.isidentifier() else ascii(msg_type)
    return text if len(text) <= _LONGEST_TYPE else f"{text[:_LONGEST_TYPE]}..."
