"""Which kernel type a notebook is run with."""

from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import KernelTypeInfo, with_kernel
from jupyter_kernel_mgmt.notebook import NoKernelChosen, choose_kernel
from jupyter_kernel_mgmt.notebook.choosing import kernel_by_name, settled_kernel

PATH = Path("/home/mia/proj/a.ipynb")
PYTHON, R = "python", "R"


def known(**languages: str) -> dict[str, KernelTypeInfo]:
    return {
        name.replace("__", "/"): KernelTypeInfo(display_name=name, language=language)
        for name, language in languages.items()
    }


def spec(name: str | None = None, language: str | None = None) -> dict[str, Any]:
    found = {"name": name, "language": language, "display_name": "x"}
    return {"kernelspec": {key: value for key, value in found.items() if value is not None}}


SEVERAL = known(spec__python3=PYTHON, spec__other=PYTHON, spec__ir=R, pyimport__kernel=PYTHON)


@pytest.mark.parametrize(
    ("metadata", "types", "chosen", "reason"),
    [
        (spec("python3", "python"), SEVERAL, "spec/python3", "the name 'python3' that the notebook gives"),
        (spec("pyimport/kernel"), SEVERAL, "pyimport/kernel", "names exactly this kernel"),
        (spec("gone", "r"), SEVERAL, "spec/ir", "'gone' is not installed; the only one that fits: the same"),
        (
            {"language_info": {"name": "R"}},
            SEVERAL,
            "spec/ir",
            "names no kernel; the only one that fits: the same language, R",
        ),
        (spec("gone", "python"), known(spec__mine=PYTHON, pyimport__kernel=PYTHON), "spec/mine", "language"),
        (spec("gone", "python"), known(pyimport__kernel=PYTHON), "pyimport/kernel", "only"),
        ({}, SEVERAL, "spec/python3", "neither kernel nor language, and is taken for Python"),
        ({}, known(spec__mine=PYTHON, spec__ir=R), "spec/mine", "taken for Python"),
        ({"kernelspec": None, "language_info": 3}, SEVERAL, "spec/python3", "taken for Python"),
    ],
)
def test_the_kernel_is_chosen_for_a_reason(
    metadata: dict[str, Any], types: dict[str, KernelTypeInfo], chosen: str, reason: str
) -> None:
    """By name, else as the only one of its language."""
    choice = choose_kernel(metadata, types)
    assert choice.kernel_type == chosen
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("metadata", "types", "candidates", "text"),
    [
        (
            spec("gone", "python"),
            SEVERAL,
            ("spec/python3", "spec/other"),
            "there are 2 for the language python",
        ),
        (spec("gone", "julia"), SEVERAL, tuple(SEVERAL), "there is none for the language julia"),
        (spec("gone"), SEVERAL, tuple(SEVERAL), "'gone' is not installed, and it names no language"),
        (
            {},
            known(spec__a=PYTHON, spec__b=PYTHON),
            ("spec/a", "spec/b"),
            "taken for Python, and there are 2",
        ),
        ({}, {}, (), "no kernel types at all"),
    ],
)
def test_what_cannot_be_decided_lists_the_candidates(
    metadata: dict[str, Any], types: dict[str, KernelTypeInfo], candidates: tuple[str, ...], text: str
) -> None:
    """Several, or none of that language: then all there are."""
    with pytest.raises(NoKernelChosen) as caught:
        choose_kernel(metadata, types)
    assert caught.value.candidates == candidates
    assert text in str(caught.value)


GIVEN_SPEC = with_kernel({}, "spec/ir", KernelTypeInfo(display_name="R", language="R"))
GIVEN_ENVIRONMENT = with_kernel(
    {}, "environments/x--ir", KernelTypeInfo(display_name="R", language="R", prefix="/x")
)


@pytest.mark.parametrize(
    ("metadata", "path", "settled"),
    [
        ({"kernelspec": {"name": "python3", "display_name": "Python 3"}}, None, "spec/python3"),
        (spec("python3", "python"), PATH, None),
        (spec("mine", "python"), PATH, "spec/mine"),
        (spec("pyimport/kernel"), PATH, "pyimport/kernel"),
        ({"kernelspec": {"name": "python3", "display_name": "ml"}}, None, None),
        (GIVEN_SPEC, PATH, "spec/ir"),
        (GIVEN_ENVIRONMENT, PATH, None),
        ({}, None, None),
    ],
)
def test_looking_on_is_spared_where_nothing_could_be_better(
    metadata: dict[str, Any], path: Path | None, settled: str | None
) -> None:
    """Other providers may take long."""
    assert settled_kernel(metadata, path=path) == settled


OTHERS = {
    "environments/other--python3": KernelTypeInfo(
        display_name="x", language="python", prefix="/home/mia/other/.venv"
    )
}
BROKEN = {
    "environments/proj--python3": KernelTypeInfo(
        display_name="x", language="python", prefix="/home/mia/proj/.venv", obstacle="install ipykernel"
    )
}


@pytest.mark.parametrize(
    ("metadata", "types", "texts"),
    [
        (
            {},
            OTHERS,
            ["another project's: /home/mia/other/.venv; name one of: environments/other--python3 (the same"],
        ),
        ({}, BROKEN, ["beside the notebook, but it cannot be launched: install ipykernel"]),
        (
            with_kernel({}, "environments/proj--python3", BROKEN["environments/proj--python3"], path=PATH),
            SEVERAL | BROKEN,
            [
                "environments/proj--python3 is the one that the notebook asks for",
                "spec/python3 (",
                "install ipykernel",
            ],
        ),
    ],
)
def test_what_a_person_would_be_asked_about_is_not_chosen(
    metadata: dict[str, Any], types: dict[str, KernelTypeInfo], texts: list[str]
) -> None:
    """Another project's environment, one that cannot be launched, and another than the notebook asks for."""
    with pytest.raises(NoKernelChosen) as caught:
        choose_kernel(metadata, types, path=PATH)
    for text in texts:
        assert text in str(caught.value)


def test_a_project_whose_environment_has_no_kernel_is_run_and_told() -> None:
    """As before there were environments; the reason says what would be better."""
    choice = choose_kernel(spec("python3", "python"), SEVERAL | BROKEN, path=PATH)
    assert choice.kernel_type == "spec/python3"
    assert "environments/proj--python3 would be better" in choice.reason
    assert choice.reason.endswith("install ipykernel")


def test_that_the_named_kernel_is_missing_is_said_where_the_project_has_one() -> None:
    """Who reads the reason has asked for another kernel; a name that all have is none that is missing."""
    project = KernelTypeInfo(display_name="x", language=PYTHON, prefix=str(PATH.parent / ".venv"))
    types = {"environments/proj--python3": project}
    missing = "the notebook's kernel 'gone' is not installed; it runs in the project's own environment"
    assert choose_kernel(spec("gone", PYTHON), types, path=PATH).reason.startswith(missing)
    assert "not installed" not in choose_kernel(spec("python3", PYTHON), types, path=PATH).reason


@pytest.mark.parametrize(
    ("name", "types", "chosen"),
    [
        ("python3", known(spec__python3=PYTHON, pyimport__kernel=PYTHON), "python3"),
        ("python3", known(pyimport__kernel=PYTHON), "pyimport/kernel"),
        ("spec/python3", known(pyimport__kernel=PYTHON), "pyimport/kernel"),
        ("python3", known(spec__ir=R), "python3"),
        ("gone", known(spec__python3=PYTHON, pyimport__kernel=PYTHON), "gone"),
    ],
)
def test_by_name_python3_is_the_python_here_where_no_kernelspec_has_it(
    name: str, types: dict[str, KernelTypeInfo], chosen: str
) -> None:
    """As in Jupyter; no other name stands for anything else."""
    assert kernel_by_name(name, types).kernel_type == chosen
