"""What a notebook's metadata tells of its kernel."""

from typing import Any

import pytest

from jupyter_kernel_mgmt.matching.hints import (
    Hints,
    canonical,
    language_of_name,
    numbers,
    read_hints,
    version_in,
)


def spec(name: str, title: str = "x", language: str = "python") -> dict[str, Any]:
    return {"kernelspec": {"name": name, "display_name": title, "language": language}}


@pytest.mark.parametrize(
    ("name", "telling"),
    [
        ("python3", False),
        ("Python3", False),
        ("python", False),
        ("ir", False),
        ("", False),
        ("python37864bit", False),
        ("python37564bitbasecondab1f6c1d7", False),
        ("python3104jvsc74a57bd0" + "0f" * 32, False),
        ("python_defaultSpec_1597165131112", False),
        ("julia-1.9", True),
        ("python3.11", True),
        ("python38-azureml", True),
        ("conda-env-ml-py", True),
        ("tensorflow", True),
    ],
)
def test_some_names_mean_one_kernel_and_some_every_one_of_a_language(name: str, telling: bool) -> None:
    assert read_hints(spec(name)).is_telling is telling


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"language": "R"}, "language_info": {"name": "python"}}, "r"),
        ({"kernelspec": {"language": 3}, "language_info": {"name": "python"}}, "python"),
        ({"kernelspec": {"name": "ir"}}, "r"),
        ({"kernelspec": {"name": "conda-env-stats-r"}}, "r"),
        ({"kernelspec": {"name": "conda-env-ml-py"}}, "python"),
        ({"kernelspec": {"name": "conda_python3"}}, "python"),
        ({"kernelspec": {"name": "xcpp17"}}, "c++"),
        ({"kernelspec": {"name": "irene"}}, ""),
        ({"kernelspec": {"name": "pythonic"}}, ""),
        ({"application/vnd.databricks.v1+notebook": {"language": "scala"}}, "scala"),
        ({}, "python"),
        (None, "python"),
    ],
)
def test_the_language_is_told_in_several_places(metadata: Any, language: str) -> None:
    """The kernelspec's goes before that of what was last run; with nothing told it is Python."""
    assert read_hints(metadata).language == language


@pytest.mark.parametrize(
    ("language", "name", "title", "version"),
    [
        ("python", "python3", "Python 3 (ipykernel)", (3,)),
        ("python", "python3", "Python 3.10.8 64-bit", (3, 10, 8)),
        ("python", "python3", ".venv (3.11.4)", (3, 11, 4)),
        ("python", "python3.12", "x", (3, 12)),
        ("python", "py39-ds", "Data", (3, 9)),
        ("python", "python311", "x", (3, 11)),
        ("python", "python37864bit", "x", ()),
        ("julia", "julia-1.9", "x", (1, 9)),
        ("r", "ir44", "R 4.4.1", (4, 4, 1)),
        ("", "python3", "Python 3", ()),
    ],
)
def test_names_may_tell_the_version(language: str, name: str, title: str, version: tuple[int, ...]) -> None:
    """VS Code ran the numbers together once, and nobody can tell them apart any more."""
    assert version_in(language, name, title) == version


def test_a_version_of_another_language_is_none() -> None:
    """It is what was run before another kernel was chosen."""
    stale = spec("ir", "R", "R") | {"language_info": {"name": "python", "version": "3.11.7"}}
    assert read_hints(stale).version == ()
    fresh = spec("ir", "R", "R") | {"language_info": {"name": "R", "version": "4.3.1"}}
    assert read_hints(fresh).version == (4, 3, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3.11.7", (3, 11, 7)),
        ("v18.2.0", (18, 2, 0)),
        ("3.13.0rc1", (3, 13, 0)),
        ("4", (4,)),
        ("x", ()),
        ("٣", ()),
    ],
)
def test_versions_are_numbers(text: str, found: tuple[int, ...]) -> None:
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("name", "title", "environments"),
    [
        ("python3", "ml", ("ml",)),
        ("python3", "ml (3.11.4)", ("ml",)),
        ("python3", "ml (Python 3.11.4)", ("ml",)),
        ("python3", "Python 3.9.7 ('Base')", ("base",)),
        ("python3", "Python 3.9.7 64-bit ('ml': conda)", ("ml",)),
        ("conda-env-ml-py", "Python [conda env:ml] *", ("ml",)),
        ("conda-root-py", "Python [conda root]", ("base",)),
        ("python3", ".venv (3.11.4)", ()),
        ("python3", "Python 3 (ipykernel)", ()),
        ("python3", "Python", ()),
    ],
)
def test_names_of_environments_are_found_where_tools_put_them(
    name: str, title: str, environments: tuple[str, ...]
) -> None:
    """Those that every project has are left out."""
    assert read_hints(spec(name, title)).environments == environments


@pytest.mark.parametrize(
    "metadata",
    [
        {"vscode": {"interpreter": {"hash": "0f" * 32}}},
        {"interpreter": {"hash": "0f" * 32}},
        {"metadata": {"interpreter": {"hash": "0f" * 32}}},
        spec("python3105jvsc74a57bd0" + "0f" * 32),
    ],
)
def test_vs_code_had_several_places_for_its_hash(metadata: dict[str, Any]) -> None:
    assert read_hints(metadata).hashes == {"0f" * 32}


def test_languages_have_one_spelling() -> None:
    assert [canonical(name) for name in ("Python", "ipython", "C++17", " R ", "Node")] == [
        *("python", "python", "c++", "r", "javascript")
    ]
    assert language_of_name("bash") == "bash"
    assert Hints().is_telling is False
