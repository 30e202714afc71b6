"""Parameters on a command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.cli.parameters import read_parameters
from jupyter_kernel_mgmt.cli.program import UsageError


def test_the_later_one_wins_whether_it_is_in_a_file_or_not(tmp_path: Path) -> None:
    """In a file of JSON they are what they are there, else what they look like."""
    file = tmp_path / "parameters.json"
    file.write_text('{"a": 1, "b": [2]}')
    assert read_parameters(["a=0", str(file), "b=x y", "c=1.5"]) == {"a": 1, "b": "x y", "c": 1.5}


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "--launch-parameters takes NAME=VALUE or a JSON file"), ("{", "is no JSON"), ("[]", "no JSON")],
)
def test_what_is_neither_is_refused(tmp_path: Path, content: str | None, text: str) -> None:
    """By the name of the option, or of the file."""
    file = tmp_path / "parameters.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=text):
        read_parameters([str(file)], "--launch-parameters")


def test_where_none_are_given_nothing_is_imported_for_them() -> None:
    """A kernel is launched without what notebooks need, and without waiting for that."""
    code = (
        "import sys\n"
        "from jupyter_kernel_mgmt.cli.parameters import read_parameters\n"
        "assert read_parameters([]) == {}\n"
        "assert 'nbformat' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
