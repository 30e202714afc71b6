"""Which kernel types are shown, by what name and in what order."""

import pytest

from jupyter_kernel_mgmt import KernelTypeInfo
from jupyter_kernel_mgmt.discovery.arrangement import Arrangement

INFO = KernelTypeInfo(display_name="As found", language="none")


@pytest.mark.parametrize(
    ("patterns", "kernel_type", "hidden"),
    [
        ((), "spec/python3", False),
        (("spec/python3",), "spec/python3", True),
        (("spec/python3",), "spec/python38", False),
        (("spec/old-*",), "spec/old-r", True),
        (("*/python3",), "environments/python3", True),
        (("pyimport/*",), "spec/python3", False),
        (("spec/PYTHON3",), "spec/python3", False),
    ],
)
def test_what_fits_a_pattern_is_hidden(patterns: tuple[str, ...], kernel_type: str, *, hidden: bool) -> None:
    assert (Arrangement(hide=patterns).shown(kernel_type, INFO) is None) is hidden


def test_a_provider_that_is_hidden_as_a_whole_need_not_be_asked() -> None:
    assert Arrangement(hide=("pyimport/*",)).hides_all_of("pyimport")
    assert Arrangement(hide=("*",)).hides_all_of("spec")
    assert not Arrangement(hide=("pyimport/k*",)).hides_all_of("pyimport")


def test_display_names_are_given_and_nothing_else_changes() -> None:
    shown = Arrangement(rename={"spec/python3": "Mine"}).shown("spec/python3", INFO)
    assert shown == KernelTypeInfo(display_name="Mine", language="none")
    assert Arrangement(rename={"spec/python3": "Mine"}).shown("spec/ir", INFO) is INFO


def test_the_first_pattern_that_fits_says_the_place_and_names_do_within_one() -> None:
    found = ["spec/b", "spec/a", "environments/z", "pyimport/kernel", "environments/y"]
    arrangement = Arrangement(order=("environments/*", "spec/b"))
    assert list(arrangement.ordered((name, INFO) for name in found)) == [
        "environments/y",
        "environments/z",
        "spec/b",
        "pyimport/kernel",
        "spec/a",
    ]
