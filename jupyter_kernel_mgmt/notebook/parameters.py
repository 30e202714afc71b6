"""Parameters of a notebook: read from a command line, written in a kernel's language, put into its cells.

Pure. The place of the cell and its tags are papermill's, so that either can run the other's notebooks. What
is written means exactly the value it was made of, or is refused: see `assignments`.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ._languages import LANGUAGES, Language, Unwritable

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
_REAL = re.compile(r"[+-]?((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(0|[1-9][0-9]*)(?=[eE]))([eE][+-]?[0-9]+)?")
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
        with suppress(ValueError):
            return int(word)
    if _REAL.fullmatch(word):
        return float(word)
    if found := _NO_NUMBER.fullmatch(word):
        return float(found[1] + found[2])
    return text


# In a language


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


def _find(language: str) -> Language:
    try:
        return LANGUAGES[language.lower()]
    except KeyError:
        raise ParameterError(
            f"no way is known to write parameters in {language!r}; it is for {', '.join(LANGUAGES)}"
        ) from None


def _assignment(known: Language, name: object, value: object, language: str) -> str:
    if not isinstance(name, str):  # a file of parameters may have any keys
        raise ParameterError(f"a name is text, not {type(name).__name__}", name=repr(name))
    if not known.is_identifier(name):
        raise ParameterError(f"this is not a name that can be assigned to in {language}", name=name)
    try:
        return known.assignment(name, value)
    except Unwritable as error:
        raise ParameterError(f"{error} ({language})", name=name) from error
    except RecursionError as error:
        raise ParameterError("the value is nested too deeply, or contains itself", name=name) from error


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
