"""Checks: what a value should be, as plain data of which the tables of this package are made.

`Check.faults` looks at one value and says what is wrong, place by place; ``str(check)`` says in words what is
expected. A field that is not there is looked at as the value `MISSING`, which only `Absent` and `Optional`
accept. What consists of others is in `compound`.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from types import NoneType
from typing import Final

from .faults import MISSING, Fault, Path, found, found_other, one_of

WHOLE = re.ASCII | re.DOTALL
_LEAP_SECOND = re.compile(r"([T ][0-9]{2}(:?)[0-9]{2}\2)60(?![0-9])")
"""ISO 8601 has it, and `datetime` has not."""


class Check:
    """What a value should be."""

    __slots__ = ()

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        """All that is wrong with a value that was found at this place."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Kind(Check):
    """A value of some types. A boolean is no integer."""

    words: str
    types: tuple[type, ...]

    def __str__(self) -> str:
        return self.words

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        is_no_integer = isinstance(value, bool) and int in self.types
        if value is MISSING or is_no_integer or not isinstance(value, self.types):
            yield Fault(path, self.words, found(value))


@dataclass(frozen=True, slots=True)
class OneOf(Check):
    """One of some texts, or of some numbers."""

    values: tuple[str | int, ...]

    def __str__(self) -> str:
        return one_of(self.values)

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not any(type(value) is type(each) and value == each for each in self.values):
            yield Fault(path, str(self), found_other(value, type(self.values[0])))


@dataclass(frozen=True, slots=True)
class Within(Check):
    """An integer with bounds, which are included."""

    low: int
    high: int | None = None

    def __str__(self) -> str:
        return f"an integer from {self.low}" + ("" if self.high is None else f" to {self.high}")

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or value < self.low
            or (self.high is not None and value > self.high)
        ):
            yield Fault(path, str(self), found_other(value, int))


@dataclass(frozen=True, slots=True)
class Matching(Check):
    """A text of a form: a regular expression for the whole of it."""

    words: str
    form: str

    def __str__(self) -> str:
        return self.words

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not isinstance(value, str) or re.fullmatch(self.form, value, WHOLE) is None:
            yield Fault(path, self.words, found_other(value, str))


@dataclass(frozen=True, slots=True)
class Date(Check):
    """A date and time as ISO 8601 writes it."""

    def __str__(self) -> str:
        return "a date and time in ISO 8601"

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not isinstance(value, str) or not _is_moment(value):
            yield Fault(path, str(self), found_other(value, str))


def _is_moment(text: str) -> bool:
    with suppress(ValueError):
        date.fromisoformat(text)
        return False  # a day is no moment
    with suppress(ValueError):
        datetime.fromisoformat(_LEAP_SECOND.sub(r"\g<1>59", text))
        return True
    return False


@dataclass(frozen=True, slots=True)
class Absent(Check):
    """A field that must not be there."""

    def __str__(self) -> str:
        return "nothing"

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if value is not MISSING:
            yield Fault(path, str(self), found(value))


ANYTHING: Final = Kind("something", (object,))
TEXT: Final = Kind("text", (str,))
INTEGER: Final = Kind("an integer", (int,))
COUNT: Final = Within(0)
BOOLEAN: Final = Kind("a boolean", (bool,))
NULL: Final = Kind("null", (NoneType,))
DATE: Final = Date()
ABSENT: Final = Absent()
