"""What the JSON Schema of a launch parameter says about the text that may come of it. Plain functions.

A schema *limits* a parameter where its author has decided which texts can reach a command: numbers, booleans
and null; ``enum`` and ``const``; strings with one of the strict `FORMATS`, or with a ``pattern`` that holds
for the whole text (``^…$`` in each of its alternatives) and does not let just anything through; arrays whose
items are limited; objects without ``additionalProperties`` whose properties are. A length limits nothing.

Source: JEP 87, "Checking secure kernelspecs"; JSON Schema draft 7.
"""

import copy
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

Schema = Mapping[str, Any] | bool
ByType = Callable[[str, Mapping[str, Any], Callable[[Schema], bool]], bool]

FORMATS = frozenset({"date", "date-time", "time", "hostname", "ipv4", "ipv6"})
"""Formats that leave no room for anything else, and none for a "-" at the beginning."""

CHECKED_FORMATS = FORMATS | {"email", "uri", "uri-reference", "json-pointer", "regex"}
"""Formats that are checked. Others are hints for forms ("password", "textarea") and no errors."""

_DRAFT = "http://json-schema.org/draft-07/schema#"
_MAPPINGS = ("properties", "patternProperties", "definitions", "$defs", "dependencies")
_SINGLE = (
    "items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if",
    "then", "else",
)  # fmt: skip
_LISTS = ("items", "allOf", "anyOf", "oneOf")
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_ANYTHING = ("-/ ;&|$'\"`<>é", "-/ ;&|$'\"`<>é\n")


def compiled(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What checks a value against the schema, fills in defaults of nested values, and returns it.

    It is read as draft 7, whatever ``$schema`` says, and nothing is ever fetched. It raises
    ``JsonSchemaValueException``; this raises `ValueError` for what is no schema.
    """
    import fastjsonschema  # 2 ms that only launches with parameters need

    for nested in _all_schemas(schema):
        _refuse_what_would_be_misread(nested)
    formats = {nested["format"] for nested in _all_schemas(schema) if isinstance(nested.get("format"), str)}
    try:
        check: Callable[[Any], Any] = fastjsonschema.compile(
            {**copy.deepcopy(dict(schema)), "$schema": _DRAFT},  # it rewrites references where they stand
            handlers=dict.fromkeys(("http", "https", "ftp", "file", "data"), _refuse_to_fetch),
            formats=dict.fromkeys(formats - CHECKED_FORMATS, _take_anything),
        )
    except Exception as error:  # it fails in many ways on what is no schema
        raise ValueError(str(error) or type(error).__name__) from error
    return check


def limits(schema: Schema, root: Mapping[str, Any]) -> bool:
    """Whether the schema, a part of ``root``, limits what its value becomes as text."""
    return _holds(schema, root, _limits_type)


def lists(schema: Schema, root: Mapping[str, Any]) -> bool:
    """Whether it lists each value there can be, so that its author has seen every one of them."""
    return _holds(schema, root, _lists_type)


def _holds(schema: Schema, root: Mapping[str, Any], by_type: ByType, seen: Collection[object] = ()) -> bool:
    """Whether it lists its values or, for each way to satisfy it, ``by_type`` is true of its types."""
    if isinstance(schema, bool):
        return not schema
    if "$ref" in schema:  # which in draft 7 hides its neighbours
        reference = schema["$ref"]
        target = None if reference in seen else _target(reference, root)
        return target is not None and _holds(target, root, by_type, (*seen, reference))
    if "enum" in schema or "const" in schema:
        return True
    if any(_holds(part, root, by_type, seen) for part in schema.get("allOf", ())):
        return True
    for word in ("anyOf", "oneOf"):
        if schema.get(word) and all(_holds(part, root, by_type, seen) for part in schema[word]):
            return True

    def part_holds(part: Schema) -> bool:
        return _holds(part, root, by_type, seen)

    return all(by_type(name, schema, part_holds) for name in _types(schema))


def _limits_type(name: str, schema: Mapping[str, Any], limited: Callable[[Schema], bool]) -> bool:
    if name == "string":
        pattern = schema.get("pattern")
        return schema.get("format") in FORMATS or (pattern is not None and _pattern_limits(pattern))
    if name == "array":
        items = schema.get("items", True)
        if isinstance(items, list):  # one for each place, and another for all that follow
            return all(map(limited, [*items, schema.get("additionalItems", True)]))
        return limited(items)
    if name == "object":
        closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
        return closed and all(map(limited, schema.get("properties", {}).values()))
    return name in ("number", "integer", "boolean", "null")


def _lists_type(name: str, schema: Mapping[str, Any], listed: Callable[[Schema], bool]) -> bool:
    return name in ("boolean", "null")


def _types(schema: Mapping[str, Any]) -> list[str]:
    """The types it allows; one that is none of JSON's where it allows any."""
    types = schema.get("type", "anything")
    return [types] if isinstance(types, str) else list(types)


def _pattern_limits(pattern: str) -> bool:
    whole = all(
        parts[:1] == ["^"] and parts[-1:] == ["$"] and len(parts) > 1 for parts in _alternatives(pattern)
    )
    return whole and not any(re.search(pattern, text) for text in _ANYTHING)


def _alternatives(pattern: str) -> list[list[str]]:
    """The pieces between the bars that stand in no group and no set."""
    found: list[list[str]] = [[]]
    depth = 0
    for piece in _PIECE.findall(pattern):
        depth += (piece == "(") - (piece == ")")
        if piece == "|" and depth == 0:
            found.append([])
        else:
            found[-1].append(piece)
    return found


def _target(reference: object, root: Mapping[str, Any]) -> Schema | None:
    """What a pointer into the same schema points to."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Any = root
    for part in unquote(reference).removeprefix("#/").split("/"):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part.replace("~1", "/").replace("~0", "~"))
    return found if isinstance(found, Mapping | bool) else None


def _all_schemas(schema: object) -> Iterator[Mapping[str, Any]]:
    """The schema and those nested in it, wherever schemas may stand."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    parts: list[object] = [schema.get(word) for word in _SINGLE]
    for word in _MAPPINGS:
        found = schema.get(word)
        parts += found.values() if isinstance(found, Mapping) else ()
    for word in _LISTS:
        found = schema.get(word)
        parts += found if isinstance(found, list) else ()
    for part in parts:
        yield from _all_schemas(part)


def _refuse_what_would_be_misread(schema: Mapping[str, Any]) -> None:
    reference = schema.get("$ref", "#")
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise ValueError(f"$ref is {reference!r}: nothing is fetched from elsewhere")
    for word in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(schema.get(word), bool):
            raise ValueError(f"{word} must be a number, as it is since draft 6 of JSON Schema")


def _refuse_to_fetch(uri: str) -> object:
    raise ValueError(f"{uri} is not fetched")


def _take_anything(text: str) -> bool:
    return True
