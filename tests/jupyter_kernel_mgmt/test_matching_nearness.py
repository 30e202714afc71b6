"""Whether an environment belongs to a notebook's project, by paths alone."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from jupyter_kernel_mgmt.matching.nearness import is_anonymous, nearness, project_of

PROJECT = PurePosixPath("/home/mia/work/proj")
NOTEBOOK = PROJECT / "notebooks" / "a.ipynb"


@pytest.mark.parametrize(
    ("prefix", "steps"),
    [
        ("notebooks/.venv", 0),
        (".venv", 1),
        ("venv", 1),
        ("env", 1),
        (".env", 1),
        (".conda", 1),
        (".venv-3.12", 1),
        (".pixi/envs/default", 1),
        (".tox/py311", 1),
        (".hatch/proj", 1),
        ("notebooks/../.venv", 1),
        ("../.venv", 2),
        ("environment-for-all-of-it", 1),
        (".", 1),
        ("other/.venv", None),
        ("notebooks/deeper/.venv", None),
        ("miniconda3", None),
        ("../other/.venv", None),
        ("../other", None),
        ("/home/mia/miniconda3", None),
        ("/home/mia/anything", None),
        ("/home/mia/.venv", 3),
        ("/home/mia", None),
        ("/venv", None),
        ("/opt/conda/envs/ml", None),
        ("/usr", None),
        ("/", None),
    ],
)
def test_what_is_in_the_directory_or_its_parents_is_near(prefix: str, steps: int | None) -> None:
    """Steps count up from the notebook's directory."""
    near = nearness(PROJECT / prefix, NOTEBOOK)
    assert (None if near is None else near.steps) == steps


def test_nothing_is_near_where_paths_are_not_absolute() -> None:
    assert nearness(PurePosixPath(".venv"), NOTEBOOK) is None
    assert nearness(PROJECT / ".venv", PurePosixPath("a.ipynb")) is None


def test_the_nearest_is_the_best_and_then_the_most_usual() -> None:
    """`.venv` before `venv`, pixi's default before its others, tests' environments last."""
    places = [
        "notebooks/env",
        ".venv",
        "venv",
        ".pixi/envs/default",
        ".pixi/envs/a",
        ".tox/py311",
        "../.venv",
    ]
    found = [nearness(PROJECT / place, NOTEBOOK) for place in places]
    near = [one for one in found if one is not None]
    assert len(near) == len(places)
    assert near == sorted(near)


def test_windows_has_paths_of_its_own() -> None:
    """Case does not matter there, and homes are under Users."""
    notebook = PureWindowsPath(r"C:\Users\Mia\Proj\nb\a.ipynb")
    near = nearness(PureWindowsPath("c:/users/mia/proj/.venv"), notebook)
    assert near is not None
    assert near.steps == 1
    assert nearness(PureWindowsPath(r"C:\Users\Mia\anything"), notebook) is None
    assert nearness(PureWindowsPath(r"D:\Users\Mia\Proj\.venv"), notebook) is None


def test_names_tell_what_belongs_to_a_project() -> None:
    """Whichever it is."""
    assert project_of(PurePosixPath("/x/other/.venv")) == PurePosixPath("/x/other")
    assert project_of(PurePosixPath("/x/other/.pixi/envs/default")) == PurePosixPath("/x/other")
    assert project_of(PurePosixPath("/opt/conda/envs/ml")) is None
    assert [is_anonymous(name) for name in (".venv", "venv", "env", ".venv-3.11", "ml", "environment")] == [
        *(True, True, True, True),
        *(False, False),
    ]
