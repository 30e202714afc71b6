"""Kernels forked from a process that has imported ipykernel already: the decision, and those processes.

Each is an agent in the kernel's own interpreter, prepared once.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..agent import IPYKERNEL_MODULES, Agent, interpreter_environment, needs_new_interpreter
from ..exceptions import LaunchError
from .ipykernel import own_arguments, preparation

log = logging.getLogger(__name__)

SERVERS = 4
"""Fork servers of one interpreter, at most: one for each environment that an interpreter begins with."""


@dataclass(frozen=True, slots=True)
class Forkable:
    """A command that a fork can do: the interpreter, and the kernel's own arguments."""

    python: str
    arguments: tuple[str, ...]


def forkable(argv: Sequence[str], prefix: Sequence[str]) -> Forkable | str:
    """What to fork, or why that cannot be done."""
    if sys.platform == "win32":
        return "Windows cannot fork"
    if prefix:
        return "a prefix needs a process of its own"
    arguments = own_arguments(argv)
    if arguments is None or not Path(argv[0]).is_absolute():
        return "its command is not ipykernel's"
    return Forkable(argv[0], arguments)


class ForkServer:
    """One agent that is prepared, or is about to be. Counted: `release` each use."""

    def __init__(self, python: str, env: Mapping[str, str]) -> None:
        self.env = dict(env)
        self.users = 0
        self.agent: Agent | None = None
        self._python = python
        self._lock = asyncio.Lock()

    async def ready(self) -> Agent:
        """The agent, once it has imported everything. Raises `LaunchError`. Cancelling is safe."""
        async with self._lock:
            if self.agent is None or self.agent.ended is not None:
                self.agent = await Agent.start(
                    python=self._python, env=self.env, prepare=IPYKERNEL_MODULES, code=preparation()
                )
                for problem in self.agent.prepared["problems"]:
                    log.debug("A fork server could not import everything: %s", problem)
            return self.agent

    async def aclose(self) -> None:
        """End the agent, and the kernels that it forked. Cancelling is safe."""
        if self.agent is not None:
            await self.agent.aclose()


class ForkServers:
    """The fork servers of a provider, by interpreter and environment, each kept for the next kernel."""

    def __init__(self) -> None:
        self._servers: dict[str, list[ForkServer]] = {}
        self._closed = False

    def get(self, python: str, env: Mapping[str, str]) -> ForkServer:
        """The server for a kernel that is to have this environment; `release` it after that kernel.

        Raises `LaunchError` where there are too many already.
        """
        servers = self._servers.setdefault(python, [])
        for server in servers:
            if not needs_new_interpreter(server.env, env):
                break
        else:
            if len(servers) == SERVERS:
                names = ", ".join(needs_new_interpreter(servers[0].env, env))
                raise LaunchError(f"there are {SERVERS} fork servers with other values of {names}")
            server = ForkServer(python, interpreter_environment(os.environ, env))
            servers.append(server)
        server.users += 1
        return server

    async def release(self, server: ForkServer) -> None:
        """A kernel of that server has ended, or was never there. Cancelling is safe."""
        server.users -= 1
        await self._close_unused()

    async def aclose(self) -> None:
        """Keep no server longer than its kernels. May be called again. Cancelling is safe."""
        self._closed = True
        await self._close_unused()

    async def _close_unused(self) -> None:
        if self._closed:
            for servers in self._servers.values():
                for server in [server for server in servers if not server.users]:
                    servers.remove(server)
                    await server.aclose()
