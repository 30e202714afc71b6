import json

import pytest

from jupyter_kernel_mgmt import KernelTypeInfo
from jupyter_kernel_mgmt.cli.list import Listing, as_dict, look, show

INFO = KernelTypeInfo(
    display_name="Py\nthon",
    language="python",
    argv=("python", "-m"),
    metadata={"a": 1},
    language_version="3.13",
    prefix="/env",
)
LOST = KernelTypeInfo(display_name="Lost", language="", obstacle="it is\nbroken")
LISTING = Listing([("spec/python3", INFO)], [("provider 'x'", "ImportError: no")])


def test_json_has_everything() -> None:
    """In the shape that the help shows."""
    assert json.loads(json.dumps(as_dict(LISTING))) == {
        "kernels": [
            {
                "type": "spec/python3",
                "provider": "spec",
                "name": "python3",
                "display_name": "Py\nthon",
                "language": "python",
                "language_version": "3.13",
                "prefix": "/env",
                "obstacle": "",
                "argv": ["python", "-m"],
                "metadata": {"a": 1},
            }
        ],
        "problems": [{"where": "provider 'x'", "text": "ImportError: no"}],
    }


def test_the_table_is_on_stdout_and_problems_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """One kernel type a line, without escape sequences in a pipe."""
    show(LISTING)
    captured = capsys.readouterr()
    assert [line.split() for line in captured.out.splitlines()] == [
        ["KERNEL", "TYPE", "NAME", "LANGUAGE"],
        ["spec/python3", "Py", "thon", "python"],
    ]
    assert captured.err == "problem: provider 'x': ImportError: no\n"
    assert "\x1b" not in captured.out + captured.err


def test_what_cannot_be_launched_is_in_the_table_and_its_reason_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line; and in JSON beside its name."""
    show(Listing([("spec/lost", LOST), *LISTING.kernels], []))
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].split() == ["spec/lost", "Lost"]
    assert captured.err == "not launchable: spec/lost: it is broken\n"
    assert as_dict(Listing([("spec/lost", LOST)], []))["kernels"][0]["obstacle"] == "it is\nbroken"


def test_long_names_are_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Where programs read them."""
    show(Listing([("spec/" + "n" * 90, INFO)], []))
    assert "n" * 90 in capsys.readouterr().out


def test_only_finding_nothing_to_launch_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """And finding nothing at all is told."""
    assert LISTING.exit_code == 0
    assert Listing([("spec/lost", LOST)], []).exit_code == 3
    nothing = Listing([], [])
    assert nothing.exit_code == 3
    show(nothing)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no kernel types were found" in captured.err


async def test_what_is_installed_is_found() -> None:
    """By name, in order."""
    kernels = [kernel_type for kernel_type, _ in (await look()).kernels]
    assert "pyimport/kernel" in kernels
    assert kernels == sorted(kernels)
