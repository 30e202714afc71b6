"""`ForkedManager`: a kernel that a fork server forked."""

import asyncio
import logging
import os
from dataclasses import asdict, replace
from pathlib import Path

from ..agent import IPYKERNEL_ENTRY, AgentProcess
from ..exceptions import KernelError
from ..launching import ExitInfo, LaunchRequest
from ..managerbase import KernelManagerBase, ProcessState
from .addresses import port_was_taken
from .forkserver import Forkable, ForkServer, ForkServers
from .output import OutputPipe
from .place import Place
from .proc import has_ended, look_at
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
            output = OutputPipe(read_end, sink)
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
            except BaseException:
                output.close()
                raise
        finally:
            os.close(write_end)
    except BaseException:
        await servers.release(server)
        raise
    return ForkedManager(request.kernel_id, process, output, place, servers, server)


class ForkedManager(KernelManagerBase):
    """Manages a child of a fork server, which reports its exit. Owns its output and its share of the place.

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
        self.kernel_id = kernel_id
        self.place = place
        self._process = process
        self._output = output
        self._servers = servers
        self._server = server
        self._released = False
        self._exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
        process.on_exit(self._ended)

    def __repr__(self) -> str:
        state = str(self._exited.result()) if self._exited.done() else "running"
        return f"<ForkedManager pid={self.pid} {state}>"

    @property
    def pid(self) -> int:
        """The process id, also that of the process group."""
        return self._process.pid

    @property
    def exited(self) -> "asyncio.Future[ExitInfo]":
        """Done when the process has ended. To be looked at and waited for, not to be cancelled."""
        return self._exited

    async def is_alive(self) -> bool:
        """Whether the process is there, asked of the operating system now."""
        return not self._exited.done() and not has_ended(self.pid)

    async def wait(self) -> ExitInfo:
        """Wait for the exit. Cancelling stops only this wait."""
        return await asyncio.shield(self._exited)

    async def signal(self, number: int) -> None:
        """Send a signal to the whole process group. Nothing happens when the kernel is gone."""
        if not self._exited.done():
            await self._process.signal(number)

    async def output_tail(self) -> str:
        """The last 64 kB of what the process and its children wrote."""
        return self._output.tail()

    async def process_state(self) -> ProcessState | None:
        """Whether the process is stopped, and the processor time of it and its descendants. Linux only."""
        return None if self._exited.done() else look_at(self.pid)

    async def aclose(self) -> None:
        """End the process, its group and its descendants, then release output and files.

        May be called again; bounded by `END_TIMEOUT`. When cancelled it still waits for the exit.
        """
        try:
            if not self._exited.done():
                ending = asyncio.create_task(self._end(), name=f"end-{self.kernel_id}")
                try:
                    await asyncio.shield(ending)
                except asyncio.CancelledError:
                    await asyncio.wait([ending])
                    raise
        finally:
            if not self._released:
                self._released = True
                self._output.close()
                await self.place.release()
                await self._servers.release(self._server)

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._process.end()
                await asyncio.wait([self._exited])
        except (TimeoutError, KernelError) as error:
            log.error("Process %d has not ended after SIGKILL: %s", self.pid, error)

    def _ended(self, info: ExitInfo) -> None:
        if self._exited.done():
            return
        taken = info.returncode != 0 and port_was_taken(self.place.connection_info)
        reason = "another process took one of its ports" if taken else info.reason
        tail = self._output.tail()
        self._output.close()
        self._exited.set_result(replace(info, reason=reason, output_tail=tail, retry=taken))
