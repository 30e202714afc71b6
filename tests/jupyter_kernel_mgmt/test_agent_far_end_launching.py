"""What a new process inherits; that it starts is told in the tests of what it becomes."""

import os
import sys
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent.far_end.launching import environment


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ({}, {"A": "1", "B": "2"}),
        ({"inherit": True, "env": {"B": None, "C": "3"}}, {"A": "1", "C": "3"}),
        ({"inherit": False, "env": {"C": "3"}}, {"C": "3"}),
        ({"inherit": ["B", "X"]}, {"B": "2"}),
        ({"inherit": ["A"], "mark": "mine"}, {"A": "1", "JUPYTER_KERNEL_MARK": "mine"}),
    ],
)
def test_the_environment_is_as_a_command_says(
    command: dict[str, Any], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never with the agent's own mark, and always with its number."""
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in {"A": "1", "B": "2", "JUPYTER_KERNEL_MARK": "the agent's"}.items():
        monkeypatch.setenv(name, value)
    assert environment(command) == {**expected, "JPY_PARENT_PID": str(os.getpid())}
