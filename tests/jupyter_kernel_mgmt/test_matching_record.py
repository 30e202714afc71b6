"""Which kernel a notebook was given, noted so that other tools go on and strangers learn nothing."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_notebook

from jupyter_kernel_mgmt import KernelTypeInfo, with_kernel

HOME = "/home/mia"
NOTEBOOK = Path(f"{HOME}/proj/notebooks/a.ipynb")


def info(language: str = "python", title: str = "Python 3.11", prefix: str = "") -> KernelTypeInfo:
    return KernelTypeInfo(display_name=title, language=language, prefix=prefix)


@pytest.mark.parametrize(
    ("kernel_type", "language", "name"),
    [
        ("spec/ir", "R", "ir"),
        ("spec/my.kernel-1", "python", "my.kernel-1"),
        ("pyimport/kernel", "python", "python3"),
        ("environments/proj--python3", "python", "python3"),
        ("environments/proj--xpython", "python", "xpython"),
        ("environments/stats--ir", "R", "ir"),
        ("environments/proj", "R", "ir"),
        ("docker/acme/image:1", "python", "python3"),
        ("docker/acme/image:1", "C++", "cpp"),
        ("docker/acme/image:1", "C#", "csharp"),
        ("ssh/far away", "", "far-away"),
        ("ssh/…", "", "kernel"),
    ],
)
def test_other_tools_find_a_name_without_a_slash(kernel_type: str, language: str, name: str) -> None:
    """The kernelspec's own; that inside of the environment; else the usual one of the language."""
    noted = with_kernel({}, kernel_type, info(language))
    assert noted["kernelspec"]["name"] == name
    assert noted["kernelspec"].get("language", "") == language


@pytest.mark.parametrize(
    ("prefix", "path", "place"),
    [
        (f"{HOME}/proj/.venv", NOTEBOOK, {"prefix": "../.venv"}),
        (f"{HOME}/proj/notebooks/.venv", NOTEBOOK, {"prefix": ".venv"}),
        (f"{HOME}/proj/.pixi/envs/gpu", NOTEBOOK, {"prefix": "../.pixi/envs/gpu"}),
        (f"{HOME}/proj/.venv", None, {"prefix_sha256"}),
        (f"{HOME}/proj/.venv", Path("notebooks/a.ipynb"), {"prefix_sha256"}),
        (f"{HOME}/miniconda3/envs/ml", NOTEBOOK, {"prefix_sha256"}),
        ("", NOTEBOOK, {}),
    ],
)
def test_an_environment_is_noted_so_that_nobody_learns_where_it_is(
    prefix: str, path: Path | None, place: dict[str, str] | set[str]
) -> None:
    """Relative to the notebook where it belongs to its project, else by a part of a hash."""
    title = f"Python 3.11 (proj, ~/somewhere/{prefix})"
    noted = with_kernel({}, "environments/proj--python3", info(title=title, prefix=prefix), path=path)
    ours = noted["jupyter_kernel_mgmt"]
    assert (ours.pop("kernel_type"), ours.pop("kernelspec_name")) == ("environments/proj--python3", "python3")
    assert (ours if isinstance(place, dict) else set(ours)) == place
    assert "mia" not in json.dumps(noted)
    assert "somewhere" not in json.dumps(noted)
    assert noted["kernelspec"]["display_name"] == "Python 3.11"


def test_a_display_name_is_kept_where_it_has_no_path() -> None:
    """A slash alone makes none."""
    for title in ("C/C++ (gcc)", "Python 3.11 (proj, .venv)"):
        assert with_kernel({}, "docker/x", info("c", title))["kernelspec"]["display_name"] == title


def test_what_others_have_noted_is_kept_and_what_was_given_stays_as_it_is() -> None:
    """Only a language that the kernel does not speak goes."""
    before: dict[str, Any] = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python", "debugger": True},
        "language_info": {"name": "python", "version": "3.11.7"},
        "vscode": {"interpreter": {"hash": "0f"}},
        "papermill": {"parameters": {"n": [1]}},
    }
    kept = deepcopy(before)
    noted = with_kernel(before, "spec/ir", info("R", "R"))
    assert set(noted) == {"kernelspec", "vscode", "papermill", "jupyter_kernel_mgmt"}
    assert noted["kernelspec"] == {"name": "ir", "display_name": "R", "language": "R"}
    noted["papermill"]["parameters"]["n"].append(2)
    assert before == kept
    assert with_kernel(before, "spec/other", info())["language_info"] == before["language_info"]


@pytest.mark.parametrize("metadata", [None, [], "python3", 3])
def test_metadata_that_is_none_is_begun_anew(metadata: Any) -> None:
    assert set(with_kernel(metadata, "spec/ir", info("R"))) == {"kernelspec", "jupyter_kernel_mgmt"}


WORDS = st.none() | st.booleans() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
PARTS = st.dictionaries(st.sampled_from(["name", "display_name", "language", "version"]), WORDS) | WORDS


@given(
    st.dictionaries(st.sampled_from(["kernelspec", "language_info", "jupyter_kernel_mgmt"]), PARTS),
    st.sampled_from(
        ["spec/ir", "spec/…", "pyimport/kernel", "environments/x--python3", "docker/a/b:c", "far/"]
    ),
    st.sampled_from(["python", "R", "", "C++"]),
    st.sampled_from(["", " ", "Python 3", "(~/x)"]),
)
def test_the_notebook_is_valid_whatever_it_was(
    metadata: dict[str, Any], kernel_type: str, language: str, title: str
) -> None:
    """By nbformat's own schema."""
    noted = with_kernel(metadata, kernel_type, info(language, title))
    nbformat.validate(new_notebook(metadata=noted))
    assert noted["kernelspec"]["name"]
    assert noted["kernelspec"]["display_name"]
