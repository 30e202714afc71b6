"""`Generation`: one process of a kernel, from the moment it was launched until nothing of it is left."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ._ending import KILL_TIMEOUT, end_kernel
from ._readiness import Readiness
from .channels import ZMQChannels
from .client import KernelClient, MakeError
from .exceptions import KernelDied, LaunchError, StartupTimeout
from .launching import ExitInfo, Launched

log = logging.getLogger(__name__)

OnExit = Callable[["Generation", ExitInfo], Awaitable[None]]


class Generation:
    """Joins what was launched to a client, for as long as the process lives.

    ``on_exit(generation, exit_info)`` is called once when the process ended, on purpose or not (see
    ``ending``). For a kernel that somebody else owns, `release` lets go of everything but the manager.
    """

    def __init__(
        self, number: int, launched: Launched, client: KernelClient, *, owned: bool, on_exit: OnExit
    ) -> None:
        self.number = number
        self.launched = launched
        self.ending = False
        self.exit_info: ExitInfo | None = None
        self._client = client
        self._owned = owned
        self._on_exit = on_exit
        self._watching: asyncio.Task[None] | None = None

    async def begin(self, startup_timeout: float) -> None:
        """Connect the client, watch the process, and wait until the kernel is ready.

        Raises `LaunchError` when it dies before, `StartupTimeout` when it takes too long.
        """
        launched = self.launched
        channels = launched.channels
        if channels is None:
            assert launched.connection_info is not None, "Launched has one of the two"
            channels = await ZMQChannels.open(launched.connection_info)
        self._client.attach(channels)
        if launched.manager is not None:
            self._watching = asyncio.create_task(self._watch(), name=f"watch-{launched.manager.kernel_id}")
            if launched.interrupt_mode == "signal":
                self._client.interrupter = launched.manager.interrupt
        readiness = Readiness()
        try:
            async with asyncio.timeout(startup_timeout):
                await readiness.wait(self._client)
        except TimeoutError as error:
            text = f"the kernel was not ready within {startup_timeout:g} s: {readiness}"
            tail = "" if launched.manager is None else await launched.manager.output_tail()
            info = ExitInfo(output_tail=tail)
            raise StartupTimeout(text, exit_info=info, command=launched.command) from error
        except KernelDied as error:
            text = f"the kernel died while it was starting: {error.exit_info}"
            raise LaunchError(text, exit_info=error.exit_info, command=launched.command) from error

    async def end(self, make_error: MakeError, *, restart: bool) -> ExitInfo | None:
        """Fail all that wait and end the process, politely at first. None where it could not be ended."""
        self.ending = True
        busy = self._client.executing
        self._client.refuse(make_error)
        assert self.launched.manager is not None, "an owned kernel has a manager"
        return await end_kernel(self._client, self.launched.manager, restart=restart, interrupt_first=busy)

    async def kill(self, make_error: MakeError) -> None:
        """End the process without asking and disconnect; the manager keeps what a restart needs."""
        self.ending = True
        manager = self.launched.manager
        try:
            if manager is not None and await manager.is_alive():
                await manager.kill()
                async with asyncio.timeout(KILL_TIMEOUT):
                    await manager.wait()
        except TimeoutError:
            log.error("Kernel %s did not end within %g s of SIGKILL", self.launched, KILL_TIMEOUT)
        finally:
            await self._client.detach(make_error, discard=True)

    async def release(self, make_error: MakeError) -> None:
        """Disconnect the client, and end and reap an owned process if it is still there."""
        self.ending = True
        manager = self.launched.manager
        try:
            await self._client.detach(make_error, discard=self._owned or self.exit_info is not None)
            if self.launched.channels is not None:  # never attached, if it was cancelled that early
                await self.launched.channels.aclose(discard=self._owned)
        finally:
            try:
                if manager is not None and self._owned:
                    await manager.aclose()
            finally:
                if self._watching is not None:
                    self._watching.cancel()
                    await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        assert self.launched.manager is not None, "only a managed process is watched"
        try:
            info = await self.launched.manager.wait()
        except Exception:  # a manager of somebody else's
            log.exception("Watching kernel %s failed", self.launched.manager.kernel_id)
            return
        self.exit_info = info
        if not self.ending:
            await self._client.settle()
        await self._on_exit(self, info)
