"""Whether files are as they were, by their times."""

import ntpath
import os
import time
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.discovery.times import GRANULARITY, Times, _first_to_come

LONG_AGO = 1_000_000_000 * 10**9


def old(path: Path) -> Path:
    """Something that has not changed for long."""
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def test_what_is_touched_added_and_removed_is_seen(tmp_path: Path) -> None:
    file, missing = tmp_path / "file", tmp_path / "missing"
    file.write_text("x")
    old(file)
    old(tmp_path)
    times = Times.of([tmp_path, file, missing], time.time_ns())
    assert times is not None
    assert times.unchanged()

    file.touch()
    assert not times.unchanged()
    old(file)
    assert times.unchanged()

    missing.write_text("")
    assert not times.unchanged()
    missing.unlink()
    old(tmp_path)
    assert times.unchanged()

    file.unlink()
    old(tmp_path)
    assert not times.unchanged()


def test_what_comes_to_be_is_seen_by_the_nearest_directory_that_is_there(tmp_path: Path) -> None:
    """Which is all that is looked at then."""
    paths = [tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    old(tmp_path)
    times = Times.of(paths, time.time_ns())
    assert times is not None
    assert list(times.states) == [str(tmp_path)]
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert not times.unchanged()


def test_of_what_is_missing_the_first_to_come_is_looked_at(tmp_path: Path) -> None:
    """Once for all that is in it: where many places are possible, most are not there."""
    names = ["a/b/x", "a/b/y", "a/z"]
    times = Times.of([tmp_path / name for name in names], time.time_ns())
    assert times is not None
    assert times.states == {str(tmp_path / "a"): None}
    (tmp_path / "a").mkdir()
    assert not times.unchanged()


@pytest.mark.parametrize("path", ["Z:\\a\\b", "Z:\\", "\\\\server\\share\\a"])
def test_a_drive_that_is_not_there_is_the_first_to_come(path: str) -> None:
    """As one of the network; nothing is above it."""
    first, _ = _first_to_come(path, ntpath.dirname)
    assert first == ntpath.splitdrive(path)[0] + "\\"


def test_what_no_file_can_be_called_never_comes_to_be() -> None:
    for path in (Path("\0"), Path("missing")):
        times = Times.of([path], time.time_ns())
        assert times is not None
        assert times.unchanged()


def test_a_file_that_took_the_place_of_another_is_seen(tmp_path: Path) -> None:
    """By its inode, though its time is the same."""
    file, other = tmp_path / "file", tmp_path / "other"
    for path in (file, other):
        path.write_text("x")
        old(path)
    times = Times.of([file], time.time_ns())
    assert times is not None
    other.replace(file)
    assert not times.unchanged()


def test_what_changed_while_it_was_read_or_just_before_is_not_relied_upon(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    begun = LONG_AGO + 10**12
    for changed, known in [
        (begun + 1, False),
        (begun, False),
        (begun - GRANULARITY + 1, False),
        (begun - GRANULARITY, True),
    ]:
        os.utime(file, ns=(changed, changed))
        assert (Times.of([file], begun) is not None) is known


def test_what_a_link_that_leads_nowhere_comes_to_lead_to_is_seen(tmp_path: Path) -> None:
    """Its own directory does not change then."""
    watched, elsewhere = tmp_path / "watched", tmp_path / "elsewhere"
    watched.mkdir()
    elsewhere.mkdir()
    (watched / "link").symlink_to(elsewhere / "file")
    times = Times.of([old(watched), watched / "link"], time.time_ns())
    assert times is not None
    (elsewhere / "file").write_text("x")
    assert not times.unchanged()


def test_a_file_that_comes_to_be_readable_is_seen(tmp_path: Path) -> None:
    """Its time stays."""
    file = tmp_path / "file"
    file.write_text("x")
    file.chmod(0)
    times = Times.of([old(file)], time.time_ns())
    assert times is not None
    file.chmod(0o600)
    assert not times.unchanged()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_belongs_to_others_is_seen(tmp_path: Path) -> None:
    """To another group as well, whose members may read it, or run it."""
    file = tmp_path / "file"
    file.write_text("x")
    for owner, group in ((12345, -1), (-1, 12345)):
        times = Times.of([old(file)], time.time_ns())
        assert times is not None
        os.chown(file, owner, group)
        assert not times.unchanged()
