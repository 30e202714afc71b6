"""What kernel types of environments are called."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt.kernelspec import KERNEL_NAME
from jupyter_kernel_mgmt.providers.environments.naming import candidates, named, slug

from ._environments import environment

HOME = Path("/home/u")


def test_a_name_is_the_environments_and_the_kernels() -> None:
    """And for users the language with what they know it by."""
    [project] = named([environment(HOME / "p" / ".venv", name="p")], home=HOME)
    [conda] = named([environment(Path("/opt/conda/envs/work"), "conda")], home=HOME)

    assert project.kernel_type("python3") == "p--python3"
    assert project.display_name("Python 3.11") == "Python 3.11 (p, .venv)"
    assert conda.display_name("R 4.3") == "R 4.3 (work, conda)"


def test_two_of_one_name_stay_apart() -> None:
    """Also where they differ in case alone; a third is called as if it were alone."""
    paths = [HOME / "a" / "p" / ".venv", Path("/b/P/.venv"), HOME / "other"]
    first, second, third = named(
        [environment(path, name=name) for path, name in zip(paths, ("p", "P", "other"), strict=True)],
        home=HOME,
    )

    assert len({first.name, second.name, third.name}) == 3
    assert (first.name, second.name) == (first.long, second.long)
    assert third.name == "other"
    assert first.where == "p, ~/a/p/.venv"
    assert second.where == "P, /b/P/.venv"


def test_a_name_does_not_depend_on_others_nor_on_their_order() -> None:
    """The long one is valid at any time; the short one as long as it means one environment."""
    one, other = environment(HOME / "a" / "p"), environment(HOME / "b" / "p")
    [alone] = named([one], home=HOME)
    both = named([other, one], home=HOME)

    assert both[1].name == alone.long
    assert [(found.environment, kernel) for found, kernel in candidates([alone], "p--Python3")] == [
        (one, "python3")
    ]
    assert [found.environment for found, _ in candidates([alone], f"{alone.long}--ir")] == [one]
    assert list(candidates(both, "p--python3")) == []


def test_one_that_is_called_like_the_long_name_of_another_stays_apart() -> None:
    """Somebody may have copied it."""
    one = environment(HOME / "a" / "p")
    [alone] = named([one], home=HOME)
    found = named([one, environment(HOME / "b" / "p"), environment(HOME / alone.long)], home=HOME)

    assert len({item.name for item in found}) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [("My Project", "my-project"), ("a--b", "a-b"), ("-x_1.", "x_1"), ("проект", ""), ("py3.11", "py3.11")],
)
def test_a_name_has_only_the_characters_that_it_may_have(name: str, expected: str) -> None:
    """And no joint inside."""
    assert slug(name) == expected


@given(st.lists(st.text(alphabet="aB-.я/ 1", max_size=4), min_size=1, max_size=6))
def test_all_names_are_valid_and_different(names: list[str]) -> None:
    """Whatever the environments are called."""
    environments = [environment(HOME / str(n), name=name) for n, name in enumerate(names)]
    found = [one.kernel_type("python3") for one in named(environments, home=None)]

    assert len({*found}) == len(names)
    assert all(KERNEL_NAME.fullmatch(name) for name in found)
