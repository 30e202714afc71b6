"""Installed providers are found by one scan, which is repeated when something was installed and only then."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import KernelFinder, KernelProviderBase
from jupyter_kernel_mgmt.discovery import entry_points as _entry_points
from jupyter_kernel_mgmt.discovery.entry_points import installed_providers
from jupyter_kernel_mgmt.providerbase import ENTRY_POINT_GROUP

Install = Callable[..., Path]

PROVIDER = """
from jupyter_kernel_mgmt import KernelProviderBase

class Provider(KernelProviderBase):
    id = "oblong"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the first place of `sys.path`; nothing was scanned yet."""
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.syspath_prepend(directory)
    monkeypatch.setattr(_entry_points, "_scanned", None)
    return directory


def install(site: Path, distribution: str, text: str) -> Path:
    """A distribution with this entry_points.txt, as pip would unpack it; gives the file."""
    directory = site / f"{distribution}-1.0.dist-info"
    directory.mkdir(parents=True)
    (directory / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    file = directory / "entry_points.txt"
    file.write_text(text)
    touch(site)
    return file


def touch(directory: Path) -> None:
    """Give a directory a time of its own: two changes may come between two ticks of the system's clock."""
    now = directory.stat().st_mtime_ns
    os.utime(directory, ns=(now + 1_000_000, now + 1_000_000))


def points(**targets: str) -> str:
    lines = [f"{name} = {target}" for name, target in targets.items()]
    return "\n".join([f"[{ENTRY_POINT_GROUP}]", *lines, ""])


def test_a_provider_is_found_by_the_name_of_its_entry_point_and_loaded_only_on_demand(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding imports nothing; loading gives the class."""
    (site / "oblong_provider.py").write_text(PROVIDER)
    install(site, "oblong", points(oblong="oblong_provider:Provider"))

    load = installed_providers()["oblong"]

    assert "oblong_provider" not in sys.modules
    kind = load()
    monkeypatch.delitem(sys.modules, "oblong_provider")  # and forget it after the test
    assert isinstance(kind(), KernelProviderBase)


def test_a_module_that_is_not_there_is_found_and_fails_when_it_is_loaded(site: Path) -> None:
    """Whoever loads it can then say which provider it was."""
    install(site, "oblong", points(oblong="no_such_module_anywhere:Provider"))

    load = installed_providers()["oblong"]

    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        load()


def test_other_groups_do_not_count_and_names_are_sorted(site: Path) -> None:
    """So that the order does not depend on the order of files in a directory."""
    before = list(installed_providers())
    install(site, "many", "[console_scripts]\nscript = m:main\n" + points(zz="m:Z", aa="m:A", mm="m:M"))

    assert list(installed_providers()) == sorted([*before, "aa", "mm", "zz"])


def test_nothing_is_scanned_again_while_nothing_was_installed(site: Path) -> None:
    """A scan reads the metadata of every distribution: a file edited in place is not seen."""
    file = install(site, "oblong", points(oblong="m:Provider"))
    assert "oblong" in installed_providers()

    file.write_text(points(other="m:Provider"))

    assert "oblong" in installed_providers()
    assert "other" not in installed_providers()
    touch(site)
    assert "other" in installed_providers()


def test_what_is_returned_is_the_callers_own(site: Path) -> None:
    """Taking something out of it hides nothing from the next one."""
    install(site, "oblong", points(oblong="m:Provider"))

    installed_providers().clear()

    assert "oblong" in installed_providers()


def test_a_distribution_installed_later_is_found(site: Path) -> None:
    """In a process that has looked before, as in a notebook that has just run pip."""
    install(site, "first", points(first="m:Provider"))
    assert "second" not in installed_providers()

    install(site, "second", points(second="m:Provider"))

    assert {"first", "second"} <= installed_providers().keys()


def test_a_distribution_that_was_removed_is_gone(site: Path) -> None:
    file = install(site, "oblong", points(oblong="m:Provider"))
    assert "oblong" in installed_providers()

    for path in file.parent.iterdir():
        path.unlink()
    file.parent.rmdir()
    touch(site)

    assert "oblong" not in installed_providers()


def test_a_directory_added_to_the_path_is_scanned(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And forgotten when it is taken off it."""
    install(tmp_path / "added", "oblong", points(oblong="m:Provider"))
    assert "oblong" not in installed_providers()

    with monkeypatch.context() as added:
        added.syspath_prepend(tmp_path / "added")
        assert "oblong" in installed_providers()

    assert "oblong" not in installed_providers()


def test_a_directory_of_the_path_that_comes_to_be_is_scanned(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a user's site-packages does with the first installation."""
    monkeypatch.syspath_prepend(tmp_path / "later")
    assert "oblong" not in installed_providers()

    install(tmp_path / "later", "oblong", points(oblong="m:Provider"))

    assert "oblong" in installed_providers()


def test_the_working_directory_is_scanned_where_the_path_names_it(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an empty text there."""
    install(tmp_path / "here", "oblong", points(oblong="m:Provider"))
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend("")

    assert "oblong" in installed_providers()


def test_of_two_with_one_name_the_first_on_the_path_counts(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for modules: what a user puts in front wins."""
    install(tmp_path / "behind", "behind", points(oblong="behind_module:Provider"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "behind")])
    install(site, "front", points(oblong="front_module:Provider"))

    load = installed_providers()["oblong"]

    with pytest.raises(ModuleNotFoundError, match="front_module"):
        load()


BROKEN = {
    "no sections": f"{ENTRY_POINT_GROUP}, but not as a section\n",
    "a line twice": points(bad="m:a") + "bad = m:b\n",
    "a percent sign": points(bad="m:%(x"),
    "not text": "\0\0\udcff",
    "no object": points(bad=":::"),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_distribution_with_broken_metadata_hides_no_other(
    site: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever's it is: one that has nothing to do with us must not take all kernels away. It is named."""
    before = set(installed_providers())
    file = install(site, "broken", "")
    file.write_bytes(text.encode(errors="surrogateescape"))
    for name in ("a", "z"):  # before it and behind it
        install(site, name, points(**{name: "m:Provider"}))

    assert before | {"a", "z"} <= installed_providers().keys()
    assert "broken-1.0" in caplog.text or "':::'" in caplog.text


async def test_a_finder_has_what_is_installed_when_it_is_made(site: Path) -> None:
    """And loads it when it is needed: a broken module is a problem with a name."""
    install(site, "oblong", points(oblong="no_such_module_anywhere:Provider"))
    async with KernelFinder.from_entrypoints() as finder:
        search = finder.find_kernels()
        async for _ in search:
            pass

    (problem,) = [problem for problem in search.problems if problem.provider == "oblong"]
    assert "no_such_module_anywhere" in problem.text
