"""What is written for a language, run by the language itself; and papermill beside it."""

import asyncio
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_kernel_mgmt import launch
from jupyter_kernel_mgmt.notebook.parameters import assignments, inject

from ._kinds import SENT

GUARD = 60

few = settings(max_examples=10, suppress_health_check=list(HealthCheck))  # each starts an interpreter

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TEXT_WITHOUT_NUL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def nested(scalars, keys):
    return st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20
    ).map(lambda value: [value, [], {}, "", {"__proto__": 1, "$x": "`${x}\\"}])


def program(name):
    """The path of a program, beside the running Python's or anywhere on PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*argv, source, env=None):
    done = subprocess.run(argv, input=source.encode(), capture_output=True, check=False, timeout=60, env=env)
    assert done.returncode == 0, (source, done.stderr.decode())
    return done.stdout


# JavaScript and TypeScript

SHOW_JS = """
const show = (x) => typeof x === "bigint" ? {big: String(x)}
  : typeof x === "number" ? {number: Object.is(x, -0) ? "-0" : String(x)}
  : Array.isArray(x) ? x.map(show)
  : x !== null && typeof x === "object" ? {object: Object.keys(x).map((k) => [k, show(x[k])])}
  : x;
console.log(JSON.stringify(show(x)));
"""


def read_js(shown):
    if isinstance(shown, list):
        return [read_js(item) for item in shown]
    if not isinstance(shown, dict):
        return shown
    if "number" in shown:
        return float(shown["number"])
    if "big" in shown:
        return int(shown["big"])
    return {key: read_js(value) for key, value in shown["object"]}


def as_js(value):
    """What the value is there: numbers are doubles as long as they are exact."""
    match value:
        case bool() | None | str():
            return value
        case int():
            return float(value) if abs(value) < 2**53 else value
        case list():
            return list(map(as_js, value))
        case dict():
            # It puts what looks like an index first.
            return {key: as_js(item) for key, item in value.items()}
    return value


def same(one, other):
    """Equal, with signs of zero and not-a-numbers, and whatever the order of keys."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


@pytest.mark.parametrize(
    ("name", "options", "language"),
    [("node", ["-"], "javascript"), ("deno", ["run", "--ext=ts", "-"], "typescript")],
)
def test_javascript(name, options, language, short_directory):
    """Any nesting of any text, doubles and BigInts arrive as they were."""
    path = program(name)
    env = {"DENO_DIR": str(short_directory / "deno"), "NO_COLOR": "1", "PATH": str(Path(path).parent)}

    @few
    @given(nested(st.none() | st.booleans() | st.integers() | st.floats() | TEXT, TEXT))
    def check(value):
        shown = run(path, *options, source=assignments({"x": value}, language) + SHOW_JS, env=env)
        assert same(read_js(json.loads(shown)), as_js(value))

    check()


def test_a_cell_of_deno_declares_again_what_one_before_it_declared(short_directory):
    """As the cell with the defaults does."""
    source = "let x = 1\n" + assignments({"x": 2}, "typescript") + "console.log('x is', x)\n"
    env = {"DENO_DIR": str(short_directory / "deno"), "NO_COLOR": "1"}
    assert b"x is 2" in run(program("deno"), "repl", "-q", source=source, env=env)


# Shells

SHELL_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT_WITHOUT_NUL


def as_text(value):
    """What the value is in a shell."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
    return str(value)


@pytest.mark.parametrize(("name", "language"), [("bash", "bash"), ("sh", "sh")])
def test_text_in_a_shell(name, language):
    """Whatever it is, nothing in it is expanded or run."""
    path = program(name)

    @few
    @given(st.lists(SHELL_VALUES, min_size=5))
    def check(values):
        values = [*values, "$(exit 3)", "`exit 3`", "a'b\"c\\d", "\n", "\t'\\", "!x", "~", "*"]
        parameters = {f"x{n}": value for n, value in enumerate(values)}
        show = "".join(f"printf '%s\\0' \"${name}\"\n" for name in parameters)
        shown = run(path, source=assignments(parameters, language) + show).decode()
        assert shown.split("\0")[:-1] == list(map(as_text, values))

    check()


def test_arrays_in_bash():
    """Lists are arrays, and mappings associative ones with any keys but the empty; whatever was there."""
    path = program("bash")
    before = ["", "x=(1 2 3)\n", "declare -A x=([a]=b)\n", "x=5\n"]

    @few
    @given(st.lists(SHELL_VALUES), st.sampled_from(before))
    def check_list(values, earlier):
        show = 'printf \'%s\\0\' "${#x[@]}" "${x[@]}"\n'
        shown = run(path, source=earlier + assignments({"x": values}, "bash") + show).decode()
        assert shown.split("\0")[1:] == [*map(as_text, values), ""]
        assert shown.split("\0")[0] == str(len(values))

    keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)

    @few
    @given(st.dictionaries(keys, SHELL_VALUES), st.sampled_from(before))
    def check_mapping(values, earlier):
        values |= dict.fromkeys(["@", "*", "a]b", "$(exit 3)", "[", '"', "'", "\\", "\n", " ", "0", "a"], 1)
        show = 'for k in "${!x[@]}"; do printf \'%s\\0\' "$k" "${x[$k]}"; done\n'
        shown = run(path, source=earlier + assignments({"x": values}, "bash") + show).decode()
        pieces = shown.split("\0")
        assert dict(zip(pieces[::2], pieces[1::2], strict=False)) == {
            key: as_text(value) for key, value in values.items()
        }

    check_list()
    check_mapping()


# R

SHOW_R = """
show <- function(x) {
  if (is.null(x)) return("null")
  if (is.character(x)) return(paste0('{"text": [', paste(utf8ToInt(enc2utf8(x)), collapse = ","), "]}"))
  if (is.logical(x)) return(if (x) "true" else "false")
  if (is.numeric(x)) return(paste0('{"number": "', sprintf("%a", x), '"}'))
  items <- vapply(x, show, "")
  if (is.null(names(x))) return(paste0("[", paste(items, collapse = ","), "]"))
  keys <- vapply(names(x), show, "")
  pairs <- if (length(x)) paste0("[", keys, ",", items, "]") else character(0)
  paste0('{"object": [', paste(pairs, collapse = ","), "]}")
}
cat(show(x))
"""


def read_r(shown):
    if isinstance(shown, list):
        return [read_r(item) for item in shown]
    if not isinstance(shown, dict):
        return shown
    if "text" in shown:
        return "".join(map(chr, shown["text"]))
    if "number" in shown:
        number = shown["number"].strip()
        return float.fromhex(number) if "0x" in number else float(number)
    return {read_r(key): read_r(value) for key, value in shown["object"]}


def as_r(value):
    """What the value is there: all numbers are doubles."""
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            return float(value)
        case list():
            return list(map(as_r, value))
    return {key: as_r(item) for key, item in value.items()}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_r(locale):
    """Any text, also in names and in a locale without letters; doubles to the last bit; nested lists."""
    path = program("Rscript")
    whole = st.integers(-(2**53), 2**53)
    scalars = st.none() | st.booleans() | whole | st.floats() | TEXT_WITHOUT_NUL
    edges = [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1e22, 1e23, 123456.789e-20, -0.0]

    @few
    @given(nested(scalars, TEXT_WITHOUT_NUL), st.lists(st.floats(), min_size=50))
    def check(value, numbers):
        value = [value, {"": 1}, {"é": 1, "if": 2}, ["é\u2028😀\x7f\x01"], [*numbers, *edges]]
        source = assignments({"x": value}, "R") + SHOW_R
        env = {"LC_ALL": locale, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        shown = run(path, "--vanilla", "-", source=source, env=env)
        assert same(read_r(json.loads(shown)), as_r(value))

    check()


# In their kernels, where some stand between the source and the language

TEXTS = [
    "quotes ' \" `",
    "$HOME ${x} $(exit 3) \\ \\n !!",
    "a\nb\r\tc\x03\x04\x1b[A",
    "é ü 😀 \u2028",
    "long " * 400,
]
SHOWS = {
    "bash": ("bash", 'printf %s "${name}" | od -An -v -tx1 | tr -d " \\n"; echo'),
    "deno": ("typescript", f"console.log(new TextEncoder().encode({{name}}).toHex()){SENT}"),
    "ir": ("R", 'cat(paste(charToRaw(enc2utf8({name})), collapse = ""))'),
    "python3": ("python", "print({name}.encode().hex())"),
}


@pytest.mark.parametrize("kernel_type", SHOWS)
async def test_text_reaches_the_language_through_its_kernel(kernel_type, require):
    """Also where a terminal stands between them, to which control characters are keys."""
    require(kernel_type)
    language, show = SHOWS[kernel_type]
    source = inject([], {f"x{n}": text for n, text in enumerate(TEXTS)}, language)[0]["source"]
    async with launch(kernel_type) as kernel, asyncio.timeout(GUARD):
        result = await kernel.execute(source)
        assert result.status == "ok", result.outputs
        for n, text in enumerate(TEXTS):
            shown = await kernel.execute(show.replace("{name}", f"x{n}"))
            assert re.sub(r"\s", "", shown.stdout) == text.encode().hex()


# Beside papermill


@pytest.fixture(scope="module")
def papermill():
    """papermill's own functions."""
    pytest.importorskip("papermill", reason="papermill is not installed")
    nbformat = pytest.importorskip("nbformat")
    from papermill.parameterize import parameterize_notebook

    def parameterize(cells, parameters, language):
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {"name": "none", "language": language, "display_name": ""}
        notebook.metadata["papermill"] = {}
        done = parameterize_notebook(notebook, parameters, kernel_name=language, language=language)
        return json.loads(json.dumps(done.cells))

    return parameterize


VALUES = {
    "a": 1,
    "b": -2.5,
    "c": "plain",
    "d": True,
    "e": None,
    "f": [1, "two", [3.0, None]],
    "g": {"k": "v", "l": [False]},
    "h": math.inf,
    "i": "quotes ' and \" and \\ and\nlines and ü",
    "j": 2**80,
}


@pytest.mark.parametrize(
    "tags", [[], ["parameters"], ["injected-parameters"], ["parameters", "", "injected-parameters"], ["", ""]]
)
@pytest.mark.parametrize("language", ["python", "R", "julia", "bash"])
def test_the_cells_are_those_of_papermill(papermill, tags, language):
    """In the same place, with the same tags and, for plain values, the very same text but for R's arrow."""
    nbformat = pytest.importorskip("nbformat")
    cells = [
        nbformat.v4.new_code_cell(f"# {n}", metadata={"tags": [tag] if tag else []})
        for n, tag in enumerate(tags)
    ]
    plain = json.loads(json.dumps(cells))
    parameters = {"a": 1, "b": -2.5, "d": True}
    ours = inject(plain, parameters, language, lambda: "new")
    theirs = papermill(cells, parameters, language)
    for cell in theirs:
        cell["source"] = cell["source"].replace(" = ", " <- ") if language == "R" else cell["source"]
    for cell in [*ours, *theirs]:
        cell.pop("id")
    assert ours == theirs


def test_python_means_the_same_as_papermills(papermill):
    """For values of every kind that both can write."""
    ours, theirs = {}, {}
    exec(inject([], VALUES, "python")[0]["source"], ours)
    exec(papermill([], VALUES, "python")[0]["source"], theirs)
    del ours["__builtins__"], theirs["__builtins__"]
    assert ours == theirs == VALUES


def test_bash_means_the_same_as_papermills(papermill):
    """For text, numbers and flat lists; it has no mappings there."""
    parameters = {name: VALUES[name] for name in "abcdehij"} | {"f": [1, "two words", "$x"]}
    show = "".join(f"printf '%s\\0' \"${{{name}[@]}}\"\n" for name in parameters)
    sources = [
        cells[0]["source"] for cells in (inject([], parameters, "bash"), papermill([], parameters, "bash"))
    ]
    ours, theirs = (run(program("bash"), source=source + show) for source in sources)
    assert ours == theirs
