"""Reading what may be no file."""

import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt._regular_files import read_regular


def test_a_file_is_read_as_far_as_is_wanted(tmp_path: Path) -> None:
    """A link to one as well."""
    (tmp_path / "file").write_bytes(b"a\r\nb")
    (tmp_path / "link").symlink_to("file")

    assert read_regular(tmp_path / "file") == read_regular(tmp_path / "link") == b"a\r\nb"
    assert read_regular(tmp_path / "file", 2) == b"a\r"


@pytest.mark.skipif(sys.platform == "win32", reason="of pipes and devices")
def test_what_never_ends_is_not_begun(tmp_path: Path) -> None:
    """Nobody writes into that pipe, and the device has no end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="no regular file"):
            read_regular(path)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_no_file_can_be_called_is_none(name: str) -> None:
    """Names come from other people's files."""
    with pytest.raises(OSError):  # noqa: PT011 - each system words it in its own way
        read_regular(Path(name))
