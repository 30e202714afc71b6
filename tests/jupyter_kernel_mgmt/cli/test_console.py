import argparse
import io
import sys

import pytest

from jupyter_kernel_mgmt.cli.console import is_connection, run
from jupyter_kernel_mgmt.cli.program import UsageError


def test_a_connection_is_a_file() -> None:
    """Everything else is a kernel type."""
    assert is_connection("kernel-1.json")
    assert is_connection("/run/kernel-1.json")
    assert not is_connection("spec/python3")
    assert not is_connection("python3")


def test_it_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what to use without one."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(UsageError, match="jupyter-kernels exec"):
        run(argparse.Namespace(kernel_type="python3", launch_parameters=[]))


def test_parameters_are_of_no_use_to_a_kernel_that_runs_already() -> None:
    with pytest.raises(UsageError, match="this one runs already"):
        run(argparse.Namespace(kernel_type="kernel-1.json", launch_parameters=["a=1"]))
