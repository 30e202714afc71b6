"""The files of a kernel: private, kept through restarts, gone with the last holder."""

import logging
import os
import stat
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.subproc.place import Place, runtime_directory
from jupyter_kernel_mgmt.subproc.transports import Choice
from jupyter_protocol import ConnectionInfo

IPC, TCP = Choice("ipc", "a test"), Choice("tcp", "a test")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and ipc are POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("choice", [IPC, TCP], ids=["ipc", "tcp"])
def test_files_are_private_and_say_where_the_kernel_is(jupyter_home: Path, choice: Choice) -> None:
    """In Jupyter's runtime directory, where every program looks for them."""
    place = Place.create("the-id", "the-name", choice)
    try:
        file = jupyter_home / "runtime" / "kernel-the-id.json"
        assert place.connection_file == file
        assert mode(file) == 0o600
        assert mode(file.parent) & 0o077 == 0
        assert ConnectionInfo.load(file) == place.connection_info
        assert place.connection_info.kernel_name == "the-name"
        assert place.connection_info.transport == choice.transport
        if choice is IPC:
            assert mode(Path(place.connection_info.ip).parent) == 0o700
    finally:
        place.release()


def test_the_last_holder_takes_the_files_away(jupyter_home: Path) -> None:
    """Sockets that a kernel left behind included."""
    place = Place.create("id", "", IPC)
    directory = Path(place.connection_info.ip).parent
    (directory / "k-1").touch()
    place.hold_again()
    place.release()
    assert place.connection_file.exists()
    assert directory.exists()
    place.release()

    assert not place.connection_file.exists()
    assert not directory.exists()


@pytest.mark.parametrize("choice", [IPC, TCP], ids=["ipc", "tcp"])
def test_the_next_process_finds_the_same_place(jupyter_home: Path, choice: Choice) -> None:
    """Address and key stay; a file that somebody removed is written again."""
    place = Place.create("id", "", choice)
    before = place.connection_info
    place.connection_file.unlink()
    place.hold_again()
    try:
        assert place.connection_info == before
        assert ConnectionInfo.load(place.connection_file) == before
    finally:
        place.release()
        place.release()


def test_a_place_that_is_gone_cannot_be_held_again(jupyter_home: Path) -> None:
    """The kernel would have nowhere to be."""
    place = Place.create("id", "", IPC)
    place.release()
    with pytest.raises(LaunchError, match="gone"):
        place.hold_again()


def test_two_places_share_nothing(jupyter_home: Path) -> None:
    """Neither key nor addresses."""
    first, second = Place.create("1", "", IPC), Place.create("2", "", IPC)
    try:
        assert first.connection_info.key != second.connection_info.key
        assert first.connection_info.ip != second.connection_info.ip
    finally:
        first.release()
        second.release()


def test_a_runtime_directory_that_cannot_be_used_is_a_launch_error(
    jupyter_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That says what to do, and leaves no socket directory."""
    (jupyter_home / "file").write_text("")
    sockets = jupyter_home / "run"
    sockets.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(sockets))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(jupyter_home / "file" / "below"))
    with pytest.raises(LaunchError, match="JUPYTER_RUNTIME_DIR"):
        Place.create("id", "", IPC)

    assert os.listdir(sockets) == []


def test_files_that_are_gone_already_are_no_problem(
    jupyter_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At worst there is a line in the log."""
    place = Place.create("id", "", IPC)
    place.connection_file.unlink()
    Path(place.connection_info.ip).parent.rmdir()
    with caplog.at_level(logging.DEBUG):
        place.release()

    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []


def test_the_runtime_directory_is_jupyters(jupyter_home: Path) -> None:
    """JUPYTER_RUNTIME_DIR is honoured."""
    assert runtime_directory() == jupyter_home / "runtime"
