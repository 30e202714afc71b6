"""`ForkedManager`: a kernel that a fork server forked."""

import asyncio
import logging
import os
from dataclasses import asdict
from pathlib import Path

from ..agent import IPYKERNEL_ENTRY, AgentProcess
from ..exceptions import KernelError
from ..launching import ExitInfo, LaunchRequest
from .forkserver import Forkable, ForkServer, ForkServers
from .local import LocalManager, to_its_end
from .output import OutputPipe, open_output
from .place import Place
from .proc import has_ended
from .sinks import make_sink

log = logging.getLogger(__name__)

END_TIMEOUT = 5.0
"""Seconds that closing waits for a killed process; longer only if the operating system cannot end it."""


async def fork(
    servers: ForkServers,
    what: Forkable,
    request: LaunchRequest,
    place: Place,
    env: dict[str, str],
    mark: str,
) -> "ForkedManager":
    """Fork a kernel. Raises `LaunchError`, `Unsupported` or `OSError`; cancelling it leaves nothing."""
    server = servers.get(what.python, env)
    try:
        agent = await server.ready()
        sink = make_sink(request.output)
        try:
            read_end, write_end = os.pipe()
        except BaseException:
            if sink is not None:
                sink.close()
            raise
        try:
            output = open_output(read_end, sink)
            try:
                process = await agent.fork(
                    IPYKERNEL_ENTRY,
                    ["ipykernel_launcher", *what.arguments, f"--IPKernelApp.parent_handle={agent.pid}"],
                    id=mark,
                    env=dict(env),
                    inherit=False,
                    cwd=request.cwd if request.cwd is not None else Path.cwd(),
                    limits=asdict(request.limits),
                    mark=mark,
                    stdout=write_end,
                )
                try:
                    return ForkedManager(request.kernel_id, process, output, place, servers, server)
                except BaseException:
                    agent.release(process.id, end=True)
                    raise
            except BaseException:
                output.close()
                raise
        finally:
            os.close(write_end)
    except BaseException:
        await servers.release(server)
        raise


class ForkedManager(LocalManager):
    """Manages a child of a fork server, which reports its exit.

    The server ends the whole group and all that carries the kernel's mark before it reports.
    """

    def __init__(
        self,
        kernel_id: str,
        process: AgentProcess,
        output: OutputPipe,
        place: Place,
        servers: ForkServers,
        server: ForkServer,
    ) -> None:
        super().__init__(kernel_id, process.pid, output, place)
        self._process = process
        self._servers = servers
        self._server = server
        process.on_exit(self._ended)
        self._look_for_kills()

    async def is_alive(self) -> bool:
        """Whether the process is there, asked of the operating system now."""
        return not self._exited.done() and not has_ended(self.pid)

    async def _signal(self, number: int) -> None:
        await self._process.signal(number)

    async def aclose(self) -> None:
        """End the process, its group and its descendants, then release output and files.

        May be called again; bounded by `END_TIMEOUT`. When cancelled it still waits for the exit.
        """
        try:
            if not self._exited.done():
                self._killed = True
                await to_its_end(asyncio.create_task(self._end(), name=f"end-{self.kernel_id}"))
        finally:
            if not self._released:
                try:
                    await self._release()
                finally:
                    await self._servers.release(self._server)

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._process.end()
                await asyncio.wait([self._exited])
        except (TimeoutError, KernelError) as error:
            log.error("Process %d has not ended after SIGKILL: %s", self.pid, error)

    def _ended(self, info: ExitInfo) -> None:
        self._tell_exit(info.returncode, info.reason)
