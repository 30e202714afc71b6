import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import KernelDied, NoSuchKernel, __version__
from jupyter_kernel_mgmt.cli import program
from jupyter_kernel_mgmt.cli.program import COMMANDS, UsageError, load, main, make_parser
from jupyter_protocol import ProtocolError


class Failing:
    """A subcommand that raises."""

    SUMMARY = DESCRIPTION = "raises"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def add_arguments(self, parser: object) -> None:
        pass

    def run(self, arguments: object) -> int:
        raise self.error


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(name: str) -> None:
    """And has the exit codes in its help."""
    command = load(name)
    assert command.SUMMARY
    assert max(map(len, command.DESCRIPTION.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the exit codes."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    output = capsys.readouterr().out
    assert load(name).DESCRIPTION.splitlines()[0] in output
    assert "exit codes:" in output


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """That of the package."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"{__version__}\n")


def test_debug_may_stand_before_and_behind_the_command() -> None:
    """And is off without."""
    parse = make_parser().parse_args
    assert parse(["--debug", "list"]).debug is True
    assert parse(["list", "--debug"]).debug is True
    assert parse(["list"]).debug is False


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (NoSuchKernel("spec/x", known=["spec/y"]), 3, "there is no kernel type 'spec/x'; did you mean"),
        (KernelDied(), 4, "the kernel died"),
        (ProtocolError("odd"), 4, "odd"),
        (UsageError("not so"), 2, "not so"),
        (ZeroDivisionError("by zero"), 70, "ZeroDivisionError: by zero (--debug shows where)"),
        (ModuleNotFoundError("no", name="rich.table"), 69, "rich.table is missing"),
    ],
)
def test_an_error_is_a_message_and_a_code(
    error: Exception,
    code: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a traceback."""
    command = Failing(error)
    monkeypatch.setattr(program, "load", lambda name: command)
    assert main(["list"]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(f"jupyter-kernels: {text}")
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the message."""
    command = Failing(KernelDied())
    monkeypatch.setattr(program, "load", lambda name: command)
    assert main(["list", "--debug"]) == 4
    assert capsys.readouterr().err.startswith("Traceback")


def test_ctrl_c_before_anything_runs_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As while code is read from stdin."""
    command = Failing(KeyboardInterrupt())
    monkeypatch.setattr(program, "load", lambda name: command)
    assert main(["list"]) == 130


HEAVY = ("rich", "prompt_toolkit", "argcomplete", "nbformat", "nbclient")


@pytest.mark.parametrize("arguments", [["--help"], ["exec", "--help"], ["--version"]])
def test_help_is_there_at_once(arguments: list[str]) -> None:
    """Nothing is imported for it that only what is asked for needs."""
    code = (
        "import sys\n"
        "from jupyter_kernel_mgmt.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def completions(line: str, tmp_path: Path, *, skipped: int = 1) -> set[str]:
    """What a shell is told that could stand at the end of a line."""
    answer = tmp_path / "answer"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": str(skipped),
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    command = [sys.executable, "-m", "jupyter_kernel_mgmt.cli"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return {word.strip() for word in answer.read_text().splitlines()}


def test_shells_complete_commands_options_and_kernel_types(tmp_path: Path) -> None:
    """Also where ``jupyter`` itself stands before it."""
    assert {*COMMANDS} <= completions("jupyter-kernels ", tmp_path)
    assert "--timeout" in completions("jupyter-kernels exec --ti", tmp_path)
    assert completions("jupyter-kernels exec pyimp", tmp_path) == {"pyimport/kernel"}
    assert completions("jupyter kernels launch pyimp", tmp_path, skipped=2) == {"pyimport/kernel"}


def test_shells_find_the_mark_of_completion() -> None:
    """In the first 1024 bytes of the module that the entry point names, and of the one run by -m."""
    for name in ("__init__", "__main__"):
        file = Path(program.__file__).with_name(f"{name}.py")
        assert b"PYTHON_ARGCOMPLETE_OK" in file.read_bytes()[:1024]


@pytest.mark.parametrize("check", [["_check_console_script", "{script}"], ["_check_module", "{module}"]])
def test_global_completion_takes_the_command(check: list[str]) -> None:
    """By the programs that argcomplete's completion for all commands uses."""
    script = Path(sys.executable).with_name("jupyter-kernels")
    if not script.exists():
        pytest.skip("the command is not installed beside this interpreter")
    what = check[1].format(script=script, module="jupyter_kernel_mgmt.cli")
    command = [sys.executable, "-m", f"argcomplete.{check[0]}", what]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_messages_have_no_escape_sequences_of_other_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as those in the last output of a kernel that died; its lines stay."""
    failing = Failing(NoSuchKernel("a", searched=["b\x1b]0;title\x07\nc\x1b[2J"]))
    monkeypatch.setattr(program, "load", lambda name: failing)
    assert main(["list"]) == 3
    errors = capsys.readouterr().err
    assert "b\nc" in errors
    assert "\x1b" not in errors
