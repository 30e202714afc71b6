"""Checks that consist of others: lists, objects, and what may be one thing or another."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from .checks import ANYTHING, TEXT, WHOLE, Check
from .faults import MISSING, Fault, Path, bracketed, found, found_other, one_of


@dataclass(frozen=True, slots=True)
class Optional(Check):
    """A field that may be missing."""

    check: Check

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if value is not MISSING:
            yield from self.check.faults(value, path)


@dataclass(frozen=True, slots=True)
class Either(Check):
    """What passes one of some checks."""

    checks: tuple[Check, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.checks))

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if all(any(True for _ in check.faults(value, path)) for check in self.checks):
            yield Fault(path, str(self), found(value))


@dataclass(frozen=True, slots=True)
class ListOf(Check):
    """A list whose items all pass a check. A tuple is one too: it is packed as a list."""

    item: Check

    def __str__(self) -> str:
        return "a list"

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not isinstance(value, list | tuple):
            yield Fault(path, str(self), found(value))
            return
        for number, item in enumerate(value):
            yield from self.item.faults(item, (*path, f"[{number}]"))


@dataclass(frozen=True, slots=True)
class Row(Check):
    """A list with as many items as there are checks, each of which passes its own."""

    items: tuple[Check, ...]

    def __str__(self) -> str:
        return f"a list of {len(self.items)}"

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not isinstance(value, list | tuple) or len(value) != len(self.items):
            yield Fault(path, str(self), found_other(value, list))
            return
        for number, (check, item) in enumerate(zip(self.items, value, strict=True)):
            yield from check.faults(item, (*path, f"[{number}]"))


@dataclass(frozen=True, slots=True)
class ObjectOf(Check):
    """An object with any number of names, described by ``names``.

    The first of ``forms``, regular expressions for the whole of a name, says what belongs to it.
    """

    forms: Mapping[str, Check]
    names: str = "text"

    def __str__(self) -> str:
        return "an object"

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield Fault(path, str(self), found(value))
            return
        for name, item in value.items():
            at = (*path, bracketed(name))
            check = self._for(name) if isinstance(name, str) else None
            if check is None:
                yield Fault(at, f"{self.names} as its name", f"{found_other(name, str)} as its name")
            else:
                yield from check.faults(item, at)

    def _for(self, name: str) -> Check | None:
        fitting = (check for form, check in self.forms.items() if re.fullmatch(form, name, WHOLE))
        return next(fitting, None)


@dataclass(frozen=True, slots=True)
class Fields(Check):
    """An object with these fields, and maybe others. ``section`` is where the specification says so."""

    fields: Mapping[str, Check]
    section: str = ""

    def __str__(self) -> str:
        return "an object"

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield Fault(path, str(self), found(value), self.section)
            return
        for name, check in self.fields.items():
            for fault in check.faults(value.get(name, MISSING), (*path, f".{name}")):
                yield replace(fault, section=fault.section or self.section)
        yield from OBJECT.faults(value, path)


@dataclass(frozen=True, slots=True)
class By(Check):
    """An object whose fields depend on one of them, the selector, which is text or a boolean.

    ``cases`` are its values and what the object should be then; for another value ``otherwise``, where that
    is not None. Without the selector the object should be as with the value ``missing``.
    """

    selector: str
    cases: Mapping[str | bool, Check]
    otherwise: Check | None = None
    missing: str | None = None
    section: str = ""

    def __str__(self) -> str:
        return "an object"

    def faults(self, value: object, path: Path) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield Fault(path, str(self), found(value))
            return
        selected = value.get(self.selector, MISSING if self.missing is None else self.missing)
        case = self.cases.get(selected) if isinstance(selected, str | bool) else None
        check = case or self.otherwise
        if check is None:
            at = (*path, f".{self.selector}")
            yield Fault(at, one_of(tuple(self.cases)), found_other(selected, str), self.section)
        else:
            yield from check.faults(value, path)


TEXTS: Final = ListOf(TEXT)
OBJECT: Final = ObjectOf({".*": ANYTHING})
