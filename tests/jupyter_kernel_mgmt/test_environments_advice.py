"""What helps, in the words of the tool that made the environment."""

from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.advice import broken, without_ipykernel, without_irkernel
from jupyter_kernel_mgmt.providers.environments.environment import Environment, Kind

from ._environments import environment

PREFIX = Path("/e/my env")
PYTHON = PREFIX / "bin" / "python"
PROJECT = Path("/p")


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("venv", "to install it: '/e/my env/bin/python' -m pip install ipykernel"),
        ("virtualenv", "to install it: '/e/my env/bin/python' -m pip install ipykernel"),
        ("uv", "to install it: uv pip install --python '/e/my env/bin/python' ipykernel"),
        ("conda", "to install it: conda install -p '/e/my env' ipykernel"),
        ("poetry", "to install it, in /p: poetry add --group dev ipykernel"),
        ("pipenv", "to install it, in /p: pipenv install --dev ipykernel"),
        ("pixi", "to install it, in /p: pixi add --feature 'my env' ipykernel"),
    ],
)
def test_a_python_without_ipykernel_is_told_how_to_get_it(kind: Kind, command: str) -> None:
    """A command that can be copied as it is."""
    one = environment(PREFIX, kind, project=PROJECT)

    assert without_ipykernel(one, PYTHON) == f"ipykernel is not installed in it; {command}"


def test_a_project_that_is_not_known_is_said_to_be_one() -> None:
    """poetry keeps no note of it; the default environment of pixi needs no name."""
    assert without_ipykernel(environment(PREFIX, "poetry"), PYTHON).endswith(
        "in its project: poetry add --group dev ipykernel"
    )
    default = environment(PROJECT / ".pixi" / "envs" / "default", "pixi", project=PROJECT)
    assert without_ipykernel(default, PYTHON).endswith(", in /p: pixi add ipykernel")


def test_an_r_without_irkernel_is_told_how_to_get_it() -> None:
    """Under conda's name where conda installs it."""
    program = PREFIX / "bin" / "R"

    assert without_irkernel(environment(PREFIX, "conda"), program).endswith("'/e/my env' r-irkernel")
    assert """R' -e 'install.packages("IRkernel")'""" in without_irkernel(environment(PREFIX), program)


@pytest.mark.parametrize(
    ("one", "advice"),
    [
        (environment(PREFIX, "uv", project=PROJECT), "to make the environment anew, in /p: uv venv --clear"),
        (environment(PREFIX, "uv"), "make the environment anew"),
        (environment(PREFIX, "venv", project=PROJECT), "make the environment anew"),
        (environment(PREFIX, "poetry"), "to make the environment anew: poetry env remove --all, then"),
    ],
)
def test_what_is_broken_is_to_be_made_anew(one: Environment, advice: str) -> None:
    """By the command for it, where one does it all."""
    assert broken(one, "it is gone").startswith(f"it is gone; {advice}")
