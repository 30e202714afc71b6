import json

import pytest

from jupyter_kernel_mgmt import BadConfiguration
from jupyter_kernel_mgmt.cli.examining import as_text, check_providers, show
from jupyter_kernel_mgmt.cli.findings import Finding
from jupyter_kernel_mgmt.cli.versions import Versions
from jupyter_kernel_mgmt.discovery import Problem

VERSIONS = Versions(python="3.11", pyzmq="26", libzmq="4.3", curve=True, ipc=False)
FINDINGS = [Finding("info", "there", "fine"), Finding("error", "here\x1b[2J", "wrong", "mend it")]


def test_json_has_everything() -> None:
    """In the shape that the help shows."""
    shape = json.loads(as_text(VERSIONS, FINDINGS))
    assert shape["versions"] == {
        "python": "3.11",
        "pyzmq": "26",
        "libzmq": "4.3",
        "curve": True,
        "ipc": False,
    }
    assert shape["findings"][0] == {"severity": "info", "where": "there", "what": "fine", "todo": ""}


def test_the_worst_is_shown_first(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do, and a line that sums up."""
    show(VERSIONS, FINDINGS)
    assert capsys.readouterr().out == (
        "Python 3.11, pyzmq 26, libzmq 4.3 with curve, without ipc\n\n"
        "error here [2J\n  wrong\n  to do: mend it\n\n"
        "info there\n  fine\n\n"
        "1 problem\n"
    )


def test_providers_that_fail_are_told() -> None:
    """By name."""
    problems = [Problem("x", "ImportError: no")]
    (finding,) = check_providers(["spec", "x"], problems, 1)
    assert (finding.severity, finding.where, finding.what) == ("error", "provider 'x'", "ImportError: no")
    assert finding.todo.startswith("reinstall or remove the package")


def test_a_wrong_option_is_no_reason_to_reinstall() -> None:
    """It is to be corrected."""
    error = BadConfiguration("providers.x.sise", "there is no such option")
    (finding,) = check_providers(["x"], [Problem("x", str(error), error)], 1)
    assert finding.todo.startswith("correct the option")


def test_nothing_to_launch_is_an_error() -> None:
    """Whether there are providers or not."""
    assert [finding.what for finding in check_providers(["spec"], [], 0)] == ["no kernel types were found"]
    (finding,) = check_providers([], [], 0)
    assert "none is installed" in finding.what
    assert check_providers(["spec"], [], 1) == []
