"""Which schemas limit what a parameter becomes as text, which list it, and what is no schema."""

from typing import Any

import pytest

from jupyter_kernel_mgmt._parameter_schema import FORMATS, compiled, limits, lists

TEXT = {"type": "string"}
CLOSED = {"type": "object", "additionalProperties": False}
ROOT = {
    "definitions": {
        "number": {"type": "number"},
        "text": TEXT,
        "loop": {"$ref": "#/definitions/loop"},
        "a/b~": {"enum": ["x"]},
    }
}

LIMITED: list[Any] = [
    False,
    {"type": "number"},
    {"type": "integer"},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["integer", "null"]},
    {"enum": ["a", "b"]},
    {"type": "string", "enum": ["a"]},
    {"const": {"a": "b"}},
    *({"type": "string", "format": name} for name in FORMATS),
    *({"type": "string", "pattern": pattern} for pattern in ("^[a-z]+$", "^a$|^bc$|^$")),
    {"type": "string", "pattern": r"^(a|b)[|)]\|$"},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": [{"type": "integer"}, {"enum": ["x"]}], "additionalItems": False},
    CLOSED,
    {**CLOSED, "properties": {"a": {"type": "integer"}}},
    {"anyOf": [{"type": "integer"}, {"enum": ["x"]}]},
    {"oneOf": [{"type": "integer"}, {"type": "null"}]},
    {"allOf": [TEXT, {"enum": ["x"]}]},
    {"$ref": "#/definitions/number"},
    {"$ref": "#/definitions/a~1b~0"},
]

FREE: list[Any] = [
    True,
    {},
    TEXT,
    {"title": "A text", "default": "x"},
    {"type": "string", "maxLength": 3, "minLength": 1},
    {"type": ["string", "integer"]},
    *({"type": "string", "format": name} for name in ("email", "uri", "password", "regex", "x")),
    # without a type the pattern or the format is only for strings, and a list of texts passes
    {"pattern": "^[a-z]+$"},
    {"format": "date"},
    *(
        {"type": "string", "pattern": pattern}
        for pattern in ("a", "", "^a", "a$", r"^a\$", "^a|b$", "^a$|b", "^", "^.*$", r"^[\s\S]*$", "^[^x]+$")
    ),
    {"type": "array"},
    {"type": "array", "items": TEXT},
    {"type": "array", "items": [{"type": "integer"}]},
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "integer"}}},
    {**CLOSED, "properties": {"a": TEXT}},
    {**CLOSED, "patternProperties": {".*": {"type": "integer"}}},
    {"anyOf": [{"type": "integer"}, TEXT]},
    {"anyOf": []},
    {"allOf": [TEXT, {"maxLength": 3}]},
    {"$ref": "#/definitions/text"},
    {"$ref": "#/definitions/loop"},
    {"$ref": "#/nowhere/at/all"},
    {"$ref": "#name"},
    {"$ref": "#/definitions/text", "enum": ["hidden by its neighbour"]},
]


@pytest.mark.parametrize("schema", LIMITED, ids=str)
def test_these_limit_the_text(schema: Any) -> None:
    """Their author has decided which texts there can be."""
    assert limits(schema, ROOT)


@pytest.mark.parametrize("schema", FREE, ids=str)
def test_these_leave_it_free(schema: Any) -> None:
    """At least in part."""
    assert not limits(schema, ROOT)


@pytest.mark.parametrize("schema", LIMITED, ids=str)
@pytest.mark.parametrize("text", ["-x", "--option=1", "/etc", "a b", "a;b", "$(a)", "a\n", "\n"])
def test_what_is_limited_lets_no_such_text_through(schema: Any, text: str) -> None:
    """The validator agrees with what was decided."""
    if schema == {"const": {"a": "b"}} or schema is False or "$ref" in schema:
        return
    with pytest.raises(ValueError, match="data"):
        compiled({"properties": {"x": schema}})({"x": text})


@pytest.mark.parametrize(
    ("schema", "listed"),
    [
        ({"enum": ["a"]}, True),
        ({"const": "a"}, True),
        ({"type": "boolean"}, True),
        ({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}, True),
        ({"$ref": "#/definitions/a~1b~0"}, True),
        ({"type": "integer"}, False),
        ({"type": "string", "pattern": "^[a-z]$"}, False),
        ({"anyOf": [{"enum": ["a"]}, {"type": "integer"}]}, False),
        ({"$ref": "#/definitions/loop"}, False),
        ({"type": "array", "items": {"enum": ["a"]}}, False),
        ({}, False),
    ],
)
def test_these_list_each_value(schema: dict[str, Any], listed: bool) -> None:
    """Which their author has seen, one by one."""
    assert lists(schema, ROOT) is listed


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "text"},
        {"type": 5},
        {"enum": "abc"},
        {"pattern": "("},
        {"allOf": 5},
        {"minimum": "1"},
        {"format": []},
        {"$ref": "https://localhost:1/other.json"},
        {"$ref": "other.json"},
        {"$ref": 5},
        {"$ref": "#/nowhere"},
        {"$id": "http://localhost:1/", "$ref": "#/nowhere"},
        {"exclusiveMinimum": True},
        {"items": {"anyOf": [{"exclusiveMaximum": False}]}},
    ],
    ids=str,
)
def test_what_is_no_schema_is_an_error(schema: dict[str, Any]) -> None:
    """Whatever the validator makes of it; and nothing is fetched."""
    with pytest.raises(ValueError, match=r"."):
        compiled({"properties": {"x": schema}})


@pytest.mark.parametrize("draft", ["http://json-schema.org/draft-04/schema#", "https://example.org/x", 7])
def test_it_is_read_as_draft_7_whatever_it_says(draft: object) -> None:
    """In draft 4 ``const`` means nothing, and would limit nothing."""
    with pytest.raises(ValueError, match="must be same"):
        compiled({"$schema": draft, "properties": {"x": {"const": 1}}})({"x": 2})


def test_nothing_is_fetched_wherever_it_is_named() -> None:
    """Also where no schema should stand."""
    schema = {"properties": {"x": {"$ref": "#/elsewhere"}}, "elsewhere": {"$ref": "http://localhost:1/"}}
    with pytest.raises(ValueError, match="http://localhost:1/ is not fetched"):
        compiled(schema)


def test_formats_for_forms_are_no_errors() -> None:
    """They say how a text is to be asked for."""
    schema = {"properties": {"x": {"type": "string", "format": "password"}}}
    assert compiled(schema)({"x": "secret"}) == {"x": "secret"}
