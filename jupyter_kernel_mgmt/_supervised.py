"""What a restarter looks after: a `Kernel`, or a manager without one."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from jupyter_protocol import Message

from ._restart_policy import Condition
from .events import EventLog, KernelEvent, KernelExited, KernelState, StateChanged
from .exceptions import LaunchError, NotOwned, RestartFailed, Unsupported
from .kernel import Kernel
from .launching import ExitInfo, Launched
from .managerbase import CanRestart, KernelManagerBase

log = logging.getLogger(__name__)

RelaunchManager = Callable[[], Awaitable[Launched]]
"""Starts the next process of a kernel of which only the manager is at hand."""


class Supervised:
    """One kernel through its generations, as a restarter sees it."""

    events: EventLog

    @property
    def generation(self) -> int:
        """The number of the current process, from 1."""
        raise NotImplementedError

    def open(self) -> None:
        """Begin to look at it. Raises `NotOwned` or `Unsupported` where it cannot be started again."""
        raise NotImplementedError

    def condition(self) -> Condition:
        """How it is right now."""
        raise NotImplementedError

    def changes(self) -> AsyncGenerator[None, None]:
        """An item whenever `condition` may have changed; ends when the kernel is closed."""
        raise NotImplementedError

    async def restart(self, generation: int) -> None:
        """Start the next process, if this generation is still the current one and broken.

        Raises `RestartFailed`; it is broken then. Raises `ClientClosed` when it is closed meanwhile. When
        cancelled, no process is left of what was begun.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Release what belongs to the restarter. May be called again."""
        raise NotImplementedError


class SupervisedKernel(Supervised):
    """A `Kernel`, which restarts itself. With ``unresponsive``, one that is silent is broken too."""

    def __init__(self, kernel: Kernel, *, unresponsive: bool) -> None:
        self.events = kernel._events
        self._kernel = kernel
        self._unresponsive = unresponsive
        self._crashed: int | None = None
        self._failed: int | None = None
        self._told_to_end: int | None = None

    @property
    def generation(self) -> int:
        return self._kernel._succession.number

    def open(self) -> None:
        if not self._kernel.owned:
            raise NotOwned("this kernel is not ours to restart: we only connected to it")
        self._kernel._succession.check_relaunch()
        if self._unresponsive and self._kernel._succession._options.unresponsive_after is None:
            raise Unsupported("restart_unresponsive", "the kernel was opened without unresponsive_after")
        self._kernel.client.add_handler(self._note_shutdown, ("iopub", "control", "shell"))

    def condition(self) -> Condition:
        match self._kernel.state:
            case KernelState.READY:
                return Condition.BROKEN if self._unresponsive and self._is_silent() else Condition.WELL
            case KernelState.STARTING | KernelState.RESTARTING:
                return Condition.UNDER_WAY
            case KernelState.DEAD if not self._kernel._retired:
                return (
                    Condition.BROKEN if self.generation in (self._crashed, self._failed) else Condition.OVER
                )
        return Condition.OVER

    async def changes(self) -> AsyncGenerator[None, None]:
        async for event in self._kernel.events():
            if isinstance(event, KernelExited) and not event.expected:
                self._crashed = event.generation if event.generation != self._told_to_end else None
            yield

    async def restart(self, generation: int) -> None:
        async def unless_it_is_repaired() -> None:
            if self.condition() is Condition.BROKEN and self.generation == generation:
                await self._kernel._restart()

        try:
            await self._kernel._run(unless_it_is_repaired)
        except RestartFailed:
            self._failed = self.generation
            raise

    async def aclose(self) -> None:
        """Look no longer; the kernel is its owner's."""
        self._kernel.client.remove_handler(self._note_shutdown)

    def _note_shutdown(self, channel: str, message: Message) -> None:
        """Kernels publish the reply to a shutdown request, whoever sent it: see "Kernel shutdown"."""
        if message.msg_type == "shutdown_reply" and message.content.get("restart") is False:
            self._told_to_end = self.generation

    def _is_silent(self) -> bool:
        generation = self._kernel._generation
        return generation is not None and generation.unresponsive


class SupervisedManager(Supervised):
    """A manager, whose process is restarted by ``relaunch`` or else by the manager itself.

    ``launched`` is what that gave last. What ``relaunch`` started is ours, with its manager; the first
    manager is not, nor what it restarts.
    """

    def __init__(self, manager: KernelManagerBase, relaunch: RelaunchManager | None) -> None:
        self.manager = manager
        self.launched: Launched | None = None
        self._ours: Launched | None = None
        self.events = EventLog()
        self._relaunch = relaunch
        self._generation = 1
        self._state = KernelState.STARTING
        self._lost = False
        self._renewed = asyncio.Event()

    @property
    def generation(self) -> int:
        return self._generation

    def open(self) -> None:
        if self._relaunch is None and not isinstance(self.manager, CanRestart):
            raise Unsupported("restart", "this manager has no restart(); give relaunch=")

    def condition(self) -> Condition:
        if self._lost or self._state is KernelState.CLOSED:
            return Condition.OVER
        if self._state is KernelState.RESTARTING:
            return Condition.UNDER_WAY
        return Condition.BROKEN if self._state is KernelState.DEAD else Condition.WELL

    async def changes(self) -> AsyncGenerator[None, None]:
        self._tell(StateChanged(self._state, self._generation))
        yield
        while (info := await self._exit()) is not None:
            self._renewed.clear()
            self._tell(KernelExited(info, self._generation, expected=False))
            self._set_state(KernelState.DEAD)
            yield
            await self._renewed.wait()
        self._lost = True
        yield

    async def _exit(self) -> ExitInfo | None:
        try:
            return await self.manager.wait()
        except Exception:  # a manager of somebody else's
            log.exception("Watching kernel %s failed; it will not be restarted", self.manager.kernel_id)
            return None

    async def restart(self, generation: int) -> None:
        if self.condition() is not Condition.BROKEN or self._generation != generation:
            return
        self._set_state(KernelState.RESTARTING)
        try:
            await self._start()
        except BaseException as error:
            self._set_state(KernelState.DEAD)
            if isinstance(error, Exception):  # a provider's or manager's
                raise RestartFailed(f"the kernel could not be started again: {error}") from error
            raise
        self._generation += 1
        self._set_state(KernelState.STARTING)
        self._renewed.set()

    async def _start(self) -> None:
        if self._relaunch is None:
            assert isinstance(self.manager, CanRestart), "open() has looked"
            self.launched = await self.manager.restart()
            return
        launched = await self._relaunch()
        previous, self.launched, self._ours = self._ours, launched, launched
        if launched.manager is None:
            raise LaunchError("a kernel of ours needs a manager, and relaunch() gave none")
        self.manager = launched.manager
        await _release(previous)

    async def aclose(self) -> None:
        """End what `restart` started; a process that a manager restarted by itself stays its owner's."""
        self._set_state(KernelState.CLOSED)
        self.events.close()
        await _release(self._ours)

    def _set_state(self, state: KernelState) -> None:
        if state is not self._state and self._state is not KernelState.CLOSED:
            self._state = state
            self._tell(StateChanged(state, self._generation))

    def _tell(self, event: KernelEvent) -> None:
        self.events.emit(event)


async def _release(launched: Launched | None) -> None:
    """Close all of it, also when cancelled."""
    async with AsyncExitStack() as stack:
        if launched is not None and launched.channels is not None:
            stack.push_async_callback(_logging_errors, partial(launched.channels.aclose, discard=True))
        if launched is not None and launched.manager is not None:
            stack.push_async_callback(_logging_errors, launched.manager.aclose)


async def _logging_errors(close: Callable[[], Awaitable[None]]) -> None:
    try:
        await close()
    except Exception:  # a provider's
        log.exception("A kernel that a restarter started could not be released")
