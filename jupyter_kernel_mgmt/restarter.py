"""`KernelRestarter`: starts a kernel again that died, as often as that makes sense."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from ._restart_policy import Backoff, Condition, RestartPolicy
from ._supervised import RelaunchManager, Supervised, SupervisedKernel, SupervisedManager
from .events import KernelEvent, RestartGaveUp
from .exceptions import ClientClosed, RestartFailed, Unsupported
from .kernel import Kernel
from .launching import Launched
from .managerbase import BlockingManagerBase, KernelManagerBase

log = logging.getLogger(__name__)

RESTART_LIMIT = 5
"""Restarts in a window, after which a kernel is left dead."""

WINDOW = 60.0
"""Seconds for which a kernel must have been well before a restart is forgotten."""


class KernelRestarter:
    """Restarts a kernel that crashes, between the beginning and the end of an ``async with`` block.

    On an owned `Kernel` it decides, and the kernel does as in `Kernel.restart`. Whoever waited for an answer
    gets `KernelDied` all the same. On a manager alone, ``relaunch()`` (async, gives a `Launched`) starts the
    next process or, without it, ``manager.restart()``; what ``relaunch`` started is in `launched` and is
    ended with the restarter, while the manager passed in stays its caller's.

    What ended on purpose stays as it is: by `Kernel.shutdown`, `Kernel.aclose`, a restart by somebody else or
    anybody's shutdown request. A manager cannot tell; close the restarter before you end its kernel.

    After ``restart_limit`` restarts within ``window`` seconds the kernel is left dead; only seconds in which
    it was well count (on a manager alone: in which its process was there). A restart that fails counts, and
    ``backoff`` says how long to wait before each. A kernel that is started by somebody after that is looked
    after again, from one on. With ``restart_unresponsive``, a kernel that is `Unresponsive` is killed and
    started again too; it needs ``unresponsive_after``. All of it is told in `Kernel.events`, or in `events`.

    Raises `ValueError` for numbers that make no sense, `TypeError` for ``relaunch`` with a `Kernel`, which
    has its own, and `Unsupported` for ``restart_unresponsive`` with a manager alone. Belongs to the loop in
    which it is entered.
    """

    def __init__(
        self,
        kernel_or_manager: Kernel | KernelManagerBase | BlockingManagerBase,
        *,
        relaunch: RelaunchManager | None = None,
        restart_limit: int = RESTART_LIMIT,
        window: float = WINDOW,
        backoff: Backoff | None = None,
        restart_unresponsive: bool = False,
    ) -> None:
        if isinstance(kernel_or_manager, Kernel) and relaunch is not None:
            raise TypeError("a Kernel restarts itself; relaunch= is for a manager alone")
        self._subject = _subject(kernel_or_manager, relaunch, unresponsive=restart_unresponsive)
        self._policy = RestartPolicy(limit=restart_limit, window=window, backoff=backoff or Backoff())
        self._restarting: int | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Raises `NotOwned` for a kernel that is not ours, `Unsupported` where nobody can restart it."""
        if self._task is not None or self._closing is not None:
            raise RuntimeError("a restarter is entered once")
        self._subject.open()
        self._task = asyncio.create_task(self._run(), name="kernel-restarter")
        self._task.add_done_callback(_log_failure)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        if self._task is None or self._closing is not None:
            state = "closed" if self._closing else "not entered"
        elif self._restarting is not None:
            state = f"restarting generation {self._restarting}"
        else:
            state = self._subject.condition().value
        return f"<KernelRestarter generation {self._subject.generation} {state}>"

    @property
    def launched(self) -> Launched | None:
        """What the last restart of a manager alone gave, where it gave something; else None."""
        return self._subject.launched if isinstance(self._subject, SupervisedManager) else None

    def events(self) -> AsyncGenerator[KernelEvent, None]:
        """What happened to the kernel and what was decided; on a `Kernel`, the same as its ``events()``.

        On a manager alone, ``starting`` is the state of a process that is there: nobody has asked it more.
        Ends with the restarter then. Cancelling is safe.
        """
        return self._subject.events.read()

    async def aclose(self) -> None:
        """Restart nothing more. A restart under way is cancelled, which leaves the kernel dead.

        May be called again. Bounded in time if ending a process is; cancelling it hurries nothing, since
        everything is being killed already.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        try:
            await asyncio.wait([self._closing])
        except asyncio.CancelledError:
            await asyncio.wait([self._closing])
            raise
        self._closing.result()

    async def _close(self) -> None:
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
            if (decision := self._call_off()) is not None:
                self._subject.events.emit(decision)
        finally:
            await self._subject.aclose()

    def _call_off(self) -> RestartGaveUp | None:
        reason = "the restarter was closed"
        if self._restarting is not None and self._subject.condition() is not Condition.WELL:
            return RestartGaveUp(self._restarting, self._policy.restarts, reason)
        return self._policy.call_off(reason)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(), name="kernel-restarter-watch")
            await self._act()

    async def _watch(self) -> None:
        """Look at the kernel whenever something happens to it."""
        async for _ in self._subject.changes():
            self._look()
        self._ended = True
        self._changed.set()

    async def _act(self) -> None:
        """Carry out each plan when it is due, one after the other."""
        while not self._ended:
            self._changed.clear()
            plan = self._policy.plan
            due = asyncio.timeout_at(self._policy.due if plan is not None else None)
            try:
                async with due:
                    await self._changed.wait()
            except TimeoutError:
                self._look()  # not every shutdown of a dead kernel is an event
                if plan is not None and plan is self._policy.plan:
                    await self._restart(plan.generation)

    async def _restart(self, generation: int) -> None:
        self._policy.begin()
        self._restarting = generation
        try:
            await self._subject.restart(generation)
        except RestartFailed as error:
            log.warning("A restart failed: %s", error)
        except ClientClosed as error:
            log.debug("A restart was cut short: %s", error)
        self._restarting = None
        self._look()

    def _look(self) -> None:
        """Let the policy decide on how the kernel is, unless that is our own doing."""
        if self._restarting is not None:
            return
        subject, now = self._subject, asyncio.get_running_loop().time()
        decision = self._policy.look(subject.condition(), subject.generation, now)
        if decision is not None:
            log.info("%r: %s", self, decision)
            subject.events.emit(decision)
        self._changed.set()


def _subject(
    kernel_or_manager: Kernel | KernelManagerBase | BlockingManagerBase,
    relaunch: RelaunchManager | None,
    *,
    unresponsive: bool,
) -> Supervised:
    if isinstance(kernel_or_manager, Kernel):
        return SupervisedKernel(kernel_or_manager, unresponsive=unresponsive)
    if unresponsive:
        raise Unsupported("restart_unresponsive", "nobody watches whether a manager's kernel is silent")
    if isinstance(kernel_or_manager, BlockingManagerBase):
        return SupervisedManager(kernel_or_manager.as_async(), relaunch)
    return SupervisedManager(kernel_or_manager, relaunch)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("A restarter failed", exc_info=error)
