"""Parameters of a notebook: read, written, injected."""

import copy
import keyword
import math
import sys
import unicodedata
from datetime import date
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt.notebook.parameters import ParameterError, assignments, inject, parse_assignment

LANGUAGES = ["python", "R", "julia", "javascript", "typescript", "bash", "sh"]

# Read from a command line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # JSON
        ("3", 3),
        ("-3", -3),
        ("3.5", 3.5),
        ("1e5", 1e5),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("true", True),
        ("null", None),
        ('"3"', "3"),
        ('"a\\nb"', "a\nb"),
        (' [1, "a", null] ', [1, "a", None]),
        ('{"a": {"b": []}}', {"a": {"b": []}}),
        # words
        ("True", True),
        ("TRUE", True),
        ("False", False),
        ("FALSE", False),
        ("false", False),
        ("None", None),
        ("Null", None),
        ("NULL", None),
        ("~", None),
        (" True ", True),
        # numbers as people write them
        ("+3", 3),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+1.5E-3", 0.0015),
        ("inf", math.inf),
        ("-inf", -math.inf),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        # text
        ("", ""),
        ("hello", "hello"),
        (" two words ", " two words "),
        ("a=b", "a=b"),
        ("007", "007"),
        ("-007", "-007"),
        ("+007", "+007"),
        ("007.5", "007.5"),
        ("1_000", "1_000"),
        ("٣", "٣"),
        ("0x1F", "0x1F"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("tRUE", "tRUE"),
        ("2024-01-31", "2024-01-31"),
        ("1.2.3", "1.2.3"),
        ("5e", "5e"),
        (".", "."),
        ("[1, 2", "[1, 2"),
    ],
)
def test_a_value_is_json_or_a_word_or_a_number_or_text(text, value):
    """In this order; what looks like none of them stays as it was typed."""
    name, parsed = parse_assignment(f"x={text}")
    assert (name, type(parsed), parsed) == ("x", type(value), value)


@pytest.mark.parametrize(
    "text", ["9" * 5000, "+" + "9" * 5000, "[" * 200_000], ids=["digits", "+digits", "brackets"]
)
def test_what_is_too_much_to_be_read_is_text(text):
    """More digits, or deeper, than Python reads."""
    assert parse_assignment(f"x={text}") == ("x", text)


@pytest.mark.parametrize("text", ["NaN", "nan", ".nan", ".NaN"])
def test_not_a_number_is_read(text):
    """In the spellings of JSON's readers, Python and YAML."""
    assert math.isnan(parse_assignment(f"x={text}")[1])


@pytest.mark.parametrize("text", ["x", "", "=3", "  =3"])
def test_what_is_no_assignment_is_refused(text):
    """Without an equals sign or a name there is nothing to assign."""
    with pytest.raises(ParameterError, match="expected name=value") as caught:
        parse_assignment(text)
    assert caught.value.name is None


@given(st.text())
def test_reading_gives_a_value_or_a_parameter_error(text):
    """Whatever is typed."""
    try:
        name, _ = parse_assignment(text)
    except ParameterError:
        assert not text.partition("=")[0].strip() or "=" not in text
    else:
        assert name == text.partition("=")[0].strip()


# Written in Python

SCALARS = st.none() | st.booleans() | st.integers() | st.floats()
WRITABLE_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WRITABLE_TEXT
VALUES = st.recursive(
    SCALARS | WRITABLE_TEXT,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)
NAMES = (
    st.from_regex(r"\A[^\W\d]\w*\Z")
    .map(lambda name: unicodedata.normalize("NFKC", name))
    .filter(lambda name: name.isidentifier() and not keyword.iskeyword(name))
)


@given(st.dictionaries(NAMES, VALUES))
def test_python_gives_the_same_values_back(parameters):
    """Types, signs of zero and not-a-numbers included, which `repr` tells apart."""
    namespace = {}
    exec(assignments(parameters, "python"), namespace)
    namespace.pop("__builtins__", None)
    parameters.pop("__builtins__", None)
    assert repr(namespace) == repr(parameters)


def test_a_number_of_more_digits_than_python_reads_is_written():
    """The limit is one of decimal digits."""
    namespace = {}
    exec(assignments({"x": -(10**5000)}, "Python"), namespace)
    assert namespace["x"] == -(10**5000)


def test_subclasses_are_written_as_what_they_are_a_case_of():
    """Their own `repr` would need names that the kernel does not have."""
    parameters = {"a": type("T", (str,), {})("x"), "b": type("N", (int,), {"__repr__": lambda self: "N"})(3)}
    assert assignments(parameters, "python") == "a = 'x'\nb = 3\n"


def test_nothing_is_no_source():
    """No parameters, no lines."""
    assert assignments({}, "python") == ""


# Refused


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "value", ["\ud800", ["\udfff"], date(2024, 1, 31), object(), {1, 2}, b"x", [[3, object()]], {"a": 1j}]
)
def test_a_value_that_cannot_be_written_is_refused_by_name(language, value):
    """And by what is wrong with it, in every language."""
    with pytest.raises(ParameterError, match=r"parameter 'second': .*cannot be written") as caught:
        assignments({"first": 1, "second": value}, language)
    assert caught.value.name == "second"


@pytest.mark.parametrize("language", LANGUAGES[1:5])
@pytest.mark.parametrize("key", [1, None, ("a",), "\ud800"])
def test_other_languages_than_python_have_text_for_keys(language, key):
    """A key of another type would come back as another key."""
    with pytest.raises(ParameterError, match="parameter 'x'"):
        assignments({"x": {key: 1}}, language)


@pytest.mark.parametrize(
    ("language", "value"),
    [
        ("R", "a\0b"),
        ("R", 2**53 + 1),
        ("bash", "a\0b"),
        ("bash", [[1]]),
        ("bash", {"a": [1]}),
        ("bash", {"": 1}),
        ("bash", [{}]),
        ("sh", [1]),
        ("sh", {"a": 1}),
    ],
)
def test_what_one_language_cannot_say_is_refused(language, value):
    """Rather than written as something like it."""
    with pytest.raises(ParameterError, match=f"parameter 'x': .*{language}"):
        assignments({"x": value}, language)


def test_more_digits_than_python_writes_are_refused():
    """Where the language has no other way to write a number."""
    with pytest.raises(ParameterError, match=r"parameter 'x': .*digits"):
        assignments({"x": 10**5000}, "julia")


@pytest.mark.parametrize(
    ("language", "names"),
    [
        (
            "python",
            ["", "1a", "a b", "a-b", "class", "None", "Nᵒne", "__debug__", "a;b", "a\n", "x=1\ny", "a.b"],
        ),
        ("R", ["", "1a", "_a", ".1a", "if", "NA", "...", "a-b", "a\n", "TRUE"]),
        ("julia", ["", "1a", "_", "__", "end", "a.b", "a-b", "!a", "a\n"]),
        ("javascript", ["", "1a", "a-b", "let", "await", "eval", "undefined", "a\n"]),
        ("typescript", ["", "1a", "a-b", "let", "await", "eval", "NaN", "a\n"]),
        ("bash", ["", "1a", "a-b", "ä", "UID", "a\n", "a[0]", "SHELLOPTS"]),
        ("sh", ["", "1a", "a-b", "ä", "a\n", "$(x)"]),
    ],
)
def test_what_is_no_name_in_the_language_is_refused(language, names):
    """Nothing gets into the source that could be more than a name."""
    for name in names:
        with pytest.raises(ParameterError, match="not a name that can be assigned to") as caught:
            assignments({name: 1}, language)
        assert caught.value.name == name


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("python", ["a", "_", "größe", "match", "print"]),
        ("R", ["a", ".a", "a.b", "a_1", "größe", "."]),
        ("julia", ["a", "_a", "größe", "a!"]),
        ("javascript", ["a", "$", "$a", "_", "größe", "of"]),
        ("bash", ["a", "_a", "A1", "PATH"]),
    ],
)
def test_names_of_the_language_are_taken(language, names):
    """All that it has, not just those of Python."""
    for name in names:
        assert name in assignments({name: 1}, language)


def test_a_name_that_is_not_text_is_refused():
    """As a file of parameters may have it."""
    with pytest.raises(ParameterError, match="a name is text, not int"):
        assignments({3: 1}, "python")


@pytest.mark.parametrize("language", ["cobol", "", "python2000"])
def test_a_language_that_is_not_known_is_refused(language):
    """And those that are known are told."""
    with pytest.raises(ParameterError, match="python, r, julia, javascript, typescript, bash, sh") as caught:
        assignments({}, language)
    assert caught.value.name is None
    with pytest.raises(ParameterError, match=f"{language!r}"):
        inject([], {}, language)


def test_a_value_that_contains_itself_is_refused():
    """By name, and not by a crash."""
    value = []
    value.append(value)
    limit = sys.getrecursionlimit()
    with pytest.raises(ParameterError, match=r"parameter 'x': .*contains itself"):
        assignments({"x": value}, "python")
    assert sys.getrecursionlimit() == limit


# Julia, which few machines have: its text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "nothing"),
        (True, "true"),
        (2**70, str(2**70)),
        (float("nan"), "NaN"),
        (-math.inf, "-Inf"),
        (1e-5, "1e-05"),
        ('a"b\\c$d\n\té😀', r'"a\"b\\c\$d\n\té😀"'),
        ("\x80\u2028\U000e0001", r'"\u0080\u2028\U000e0001"'),
        ([1, 2], "[1, 2]"),
        ([1, 2.5], "Any[1, 2.5]"),
        ([True, 1], "Any[true, 1]"),
        ([[1], [2.5]], "Any[[1], [2.5]]"),
        ([], "Any[]"),
        ({"a": 1, "b": 2}, 'Dict("a" => 1, "b" => 2)'),
        ({"a": 1, "b": 2.5}, 'Dict{String, Any}("a" => 1, "b" => 2.5)'),
        ({}, "Dict{String, Any}()"),
    ],
)
def test_julia(value, written):
    """Text interpolates nothing, and numbers in a list are not turned into the widest of them."""
    assert assignments({"x": value}, "Julia") == f"x = {written}\n"


# Put into cells


def cell(source, *tags, **more):
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, **more}


def new_cell(source, **more):
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": ["injected-parameters"]},
        "outputs": [],
        "source": source,
        **more,
    }


X = "# Parameters\nx = 1\n"


@pytest.mark.parametrize(
    ("cells", "place", "replaces"),
    [
        ([], 0, False),
        ([cell("a"), cell("b")], 0, False),
        ([cell("a"), cell("d", "parameters"), cell("b")], 2, False),
        ([cell("a"), cell("d", "z", "parameters")], 2, False),
        ([cell("d", "parameters"), cell("e", "parameters")], 1, False),
        ([cell("d", "parameters"), cell("a"), cell("old", "injected-parameters"), cell("b")], 2, True),
        ([cell("old", "injected-parameters"), cell("older", "injected-parameters")], 0, True),
        ([{"cell_type": "markdown", "source": "", "metadata": {"tags": ["parameters"]}}], 1, False),
        ([{"source": "no metadata"}, {"source": "", "metadata": {"tags": None}}], 0, False),
    ],
)
def test_the_place_of_the_cell(cells, place, replaces):
    """That of an injected cell, else after the defaults, else at the top; what was given stays as it was."""
    before = copy.deepcopy(cells)
    done = inject(cells, {"x": 1}, "python")
    assert done == [*before[:place], new_cell(X), *before[place + replaces :]]
    assert cells == before


def test_a_new_cell_gets_a_new_id_and_one_in_an_old_place_keeps_its_id():
    """So that a notebook that is run again differs by values alone."""
    ids = (f"id{n}" for n in count())
    once = inject([cell("d", "parameters", id="d")], {"x": 1}, "python", lambda: next(ids))
    assert once[1] == new_cell(X, id="id0")
    twice = inject(once, {"x": 2}, "python", lambda: next(ids))
    assert twice == [once[0], new_cell("# Parameters\nx = 2\n", id="id0")]
    assert inject([cell("old", "injected-parameters")], {"x": 1}, "python", lambda: next(ids)) == [
        new_cell(X, id="id1")
    ]


@pytest.mark.parametrize(("language", "comment"), [("R", "# "), ("typescript", "// "), ("bash", "# ")])
def test_the_cell_begins_with_a_comment_of_its_language(language, comment):
    """The word in it is papermill's."""
    assert inject([], {}, language) == [new_cell(f"{comment}Parameters\n")]
