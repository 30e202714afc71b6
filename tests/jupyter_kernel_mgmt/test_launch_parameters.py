"""What a kernel type says of its parameters, and what becomes of those that are given."""

import copy
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt import BadParameters, LaunchParameters, Unsupported
from jupyter_kernel_mgmt.launch_parameters import as_text

JEP = {
    "properties": {
        "cpp_version": {"type": "string", "default": "c++14", "enum": ["c++11", "c++14", "c++17"]},
        "log_level": {"type": "string", "default": "ERROR", "enum": ["DEBUG", "ERROR"]},
    }
}
"""As in JEP 87."""

MANY = {
    "number": {"type": "integer", "minimum": 1},
    "on": {"type": "boolean"},
    "text": {"type": "string"},
    "word": {"type": "string", "pattern": "^[a-z]+$"},
    "sizes": {"type": "array", "items": {"type": "integer"}},
    "box": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"w": {"type": "integer", "default": 1}},
    },
    "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "odd.na[m]e": {"const": 3},
    "pin": {"type": "string", "pattern": "^[0-9]+$", "writeOnly": True},
}


def parameters(schema: Any) -> LaunchParameters:
    return LaunchParameters.from_metadata({"parameters": schema, "debugger": True})


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (JEP, ("cpp_version", "log_level")),
        (JEP["properties"], ("cpp_version", "log_level")),
        ({"type": "object", **JEP}, ("cpp_version", "log_level")),
        ({}, ()),
        ({"properties": {}}, ()),
        ({"type": "object"}, ()),
        ({"type": {"enum": ["a"]}, "title": {"enum": ["b"]}}, ("type", "title")),
        ({"$defs": {"a": {}}}, ()),
        ({"x": True}, ("x",)),
    ],
)
def test_a_schema_or_the_properties_of_one(schema: Any, names: tuple[str, ...]) -> None:
    """Both say what the parameters are."""
    found = parameters(schema)

    assert (found.declared, found.names) == (True, names)
    assert found.schema["type"] == "object"


def test_without_a_schema_nothing_is_declared() -> None:
    """That differs from a schema without parameters, where each is unknown."""
    found = LaunchParameters.from_metadata({})

    assert (found.declared, found.names, found.resolve({})) == (False, (), {})
    with pytest.raises(Unsupported, match="'x' is refused: no schema limits its text"):
        found.resolve({"x": "y"})
    assert found.resolve({"x": "y"}, allow_unconstrained=True) == {"x": "y"}
    with pytest.raises(Unsupported, match="no parameter 'x'; there are none"):
        parameters({}).resolve({"x": "y"}, allow_unconstrained=True)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (None, "must be a JSON Schema, an object, not None"),
        (["x"], "must be a JSON Schema, an object"),
        ({"properties": 5}, "properties must be an object, not 5"),
        ({"properties": {"x": 5}}, "the schema of 'x' must be an object, not 5"),
        ({"properties": {}, "x": {}, "type": "string"}, "the schema of an object, not of type 'string'"),
        ({**JEP, "$ref": "#/definitions/a", "definitions": {"a": {}}}, "\\$ref cannot stand beside the prop"),
        ({"x": {"type": "text"}}, "this is no JSON Schema: Unknown type"),
        ({"properties": {}, "required": "x"}, "this is no JSON Schema: required"),
        ({"x": {"$ref": "http://localhost:1/x"}}, "nothing is fetched"),
    ],
)
def test_what_is_no_schema_says_why(schema: Any, text: str) -> None:
    """When it is read, not when a parameter is given."""
    with pytest.raises(BadParameters, match=text):
        parameters(schema)


@pytest.mark.parametrize(
    ("schema", "given_", "values"),
    [
        (JEP, {}, {"cpp_version": "c++14", "log_level": "ERROR"}),
        (JEP, {"cpp_version": "c++17"}, {"cpp_version": "c++17", "log_level": "ERROR"}),
        (MANY, {}, {}),
        (MANY, {"box": {}}, {"box": {"w": 1}}),
        (MANY, {"sizes": (1, 2), "either": None}, {"sizes": [1, 2], "either": None}),
        # the default is its author's text, limited or not
        ({"x": {"type": "string", "default": "a b"}}, {}, {"x": "a b"}),
        ({"additionalProperties": {"type": "integer"}}, {"x": 1}, {"x": 1}),
        ({"patternProperties": {"^x": {"type": "integer"}}}, {"xy": 1}, {"xy": 1}),
    ],
)
def test_values_are_those_given_and_the_defaults(
    schema: Any, given_: dict[str, Any], values: dict[str, Any]
) -> None:
    """All of them, also those that no command has a place for."""
    assert parameters(schema).resolve(given_) == values


def test_references_are_followed_within_the_schema() -> None:
    """Whatever it is called, and as often as it is read."""
    metadata = {
        "parameters": {
            "$id": "https://example.org/parameters",
            "properties": {"x": {"$ref": "#/definitions/size"}},
            "definitions": {"size": {"type": "integer"}},
        }
    }
    before = copy.deepcopy(metadata)
    for _ in range(2):
        found = LaunchParameters.from_metadata(metadata)
        assert found.resolve({"x": 1}) == {"x": 1}
        with pytest.raises(Unsupported, match="'x' must be integer"):
            found.resolve({"x": "y"})
    assert metadata == before


def test_what_is_given_and_the_schema_stay_as_they_are() -> None:
    """Whatever becomes of the values."""
    schema = {"box": {**MANY["box"], "default": {}}, "list": {"default": []}}
    found, given_ = parameters(schema), {"box": {}}
    values = found.resolve(given_)
    values["list"].append(1)

    assert (given_, values["box"]) == ({"box": {}}, {"w": 1})
    assert found.resolve({}) == {"box": {"w": 1}, "list": []}


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"number": 0}, "'number' must be bigger than or equal to 1, not 0"),
        ({"number": "1"}, "'number' must be integer, not '1'"),
        ({"number": True}, "'number' must be integer, not true"),
        ({"on": 1}, "'on' must be boolean, not 1"),
        ({"word": "aB"}, "'word' must match pattern ^[a-z]+$, not 'aB'"),
        ({"word": "a\n"}, r"'word' must match pattern ^[a-z]+$, not 'a\n'"),
        ({"word": "B" * 200}, f"'word' must match pattern ^[a-z]+$, not '{'B' * 79}…"),
        ({"pin": "x1"}, "'pin' must match pattern ^[0-9]+$, not what was given"),
        ({"sizes": [1, "x"]}, "'sizes'[1] must be integer, not 'x'"),
        ({"box": {"w": "x"}}, "'box'.w must be integer, not 'x'"),
        ({"box": {"h": 1}}, "'box' must not contain {'h'} properties"),
        ({"either": "x"}, "'either' cannot be validated by any definition"),
        ({"odd.na[m]e": 4}, "'odd.na[m]e' must be 3, not 4"),
        ({"nubmer": 1}, "there is no parameter 'nubmer'; did you mean 'number'?"),
        ({"zzz": 1}, f"there is no parameter 'zzz'; there are {', '.join(map(repr, MANY))}"),
        ({"number": float("nan")}, "'number' must be a value that JSON has: Out of range"),
        ({"number": 10**5000}, "'number' must be a value that JSON has: Exceeds the limit"),
        ({"sizes": {1}}, "'sizes' must be a value that JSON has: Object of type set"),
        ({5: 1}, "the name of a parameter must be a string, not 5"),
        ({"text": "x"}, "'text' is refused: its schema does not limit its text"),
    ],
)
def test_a_value_that_is_refused_is_named(given_: dict[str, Any], text: str) -> None:
    """With what there is and what it should be."""
    with pytest.raises(Unsupported) as caught:
        parameters(MANY).resolve(given_)

    assert caught.value.option == "launch_params"
    assert caught.value.reason.startswith(text)


@pytest.mark.parametrize(
    ("schema", "given_", "text"),
    [
        (
            JEP,
            {"cpp_version": "c++99"},
            "'cpp_version' must be one of 'c++11', 'c++14', 'c++17', not 'c++99'",
        ),
        ({"x": {"enum": [1, None, "a"]}}, {"x": True}, "'x' must be one of 1, null, 'a', not true"),
        ({"properties": MANY, "required": ["on"]}, {}, "'on' must be given; it has no default"),
        ({"x": {"const": 1, "default": 2}}, {}, "the default of 'x' must be 1, not 2"),
        ({"properties": {}, "minProperties": 1}, {}, "the parameters must contain at least 1"),
        (
            {"x": {"type": "number", "multipleOf": 0.5}},
            {"x": 10**400},
            "the parameters cannot be checked: int too large",
        ),
    ],
)
def test_what_the_schema_says_of_all_is_checked(schema: Any, given_: dict[str, Any], text: str) -> None:
    """And a default that is none is not laid to those who gave nothing."""
    with pytest.raises(Unsupported) as caught:
        parameters(schema).resolve(given_)

    assert caught.value.reason.startswith(text)


def test_names_that_a_command_has_a_place_for_can_be_given() -> None:
    """Where that is allowed, since no schema limits them, and the schema does not say that there are none."""
    found = parameters(MANY)

    assert found.resolve({"extra": "x"}, allow_unconstrained=True, places={"extra"}) == {"extra": "x"}
    with pytest.raises(Unsupported, match="'extra' is refused: no schema limits"):
        found.resolve({"extra": "x"}, places={"extra"})
    with pytest.raises(Unsupported, match="no parameter 'extar'; did you mean 'extra'"):
        found.resolve({"extar": "x"}, allow_unconstrained=True, places={"extra"})
    closed = parameters({"properties": {}, "additionalProperties": False})
    with pytest.raises(Unsupported, match="no parameter 'extra'; there are none"):
        closed.resolve({"extra": "x"}, allow_unconstrained=True, places={"extra"})


def test_what_is_allowed_is_still_checked() -> None:
    """Only that the text is limited is not asked for."""
    found = parameters(MANY)

    assert found.resolve({"text": "-x y"}, allow_unconstrained=True) == {"text": "-x y"}
    with pytest.raises(Unsupported, match="'text' must be string"):
        found.resolve({"text": 5}, allow_unconstrained=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        ("", ""),
        (5, "5"),
        (-0.5, "-0.5"),
        (True, "true"),
        (None, "null"),
        ([1, "é"], '[1,"é"]'),
        ({"a": {"b": 1}}, '{"a":{"b":1}}'),
    ],
)
def test_strings_are_put_in_as_they_are_and_others_as_json(value: object, text: str) -> None:
    """Without a space."""
    assert as_text(value) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(MANY)) | st.text(max_size=3), JSON, max_size=3), st.booleans())
def test_whatever_is_given_there_are_values_or_it_is_refused(given_: dict[str, Any], allow: bool) -> None:
    """And values that were resolved once are what they resolve to again."""
    found = parameters(MANY)
    try:
        values = found.resolve(given_, allow_unconstrained=allow)
    except Unsupported:
        return
    assert values.keys() == given_.keys()
    assert json.loads(json.dumps(values)) == values
    assert found.resolve(values, allow_unconstrained=allow) == values


def test_the_validator_is_imported_for_those_who_need_it() -> None:
    """Importing the package, or asking about a kernel type without parameters, does not."""
    code = (
        "import sys, jupyter_kernel_mgmt as jkm\n"
        "jkm.LaunchParameters.from_metadata({}).resolve({})\n"
        "sys.exit('fastjsonschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
