import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import NoSuchKernel
from jupyter_kernel_mgmt.cli.program import UsageError, main
from jupyter_kernel_mgmt.cli.remove import choose, complete_kernelspec
from jupyter_kernel_mgmt.kernelspec.install import install_kernelspec_from_values

Install = Callable[[str], Path]


@pytest.fixture
def install(jupyter_home: Path) -> Install:
    """Installs a kernelspec for the user; returns its directory."""

    def make(name: str) -> Path:
        argv = ["run", "{connection_file}"]
        spec = install_kernelspec_from_values(name, argv, display_name=name, language="x", user=True)
        return spec.directory

    return make


def test_several_are_removed_and_each_is_told(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    """By short or full names, in any case."""
    one, two, other = install("one"), install("two"), install("other")
    assert main(["remove", "ONE", "spec/two", "one", "--yes"]) == 0
    assert capsys.readouterr() == (f"spec/one is removed from {one}\nspec/two is removed from {two}\n", "")
    assert (one.exists(), two.exists(), other.exists()) == (False, False, True)


def test_json_lists_what_was_removed(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is on stdout."""
    one = install("one")
    assert main(["remove", "one", "-f", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "removed": [{"type": "spec/one", "name": "one", "directory": str(one)}]
    }


def test_where_one_is_unknown_none_is_removed(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    """With near names."""
    one = install("one")
    assert main(["remove", "one", "on", "-y"]) == 3
    assert "there is no kernel type 'on'; did you mean 'one'?" in capsys.readouterr().err
    assert one.exists()
    with pytest.raises(NoSuchKernel):
        choose(["spec/.."])


def test_only_kernelspecs_can_be_removed() -> None:
    """Other providers' kernel types are theirs."""
    with pytest.raises(UsageError, match="pyimport/kernel is no kernelspec"):
        choose(["pyimport/kernel"])


def test_without_a_terminal_nobody_can_be_asked(
    install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So nothing is removed that was not agreed to."""
    one = install("one")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert main(["remove", "one"]) == 2
    assert "say --yes" in capsys.readouterr().err
    assert one.exists()


def test_one_that_cannot_be_removed_does_not_keep_the_others(
    install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told, and the exit code says so."""
    one, two = install("one"), install("two")
    rename = Path.rename

    def forbidden(self: Path, target: Path) -> Path:
        if self == one:
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", forbidden)
    assert main(["remove", "one", "two", "-y"]) == 73
    captured = capsys.readouterr()
    assert f"{one}: Permission denied" in captured.err
    assert captured.out == f"spec/two is removed from {two}\n"


def test_names_are_completed_bad_ones_too(install: Install) -> None:
    """They most of all."""
    install("one")
    (install("only-bad") / "kernel.json").write_text("{")
    install("two")
    assert complete_kernelspec("ON") == ["one", "only-bad"]
