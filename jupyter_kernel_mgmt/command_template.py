"""`CommandTemplate`: a kernelspec's command and environment, with places for what a launch knows. Pure.

A place is ``{name}`` or ``{parameters.name}`` (``${parameters.name}`` is the same); ``${NAME}`` in an
environment is a variable, not a place. A launcher's own fields, such as ``{connection_file}``, are for the
command only. Braces around other names stay as they are, and what is filled in is not looked at again.

However it is filled in, one argument stays one argument. Text that the author of the kernelspec has not
listed (``enum``, ``const``) neither decides which program is run, in ``argv[0]`` or through ``PATH``, nor
becomes an option: where an argument begins with a place, a string may not begin with "-". That holds even
where unconstrained parameters are allowed. What a program makes of an argument (``sh -c``) is a matter
between it and the author of the kernelspec.

Source: JEP 87, "Detailed Explanation"; How kernels work, "Kernel specs".
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .exceptions import Unsupported
from .launch_parameters import OPTION, LaunchParameters, as_text

_PLACE = r"(?P<dollar>\$)?\{(?P<owned>parameters\.)?(?P<name>[A-Za-z0-9_.-]+)\}"
_IN_ARGUMENT = re.compile(_PLACE)
# "$$" is a dollar, and a variable just before a place must not grow by what is filled in; nor may a place
# within "${" make one.
_IN_VARIABLE = re.compile(
    rf"\$\$|(?P<open>\$)(?=\{{[_A-Za-z0-9]*\{{)|(?:\$(?P<before>[_A-Za-z][_A-Za-z0-9]*))?{_PLACE}", re.ASCII
)


@dataclass(frozen=True, slots=True)
class CommandTemplate:
    """The ``argv`` and ``env`` of a kernelspec."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def places(self, fields: Mapping[str, str]) -> frozenset[str]:
        """The names that parameters can have; ``fields`` are filled in by the launcher."""
        return frozenset(
            place["name"] for place in self._all_places() if place["owned"] or place["name"] not in fields
        )

    def unplaced(self, values: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
        """The parameters that the command has no place for, which others may know what to do with."""
        places = self.places(fields)
        return {name: value for name, value in values.items() if name not in places}

    def refuse_fields(self, given: Mapping[str, Any], fields: Mapping[str, str]) -> None:
        """Raise `Unsupported` for a parameter that names one of the fields, which are known better here."""
        for name in self.unplaced(given, fields):
            if name in fields:
                raise Unsupported(OPTION, f"{name!r} is filled in by the launcher and cannot be given")

    def refuse_unplaced(self, given: Mapping[str, Any], fields: Mapping[str, str]) -> None:
        """Raise `Unsupported` for a parameter that would do nothing here."""
        for name in self.unplaced(given, fields):
            places = ", ".join(sorted(self.places(fields))) or "none"
            raise Unsupported(OPTION, f"the command has no place for {name!r}; it has {places}")

    def fill(
        self, fields: Mapping[str, str], values: Mapping[str, Any], parameters: LaunchParameters
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """The command, and the environment in which ``${NAME}`` has still to be replaced.

        ``values`` are what `LaunchParameters.resolve` gave. Raises `Unsupported` for a place of a parameter
        without a value, and for text that a place cannot take.
        """
        filling = _Filling(fields, values, parameters)
        argv = tuple(filling.argument(text, is_program=number == 0) for number, text in enumerate(self.argv))
        return argv, {name: filling.variable(name, text) for name, text in self.env.items()}

    def _all_places(self) -> Iterator[re.Match[str]]:
        for text in self.argv:
            yield from _IN_ARGUMENT.finditer(text)
        for text in self.env.values():
            yield from (match for match in _IN_VARIABLE.finditer(text) if _is_place(match))


@dataclass(frozen=True, slots=True)
class _Filling:
    """What is put into places."""

    fields: Mapping[str, str]
    values: Mapping[str, Any]
    parameters: LaunchParameters

    def argument(self, text: str, *, is_program: bool) -> str:
        """One argument, filled in."""
        filled, end = "", 0
        for match in _IN_ARGUMENT.finditer(text):
            name = self._parameter(match)
            if name is None and (match["owned"] or match["name"] not in self.fields):
                continue
            filled += text[end : match.start()]
            if match["dollar"] and not match["owned"]:
                filled += "$"
            if name is None:
                filled += self.fields[match["name"]]
            else:
                if is_program:
                    self._refuse_unlisted(name, "would decide which program is run")
                value = self._text(name)
                if not filled and value.startswith("-") and isinstance(self.values[name], str):
                    self._refuse_unlisted(name, f"would be taken for an option: {value!r} begins with '-'")
                filled += value
            end = match.end()
        return filled + text[end:]

    def variable(self, variable: str, text: str) -> str:
        """The value of one variable, filled in; what is filled in is safe from `string.Template`."""

        def replace(match: re.Match[str]) -> str:
            name = self._parameter(match) if _is_place(match) else None
            if match["open"] is not None:
                return "$$"
            if name is None:
                return match[0]
            if variable.upper() == "PATH":
                self._refuse_unlisted(name, "would decide which program is run, through PATH")
            before = "" if match["before"] is None else f"${{{match['before']}}}"
            return before + self._text(name).replace("$", "$$")

        return _IN_VARIABLE.sub(replace, text)

    def _parameter(self, match: re.Match[str]) -> str | None:
        """The parameter that a place is for, if it is for one. Raises `Unsupported` where it has no value."""
        name = match["name"]
        if not match["owned"] and name in self.fields:
            return None
        if name in self.values:
            return name
        if match["owned"] or name in self.parameters.names:
            raise Unsupported(
                OPTION, f"{name!r} must be given: the command has a place for it, and no default"
            )
        return None

    def _text(self, name: str) -> str:
        text = as_text(self.values[name])
        if "\0" in text:
            raise Unsupported(OPTION, f"{name!r} contains a NUL, which no argument or variable can hold")
        try:
            os.fsencode(text)
        except UnicodeEncodeError as error:
            reason = f"{text[error.start : error.end]!r}, which no argument or variable can hold here"
            raise Unsupported(OPTION, f"{name!r} contains {reason}") from error
        return text

    def _refuse_unlisted(self, name: str, what: str) -> None:
        if not self.parameters.lists(name):
            raise Unsupported(OPTION, f"{name!r} {what}; only values that an enum or const lists may do that")


def _is_place(match: re.Match[str]) -> bool:
    """Whether a match in a variable is a place: not "$$" and not a variable in braces."""
    return match["name"] is not None and (match["owned"] is not None or match["dollar"] is None)
