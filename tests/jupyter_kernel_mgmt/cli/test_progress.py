import pytest

from jupyter_kernel_mgmt import ExecutionStateChanged, LaunchProgress
from jupyter_kernel_mgmt.cli.progress import Progress


def test_each_step_is_a_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, and only while the launch goes on."""
    with Progress("spec/x") as progress:
        progress.heard(LaunchProgress("loading\nit", 0.5))
        progress.heard(ExecutionStateChanged("busy"))
    progress.heard(LaunchProgress("late"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ("jupyter-kernels: starting spec/x\njupyter-kernels: spec/x: loading it (50%)\n")
