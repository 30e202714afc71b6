"""Finding and reading kernel.json files, good ones and bad ones."""

import json
import os
import site
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt._regular_files import read_regular
from jupyter_kernel_mgmt.kernelspec import (
    BadKernelSpec,
    KernelSpec,
    find_kernelspecs,
    get_kernelspec,
    kernelspec_directories,
    kernelspec_from_dict,
    no_such_kernelspec,
    read_kernelspec,
    reading,
)
from jupyter_kernel_mgmt.kernelspec.places import interpreters

GOOD = {"argv": ["python", "-f", "{connection_file}"], "display_name": "A", "language": "a"}
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Writes a kernelspec: a dict as JSON, text as it is, None for a directory without the file."""

    def make(name: str, spec: Any = GOOD, *, below: str = "kernels") -> Path:
        directory = tmp_path / below / name
        directory.mkdir(parents=True)
        if spec is not None:
            text = spec if isinstance(spec, str | bytes) else json.dumps(spec)
            (directory / "kernel.json").write_bytes(text.encode() if isinstance(text, str) else text)
        return directory

    return make


def test_what_a_spec_says_is_read(install: Install) -> None:
    """All fields, and the name from the directory, in lower case."""
    spec = read_kernelspec(
        install(
            "My.Kernel-1",
            {
                **GOOD,
                "interrupt_mode": "message",
                "env": {"A": "${B}"},
                "metadata": {"debugger": True},
                "unknown_field": [1],
            },
        )
    )

    assert (spec.name, spec.display_name, spec.language) == ("my.kernel-1", "A", "a")
    assert spec.argv == ("python", "-f", "{connection_file}")
    assert (spec.interrupt_mode, spec.env, spec.metadata) == ("message", {"A": "${B}"}, {"debugger": True})


def test_what_a_spec_may_leave_out(install: Install) -> None:
    """Everything but argv; nulls count as left out where an object or a mode is wanted."""
    bare = read_kernelspec(install("Bare", {"argv": ["x"]}))
    nulls = read_kernelspec(
        install("nulls", {"argv": ["x"], "env": None, "metadata": None, "interrupt_mode": None})
    )

    assert (bare.display_name, bare.language, bare.interrupt_mode) == ("Bare", "", "signal")
    assert bare.env == bare.metadata == nulls.env == nulls.metadata == {}
    assert nulls.interrupt_mode == "signal"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("{not json", "is not JSON"),
        ("", "is not JSON"),
        (" " * (1 << 20) + "{}", "is larger than 1 MiB"),
        (b"\xff\xfe\x00", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([1], "holds no JSON object"),
        ("null", "holds no JSON object"),
        ({}, "argv must be"),
        ({"argv": []}, "argv must be"),
        ({"argv": "python -f x"}, "argv must be"),
        ({"argv": ["python", 3]}, "argv must be"),
        ({**GOOD, "env": {"A": 1}}, "env must be strings"),
        ({**GOOD, "env": ["A"]}, "env must be an object"),
        ({**GOOD, "metadata": "x"}, "metadata must be an object"),
        ({**GOOD, "display_name": 3}, "display_name must be a string"),
        ({**GOOD, "language": None}, "language must be a string"),
        ({**GOOD, "interrupt_mode": "shout"}, "interrupt_mode must be"),
        ({**GOOD, "interrupt_mode": ["signal"]}, "interrupt_mode must be"),
        (None, "cannot be read"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_bad_spec_is_refused_by_file_and_field(install: Install, spec: Any, complaint: str) -> None:
    """Whatever is wrong with it."""
    directory = install("bad", spec)
    with pytest.raises(BadKernelSpec, match=complaint) as caught:
        read_kernelspec(directory)

    assert str(directory / "kernel.json") in str(caught.value)


def test_a_search_gives_each_name_once_and_errors_in_their_place(install: Install, tmp_path: Path) -> None:
    """The first directory of a name hides later ones, also where it is bad; case is ignored."""
    install("one", {**GOOD, "display_name": "first"}, below="a")
    install("bad", "{", below="a")
    install("ONE", {**GOOD, "display_name": "second"}, below="b")
    install("bad", GOOD, below="b")
    install("two", GOOD, below="b")
    found = list(find_kernelspecs([tmp_path / "a", tmp_path / "missing", tmp_path / "b"]))

    assert [spec.name for spec in found if isinstance(spec, KernelSpec)] == ["one", "two"]
    assert [spec.display_name for spec in found if isinstance(spec, KernelSpec)] == ["first", "A"]
    assert len([error for error in found if isinstance(error, BadKernelSpec)]) == 1


def test_what_is_no_kernelspec_is_passed_over(install: Install, tmp_path: Path) -> None:
    """Names that are not allowed, directories without the file, files."""
    for name in ("with space", "ümlaut", "a+b", "good"):
        install(name)
    install("empty", None)
    (tmp_path / "kernels" / "file").write_text("")

    found = find_kernelspecs([tmp_path / "kernels"])
    assert [spec.name for spec in found if isinstance(spec, KernelSpec)] == ["good"]


@pytest.mark.skipif(sys.platform == "win32", reason="of links and pipes")
def test_what_may_not_be_looked_at_hides_no_other(install: Install, tmp_path: Path) -> None:
    """It is bad; a pipe is no file, and nobody waits for what comes out of it."""
    odd, piped = install("odd", None), install("piped", None)
    install("other")
    (odd / "kernel.json").symlink_to("kernel.json")
    os.mkfifo(piped / "kernel.json")
    bad, other = find_kernelspecs([tmp_path / "kernels"])

    assert isinstance(bad, BadKernelSpec)
    assert (bad.name, other.name) == ("odd", "other")
    assert "cannot be read" in str(bad)
    with pytest.raises(BadKernelSpec, match="cannot be read"):
        get_kernelspec("odd", [tmp_path / "kernels"])
    with pytest.raises(KeyError):
        get_kernelspec("piped", [tmp_path / "kernels"])
    with pytest.raises(BadKernelSpec, match="no regular file"):
        read_kernelspec(piped)


def test_one_that_is_removed_during_the_search_is_passed_over(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it had gone before; the one behind it is found."""
    gone = install("x", below="a") / "kernel.json"
    install("x", below="b")

    def removed_before(file: Path, largest: int) -> bytes:
        gone.unlink(missing_ok=True)
        return read_regular(file, largest)

    monkeypatch.setattr(reading, "read_regular", removed_before)
    [found] = find_kernelspecs([tmp_path / "a", tmp_path / "b"])
    assert isinstance(found, KernelSpec)
    assert found.directory == tmp_path / "b" / "x"


def test_getting_one_by_name_ignores_case_and_takes_the_first(install: Install, tmp_path: Path) -> None:
    """An unknown one is a `KeyError`, a bad one says what is bad."""
    install("Mixed", {**GOOD, "display_name": "first"}, below="a")
    install("mixed", {**GOOD, "display_name": "second"}, below="b")
    install("bad", "{", below="a")
    path = [tmp_path / "a", tmp_path / "b"]

    assert get_kernelspec("MIXED", path).display_name == "first"
    with pytest.raises(KeyError, match="other"):
        get_kernelspec("other", path)
    with pytest.raises(BadKernelSpec):
        get_kernelspec("bad", path)
    for name in ("../a/mixed", "", ".", ".."):
        with pytest.raises(KeyError):
            get_kernelspec(name, path)


def test_getting_one_looks_at_no_other(install: Install, tmp_path: Path) -> None:
    """Others' files do not matter, and what has no file is passed over."""
    install("mixed", None, below="a")
    install("MIXED", below="b")
    install("other", "{", below="b")

    assert get_kernelspec("mixed", [tmp_path / "a", tmp_path / "b"]).directory == tmp_path / "b" / "MIXED"


def test_a_bad_one_tells_its_name_and_place(install: Install, tmp_path: Path) -> None:
    """Whether its file was bad or what is in it."""
    install("Bad", "{")
    install("odd", {"argv": []})
    found = [found for found in find_kernelspecs([tmp_path / "kernels"]) if isinstance(found, BadKernelSpec)]

    assert [(error.name, error.directory.name) for error in found] == [("bad", "Bad"), ("odd", "odd")]


def test_an_unknown_one_is_told_with_the_known_ones(install: Install, tmp_path: Path) -> None:
    """Those that can be used."""
    install("good")
    install("bad", "{")
    error = no_such_kernelspec("godo", [tmp_path / "kernels"])

    assert (error.known, error.searched) == (("good",), (str(tmp_path / "kernels"),))


def test_values_are_read_as_a_file_is(tmp_path: Path) -> None:
    """Which need not be there."""
    spec = kernelspec_from_dict({**GOOD, "kernel_protocol_version": "5.5"}, tmp_path / "X")

    assert (spec.name, spec.protocol_version) == ("x", "5.5")
    with pytest.raises(BadKernelSpec, match=r"kernel\.json: argv must be"):
        kernelspec_from_dict({}, tmp_path / "X")


def test_the_search_path_is_jupyters(
    install: Install, jupyter_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JUPYTER_PATH first, then the user's data directory or the environment's, then the system's."""
    monkeypatch.setenv("JUPYTER_PATH", os.pathsep.join([str(jupyter_home / "p1"), str(jupyter_home / "p2")]))
    directories = kernelspec_directories()

    assert directories[:2] == [jupyter_home / "p1" / "kernels", jupyter_home / "p2" / "kernels"]
    assert jupyter_home / "data" / "kernels" in directories
    assert Path(sys.prefix) / "share" / "jupyter" / "kernels" in directories

    install("mine", below="p2/kernels")
    assert get_kernelspec("mine").directory == jupyter_home / "p2" / "kernels" / "mine"
    assert "mine" in [spec.name for spec in find_kernelspecs() if isinstance(spec, KernelSpec)]


@pytest.mark.parametrize("name", ["python", "python3", "python3.11"])
def test_python_means_the_interpreter_of_the_prefix_that_owns_the_spec(
    install: Install, tmp_path: Path, name: str
) -> None:
    """The one of that very name before others; the rest of the command stays."""
    directory = install("own", {"argv": [name, "-m", "x"]}, below="prefix/share/jupyter/kernels")
    spec = read_kernelspec(directory)
    assert spec.prefix == tmp_path / "prefix"

    for interpreter in reversed(interpreters(tmp_path / "prefix", name, sys.platform)):
        interpreter.parent.mkdir(exist_ok=True, parents=True)
        interpreter.touch()
        assert spec.command() == (str(interpreter), "-m", "x")


@pytest.mark.parametrize("below", ["kernels", "base/share/jupyter/kernels", "bare/share/jupyter/kernels"])
def test_python_elsewhere_means_ours(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    """In no prefix, in a user's base directory, which is none, and in a prefix without an interpreter."""
    (tmp_path / "base" / "bin").mkdir(parents=True)
    (tmp_path / "base" / "bin" / "python").touch()
    monkeypatch.setattr(site, "USER_BASE", str(tmp_path / "base"))
    minor = "python{}.{}".format(*sys.version_info[:2])
    for name in ("python", "python3", minor):
        spec = read_kernelspec(install(name, {"argv": [name, "-m", "x"]}, below=below))
        assert spec.command() == (sys.executable, "-m", "x")


def test_another_python_than_ours_is_left_to_the_path(install: Install) -> None:
    """Ours would be the wrong one."""
    spec = read_kernelspec(install("old", {"argv": ["python2.7", "-m", "x"]}))
    assert spec.command() == ("python2.7", "-m", "x")


@pytest.mark.parametrize("program", ["/usr/bin/python3", "R", "pythonic", "python3.11.2", "python-x"])
def test_any_other_program_is_left_alone(install: Install, program: str) -> None:
    """Only the bare names are ambiguous."""
    assert read_kernelspec(install("x", {"argv": [program, "a"]})).command() == (program, "a")


def test_a_spec_shows_no_environment(install: Install) -> None:
    """It may hold secrets."""
    spec = read_kernelspec(install("x", {**GOOD, "env": {"TOKEN": "hunter2"}}))

    assert "hunter2" not in repr(spec)
