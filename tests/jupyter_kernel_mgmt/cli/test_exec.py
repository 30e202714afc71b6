import argparse
import io
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.cli.exec import read_code, run, seconds
from jupyter_kernel_mgmt.cli.program import UsageError


def test_code_comes_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option, a file or stdin, as UTF-8 with or without a mark."""
    file = tmp_path / "code.py"
    file.write_bytes(b"\xef\xbb\xbf'\xc3\xa9'")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("'é'".encode())))
    assert read_code("1", None) == "1"
    assert read_code("", None) == ""
    assert read_code(None, str(file)) == "'é'"
    assert read_code(None, "-") == "'é'"


@pytest.mark.parametrize(("code", "file"), [(None, None), ("1", "x.py")])
def test_none_or_two_places_are_refused(code: str | None, file: str | None) -> None:
    """Saying what is possible."""
    with pytest.raises(UsageError, match="either -c CODE or a FILE"):
        read_code(code, file)


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """Missing, or of another encoding."""
    with pytest.raises(UsageError, match="No such file"):
        read_code(None, str(tmp_path / "none.py"))
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(UsageError, match="is not UTF-8"):
        read_code(None, str(tmp_path / "latin"))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_is_a_number_of_seconds(text: str) -> None:
    """Above zero."""
    assert seconds("1.5") == 1.5
    with pytest.raises(argparse.ArgumentTypeError, match="no number of seconds"):
        seconds(text)


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before a kernel is started in it."""
    arguments = argparse.Namespace(code="1", file=None, cwd=str(tmp_path / "none"))
    with pytest.raises(UsageError, match="is no directory"):
        run(arguments)
