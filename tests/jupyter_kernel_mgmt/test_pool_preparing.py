"""What prepares a kernel, run by the interpreters it is for."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt._pool_preparing import bash, python

ODD = "it's “odd” \\ $HOME `x`\n!\t\x07é"


def run_python(*lines: str) -> list[str]:
    """What a Python prints that runs these, one after the other, as cells."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.splitlines()


SHOW = "import os, json; print(json.dumps([os.getcwd(), os.environ.get('A'), sorted(os.environ.items())]))"


def test_python_gets_directory_and_variables_and_is_as_before_the_next_time(tmp_path: Path):
    odd = tmp_path / "it's “odd”"
    odd.mkdir()
    change = "os.environ['MORE'] = '1'; os.environ.pop('PATH', None); os.environ['HOME'] = 'x'"
    first, between, last = run_python(
        *(python(None, {}), SHOW, python(str(odd), {"A": ODD}), SHOW, change, python(None, {}), SHOW)
    )
    assert json.loads(between)[:2] == [str(odd), ODD]
    assert json.loads(last) == json.loads(first)


def test_python_keeps_no_name_of_it():
    assert run_python("before = {*dir(), 'before'}", python("/", {"A": "b"}), "print({*dir()} - before)") == [
        "set()"
    ]


def test_python_that_cannot_change_to_the_directory_keeps_its_environment(tmp_path: Path):
    code = python(str(tmp_path / "nowhere"), {"A": "b"})
    attempt = f"try:\n    {code}\nexcept FileNotFoundError as error:\n    print('no')"
    said, shown = run_python(attempt, SHOW)
    assert said == "no"
    assert json.loads(shown)[1] is None


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_gets_directory_and_variables_and_is_as_before_the_next_time(tmp_path: Path):
    odd = tmp_path / "it's “odd”"
    odd.mkdir()
    show = 'printf "%s|" "$PWD" "$A"; export -p | sort | tr "\\n" ";"; printf "\\0"'
    change = "export MORE=1 HOME=x; unset PATH"
    script = "\n".join([bash(None, {}), show, bash(str(odd), {"A": ODD}), show, change, bash(None, {}), show])
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=30)
    first, between, last, _ = done.stdout.decode().split("\0")
    assert between.split("|")[:2] == [str(odd), ODD]
    assert without_oldpwd(last) == without_oldpwd(first)


def without_oldpwd(shown: str) -> list[str]:
    """Bash notes by itself where it was before."""
    return [line for line in shown.split(";") if "OLDPWD" not in line]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_says_by_its_exit_code_that_it_cannot_change_to_the_directory(tmp_path: Path):
    code = bash(str(tmp_path / "nowhere"), {"A": "b"})
    assert subprocess.run(["bash", "-c", code], capture_output=True, check=False, timeout=30).returncode == 1


def test_what_bash_reads_has_short_lines():
    """A terminal in between cuts them at 4096 bytes."""
    assert max(map(len, bash("/", {f"NAME_{n}": "x" * 1000 for n in range(10)}).splitlines())) < 1100
