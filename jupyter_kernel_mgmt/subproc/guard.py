"""`Guard`: ends what is left of our kernels: at once when this process is killed, and children that strayed.

It is an agent beside this process. Where there can be none, as on Windows, kernels run unguarded.
"""

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..agent import Agent
from ..exceptions import KernelError

log = logging.getLogger(__name__)

END_TIMEOUT = 3.0
"""Seconds that the end of what a kernel left behind may take."""

AGENTS = 3
"""How many agents are started in a row, if each dies by itself."""

CALM = 60.0
"""Seconds without such a death after which the next one begins a row."""


class Ward:
    """What is guarded together: processes that carry ``mark`` or descend from one, files and directories.

    Made by `Guard.ward`; held until `end` or `release`.
    """

    def __init__(self, guard: "Guard", name: str, files: Sequence[Path], directories: Sequence[Path]) -> None:
        self.id = f"{name}:{secrets.token_hex(8)}"
        self.mark = self.id
        self.files = files
        self.directories = directories
        self.pid: int | None = None
        self._guard = guard

    def started(self, pid: int) -> None:
        """The process is there. It must be ours, so that the number cannot become somebody else's yet."""
        self.pid = pid
        self._guard.tell(self)

    async def end(self) -> None:
        """Kill whatever is left of it, within `END_TIMEOUT`. May be called again. Cancelling is safe."""
        await self._guard.end(self)

    async def release(self) -> None:
        """Guard it no more, and end nothing. May be called again. Cancelling is safe."""
        await self._guard.release(self)


class Guard:
    """One agent for all kernels of a provider, for as long as there is a ward."""

    def __init__(self) -> None:
        self._wards: dict[str, Ward] = {}
        self._agent: Agent | None = None
        self._failures = 0
        self._failed_at = 0.0

    def ward(self, name: str, *, files: Sequence[Path] = (), directories: Sequence[Path] = ()) -> Ward:
        """Something to be guarded, from now on. Returns at once; the agent starts meanwhile."""
        ward = Ward(self, name, files, directories)
        self._wards[ward.id] = ward
        if self._agent is None:
            self._open()
        else:
            self.tell(ward)
        return ward

    def tell(self, ward: Ward) -> None:
        """For a ward: what is known of it has changed."""
        if self._agent is not None and ward.id in self._wards:
            self._agent.guard(
                ward.id, pid=ward.pid, mark=ward.mark, files=ward.files, directories=ward.directories
            )

    async def end(self, ward: Ward) -> None:
        """For a ward: end what is left of it, by the next agent if one dies over it."""
        if ward.id not in self._wards:
            return
        ward.pid = None  # it was reaped: the next agent shall not take somebody else's number for it
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._sweep(ward)
        except (TimeoutError, KernelError) as error:
            log.warning("Whether a kernel left something behind is not known: %s", error)
        finally:
            await self._forget(ward)

    async def release(self, ward: Ward) -> None:
        """For a ward: guard it no more."""
        if ward.id in self._wards:
            if self._agent is not None:
                self._agent.release(ward.id)
            await self._forget(ward)

    async def _sweep(self, ward: Ward) -> None:
        agent = self._agent
        while agent is not None:
            await agent.end(ward.id)
            if agent.ended is None or ward.id not in self._wards:
                return
            if self._agent in (agent, None):
                raise KernelError(f"the agent has ended: {agent.ended}")
            agent = self._agent

    async def _forget(self, ward: Ward) -> None:
        self._wards.pop(ward.id, None)
        if not self._wards:
            self._failures = 0
            agent, self._agent = self._agent, None
            if agent is not None:
                await agent.aclose()

    def _open(self) -> None:
        """Start an agent that knows all wards."""
        if sys.platform == "win32" or self._failures_in_a_row() >= AGENTS:
            return
        agent = Agent(isolated=True, on_end=self._agent_ended)
        try:
            agent.open()
        except (KernelError, OSError) as error:  # no descriptor is left
            self._failures, self._failed_at = AGENTS, time.monotonic()
            _tell_of_no_guard(str(error))
            return
        self._agent = agent
        for ward in self._wards.values():
            self.tell(ward)

    def _agent_ended(self, reason: str) -> None:
        """Without having been asked: another one takes over."""
        self._agent = None
        self._failures = self._failures_in_a_row() + 1
        self._failed_at = time.monotonic()
        if self._wards and self._failures < AGENTS:
            self._open()
        elif self._wards:
            _tell_of_no_guard(reason)

    def _failures_in_a_row(self) -> int:
        return self._failures if time.monotonic() - self._failed_at < CALM else 0


def _tell_of_no_guard(reason: str) -> None:
    log.warning("Kernels are not guarded, and outlive this process if it is killed: %s", reason)
