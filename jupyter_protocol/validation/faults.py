"""`Fault`: one place where a value is not what it should be, in words.

What a fault says of a value is its type and no more, since values may be long, and secret.
"""

from dataclasses import dataclass
from types import NoneType
from typing import Final

Path = tuple[str, ...]
"""A place: ``("content", ".data", "['text/plain']")``. What stands in brackets depends on the message."""

_LONGEST_NAME = 60
_WORDS: dict[type, str] = {
    NoneType: "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "an object",
    bytes: "bytes",
}


class Missing:
    """The type of `MISSING`."""

    __slots__ = ()


MISSING: Final = Missing()
"""In the place of a field that is not there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was expected at a place and what was found; ``section`` where the check itself knows it."""

    path: Path
    expected: str
    found: str
    section: str = ""


def found(value: object) -> str:
    """The type of a value in the words of JSON."""
    if value is MISSING:
        return "nothing"
    return _WORDS.get(type(value), type(value).__name__)


def found_other(value: object, kind: type) -> str:
    """The same, and for a value of the right type that it is the wrong one."""
    words = found(value)
    if type(value) is not kind:
        return words
    return f"another {words.removeprefix('an ').removeprefix('a ')}"


def one_of(values: tuple[str | int, ...]) -> str:
    """Some values: ``'a', 'b' or 'c'``."""
    *others, last = (str(value).lower() if isinstance(value, bool) else repr(value) for value in values)
    return f"{', '.join(others)} or {last}" if others else last


def bracketed(name: object) -> str:
    """A name from a message as a step of a path; a long one is cut, and nothing in it breaks a line."""
    shown = ascii(name)
    return f"[{shown if len(shown) <= _LONGEST_NAME else f'{shown[:_LONGEST_NAME]}...'}]"
