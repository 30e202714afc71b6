"""`Succession`: the processes of one kernel, one after the other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ._generation import Generation, OnExit
from ._options import KernelOptions
from ._under_way import MakeError
from .client import KernelClient
from .events import OnEvent
from .exceptions import LaunchError, StartupTimeout, Unsupported
from .launching import Launched
from .managerbase import CanRestart

log = logging.getLogger(__name__)

LAUNCH_ATTEMPTS = 5
"""How often a launch is tried whose failure says that another try may work."""

LAUNCH_GRACE = 1.0
"""Seconds that a provider has beyond its deadline, since its own error says more than ours."""

Relaunch = Callable[[Launched | None], Awaitable[Launched]]
"""Starts the next process of a kernel, given the one that it follows."""


class Succession:
    """``current`` is the generation that the client talks to; None before the first."""

    def __init__(
        self,
        client: KernelClient,
        options: KernelOptions,
        *,
        owned: bool,
        relaunch: Relaunch | None,
        on_exit: OnExit,
        on_event: OnEvent,
    ) -> None:
        self.current: Generation | None = None
        self._client = client
        self._options = options
        self._owned = owned
        self._relaunch = relaunch
        self._on_exit = on_exit
        self._on_event = on_event

    @property
    def number(self) -> int:
        """The number of the current generation, from 1; that of the first before there is one."""
        return 1 if self.current is None else self.current.number

    @property
    def restarts_in_place(self) -> bool:
        """Whether the manager of the current process starts the next one."""
        return self.current is not None and isinstance(self.current.launched.manager, CanRestart)

    @property
    def can_launch(self) -> bool:
        """Whether anybody can start the next process."""
        return self._relaunch is not None or self.restarts_in_place

    def check_relaunch(self) -> None:
        """Raises `Unsupported` where nobody can start the next process."""
        if not self.can_launch:
            raise Unsupported("restart", "nobody knows how to start this kernel again; give relaunch=")

    async def begin(self, launched: Launched | None, make_error: MakeError) -> None:
        """Make the next generation ready; try again where a failure says that this may help.

        ``launched`` is its process, which is started here where it is None. Those who still wait for the
        one before get an error of this making. Raises as `launch` does; what was started is then the
        current generation, for the caller to end.
        """
        for attempt in range(1, LAUNCH_ATTEMPTS + 1):
            await self._succeed(launched or await self._launch(), make_error)
            assert self.current is not None, "it was just made"
            try:
                await self.current.begin(self._options.startup_timeout)
            except LaunchError as error:
                retry = error.exit_info is not None and error.exit_info.retry
                if not retry or not self.can_launch or attempt == LAUNCH_ATTEMPTS:
                    raise
                log.warning("Launching again: %s", error)
                launched = None
            else:
                return

    async def _succeed(self, launched: Launched, make_error: MakeError) -> None:
        if self._owned and launched.manager is None:
            raise LaunchError("a kernel of ours needs a manager, and its provider gave none")
        previous = self.current
        self.current = Generation(
            1 if previous is None else previous.number + 1,
            launched,
            self._client,
            owned=self._owned,
            on_exit=self._on_exit,
            on_event=self._on_event,
            unresponsive_after=self._options.unresponsive_after,
        )
        if previous is not None:
            await previous.release(make_error, keep=launched.manager)

    async def _launch(self) -> Launched:
        timeout = self._options.startup_timeout
        limit = asyncio.timeout(timeout + LAUNCH_GRACE)
        try:
            async with limit:
                return await self._next()
        except TimeoutError as error:
            if not limit.expired():  # it is the provider's own
                raise
            text = f"the provider did not start the kernel within {timeout:g} s"
            raise StartupTimeout(text) from error

    async def _next(self) -> Launched:
        """The next process: in place where the manager offers that, else by whoever launched this one."""
        before = None if self.current is None else self.current.launched
        if before is not None and before.manager is not None and isinstance(before.manager, CanRestart):
            launched = await before.manager.restart()
            if launched is None and before.channels is not None:
                raise LaunchError("a manager whose kernel has channels of its own restarts it with new ones")
            return launched or before
        self.check_relaunch()
        assert self._relaunch is not None, "it was just checked"
        return await self._relaunch(before)
