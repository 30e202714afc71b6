"""Where things are inside of a prefix."""

from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.disk import Disk
from jupyter_kernel_mgmt.providers.environments.layout import (
    executable,
    package_version,
    script_directories,
    shared_packages,
    site_packages,
    version_of_directories,
    what_is_wrong,
    with_path_files,
)

from ._environments import program, python, write

PREFIX = Path("/p")


@pytest.mark.parametrize(
    ("conda", "platform", "directories"),
    [
        (False, "linux", ["bin"]),
        (True, "darwin", ["bin"]),
        (False, "win32", ["Scripts"]),
        (True, "win32", ["", "Library/mingw-w64/bin", "Library/usr/bin", "Library/bin", "Scripts"]),
    ],
)
def test_programs_are_elsewhere_on_each_system(conda: bool, platform: str, directories: list[str]) -> None:
    """And conda's on Windows in many places."""
    assert script_directories(PREFIX, conda=conda, platform=platform) == [PREFIX / d for d in directories]


def test_a_program_is_taken_by_its_own_path(tmp_path: Path) -> None:
    """The first of its names, never looked through, and also when it leads to nothing."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to("/gone/python3.11")
    disk = Disk()

    found = executable(tmp_path, ("python", "python3"), disk, conda=False)

    assert found == tmp_path / "bin" / "python3"
    assert tmp_path / "bin" in disk.looked
    assert executable(tmp_path, ("R",), disk, conda=False) is None


def test_that_a_link_to_nothing_is_taken_away_is_seen(tmp_path: Path) -> None:
    """Its directory tells: of the link itself nothing can be seen to change."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/gone/python3.11")
    program(tmp_path / "bin" / "python3")
    disk = Disk()

    assert executable(tmp_path, ("python", "python3"), disk, conda=False) == tmp_path / "bin" / "python"
    assert disk.looked == {tmp_path / "bin" / "python", tmp_path / "bin"}


def test_what_is_wrong_with_a_program_is_told(tmp_path: Path) -> None:
    """Where its link leads, that it is gone, or that it is no program."""
    good = program(tmp_path / "good")
    (tmp_path / "link").symlink_to(good)
    (tmp_path / "dangling").symlink_to("/gone/python3.11")
    disk = Disk()

    assert what_is_wrong(good, disk) == what_is_wrong(tmp_path / "link", disk) == ""
    assert "leads to /gone/python3.11, which is not there" in what_is_wrong(tmp_path / "dangling", disk)
    assert what_is_wrong(tmp_path / "missing", disk).endswith("missing is gone")
    assert "may not be executed" in what_is_wrong(write(tmp_path / "plain"), disk)
    assert "may not be executed" in what_is_wrong(tmp_path, disk)


def test_packages_are_those_of_the_version(tmp_path: Path) -> None:
    """Of all that there are where it is not known."""
    old, new = python(tmp_path, version="3.9.1"), python(tmp_path, version="3.13.0")
    write(tmp_path / "lib" / "pythonic.txt")

    assert site_packages(tmp_path, "3.13.0", Disk()) == [new]
    assert site_packages(tmp_path, "3.9", Disk()) == [old]
    assert site_packages(tmp_path, "", Disk()) == [new, old]
    assert site_packages(tmp_path / "none", "", Disk()) == []
    assert version_of_directories(tmp_path, Disk()) == ""


def test_a_directory_tells_the_version_where_nothing_else_does(tmp_path: Path) -> None:
    """Without its third number."""
    python(tmp_path, version="3.13.0")

    assert version_of_directories(tmp_path, Disk()) == "3.13"


def test_debian_has_packages_in_places_of_its_own(tmp_path: Path) -> None:
    """Environments that see those of the system see these."""
    found = shared_packages(tmp_path, "3.11.2", Disk())

    assert tmp_path / "lib" / "python3" / "dist-packages" in found
    assert tmp_path / "local" / "lib" / "python3.11" / "dist-packages" in found


def test_path_files_add_directories(tmp_path: Path) -> None:
    """Lines of code and remarks add none."""
    write(tmp_path / "a.pth", "# remark\nimport sys; sys.path\n/elsewhere\n\nbelow\n")

    assert with_path_files([tmp_path], Disk()) == [tmp_path, Path("/elsewhere"), tmp_path / "below"]


def test_a_package_is_known_by_its_metadata_or_by_itself(tmp_path: Path) -> None:
    """The version is in a name; a checkout tells none; a directory without code is no package."""
    (tmp_path / "a" / "ipykernel-7.1.0.dist-info").mkdir(parents=True)
    write(tmp_path / "b" / "ipykernel" / "__init__.py")
    (tmp_path / "c" / "ipykernel" / "__pycache__").mkdir(parents=True)
    (tmp_path / "c" / "ipykernel_helper-1.0.dist-info").mkdir()
    a, b, c = (tmp_path / name for name in "abc")

    assert package_version([c, b, a], "ipykernel", Disk()) == "7.1.0"
    assert package_version([c, b], "ipykernel", Disk()) == ""
    assert package_version([c], "ipykernel", Disk()) is None
