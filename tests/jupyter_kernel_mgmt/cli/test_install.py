import json
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.cli.program import main
from jupyter_kernel_mgmt.kernelspec import get_kernelspec, read_kernelspec

PROGRAM = sys.executable
GOOD = {"argv": [PROGRAM, "{connection_file}"], "display_name": "Mine", "language": "x"}


@pytest.fixture(autouse=True)
def home(jupyter_home: Path) -> Path:
    return jupyter_home


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "mine"
    directory.mkdir()
    (directory / "kernel.json").write_text(json.dumps(GOOD))
    return directory


def test_a_directory_is_installed_and_the_place_told(
    source: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout; a second time only when it is to replace the first."""
    place = home / "data" / "kernels" / "mine"
    assert main(["install", str(source), "--user"]) == 0
    assert capsys.readouterr() == (f"spec/mine is installed in {place}\n", "")

    assert main(["install", str(source), "--user"]) == 73
    assert "already" in capsys.readouterr().err
    assert main(["install", str(source), "--user", "--replace"]) == 0


def test_json_has_the_place_and_what_is_odd(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as that nobody looks there."""
    assert main(["install", str(source), "--prefix", str(tmp_path / "p"), "--name", "Other", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    (warning,) = shape.pop("warnings")
    directory = tmp_path / "p" / "share" / "jupyter" / "kernels" / "other"
    assert shape == {"type": "spec/other", "name": "other", "directory": str(directory)}
    assert "it will not be found" in warning
    assert str(directory.parent.parent) in warning


def test_a_kernelspec_is_written_from_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """All that follows --argv belongs to it, whatever it looks like."""
    options = ["--display-name", "My kernel", "--language", "x", "--interrupt-mode", "message", "-e", "A=b=c"]
    command = [PROGRAM, "-f", "{connection_file}", "--user", "--json"]
    assert main(["install", "--user", "--name", "mine", *options, "--argv", *command]) == 0
    spec = get_kernelspec("mine")
    assert spec.argv == tuple(command)
    assert (spec.display_name, spec.language) == ("My kernel", "x")
    assert (spec.interrupt_mode, spec.env) == ("message", {"A": "b=c"})
    assert capsys.readouterr().err == ""


def test_what_is_odd_is_told_on_stderr_and_no_failure(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that is not there, and another kernelspec that hides it."""
    monkeypatch.setenv("JUPYTER_PATH", str(home / "first"))
    (home / "first" / "kernels").mkdir(parents=True)
    source.rename(home / "first" / "kernels" / "mine")
    arguments = ["--user", "--name", "mine", "--language", "x", "--argv", "/no/such", "{connection_file}"]
    assert main(["install", *arguments]) == 0
    errors = capsys.readouterr().err
    assert "'/no/such' does not exist" in errors
    assert f"hidden by the kernelspec of that name in {home / 'first' / 'kernels' / 'mine'}" in errors


def test_into_this_pythons_prefix(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    assert main(["install", str(source), "--sys-prefix"]) == 0
    assert read_kernelspec(tmp_path / "env" / "share" / "jupyter" / "kernels" / "mine").name == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "what is to be installed?"),
        (["{source}", "--user", "--name", "a/b"], 2, "'a/b' cannot be a kernelspec's name"),
        (["{source}", "--user", "--language", "x"], 2, "--language goes with --argv"),
        (["{source}", "--user", "--display-name", "x"], 2, "--display-name goes with --argv"),
        (["{source}", "--user", "--name", "x", "--argv", "x"], 2, "not both"),
        (["{source}", "--prefix", ""], 2, "--prefix takes a directory"),
        (["--user", "--argv", "x"], 2, "and --name"),
        (["--user", "--name", "x", "--argv"], 2, "needs a command"),
        (["--user", "--name", "x", "-e", "A", "--argv", "x"], 2, "--env takes NAME=VALUE"),
        (["/no/such/directory", "--user"], 65, "cannot be read"),
    ],
)
def test_what_cannot_be_installed_has_a_message_and_a_code(
    source: Path, home: Path, arguments: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And changes nothing."""
    assert main(["install", *(str(source) if item == "{source}" else item for item in arguments)]) == code
    captured = capsys.readouterr()
    assert (captured.out, text in captured.err) == ("", True)
    assert "Traceback" not in captured.err
    assert not (home / "data").exists()


def test_only_one_destination_can_be_named(source: Path) -> None:
    """As with every choice."""
    with pytest.raises(SystemExit) as ended:
        main(["install", str(source), "--user", "--system"])
    assert ended.value.code == 2
