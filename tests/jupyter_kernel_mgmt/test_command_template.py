"""Places in commands and environments, what may be put into them and what may not."""

import string
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt import CommandTemplate, LaunchParameters, Unsupported

FIELDS = {"connection_file": "/run/k.json", "resource_dir": "/share/k"}
NOTHING = LaunchParameters()
SCHEMAS = {
    "listed": {"enum": ["-a", "b", "/bin/x"]},
    "word": {"type": "string", "pattern": "^[a-z-]+$"},
    "number": {"type": "integer"},
    "a-b": {"type": "integer"},
    "sizes": {"type": "array", "items": {"type": "integer"}},
    "absent": {"type": "integer"},
    "resource_dir": {"type": "integer"},
}
DECLARED = LaunchParameters.from_metadata({"parameters": SCHEMAS})


def filled(
    argv: list[str],
    values: Mapping[str, Any],
    env: Mapping[str, str] | None = None,
    parameters: LaunchParameters = NOTHING,
) -> tuple[tuple[str, ...], dict[str, str]]:
    return CommandTemplate(tuple(argv), env or {}).fill(FIELDS, values, parameters)


@pytest.mark.parametrize(
    ("argv", "params", "expected"),
    [
        (["k", "-f", "{connection_file}"], {}, ["k", "-f", "/run/k.json"]),
        (["k", "--f={connection_file}:{connection_file}"], {}, ["k", "--f=/run/k.json:/run/k.json"]),
        (["{resource_dir}/start"], {}, ["/share/k/start"]),
        (["k", "{threads}", "{name}"], {"threads": 4, "name": "x y"}, ["k", "4", "x y"]),
        (["k", "{debug}", "{sizes}"], {"debug": True, "sizes": [1, 2]}, ["k", "true", "[1,2]"]),
        (["k", "{empty}", "{empty}{n}"], {"empty": "", "n": -1}, ["k", "", "-1"]),
        ([], {}, []),
        # as others spell it
        (["k", "{parameters.n}", "-n=${parameters.n}"], {"n": 4}, ["k", "4", "-n=4"]),
        (["k", "{a-b}{parameters.a-b}{a.b}"], {"a-b": 4, "a.b": 5}, ["k", "445"]),
        (["k", "{parameters.resource_dir}{resource_dir}"], {"resource_dir": 1}, ["k", "1/share/k"]),
        (["k", "${threads}"], {"threads": 4}, ["k", "$4"]),
        # braces that are no place of ours stay
        (["k", "{", "}", "{}", "{ a }", "{a-b}"], {}, ["k", "{", "}", "{}", "{ a }", "{a-b}"]),
        (["k", "{unknown}", "${HOME}"], {}, ["k", "{unknown}", "${HOME}"]),
        (["R", "-e", "f <- function() { main() }"], {}, ["R", "-e", "f <- function() { main() }"]),
        (["k", "{{connection_file}}"], {}, ["k", "{/run/k.json}"]),
        # what is filled in is not looked at again
        (["k", "{threads}"], {"threads": "{connection_file}"}, ["k", "{connection_file}"]),
        (["k", "{threads}"], {"threads": r"\1\g<0>"}, ["k", r"\1\g<0>"]),
        (["k", "{parameters.{n}}"], {"n": "x", "x": 1}, ["k", "{parameters.x}"]),
    ],
)
def test_places_in_the_command_are_filled_in(
    argv: list[str], params: Mapping[str, Any], expected: list[str]
) -> None:
    """Each by its name, as often as it stands there; everything else stays as it is."""
    assert filled(argv, params)[0] == tuple(expected)


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        ("{level}", {"level": "DEBUG"}, "DEBUG"),
        ("<{parameters.level}|${parameters.level}>", {"level": 1}, "<1|1>"),
        ("{level}", {}, "{level}"),
        # a variable is none of our places, and what we put in is no variable
        ("${level}:$level", {"level": 1}, "${level}:$level"),
        ("{level}", {"level": "$HOME ${HOME} $$"}, "$$HOME $${HOME} $$$$"),
        ("$$", {"level": 1}, "$$"),
        ("$${level}", {"level": 1}, "$$1"),
        ("$HOME{level}$X", {"level": "Y"}, "${HOME}Y$X"),
        ("$HOME{other}", {"level": "Y"}, "$HOME{other}"),
        # nor does it become the name of one
        ("${{level}}", {"level": "HOME"}, "$${HOME}"),
        ("${{parameters.level}}", {"level": "HOME"}, "$${HOME}"),
        ("${HO{level}}", {"level": "ME"}, "$${HOME}"),
        ("${HOME}{level}", {"level": "ME"}, "${HOME}ME"),
        ("{connection_file}", {}, "{connection_file}"),
        ('{"json": {"a": [1]}}', {"level": 1}, '{"json": {"a": [1]}}'),
    ],
)
def test_places_in_the_environment_are_filled_in(text: str, params: Mapping[str, Any], expected: str) -> None:
    """So that replacing variables afterwards finds those of the kernelspec's author, and no others."""
    assert filled(["k"], params, {"A": text})[1] == {"A": expected}


@given(
    st.text("$AB{}_ab", max_size=12),
    st.text("$AB{}_", max_size=6),
)
def test_no_value_becomes_a_variable_or_joins_one(text: str, value: str) -> None:
    """What stands in the environment is the value itself, between what the author's text gives."""
    template = string.Template(filled(["k"], {"x": value}, {"V": f"{text}|{{x}}|$A{{parameters.x}}"})[1]["V"])
    variables = {"A": "1", "B": "2"}
    before = string.Template(filled(["k"], {"x": value}, {"V": f"{text}|"})[1]["V"])

    assert template.safe_substitute(variables) == f"{before.safe_substitute(variables)}{value}|1{value}"


@pytest.mark.parametrize(
    ("argv", "env", "values", "text"),
    [
        (["k", "{absent}"], {}, {}, "'absent' must be given: the command has a place for it"),
        (["k"], {"A": "{absent}"}, {}, "'absent' must be given"),
        (["k", "{parameters.other}"], {}, {}, "'other' must be given"),
        (["k", "{parameters.resource_dir}"], {}, {}, "'resource_dir' must be given"),
        (["k", "{word}"], {}, {"word": "a\0b"}, "'word' contains a NUL"),
        (["k"], {"A": "{word}"}, {"word": "a\0b"}, "'word' contains a NUL"),
        (["k", "{word}"], {}, {"word": "a\ud800b"}, r"'word' contains '\\ud800', which no argument"),
        # which program is run
        (
            ["{word}"],
            {},
            {"word": "sh"},
            "'word' would decide which program is run; only values that an enum",
        ),
        (["/bin/{number}"], {}, {"number": 1}, "'number' would decide which program is run"),
        (["k"], {"PATH": "{word}:$PATH"}, {"word": "x"}, "'word' would decide .* through PATH"),
        (["k"], {"Path": "{word}"}, {"word": "x"}, "'word' would decide .* through PATH"),
        # options
        (["k", "{word}"], {}, {"word": "-x"}, "'word' would be taken for an option: '-x' begins with '-'"),
        (["k", "{word}.txt"], {}, {"word": "--x"}, "'word' would be taken for an option"),
        (
            ["k", "{sizes}{parameters.free}"],
            {},
            {"sizes": "", "free": "-"},
            "'free' would be taken for an opt",
        ),
    ],
)
def test_what_a_place_cannot_take_is_refused(
    argv: list[str], env: Mapping[str, str], values: Mapping[str, Any], text: str
) -> None:
    """By the name of the parameter."""
    with pytest.raises(Unsupported, match=text) as caught:
        filled(argv, values, env, DECLARED)

    assert caught.value.option == "launch_params"


@pytest.mark.parametrize(
    ("argv", "values", "expected"),
    [
        (["{listed}"], {"listed": "/bin/x"}, ["/bin/x"]),
        (["k", "{listed}"], {"listed": "-a"}, ["k", "-a"]),
        (["k", "{number}"], {"number": -5}, ["k", "-5"]),
        (["k", "--word={word}"], {"word": "-x"}, ["k", "--word=-x"]),
        (["k", "x{word}"], {"word": "-x"}, ["k", "x-x"]),
        (["k", "{word}"], {"word": "a-x"}, ["k", "a-x"]),
    ],
)
def test_what_its_author_has_seen_may_be_put_anywhere(
    argv: list[str], values: Mapping[str, Any], expected: list[str]
) -> None:
    """And a number is no option, nor is what follows something else in its argument."""
    assert filled(argv, values, {"PATH": "x"}, DECLARED)[0] == tuple(expected)


def test_parameters_without_a_place_are_known() -> None:
    """A provider may have a use for them; where it has none, they are refused."""
    template = CommandTemplate(("k", "{n}", "{connection_file}"), {"A": "{m} ${HOME}"})

    assert template.places(FIELDS) == {"n", "m"}
    assert template.unplaced({"n": 1, "m": 2, "memory": 3}, FIELDS) == {"memory": 3}
    template.refuse_unplaced({"n": 1, "m": 2}, FIELDS)
    with pytest.raises(Unsupported, match="no place for 'memory'; it has m, n"):
        template.refuse_unplaced({"n": 1, "memory": 3}, FIELDS)
    with pytest.raises(Unsupported, match="no place for 'memory'; it has none"):
        CommandTemplate(("k", "{connection_file}")).refuse_unplaced({"memory": 3}, FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_what_the_launcher_fills_in_cannot_be_given(name: str) -> None:
    """Unless the command asks for a parameter of that name."""
    with pytest.raises(Unsupported, match=f"'{name}' is filled in by the launcher"):
        CommandTemplate(("k", f"{{{name}}}")).refuse_fields({name: 1}, FIELDS)
    CommandTemplate(("k", f"{{parameters.{name}}}")).refuse_fields({name: 1}, FIELDS)


NAMES = st.sampled_from([*SCHEMAS, "free", "connection_file"])
PLACES = NAMES.flatmap(lambda n: st.sampled_from([f"{{{n}}}", f"{{parameters.{n}}}", f"${{parameters.{n}}}"]))
TEXTS = st.lists(PLACES | st.text("-${}ab ", max_size=3), max_size=4).map("".join)
VALUES = st.one_of(
    st.sampled_from(["-a", "b", "/bin/x", "-x", "word"]),
    st.text(st.characters(), max_size=6),
    st.integers(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
)


@given(
    st.lists(TEXTS, min_size=1, max_size=5), TEXTS, st.dictionaries(NAMES, VALUES, max_size=5), st.booleans()
)
def test_whatever_the_parameters_arguments_stay_arguments(
    argv: list[str], variable: str, params: dict[str, Any], allow: bool
) -> None:
    """As many as there were, of the same program; or the parameters are refused."""
    template = CommandTemplate(tuple(argv), {"A": variable})
    try:
        template.refuse_fields(params, FIELDS)
        values = DECLARED.resolve(params, allow_unconstrained=allow, places=template.places(FIELDS))
        template.refuse_unplaced(params, FIELDS)
        command, env = template.fill(FIELDS, values, DECLARED)
    except Unsupported:
        return
    assert len(command) == len(argv)
    assert env.keys() == {"A"}
    assert not any("\0" in text for text in (*command, *env.values()))
    for before, after in zip(argv[1:], command[1:], strict=True):
        if after.startswith("-") and not before.startswith("-"):
            assert after[1:2].isdigit() or after.startswith("-a")  # a number, or what is listed


WORDS = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=5)
ENCODABLE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@given(st.dictionaries(WORDS.map("p_".__add__), ENCODABLE, max_size=4))
def test_a_value_is_put_in_exactly_as_it_is(params: dict[str, str]) -> None:
    """Whatever characters it has."""
    argv = ["k", *(f"<{{{name}}}>" for name in params)]

    assert filled(argv, params)[0] == ("k", *(f"<{value}>" for value in params.values()))
