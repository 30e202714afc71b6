"""`ForkedManager` with a server that has imported nothing, and kernels that do nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

if sys.platform == "win32":
    pytest.skip("Windows cannot fork", allow_module_level=True)

from jupyter_kernel_mgmt import LaunchRequest, SubprocessLauncher
from jupyter_kernel_mgmt.agent import AgentProcess
from jupyter_kernel_mgmt.subproc.forked import ForkedManager
from jupyter_kernel_mgmt.subproc.forkserver import ForkServer
from jupyter_kernel_mgmt.subproc.helpers import LocalHelpers

from ._agents import GUARD, gone

pytestmark = pytest.mark.usefixtures("jupyter_home")

ARGV = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")


@pytest.fixture
async def helpers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalHelpers]:
    """Without a fork server after the test."""
    monkeypatch.setattr("jupyter_kernel_mgmt.subproc.forkserver.IPYKERNEL_MODULES", ("signal",))
    monkeypatch.setattr("jupyter_kernel_mgmt.subproc.forked.IPYKERNEL_ENTRY", "signal:pause")
    helpers = LocalHelpers()
    yield helpers
    (server,) = servers(helpers)
    await helpers.aclose()
    assert server.agent is not None
    assert server.agent.ended is not None


def servers(helpers: LocalHelpers) -> list[ForkServer]:
    return [server for servers in helpers.forkservers._servers.values() for server in servers]


async def fork(helpers: LocalHelpers, **options: Any) -> ForkedManager:
    launcher = SubprocessLauncher(ARGV, helpers=helpers)
    launched = await launcher.launch(LaunchRequest(forkserver=True, **options))
    assert isinstance(launched.manager, ForkedManager)
    return launched.manager


async def test_closing_that_is_cancelled_while_files_are_removed_lets_go_of_the_server(
    helpers: LocalHelpers,
) -> None:
    """It could not be closed otherwise."""
    manager = await fork(helpers)
    closing = asyncio.create_task(manager.aclose())
    async with asyncio.timeout(GUARD):
        while not manager._released:  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
    assert closing.cancelled()
    await manager.aclose()
    assert [server.users for server in servers(helpers)] == [0]


async def test_a_fork_that_cannot_be_managed_is_ended(
    helpers: LocalHelpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And neither its server nor a descriptor is held for it."""
    pids: list[int] = []

    def fail(kernel_id: str, process: AgentProcess, *others: Any) -> NoReturn:
        pids.append(process.pid)
        raise ValueError("no manager")

    await (await fork(helpers)).aclose()
    descriptors = len(list(Path("/dev/fd").iterdir()))
    monkeypatch.setattr("jupyter_kernel_mgmt.subproc.forked.ForkedManager", fail)
    with pytest.raises(ValueError, match="no manager"):
        await fork(helpers)
    await gone(*pids)
    assert [server.users for server in servers(helpers)] == [0]
    assert len(list(Path("/dev/fd").iterdir())) == descriptors
