"""What activating changes."""

import json
import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.activation import (
    activation,
    activation_scripts,
    difference,
    environment_variables,
)

from ._environments import environment, write

VENV = environment(Path("/e/.venv"), name="e")
CONDA = environment(Path("/c"), "conda", default_env="work")


def test_a_virtual_environment_comes_first() -> None:
    """And is named; what would make its Python another one is removed."""
    changes = activation(VENV, {"PATH": "/bin:/usr/bin", "PYTHONHOME": "/x"}, platform="linux")

    assert changes == {
        "PATH": "/e/.venv/bin:/bin:/usr/bin",
        "VIRTUAL_ENV": "/e/.venv",
        "VIRTUAL_ENV_PROMPT": "e",
        "PYTHONHOME": None,
    }


def test_another_virtual_environment_is_left() -> None:
    """Its programs would be found in place of ours; conda's stay, since ours may be made with them."""
    variables = {"PATH": "/o/bin:/c/bin:/bin", "VIRTUAL_ENV": "/o", "CONDA_PREFIX": "/c"}

    changes = activation(VENV, variables, platform="linux")

    assert changes["PATH"] == "/e/.venv/bin:/c/bin:/bin"
    assert "CONDA_PREFIX" not in changes


def test_activating_what_is_active_changes_no_path() -> None:
    """It is there once."""
    changes = activation(VENV, {"PATH": "/e/.venv/bin:/bin", "VIRTUAL_ENV": "/e/.venv"}, platform="linux")

    assert changes["PATH"] == "/e/.venv/bin:/bin"


def test_an_environment_without_path_has_the_usual_one() -> None:
    """Or the kernel could start nothing."""
    changes = activation(VENV, {}, platform="linux")

    assert changes["PATH"] == "/e/.venv/bin:/bin:/usr/bin"


def test_conda_is_activated_in_place_of_whatever_is() -> None:
    """As from a fresh shell: one level, nothing stacked, no virtual environment."""
    variables = {
        "PATH": "/v/bin:/o/bin:/bin",
        "VIRTUAL_ENV": "/v",
        "CONDA_PREFIX": "/o",
        "CONDA_PREFIX_1": "/base",
        "CONDA_STACKED_2": "true",
        "__CONDA_SHLVL_1_X": "1",
        "CONDA_SHLVL": "2",
    }

    changes = activation(CONDA, variables, platform="linux")

    assert changes == {
        "PATH": "/c/bin:/bin",
        "VIRTUAL_ENV": None,
        "CONDA_PREFIX": "/c",
        "CONDA_PREFIX_1": None,
        "CONDA_STACKED_2": None,
        "__CONDA_SHLVL_1_X": None,
        "CONDA_SHLVL": "1",
        "CONDA_DEFAULT_ENV": "work",
        "CONDA_PROMPT_MODIFIER": "(work) ",
    }


def test_on_windows_paths_are_joined_in_its_way() -> None:
    """And conda's programs are in five directories."""
    changes = activation(CONDA, {"PATH": "C:\\Windows;D:\\"}, platform="win32")

    assert changes["PATH"] is not None
    assert len(changes["PATH"].split(";")) == 7


def test_pixi_tells_its_project() -> None:
    """Besides what conda would."""
    one = environment(Path("/p/.pixi/envs/test"), "pixi", project=Path("/p"), default_env="p:test")

    changes = activation(one, {}, platform="linux")

    assert changes["CONDA_DEFAULT_ENV"] == "p:test"
    assert (changes["PIXI_PROJECT_ROOT"], changes["PIXI_ENVIRONMENT_NAME"]) == ("/p", "test")


def test_variables_of_packages_and_of_the_user_are_read(tmp_path: Path) -> None:
    """The user's count more, and may remove one."""
    directory = tmp_path / "etc" / "conda" / "env_vars.d"
    write(directory / "a.json", json.dumps({"A": "1", "B": "1"}))
    write(directory / "b.json", json.dumps({"B": "2", "C": "$HOME", "N": 3, "BAD": ["x"]}))
    write(directory / "readme.txt", "no JSON")
    state = {"version": 1, "env_vars": {"C": "***unset***", "D": "4"}}
    write(tmp_path / "conda-meta" / "state", json.dumps(state))

    assert environment_variables(tmp_path) == {"A": "1", "B": "2", "C": None, "N": "3", "D": "4"}


def test_what_is_no_such_file_sets_nothing(tmp_path: Path) -> None:
    """It is somebody else's mistake."""
    write(tmp_path / "etc" / "conda" / "env_vars.d" / "a.json", "{")
    write(tmp_path / "etc" / "conda" / "env_vars.d" / "b.json", "[1]")
    write(tmp_path / "conda-meta" / "state", '{"env_vars": 3}')

    assert environment_variables(tmp_path) == {}
    assert environment_variables(tmp_path / "none") == {}


@pytest.mark.skipif(sys.platform == "win32", reason="of pipes")
def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    """It sets nothing."""
    (tmp_path / "conda-meta").mkdir()
    os.mkfifo(tmp_path / "conda-meta" / "state")

    assert environment_variables(tmp_path) == {}


def test_what_no_variable_can_be_is_left_out(tmp_path: Path) -> None:
    """No process could be started with it."""
    content = {"A=B": "1", "C\0": "1", "": "1", "D": "x\0y", "E": "\ud800", "F": "1"}
    write(tmp_path / "etc" / "conda" / "env_vars.d" / "a.json", json.dumps(content))

    assert environment_variables(tmp_path) == {"F": "1"}


def test_variables_of_the_environment_that_is_left_go_with_it(tmp_path: Path) -> None:
    """Unless somebody has given them another value."""
    write(tmp_path / "conda-meta" / "state", json.dumps({"env_vars": {"A": "1", "B": "2"}}))
    variables = {"CONDA_PREFIX": str(tmp_path), "A": "1", "B": "mine"}

    changes = activation(CONDA, variables, platform="linux")

    assert changes["A"] is None
    assert "B" not in changes


def test_scripts_run_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Those of other shells do not."""
    directory = tmp_path / "etc" / "conda" / "activate.d"
    for name in ("b.sh", "a.sh", "a.fish", "a.bat"):
        write(directory / name)

    assert activation_scripts(tmp_path) == [directory / "a.sh", directory / "b.sh"]
    assert activation_scripts(tmp_path / "none") == []


def test_a_difference_names_what_was_added_changed_and_removed() -> None:
    """And nothing else."""
    before, after = {"A": "1", "B": "1", "C": "1", "_": "x"}, {"A": "1", "B": "2", "D": "3", "_": "y"}

    assert difference(before, after, but=["_"]) == {"B": "2", "C": None, "D": "3"}
