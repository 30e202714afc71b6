"""Which kernel type a notebook is run with."""

from typing import Any

import pytest

from jupyter_kernel_mgmt import KernelTypeInfo
from jupyter_kernel_mgmt.notebook import NoKernelChosen, choose_kernel

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
        (spec("python3", "python"), SEVERAL, "spec/python3", "names the kernel 'python3'"),
        (spec("pyimport/kernel"), SEVERAL, "pyimport/kernel", "names the kernel"),
        (spec("gone", "r"), SEVERAL, "spec/ir", "'gone' is not installed; it is the only kernel type for r"),
        ({"language_info": {"name": "R"}}, SEVERAL, "spec/ir", "names no kernel; it is the only"),
        (spec("gone", "python"), known(spec__mine=PYTHON, pyimport__kernel=PYTHON), "spec/mine", "only"),
        (spec("gone", "python"), known(pyimport__kernel=PYTHON), "pyimport/kernel", "only"),
        ({}, SEVERAL, "spec/python3", "neither kernel nor language, and is taken for Python"),
        ({}, known(spec__mine=PYTHON, spec__ir=R), "spec/mine", "taken for Python; it is the only"),
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


def test_what_cannot_be_launched_is_chosen_only_by_its_name() -> None:
    """Then the launch says why it cannot; otherwise one that can is the only one."""
    lost = KernelTypeInfo(display_name="lost", language=PYTHON, obstacle="it is broken")
    types = {"spec/lost": lost, **known(spec__mine=PYTHON)}

    assert choose_kernel(spec("lost", PYTHON), types).kernel_type == "spec/lost"
    assert choose_kernel(spec("gone", PYTHON), types).kernel_type == "spec/mine"
    with pytest.raises(NoKernelChosen, match="there is none"):
        choose_kernel(spec("gone", PYTHON), {"spec/lost": lost})
