"""Parameters of a notebook: read from a command line, written in a kernel's language, put into its cells.

Pure. The place of the cell and its tags are papermill's, so that either can run the other's notebooks. What
is written means exactly the value it was made of, or is refused: see `assignments`.
"""

import json
import keyword
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Cell = dict[str, Any]
"""A cell as an nbformat 4 dict."""

PARAMETERS = "parameters"
INJECTED = "injected-parameters"


class ParameterError(ValueError):
    """A parameter cannot be read, or cannot be written in a language.

    ``name`` is the parameter's, None where the language is not known or there is no name.
    """

    def __init__(self, reason: str, *, name: str | None = None) -> None:
        super().__init__(reason, name)
        self.reason = reason
        self.name = name

    def __str__(self) -> str:
        return self.reason if self.name is None else f"parameter {self.name!r}: {self.reason}"


# From a command line

_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", "None"), None),
}
_WHOLE = re.compile(r"\+(0|[1-9][0-9]*)")
_REAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")
_NO_NUMBER = re.compile(r"([+-]?)\.?(inf|infinity|nan)", re.IGNORECASE)


def parse_assignment(text: str) -> tuple[str, Any]:
    """The name and the value of ``name=value``, as it stands on a command line.

    The value is what it is as JSON, if it is JSON: ``3``, ``[1, 2]``, ``{"a": null}``, ``"3"`` for the text.
    Else one of the words ``true false null`` (also ``True``, ``TRUE`` and so on, ``~`` and ``None``), or a
    number as YAML and Python write it: ``+3``, ``.5``, ``1.``, ``1e5``, ``.inf``, ``nan``. Else it is text,
    as it stands; so are ``yes``, ``no``, ``on`` and ``off``, digits behind a zero (``007``) or with
    underscores, dates, and nothing at all. The name is checked by `assignments`, which knows the language.

    Raises `ParameterError` where there is no ``=``, or no name before it.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise ParameterError(f"expected name=value, not {text!r}")
    return name, _value(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # the former also for a number of more digits than Python reads
        pass
    word = text.strip()
    if word in _WORDS:
        return _WORDS[word]
    if _WHOLE.fullmatch(word):
        return int(word)
    if _REAL.fullmatch(word):
        return float(word)
    if found := _NO_NUMBER.fullmatch(word):
        return float(found[1] + found[2])
    return text


# In a language


class _Unwritable(Exception):
    """The language has no way to say it; the message says what."""


class _Language:
    """How values are written; what is said here holds for Python."""

    comment = "# "
    identifier = re.compile(r"\w+")
    reserved: frozenset[str] = frozenset({*keyword.kwlist, "__debug__"})
    constants: Mapping[bool | None, str] = {None: "None", True: "True", False: "False"}
    no_numbers = ("float('nan')", "float('inf')", "float('-inf')")

    def assignment(self, name: str, value: object) -> str:
        return f"{name} = {self.write(value)}"

    def is_identifier(self, name: str) -> bool:
        return self.identifier.fullmatch(name) is not None and name.isidentifier()

    def write(self, value: object) -> str:
        match value:
            case None | bool():
                return self.constants[value]
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
        raise _Unwritable(f"a value of type {type(value).__name__} cannot be written")

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


class _Foreign(_Language):
    """What other languages than Python share. Tuples are lists there, and keys are text."""

    constants = {None: "null", True: "true", False: "false"}
    no_numbers = ("NaN", "Inf", "-Inf")

    def whole(self, value: int) -> str:
        try:
            return str(value)
        except ValueError as error:
            raise _Unwritable("a number of so many digits cannot be written") from error

    def texts(self, keys: Mapping[Any, object]) -> list[str]:
        """The keys, all of which are text."""
        for key in keys:
            if not isinstance(key, str):
                raise _Unwritable(f"a key of type {type(key).__name__} cannot be written")
            _check_text(key)
        return list(keys)


class _R(_Foreign):
    # What is no letter of the locale would need quoting here and wherever the name is used.
    identifier = re.compile(r"([^\W\d_]|\.(?!\d))[\w.]*")
    reserved = frozenset(
        "if else repeat while function for next break in TRUE FALSE NULL Inf NaN NA NA_integer_ NA_real_"
        " NA_complex_ NA_character_ ...".split()
    )
    constants = {None: "NULL", True: "TRUE", False: "FALSE"}

    def is_identifier(self, name: str) -> bool:
        return self.identifier.fullmatch(name) is not None

    def assignment(self, name: str, value: object) -> str:
        return f"{name} <- {self.write(value)}"

    def text(self, value: str) -> str:
        if "\0" in value:
            raise _Unwritable("text with a NUL cannot be written in R")
        # Escaped, it is the same text in every locale; as it stands, in those that have the letters.
        return _quoted(
            value, lambda c: f"\\{'u' if ord(c) < 0x10000 else 'U'}{{{ord(c):x}}}", ascii_only=True
        )

    def whole(self, value: int) -> str:
        # R's numbers are doubles, and its integers have 32 bits.
        if abs(value) > 2**53:
            raise _Unwritable("whole numbers beyond 2**53 cannot be written exactly in R")
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
    reserved = frozenset(
        "baremodule begin break catch const continue do else elseif end export false finally for function"
        " global if import in isa let local macro module quote return struct true try using where while".split()
    )
    constants = {None: "nothing", True: "true", False: "false"}

    def is_identifier(self, name: str) -> bool:
        return self.identifier.fullmatch(name) is not None

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
    reserved = frozenset(
        "await break case catch class const continue debugger default delete do else enum export extends"
        " false finally for function if import in instanceof new null return super switch this throw true try"
        " typeof var void while with yield let static implements interface package private protected public"
        " arguments eval undefined NaN Infinity".split()
    )
    no_numbers = ("NaN", "Infinity", "-Infinity")
    declaration = "var"  # `let` would be an error where the cell before declares the same name

    def is_identifier(self, name: str) -> bool:
        return name.replace("$", "_").isidentifier()

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
    constants = {None: "''", True: "true", False: "false"}
    no_numbers = ("nan", "inf", "-inf")

    def is_identifier(self, name: str) -> bool:
        return self.identifier.fullmatch(name) is not None

    def assignment(self, name: str, value: object) -> str:
        return f"{name}={self.write(value)}"

    def text(self, value: str) -> str:
        if "\0" in value:
            raise _Unwritable("text with a NUL cannot be written in a shell")
        return shlex.quote(value)

    def sequence(self, values: Sequence[object]) -> str:
        raise _Unwritable("a list cannot be written here")

    def mapping(self, values: Mapping[Any, object]) -> str:
        raise _Unwritable("a dict cannot be written here")


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
            raise _Unwritable("bash has no empty keys")
        return " ".join(f"[{self._key(name)}]={self.write(values[name])}" for name in names)

    def _key(self, name: str) -> str:
        quoted = self.text(name)
        return quoted if quoted != name else f"'{name}'"


_LANGUAGES: dict[str, _Language] = {
    "python": _Language(),
    "r": _R(),
    "julia": _Julia(),
    "javascript": _JavaScript(),
    "typescript": _TypeScript(),
    "bash": _Bash(),
    "sh": _Shell(),
}


def assignments(parameters: Mapping[str, Any], language: str) -> str:
    """Source that assigns the parameters, in order, a line each; empty without any.

    ``language`` is what a kernelspec or ``metadata.kernelspec.language`` says, in any case: python, R, julia,
    javascript, typescript, bash or sh. Values are None, bool, int, float, str, lists, tuples and mappings
    of them. Run, the source gives the same values: not-a-numbers, big numbers and control characters too.

    - Python: tuples stay tuples, keys may be any of these values. Elsewhere tuples are lists and keys text.
    - R: lists and mappings are ``list(…)``, all numbers doubles.
    - Julia: lists of one type of scalar get that type, all others ``Any``.
    - JavaScript and TypeScript: whole numbers from 2**53 on are BigInt.
    - bash: everything is text, None the empty one; a list is an array and a mapping an associative array,
      neither nested. In sh there are neither.

    Raises `ParameterError` for a language that is not known, a name that is no identifier of it, and a value
    that cannot be written in it exactly, lone surrogates among them.
    """
    known = _find(language)
    return "".join(f"{_assignment(known, name, value, language)}\n" for name, value in parameters.items())


def _find(language: str) -> _Language:
    try:
        return _LANGUAGES[language.lower()]
    except KeyError:
        raise ParameterError(
            f"no way is known to write parameters in {language!r}; it is for {', '.join(_LANGUAGES)}"
        ) from None


def _assignment(known: _Language, name: str, value: object, language: str) -> str:
    if not known.is_identifier(name) or name in known.reserved:
        raise ParameterError(f"this is not a name that can be assigned to in {language}", name=name)
    try:
        return known.assignment(name, value)
    except _Unwritable as error:
        raise ParameterError(f"{error} ({language})", name=name) from error
    except RecursionError as error:
        raise ParameterError("the value is nested too deeply, or contains itself", name=name) from error


def _check_text(value: str) -> None:
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise _Unwritable("text with a lone surrogate cannot be written")


_SHORT = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _quoted(value: str, escape: Callable[[str], str], *, ascii_only: bool = False, also: str = "") -> str:
    """In double quotes, with ``escape`` for what does not show, for ``also``, and beyond ASCII if asked to."""

    def piece(c: str) -> str:
        if c in _SHORT:
            return _SHORT[c]
        plain = c.isprintable() and c not in also and (c.isascii() or not ascii_only)
        return c if plain else escape(c)

    return f'"{"".join(map(piece, value))}"'


def _u_or_long_u(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


# Into the cells


def inject(
    cells: list[Cell],
    parameters: Mapping[str, Any],
    language: str,
    new_id: Callable[[], str] | None = None,
) -> list[Cell]:
    """The cells with a code cell that assigns the parameters; what was given is not changed.

    It takes the place of the first cell tagged ``injected-parameters``, else comes after the first tagged
    ``parameters``, which holds the defaults, else at the top. It is tagged ``injected-parameters`` and begins
    with the comment ``Parameters``. ``new_id`` makes its id, for notebooks from nbformat 4.5 on; one that
    takes another's place keeps that one's, so that a notebook run again differs by its values alone.

    Raises `ParameterError` as `assignments` does.
    """
    source = f"{_find(language).comment}Parameters\n{assignments(parameters, language)}"
    cell: Cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": [INJECTED]},
        "outputs": [],
        "source": source,
    }
    before = _first_tagged(cells, INJECTED)
    if before is not None and "id" in cells[before]:
        cell["id"] = cells[before]["id"]
    elif new_id is not None:
        cell["id"] = new_id()
    if before is not None:
        return [*cells[:before], cell, *cells[before + 1 :]]
    defaults = _first_tagged(cells, PARAMETERS)
    place = 0 if defaults is None else defaults + 1
    return [*cells[:place], cell, *cells[place:]]


def _first_tagged(cells: list[Cell], tag: str) -> int | None:
    for index, cell in enumerate(cells):
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if isinstance(tags, list) and tag in tags:
            return index
    return None
