"""All environments, each once."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.disk import Disk
from jupyter_kernel_mgmt.providers.environments.survey import survey

from ._environments import conda, places, venv


def test_those_of_the_project_come_first_then_those_that_were_named(tmp_path: Path) -> None:
    """Then the user's; each kind is found by its mark."""
    expected = [
        venv(tmp_path / "src" / "p" / ".venv"),
        conda(tmp_path / "src" / "p" / ".pixi" / "envs" / "default"),
        venv(tmp_path / "src" / "env"),
        venv(tmp_path / "named" / "b"),
        venv(tmp_path / ".virtualenvs" / "a"),
        conda(tmp_path / "miniforge3" / "envs" / "c"),
    ]
    where = replace(places(tmp_path, cwd=tmp_path / "src" / "p"), roots=(tmp_path / "named",))

    assert [found.prefix for found in survey(where, Disk())] == expected


def test_a_search_upwards_ends_at_the_root_of_a_repository(tmp_path: Path) -> None:
    """What lies above belongs to something else."""
    venv(tmp_path / ".venv")
    inner = venv(tmp_path / "repository" / ".venv")
    (tmp_path / "repository" / ".git").mkdir()
    (tmp_path / "repository" / "src").mkdir()

    found = survey(places(tmp_path, cwd=tmp_path / "repository" / "src"), Disk())

    assert [one.prefix for one in found] == [inner]


def test_projects_are_those_in_which_somebody_works(tmp_path: Path) -> None:
    """Also where that is not the process's own directory, and once if they are the same."""
    own, other = venv(tmp_path / "a" / ".venv"), venv(tmp_path / "b" / ".venv")
    near = (tmp_path / "b" / "notebooks", tmp_path / "b", tmp_path / "a")

    found = survey(replace(places(tmp_path, cwd=tmp_path / "a"), near=near), Disk())

    assert [one.prefix for one in found] == [own, other]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_what_somebody_else_put_where_everybody_may_is_passed_over(tmp_path: Path) -> None:
    """Programs in it would run as this user, who has only gone to a directory such as /tmp/project."""
    shared = tmp_path / "shared"
    prefix = venv(shared / ".venv")
    working = places(tmp_path, cwd=shared / "project")
    os.chown(prefix, 12345, -1)
    assert [one.prefix for one in survey(working, Disk())] == [prefix]

    shared.chmod(0o1777)
    assert survey(working, Disk()) == []
    os.chown(prefix, os.geteuid(), -1)
    assert [one.prefix for one in survey(working, Disk())] == [prefix]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_so_is_what_lies_in_a_directory_that_somebody_else_put_there(tmp_path: Path) -> None:
    """Such as ``.pixi``: whoever made that says what is in it. What becomes ours is seen."""
    shared = tmp_path / "shared"
    prefix = conda(shared / ".pixi" / "envs" / "default")
    working = places(tmp_path, cwd=shared / "project")
    shared.chmod(0o1777)
    assert [one.prefix for one in survey(working, Disk())] == [prefix]

    os.chown(shared / ".pixi", 12345, -1)
    disk = Disk()
    assert survey(working, disk) == []
    assert shared / ".pixi" in disk.looked


def test_one_that_can_be_reached_by_two_ways_is_one(tmp_path: Path) -> None:
    """By the first path, which is not resolved: scripts in it name that one."""
    real = venv(tmp_path / "real")
    link = tmp_path / ".virtualenvs" / "link"
    link.parent.mkdir()
    link.symlink_to(real)

    found = survey(replace(places(tmp_path, VIRTUAL_ENV=str(link)), roots=(real,)), Disk())

    assert [one.prefix for one in found] == [real]
    assert [one.prefix for one in survey(places(tmp_path), Disk())] == [link]


def test_one_that_is_there_already_is_looked_at_as_well(tmp_path: Path) -> None:
    """It may be a link, and lead to another one later."""
    real, link = venv(tmp_path / "a" / ".venv"), tmp_path / "b" / ".venv"
    link.parent.mkdir()
    link.symlink_to(real)
    disk = Disk()

    found = survey(replace(places(tmp_path, cwd=real.parent), near=(link.parent,)), disk)

    assert [one.prefix for one in found] == [real]
    assert link in disk.looked


def test_some_kinds_may_be_enough(tmp_path: Path) -> None:
    """By the tools' names."""
    venv(tmp_path / ".venvs" / "a")
    uv = venv(tmp_path / ".venvs" / "b", tool="uv = 1")

    assert [one.prefix for one in survey(places(tmp_path), Disk(), ("uv", "conda"))] == [uv]


def test_a_mark_that_is_not_there_yet_is_looked_at(tmp_path: Path) -> None:
    """A directory comes first, and what makes it an environment a moment later."""
    half = tmp_path / ".venvs" / "half"
    half.mkdir(parents=True)
    disk = Disk()

    assert survey(places(tmp_path, cwd=tmp_path / "p"), disk) == []
    assert {half / "pyvenv.cfg", half / "conda-meta", tmp_path / ".venvs"} <= disk.looked
    assert tmp_path / "p" / ".venv" / "pyvenv.cfg" in disk.looked


@pytest.mark.parametrize(
    "text", ["/no\0path", "/" + "x" * 5000, "/a/" * 2000, "\ud800", "/proc/self/fd/999", "/dev/zero"]
)
def test_paths_that_cannot_be_are_passed_over(tmp_path: Path, text: str) -> None:
    """They come from other people's files, and hide nothing."""
    note = tmp_path / ".conda" / "environments.txt"
    note.parent.mkdir()
    note.write_bytes(f"{text}\n".encode(errors="surrogatepass"))
    good = venv(tmp_path / ".venvs" / "a")
    (good / ".project").write_bytes(note.read_bytes())

    assert [one.prefix for one in survey(places(tmp_path), Disk())] == [good]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_directories_that_may_not_be_read_are_passed_over(tmp_path: Path) -> None:
    """Those of others, above all."""
    closed = tmp_path / ".venvs" / "closed"
    venv(closed).chmod(0)
    try:
        assert survey(places(tmp_path, cwd=closed / "x"), Disk()) == []
    finally:
        closed.chmod(0o700)
