"""How the values of parameters are written in the languages of kernels. Pure.

What is written means exactly the value it was made of, or `Unwritable` is raised.
"""

import keyword
import re
import shlex
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class Unwritable(Exception):
    """The language has no way to say it; the message says what."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Language:
    """How values are written; what is said here holds for Python."""

    comment = "# "
    reserved: frozenset[str] = frozenset({*keyword.kwlist, "__debug__"})
    constants = ("None", "False", "True")
    no_numbers = ("float('nan')", "float('inf')", "float('-inf')")

    def assignment(self, name: str, value: object) -> str:
        return f"{name} = {self.write(value)}"

    def is_identifier(self, name: str) -> bool:
        return name.isidentifier() and unicodedata.normalize("NFKC", name) not in self.reserved

    def write(self, value: object) -> str:
        match value:
            case None:
                return self.constants[0]
            case bool():
                return self.constants[1 + value]
            case str():
                _check_text(value)
                return self.text(str(value))
            case int():
                return self.whole(int(value))
            case float():
                return self.real(float(value))
            case list() | tuple():
                return self.sequence(value)
            case Mapping():
                return self.mapping(value)
        raise Unwritable(f"a value of type {type(value).__name__} cannot be written")

    def text(self, value: str) -> str:
        return repr(value)

    def whole(self, value: int) -> str:
        try:
            return str(value)
        except ValueError:  # Python's limit of digits, which is one of decimals alone
            return hex(value)

    def real(self, value: float) -> str:
        nan, infinity, minus_infinity = self.no_numbers
        if value != value:
            return nan
        return {float("inf"): infinity, float("-inf"): minus_infinity}.get(value) or repr(value)

    def sequence(self, values: Sequence[object]) -> str:
        written = ", ".join(map(self.write, values))
        if isinstance(values, tuple):
            return f"({written},)" if len(values) == 1 else f"({written})"
        return f"[{written}]"

    def mapping(self, values: Mapping[Any, object]) -> str:
        return (
            "{" + ", ".join(f"{self.write(key)}: {self.write(value)}" for key, value in values.items()) + "}"
        )


class _Foreign(Language):
    """What other languages than Python share. Tuples are lists there, and keys are text."""

    identifier: re.Pattern[str]
    constants = ("null", "false", "true")
    no_numbers = ("NaN", "Inf", "-Inf")

    def is_identifier(self, name: str) -> bool:
        return self.identifier.fullmatch(name) is not None and name not in self.reserved

    def whole(self, value: int) -> str:
        try:
            return str(value)
        except ValueError as error:
            raise Unwritable("a number of so many digits cannot be written") from error

    def texts(self, keys: Mapping[Any, object]) -> list[str]:
        """The keys, all of which are text."""
        for key in keys:
            if not isinstance(key, str):
                raise Unwritable(f"a key of type {type(key).__name__} cannot be written")
            _check_text(key)
        return list(keys)


class _R(_Foreign):
    # What is no letter of the locale would need quoting here and wherever the name is used.
    identifier = re.compile(r"([^\W\d_]|\.(?!\d))[\w.]*")
    reserved = _words(
        "if else repeat while function for next break in TRUE FALSE NULL Inf NaN NA NA_integer_ NA_real_"
        " NA_complex_ NA_character_ ..."
    )
    constants = ("NULL", "FALSE", "TRUE")

    def assignment(self, name: str, value: object) -> str:
        return f"{name} <- {self.write(value)}"

    def text(self, value: str) -> str:
        if "\0" in value:
            raise Unwritable("text with a NUL cannot be written in R")
        # Escaped, it is the same text in every locale; as it stands, in those that have the letters.
        return _quoted(
            value, lambda c: f"\\{'u' if ord(c) < 0x10000 else 'U'}{{{ord(c):x}}}", ascii_only=True
        )

    def whole(self, value: int) -> str:
        # R's numbers are doubles, and its integers have 32 bits.
        if abs(value) > 2**53:
            raise Unwritable("whole numbers beyond 2**53 cannot be written exactly in R")
        return str(value)

    def real(self, value: float) -> str:
        written = super().real(value)
        # R multiplies digits by a power of ten: exact only while both fit. Hexadecimal always is.
        digits, _, exponent = written.partition("e")
        exact = len(digits.strip("-0.").replace(".", "")) <= 15 and abs(int(exponent or 0)) <= 7
        return written if exact or value != value or abs(value) == float("inf") else value.hex()

    def sequence(self, values: Sequence[object]) -> str:
        return f"list({', '.join(map(self.write, values))})"

    def mapping(self, values: Mapping[Any, object]) -> str:
        names = self.texts(values)
        written = [self.write(value) for value in values.values()]
        if names and all(name and name.isascii() for name in names):
            pairs = zip(names, written, strict=True)
            return f"list({', '.join(f'{self.text(name)} = {value}' for name, value in pairs)})"
        # A name in front of `=` may not be empty, and passes through the locale's encoding.
        quoted = f"c({', '.join(map(self.text, names))})" if names else "character(0)"
        return f"structure(list({', '.join(written)}), names = {quoted})"


class _Julia(_Foreign):
    identifier = re.compile(r"(?!_+$)[^\W\d][\w!]*")
    reserved = _words(
        "baremodule begin break catch const continue do else elseif end export false finally for function"
        " global if import in isa let local macro module quote return struct true try using where while"
    )
    constants = ("nothing", "false", "true")

    def text(self, value: str) -> str:
        return _quoted(value, lambda c: "\\$" if c == "$" else _u_or_long_u(c), also="$")

    def sequence(self, values: Sequence[object]) -> str:
        return f"{'' if _alike(values) else 'Any'}[{', '.join(map(self.write, values))}]"

    def mapping(self, values: Mapping[Any, object]) -> str:
        pairs = zip(map(self.text, self.texts(values)), map(self.write, values.values()), strict=True)
        kind = "Dict" if _alike(list(values.values())) else "Dict{String, Any}"
        return f"{kind}({', '.join(f'{name} => {value}' for name, value in pairs)})"


def _alike(values: Sequence[object]) -> bool:
    """Whether Julia may choose the type of the elements, without turning any into another value."""
    kinds = {type(value) for value in values}
    return len(kinds) == 1 and kinds <= {bool, int, float, str}


class _JavaScript(_Foreign):
    comment = "// "
    reserved = _words(
        "await break case catch class const continue debugger default delete do else enum export extends"
        " false finally for function if import in instanceof new null return super switch this throw true try"
        " typeof var void while with yield let static implements interface package private protected public"
        " arguments eval undefined NaN Infinity"
    )
    no_numbers = ("NaN", "Infinity", "-Infinity")
    declaration = "var"  # `let` would be an error where the cell before declares the same name

    def is_identifier(self, name: str) -> bool:
        return name.replace("$", "_").isidentifier() and name not in self.reserved

    def assignment(self, name: str, value: object) -> str:
        return f"{self.declaration} {name} = {self.write(value)};"

    def text(self, value: str) -> str:
        return _quoted(value, lambda c: f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\u{{{ord(c):x}}}")

    def whole(self, value: int) -> str:
        written = super().whole(value)
        return written if abs(value) < 2**53 else f"{written}n"  # a BigInt: numbers are doubles

    def sequence(self, values: Sequence[object]) -> str:
        return f"[{', '.join(map(self.write, values))}]"

    def mapping(self, values: Mapping[Any, object]) -> str:
        pairs = zip(map(self._key, self.texts(values)), map(self.write, values.values()), strict=True)
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"

    def _key(self, key: str) -> str:
        return '["__proto__"]' if key == "__proto__" else self.text(key)  # without brackets: the prototype


class _TypeScript(_JavaScript):
    declaration = "let"  # Deno lets a cell declare again what was declared with `let`, and only that


class _Shell(_Foreign):
    identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
    reserved = frozenset({"_", "EUID", "PPID", "UID"})
    constants = ("''", "false", "true")
    no_numbers = ("nan", "inf", "-inf")

    def assignment(self, name: str, value: object) -> str:
        return f"{name}={self.write(value)}"

    def text(self, value: str) -> str:
        if "\0" in value:
            raise Unwritable("text with a NUL cannot be written in a shell")
        return shlex.quote(value)

    def sequence(self, values: Sequence[object]) -> str:
        raise Unwritable("a list cannot be written here")

    def mapping(self, values: Mapping[Any, object]) -> str:
        raise Unwritable("a dict cannot be written here")


class _Bash(_Shell):
    reserved = frozenset({*_Shell.reserved, "BASHOPTS", "BASH_VERSINFO", "SHELLOPTS"})

    def assignment(self, name: str, value: object) -> str:
        # Without unset, an array of the other kind would stay one.
        match value:
            case list() | tuple():
                return f"unset -v {name}; {name}=({' '.join(map(self.write, value))})"
            case Mapping():
                return f"unset -v {name}; declare -A {name}=({self._pairs(value)})"
        return super().assignment(name, value)

    def text(self, value: str) -> str:
        if not re.search(r"[\x01-\x1f\x7f]", value):
            return super().text(value)
        # A kernel that drives bash through a terminal would have it take control characters for keys.
        escaped = re.sub(r"[\x01-\x1f\x7f'\\]", lambda found: f"\\{ord(found[0]):03o}", value)
        return f"$'{escaped}'"

    def _pairs(self, values: Mapping[Any, object]) -> str:
        names = self.texts(values)
        if "" in names:
            raise Unwritable("bash has no empty keys")
        return " ".join(f"[{self._key(name)}]={self.write(values[name])}" for name in names)

    def _key(self, name: str) -> str:
        quoted = self.text(name)
        return quoted if quoted != name else f"'{name}'"


def _check_text(value: str) -> None:
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise Unwritable("text with a lone surrogate cannot be written")


_SHORT = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _quoted(value: str, escape: Callable[[str], str], *, ascii_only: bool = False, also: str = "") -> str:
    """In double quotes; ``escape`` is for what does not show, for ``also``, and beyond ASCII if asked."""

    def piece(c: str) -> str:
        if c in _SHORT:
            return _SHORT[c]
        plain = c.isprintable() and c not in also and (c.isascii() or not ascii_only)
        return c if plain else escape(c)

    return f'"{"".join(map(piece, value))}"'


def _u_or_long_u(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


LANGUAGES: dict[str, Language] = {
    "python": Language(),
    "r": _R(),
    "julia": _Julia(),
    "javascript": _JavaScript(),
    "typescript": _TypeScript(),
    "bash": _Bash(),
    "sh": _Shell(),
}
"""By the name that kernels give their language, in lower case."""
