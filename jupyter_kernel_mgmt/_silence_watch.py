"""`SilenceWatch`: looks at one process of a kernel, and tells when it becomes unresponsive or comes back."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from jupyter_protocol import Heartbeat, Message

from ._silence import Look, Silence
from .client import KernelClient
from .events import Responsive, Unresponsive
from .exceptions import KernelUnresponsive
from .launching import Launched
from .managerbase import ProcessState
from .results import ExecutionResult

log = logging.getLogger(__name__)

LONGEST_INTERVAL = 1.0
"""Seconds between two looks, and between two beats; less where little time is given."""

LOOKS = 5
"""At least as many looks are taken before a kernel is called unresponsive."""

PROCESS_TIMEOUT = 5.0
"""Seconds that a manager has to say what its process does."""

OnChange = Callable[[Unresponsive | Responsive], None]


class SilenceWatch:
    """Applies `Silence` to what a client hears, a heartbeat of its own and what the manager says.

    `listen` comes before the first message and `start` when the kernel is ready. When it becomes
    unresponsive, ``on_change`` gets an `Unresponsive` and all who wait a `KernelUnresponsive`; those who wait
    later get it too, each time as many seconds have passed again. When it comes back, ``on_change`` gets a
    `Responsive`.
    """

    def __init__(
        self,
        unresponsive_after: float,
        *,
        generation: int,
        launched: Launched,
        client: KernelClient,
        on_change: OnChange,
    ) -> None:
        self._silence = Silence(unresponsive_after)
        self._interval = min(LONGEST_INTERVAL, unresponsive_after / LOOKS)
        self._generation = generation
        self._launched = launched
        self._client = client
        self._on_change = on_change
        self._heard = False
        self._says_status = False
        self._manager_failed = False
        self._stopped = False
        self._fail_at = unresponsive_after
        self._task: asyncio.Task[None] | None = None

    @property
    def unresponsive(self) -> bool:
        """Whether the kernel is unresponsive, as far as the last look tells."""
        return self._silence.unresponsive

    def listen(self) -> None:
        """Take note of what the kernel sends."""
        self._client.add_handler(self._note)

    def start(self) -> None:
        """Begin to look at it, unless `stop` was called. Once."""
        if self._stopped:
            return
        self._task = asyncio.create_task(self._run(), name=f"silence-{self._generation}")

    def stop(self) -> None:
        """Tell nothing more, from here on."""
        self._stopped = True
        self._client.remove_handler(self._note)
        if self._task is not None:
            self._task.cancel()

    async def aclose(self) -> None:
        """`stop`, and wait until everything is released. May be called again; bounded in time."""
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _note(self, channel: str, message: Message) -> None:
        self._heard = True
        if channel == "iopub" and message.msg_type == "status":
            self._says_status = True

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            heartbeat = await self._open_heartbeat(stack)
            echoes, before = 0, loop.time()
            while True:
                await asyncio.sleep(self._interval)
                now, count = loop.time(), 0 if heartbeat is None else heartbeat.echoes
                heard, self._heard = self._heard, False
                seen = heard or count > echoes
                look = Look(
                    elapsed=now - before,
                    interval=self._interval,
                    echoed=count > echoes,
                    heard=heard,
                    busy=self._client.execution_state == "busy" if self._says_status else None,
                    process=None if seen else await self._process_state(),
                )
                echoes, before = count, now
                self._apply(look)

    def _apply(self, look: Look) -> None:
        was, unresponsive = self._silence.unresponsive, self._silence.take(look)
        seconds = self._silence.seconds
        if was and not unresponsive:
            self._on_change(Responsive(self._generation))
        if unresponsive and not was:
            self._fail_at = seconds
            self._on_change(Unresponsive(seconds, self._generation))
        if unresponsive and seconds >= self._fail_at:
            self._fail_at = seconds + self._silence.unresponsive_after
            self._client.fail_waiting(_unresponsive(seconds))

    async def _open_heartbeat(self, stack: AsyncExitStack) -> Heartbeat | None:
        info = self._launched.connection_info
        if info is None:
            return None
        try:
            return await stack.enter_async_context(Heartbeat(info, interval=self._interval))
        except OSError as error:  # an address without a port
            log.debug("There is no heartbeat to listen to: %s", error)
            return None

    async def _process_state(self) -> ProcessState | None:
        manager = self._launched.manager
        if manager is None:
            return None
        try:
            async with asyncio.timeout(PROCESS_TIMEOUT):
                return await manager.process_state()
        except Exception:  # a manager of somebody else's
            if not self._manager_failed:
                log.exception("%r cannot say what its process does", manager)
            self._manager_failed = True
            return None


def _unresponsive(silence: float) -> Callable[[ExecutionResult | None], Exception]:
    return lambda result: KernelUnresponsive(silence, result)
