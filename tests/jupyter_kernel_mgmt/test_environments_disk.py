"""Reading that remembers where it looked."""

import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.disk import LARGEST, Disk

from ._environments import write


def test_it_remembers_what_answers_depended_on(tmp_path: Path) -> None:
    """What is not there as well: it may come to be."""
    disk = Disk()
    write(tmp_path / "a" / "x", "text")

    assert disk.names(tmp_path / "a") == ["x"]
    assert disk.names(tmp_path / "b") == []
    assert disk.exists(tmp_path / "a" / "x")
    assert not disk.exists(tmp_path / "c")
    assert disk.text(tmp_path / "a" / "x") == "text"
    assert disk.text(tmp_path / "d") == ""
    assert disk.looked == {tmp_path / name for name in ("a", "b", "a/x", "c", "d")}


def test_what_cannot_be_read_is_not_there(tmp_path: Path) -> None:
    """A file in place of a directory, and the reverse; a link to itself."""
    (tmp_path / "loop").symlink_to("loop")
    disk = Disk()

    assert disk.names(write(tmp_path / "file")) == []
    assert disk.text(tmp_path) == ""
    assert disk.text(tmp_path / "loop") == ""
    assert not disk.exists(tmp_path / "loop")


def test_a_file_is_not_read_without_end(tmp_path: Path) -> None:
    """Nor does what is no text raise."""
    assert len(Disk().text(write(tmp_path / "large", "x" * (LARGEST + 1)))) == LARGEST
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert Disk().text(tmp_path / "bytes") == "\ufffd"


@pytest.mark.skipif(sys.platform == "win32", reason="of pipes")
def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    """It is not there."""
    os.mkfifo(tmp_path / "pipe")

    assert Disk().text(tmp_path / "pipe") == ""
