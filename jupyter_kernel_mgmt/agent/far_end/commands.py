"""What an owner may say: lines, and the commands in them."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LINE_LIMIT = 4 * 1024 * 1024
"""Bytes of one command: environments of megabytes exist."""


class Lines:
    """Cuts what arrives into lines, in bounded memory; None stands for a line that was too long."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that end in this data."""
        found: list[bytes | None] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            found.append(None if self._skipping else bytes(self._rest))
            self._rest.clear()
            self._skipping = False
        self._add(rest)
        return found

    def idle(self) -> bool:
        """Whether no line has begun."""
        return not self._rest and not self._skipping

    def _add(self, piece: bytes) -> None:
        if len(self._rest) + len(piece) > self.limit:
            self._skipping = True
            self._rest.clear()
        if not self._skipping:
            self._rest += piece


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and _encodes(value)


def _encodes(value: str) -> bool:
    try:
        os.fsencode(value)
    except UnicodeError:
        return False
    return True


def is_number(value: Any) -> bool:
    """Whether this is a whole number, from 0 to 62 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def is_name(value: Any) -> bool:
    """Whether something may be called this."""
    return _text(value) and 0 < len(value) <= 200


def _paths(value: Any) -> bool:
    """Absolute, and not so near the root that a mistake would be a disaster."""
    return _texts(value) and all(p.startswith("/") and os.path.normpath(p).count("/") > 1 for p in value)


def _variables(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _text(k) and k and "=" not in k and (v is None or _text(v)) for k, v in value.items()
    )


LIMITS = ("memory", "cpu_time", "open_files", "nice")


def _limits(value: Any) -> bool:
    return isinstance(value, dict) and all(
        k in LIMITS and (v is None or is_number(v) or (k == "nice" and isinstance(v, int)))
        for k, v in value.items()
    )


_PROCESS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "argv": (lambda v: _texts(v) and bool(v) and bool(v[0]), "a list of strings"),
    "cwd": (lambda v: _text(v) and v.startswith("/"), "an absolute path"),
    "env": (_variables, "an object of strings, null to remove"),
    "inherit": (lambda v: isinstance(v, bool) or _texts(v), "a boolean or a list of names"),
    "limits": (_limits, "an object of numbers named " + ", ".join(LIMITS)),
    "mark": (is_name, "a string of 1 to 200 characters"),
    "files": (_paths, "a list of absolute paths"),
    "directories": (_paths, "a list of absolute paths"),
    "output": (lambda v: v in ("tail", "stream", "descriptor", "none"), "tail, stream, descriptor or none"),
    "tail": (lambda v: is_number(v) and v <= 2**20, "a number of bytes, at most 2**20"),
}
_ID: dict[str, tuple[Callable[[Any], bool], str]] = {"id": (is_name, "a string of 1 to 200 characters")}
_COMMANDS: dict[str, dict[str, tuple[Callable[[Any], bool], str]]] = {
    "guard": {
        **_ID,
        **{name: _PROCESS[name] for name in ("mark", "files", "directories")},
        "pid": (lambda v: is_number(v) and v > 1, "a process id above 1"),
        "start": (is_number, "a number"),
    },
    "release": _ID,
    "end": _ID,
    "signal": {**_ID, "number": (lambda v: is_number(v) and v <= 64, "the number of a signal")},
    "start": {**_ID, **_PROCESS},
    "fork": {
        **_ID,
        **_PROCESS,
        "entry": (lambda v: _text(v) and ":" in v, "module:function"),
    },
    "prepare": {
        "modules": (_texts, "a list of names"),
        "code": (lambda v: isinstance(v, str), "Python code"),
        "timeout": (lambda v: is_number(v) and 0 < v <= 3600, "seconds, 1 to 3600"),
    },
    "close": {},
}
_REQUIRED = {"start": ("id", "argv"), "fork": ("id", "argv", "entry"), "signal": ("id", "number")}
for _verb in ("guard", "release", "end"):
    _REQUIRED[_verb] = ("id",)


def check(command: Any) -> str | None:
    """What is wrong with a command, or None."""
    if not isinstance(command, dict):
        return "a command is a JSON object"
    verb = command.get("do")
    if not isinstance(verb, str) or verb not in _COMMANDS:
        return "'do' is not one of " + ", ".join(_COMMANDS)
    if "re" in command and not is_number(command["re"]):
        return "'re' must be a number"
    fields = _COMMANDS[verb]
    for name in _REQUIRED.get(verb, ()):
        if name not in command:
            return f"{verb} needs {name!r}"
    for name, value in command.items():
        if name in ("do", "re") or value is None:
            continue
        if name not in fields:
            return f"{verb} does not know {ascii(name)[:100]}"
        fits, wanted = fields[name]
        if not fits(value):
            return f"{name!r} must be {wanted}"
    if any(command.get(name, 0) is None for name in _REQUIRED.get(verb, ())):
        return "{} needs all of {}".format(verb, ", ".join(_REQUIRED[verb]))
    return None
