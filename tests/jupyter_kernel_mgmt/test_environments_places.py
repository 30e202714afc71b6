"""Where environments may be."""

import os
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.places import Places, project_directories, system_places

from ._environments import places


def test_a_process_tells_its_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the variables that matter, and those that are set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKON_HOME", "/w")
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.delenv("CONDA_PREFIX", raising=False)

    found = Places.here(roots=(Path("/r"),))

    assert (found.cwd, found.roots) == (tmp_path, (Path("/r"),))
    assert found.variables["WORKON_HOME"] == "/w"
    assert not {"SECRET", "CONDA_PREFIX"} & found.variables.keys()
    assert found == Places.here(roots=(Path("/r"),))


def test_a_directory_that_is_gone_is_no_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process may outlive the one it was started in."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert Places.here().cwd is None
    os.chdir(tmp_path)


def test_projects_are_looked_for_up_to_home_or_a_repository() -> None:
    """Then come those that were given."""
    home = Path("/h")
    inside = Places(home=home, cwd=home / "a" / "b", projects=(Path("/p"),))

    assert project_directories(inside) == [home / "a" / "b", home / "a", home, Path("/p")]
    assert project_directories(inside, frozenset({home / "a"})) == [home / "a" / "b", home / "a", Path("/p")]
    assert project_directories(places(home)) == []
    assert project_directories(places(home, cwd=Path("/o/x"))) == [Path("/o/x"), Path("/o"), Path("/")]


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_a_variable_that_gives_no_absolute_path_gives_none(value: str) -> None:
    """What it is relative to is anybody's guess."""
    assert places(Path("/h"), WORKON_HOME=value).variable("WORKON_HOME") is None


def test_each_system_has_its_own_places_for_conda() -> None:
    """Those of installers for all users."""
    assert Path("/opt/conda") in system_places("linux", {})
    assert Path("/opt/homebrew/Caskroom/miniforge/base") in system_places("darwin", {})
    assert Path("D:/All") / "miniconda3" in system_places("win32", {"PROGRAMDATA": "D:/All"})
