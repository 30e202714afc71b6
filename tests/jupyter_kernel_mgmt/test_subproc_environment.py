"""The environment of a kernel's process."""

import os
from typing import Any

import pytest

from jupyter_kernel_mgmt import Unsupported
from jupyter_kernel_mgmt.subproc.environment import kernel_environment

INHERITED = {"HOME": "/home/u", "PATH": "/bin", "PYTHONEXECUTABLE": "/usr/bin/python2", "LANG": "C"}


@pytest.mark.parametrize(
    ("spec", "asked", "expected"),
    [
        ({}, {}, {}),
        ({"A": "1"}, {}, {"A": "1"}),
        ({"A": "${HOME}/a:$PATH"}, {}, {"A": "/home/u/a:/bin"}),
        ({"A": "${NO_SUCH} $ $$ 100%"}, {}, {"A": "${NO_SUCH} $ $ 100%"}),
        ({"PATH": "/opt/bin:${PATH}"}, {}, {"PATH": "/opt/bin:/bin"}),
        ({"A": "${B}", "B": "1"}, {}, {"A": "${B}", "B": "1"}),
        ({"LANG": "de"}, {"LANG": "fr"}, {"LANG": "fr"}),
        ({}, {"LANG": "fr", "B": "${HOME}"}, {"LANG": "fr", "B": "${HOME}"}),
        ({"PYTHONEXECUTABLE": "/x"}, {}, {"PYTHONEXECUTABLE": "/x"}),
        ({}, {"PYTHONEXECUTABLE": "/y"}, {"PYTHONEXECUTABLE": "/y"}),
    ],
)
def test_the_environment_is_ours_then_the_specs_then_the_requests(
    spec: dict[str, str], asked: dict[str, str], expected: dict[str, str]
) -> None:
    """`${NAME}` is replaced in the kernelspec's values, from ours; PYTHONEXECUTABLE is not inherited."""
    kept = {name: value for name, value in INHERITED.items() if name != "PYTHONEXECUTABLE"}

    made = kernel_environment(INHERITED, spec, asked)

    assert made == kept | expected | {"JPY_PARENT_PID": str(os.getpid())}


def test_the_parent_is_us_whatever_others_say() -> None:
    """Otherwise the kernel would outlive us, or end too early."""
    env = kernel_environment({"JPY_PARENT_PID": "1"}, {"JPY_PARENT_PID": "2"}, {"JPY_PARENT_PID": "3"})

    assert env["JPY_PARENT_PID"] == str(os.getpid())


def test_making_an_environment_changes_no_other() -> None:
    """Ours above all."""
    inherited, spec, asked = dict(INHERITED), {"A": "$HOME"}, {"B": "1"}

    kernel_environment(inherited, spec, asked)

    assert (inherited, spec, asked) == (INHERITED, {"A": "$HOME"}, {"B": "1"})


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("inherit", {"HOME", "PATH", "LANG"}),
        ("replace", set()),
        (["LANG", "NO_SUCH"], {"LANG"}),
        (frozenset(), set()),
        ({"PATH", "PYTHONEXECUTABLE"}, {"PATH"}),
    ],
)
def test_the_policy_says_what_is_inherited(policy: Any, kept: set[str]) -> None:
    """All, nothing, or what has one of some names."""
    made = kernel_environment(INHERITED, {"A": "1"}, {"B": "2"}, policy)

    assert made == {name: INHERITED[name] for name in kept} | {
        "A": "1",
        "B": "2",
        "JPY_PARENT_PID": str(os.getpid()),
    }


def test_what_a_kernelspec_names_it_gets() -> None:
    """Its author asked for it, inherited or not."""
    made = kernel_environment(INHERITED, {"PATH": "/opt:${PATH}"}, {}, "replace")

    assert made["PATH"] == "/opt:/bin"


@pytest.mark.parametrize(
    ("changes", "spec", "policy", "expected"),
    [
        ({"LANG": None, "PATH": "/e:$HOME"}, {}, "inherit", {"HOME": "/home/u", "PATH": "/e:$HOME"}),
        ({"NO_SUCH": None, "A": "1"}, {}, "replace", {"A": "1"}),
        ({"A": "1", "HOME": None}, {"B": "$A $HOME"}, [], {"A": "1", "B": "1 $HOME"}),
        ({"A": "1"}, {"A": "2$A"}, [], {"A": "21"}),
        ({"PYTHONEXECUTABLE": None}, {}, ["LANG"], {"LANG": "C"}),
    ],
)
def test_changes_are_made_to_what_is_inherited(
    changes: dict[str, str | None], spec: dict[str, str], policy: Any, expected: dict[str, str]
) -> None:
    """As they are, before the kernelspec's, whose values see them; None removes a variable."""
    made = kernel_environment(INHERITED, spec, {}, policy, changes=changes)

    assert made == expected | {"JPY_PARENT_PID": str(os.getpid())}


def test_a_policy_that_is_none_is_refused() -> None:
    """A misspelled name would otherwise be a collection of letters."""
    with pytest.raises(Unsupported, match="'inherits' is not") as caught:
        kernel_environment(INHERITED, {}, {}, "inherits")

    assert caught.value.option == "env_policy"
