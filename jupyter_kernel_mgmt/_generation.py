"""`Generation`: one process of a kernel, from the moment it was launched until nothing of it is left."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from jupyter_protocol import ConnectionInfo, ProtocolError

from ._ending import KILL_TIMEOUT, ask_to_restart, end_kernel
from ._readiness import Readiness
from ._silence_watch import SilenceWatch
from ._under_way import MakeError
from .channels import Channels, ZMQChannels
from .client import KernelClient
from .events import LaunchProgress, OnEvent
from .exceptions import KernelDied, LaunchError, StartupTimeout
from .launching import ExitInfo, Launched
from .managerbase import CanRestart, KernelManagerBase

log = logging.getLogger(__name__)

TAIL_TIMEOUT = 1.0
"""Seconds that the end of a kernel's output may hold up an error about it."""

EXIT_TIMEOUT = 1.0
"""Seconds that the exit of a process may take to be told, once its manager has started the next one."""

OnExit = Callable[["Generation", ExitInfo], Awaitable[None]]


class Generation:
    """Joins what was launched to a client, for as long as the process lives.

    ``on_exit(generation, exit_info)`` is called once when the process ended, on purpose or not (see
    ``ending``). ``on_event`` hears what a kernel of our own that is slow to start is waited for, and, with
    ``unresponsive_after``, when it becomes unresponsive or comes back.
    For a kernel that somebody else owns, `release` lets go of everything but the manager.
    """

    def __init__(
        self,
        number: int,
        launched: Launched,
        client: KernelClient,
        *,
        owned: bool,
        on_exit: OnExit,
        on_event: OnEvent,
        unresponsive_after: float | None = None,
    ) -> None:
        self.number = number
        self.launched = launched
        self.ending = False
        self.exit_info: ExitInfo | None = None
        self._client = client
        self._owned = owned
        self._on_exit = on_exit
        self._on_event = on_event
        self._watching: asyncio.Task[None] | None = None
        self._silence: SilenceWatch | None = None
        if unresponsive_after is not None:
            self._silence = SilenceWatch(
                unresponsive_after, generation=number, launched=launched, client=client, on_change=on_event
            )

    async def begin(self, startup_timeout: float) -> None:
        """Connect the client, watch the process, and wait until the kernel is ready.

        Raises `LaunchError` when it dies before, `StartupTimeout` when it takes too long.
        """
        launched = self.launched
        if self._silence is not None:
            self._silence.listen()
        channels = launched.channels or await _open_channels(launched.connection_info)
        try:
            self._client.attach(channels)
        except BaseException:
            await channels.aclose(discard=True)
            raise
        if launched.manager is not None:
            self._watching = asyncio.create_task(self._watch(), name=f"watch-{launched.manager.kernel_id}")
            if launched.interrupt_mode == "signal":
                self._client.interrupter = launched.manager.interrupt
        outside = launched.connection_info if launched.channels is None else None

        def tell() -> None:
            if self._owned:
                self._on_event(LaunchProgress(f"not ready yet: {readiness}"))

        readiness = Readiness(outside, on_slow=tell)
        limit = asyncio.timeout(startup_timeout)
        try:
            async with limit:
                await readiness.wait(self._client)
        except TimeoutError as error:
            if not limit.expired():
                raise
            text = f"the kernel was not ready within {startup_timeout:g} s: {readiness}"
            info = ExitInfo(output_tail=await self._output_tail())
            raise StartupTimeout(text, exit_info=info, command=launched.command) from error
        except KernelDied as error:
            text = f"the kernel died while it was starting: {error.exit_info}"
            raise LaunchError(text, exit_info=error.exit_info, command=launched.command) from error
        if self._silence is not None:
            self._silence.start()

    async def _output_tail(self) -> str:
        """What the process wrote, for an error text that must come soon."""
        if self.launched.manager is None:
            return ""
        try:
            async with asyncio.timeout(TAIL_TIMEOUT):
                return await self.launched.manager.output_tail()
        except Exception:  # a manager of somebody else's; the error that is being made is worth more
            log.exception("The output of %r cannot be read", self.launched)
            return ""

    @property
    def unresponsive(self) -> bool:
        """Whether it is watched for silence, and gave no sign of life for too long."""
        return self._silence is not None and self._silence.unresponsive

    async def end(self, make_error: MakeError, *, restart: bool) -> ExitInfo | None:
        """Fail all that wait and end the process, politely at first. None where it could not be ended.

        An unresponsive kernel is not asked.
        """
        self._begin_ending()
        busy = self._client.executing
        self._client.refuse(make_error)
        assert self.launched.manager is not None, "an owned kernel has a manager"
        if self.unresponsive:
            info = await self._kill_process(self.launched.manager)
            if info is not None:
                return info
        return await end_kernel(self._client, self.launched.manager, restart=restart, interrupt_first=busy)

    async def make_room(self, make_error: MakeError) -> None:
        """Fail all that wait and ask the process to end, for its manager to start the next in its place."""
        self._begin_ending()
        busy = self._client.executing
        self._client.refuse(make_error)
        assert self.launched.manager is not None, "it is the manager that will restart it"
        if not self.unresponsive:
            await ask_to_restart(self._client, self.launched.manager, interrupt_first=busy)

    async def kill(self, make_error: MakeError) -> None:
        """End the process without asking and disconnect; the manager keeps what a restart needs."""
        self._begin_ending()
        manager = self.launched.manager
        try:
            # One that restarts in place may have the next process already, when this one's exit is known.
            if manager is not None and (self.exit_info is None or isinstance(manager, CanRestart)):
                await self._kill_process(manager)
        finally:
            await self._client.detach(make_error, discard=True)

    async def _kill_process(self, manager: KernelManagerBase) -> ExitInfo | None:
        try:
            async with asyncio.timeout(KILL_TIMEOUT):
                await manager.kill()
                return await manager.wait()
        except Exception:  # a manager of somebody else's, or one that took too long
            log.exception("%r could not be killed", self.launched)
            return None

    async def release(self, make_error: MakeError, *, keep: KernelManagerBase | None = None) -> None:
        """Disconnect the client, and end and reap an owned process if it is still there.

        ``keep`` is the manager of the next generation: it stays open if it was this one's too.
        """
        self._begin_ending()
        manager = self.launched.manager
        if manager is not None and manager is keep and self._watching is not None:
            await asyncio.wait([self._watching], timeout=EXIT_TIMEOUT)  # it tells of the exit
        try:
            if not self._owned:
                await self._client.close_subshells()
            await self._client.detach(make_error, discard=self._owned or self.exit_info is not None)
            if self.launched.channels is not None:  # never attached, if it was cancelled that early
                await self.launched.channels.aclose(discard=self._owned)
        finally:
            try:
                if manager is not None and manager is not keep and self._owned:
                    await manager.aclose()
            finally:
                if self._watching is not None:
                    self._watching.cancel()
                    await asyncio.wait([self._watching])
                if self._silence is not None:
                    await self._silence.aclose()

    def _begin_ending(self) -> None:
        self.ending = True
        if self._silence is not None:
            self._silence.stop()  # its silence is wanted now

    async def _watch(self) -> None:
        assert self.launched.manager is not None, "only a managed process is watched"
        try:
            info = await self.launched.manager.wait()
        except Exception:  # a manager of somebody else's
            log.exception("Watching kernel %s failed", self.launched.manager.kernel_id)
            return
        self.exit_info = info
        if self._silence is not None:
            self._silence.stop()
        if not self.ending:
            await self._client.settle()
        await self._on_exit(self, info)


async def _open_channels(connection_info: ConnectionInfo | None) -> Channels:
    assert connection_info is not None, "Launched has one of the two"
    try:
        return await ZMQChannels.open(connection_info)
    except (OSError, ValueError, ProtocolError) as error:
        raise LaunchError(f"the kernel's channels cannot be opened: {error}") from error
