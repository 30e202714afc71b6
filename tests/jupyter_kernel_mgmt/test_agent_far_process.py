"""The process of an agent: how it is started, and what it leaves when it ends."""

import sys
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.agent import Agent

from ._agents import PYTHON, ended, forkable

pytestmark = pytest.mark.usefixtures("no_descriptor_stays")


async def test_an_interpreter_that_is_none_is_told() -> None:
    with pytest.raises(LaunchError, match="an agent cannot be run by '/nowhere/python'"):
        await Agent.start(python="/nowhere/python")
    with pytest.raises(LaunchError, match=r"(?s)the agent has ended.*No module named"):
        await Agent.start(prefix=["sh", "-c", f"exec {sys.executable} -m nosuchmodule"])


@pytest.mark.parametrize(
    "options",
    [{"as_text": True}, {"prefix": ["env"]}, {"prefix": ["sh", "-c", 'echo welcome; exec "$@"', "sh"]}],
    ids=["text", "prefix", "banner"],
)
async def test_it_can_be_sent(options: dict[str, Any]) -> None:
    """As text, also through a command that says something first."""
    async with await Agent.start(isolated=True, code=forkable("print(6 * 7)"), **options) as agent:
        assert (await ended(await agent.spawn([*PYTHON, "print(1)"]))).output_tail == "1\n"
        assert (await ended(await agent.fork("kid:run", ["x"]))).output_tail == "42\n"
