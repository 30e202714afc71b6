"""`Deadlines`: how long executions may wait in the kernel's queue, and how long they may run."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from jupyter_protocol import ProtocolError

from ._interrupts import INTERRUPT_GRACE, Interrupts
from ._router import Request
from ._tasks import TaskSet
from ._under_way import UnderWay
from .exceptions import KernelError
from .results import InterruptOutcome

log = logging.getLogger(__name__)

LAG = 0.05
"""Seconds that a timer may be late before the loop counts as blocked: then what arrived is read first."""

CATCH_UP = 1.0
"""Seconds that a loop which was blocked has for that, at most."""

SPARED = 0.1
"""Seconds that what was given up in the queue may run after all."""

Act = Callable[[Request], None]


class Deadlines:
    """Two clocks for each execution that asked for them; a request runs from its own busy on.

    One that runs too long is interrupted; it ends with its reply, or without one if `INTERRUPT_GRACE`
    passes. One that waits too long is given up: it ends at once for its caller, and is interrupted when it
    begins, unless it ends by itself within `SPARED`.
    """

    def __init__(self, under_way: UnderWay, interrupts: Interrupts, tasks: TaskSet) -> None:
        self._under_way = under_way
        self._interrupts = interrupts
        self._tasks = tasks
        self._queue_clocks = _Clocks(self._queued_too_long)
        self._run_clocks = _Clocks(self._ran_too_long)
        self._run_limits: dict[str, float] = {}
        self._given_up: dict[str, Request] = {}

    def sent(self, request: Request, timeout: float | None, queue_timeout: float | None) -> None:
        """Start the clock of the queue; that of running too, where the kernel will not tell of its start."""
        if queue_timeout is not None:
            self._queue_clocks.start(request, queue_timeout)
        if timeout is not None and self._under_way.router.never_says_status:
            self._run_clocks.start(request, timeout)
        elif timeout is not None:
            self._run_limits[request.msg_id] = timeout

    def started(self, request: Request) -> None:
        """Start the clock of running, and stop the other."""
        if request.msg_id in self._given_up:
            self._given_up.pop(request.msg_id)
            self._tasks.start(self._spare_and_interrupt(request), name="interrupt-given-up")
            return
        self._queue_clocks.stop(request)
        if (seconds := self._run_limits.pop(request.msg_id, None)) is not None:
            self._run_clocks.start(request, seconds)

    def ended(self, request: Request) -> None:
        """Stop all clocks of a request."""
        self._queue_clocks.stop(request)
        self._run_clocks.stop(request)
        self._run_limits.pop(request.msg_id, None)
        self._given_up.pop(request.msg_id, None)

    def cancelled(self, request: Request) -> None:
        """Its caller was cancelled and wants it stopped: now if it runs, else as soon as it starts."""
        if request.started:
            self._tasks.start(self._interrupt(request), name="interrupt-cancelled")
        else:
            self._give_up(request, timed_out=False)

    def _queued_too_long(self, request: Request) -> None:
        self._give_up(request, timed_out=True)

    def _give_up(self, request: Request, *, timed_out: bool) -> None:
        self.ended(request)
        self._given_up[request.msg_id] = request
        self._under_way.give_up(request.msg_id, "timeout" if timed_out else "interrupted")

    def _ran_too_long(self, request: Request) -> None:
        self._tasks.start(self._time_out(request), name="interrupt-timed-out")

    async def _time_out(self, request: Request) -> None:
        execution = self._under_way.execution(request.msg_id)
        if execution is None:
            return
        try:
            # Held back while others run too, in subshells: an interrupt would hit them as well.
            async with asyncio.timeout(INTERRUPT_GRACE):
                await self._interrupt(request, execution.mark_timed_out)
                if request.ended:  # what is missing of its answer comes, or `UnderWay` stops waiting for it
                    await self._under_way.until(execution.done)
        except TimeoutError:
            log.debug("%r did not end", request)
        except (KernelError, ProtocolError):  # which whoever awaits the execution gets too
            return
        if request.forgotten:
            return
        if not request.started:
            self._give_up(request, timed_out=True)
        elif not request.ended:
            self._under_way.give_up(request.msg_id, "timeout")

    async def _spare_and_interrupt(self, request: Request) -> None:
        """Interrupt what was given up, unless it ends by itself at once: that would only hit what follows."""
        await asyncio.sleep(SPARED)
        if not request.ended:
            await self._interrupt(request)

    async def _interrupt(
        self, request: Request, on_send: Callable[[], None] | None = None
    ) -> InterruptOutcome | None:
        try:
            return await self._interrupts.one(request, INTERRUPT_GRACE, on_send)
        except (KernelError, ProtocolError) as error:
            log.debug("%r could not be interrupted: %s", request, error)
        except Exception:  # a manager of somebody else's
            log.exception("%r could not be interrupted", request)
        return None


class _Clocks:
    """One clock for each request that needs it; ``act`` is called when it runs out."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self, request: Request, seconds: float) -> None:
        """Start the clock of a request."""
        self._start(request, seconds, again=False)

    def stop(self, request: Request) -> None:
        """Stop it, if it runs."""
        if timer := self._timers.pop(request.msg_id, None):
            timer.cancel()

    def _start(self, request: Request, seconds: float, *, again: bool) -> None:
        loop = asyncio.get_running_loop()
        over = partial(self._over, request, loop.time() + seconds, again=again)
        self._timers[request.msg_id] = loop.call_later(seconds, over)

    def _over(self, request: Request, due: float, *, again: bool) -> None:
        """Act, unless what makes it needless may stand in a queue that the loop had no time to read."""
        late = asyncio.get_running_loop().time() - due
        if late > LAG and not again:
            self._start(request, min(late, CATCH_UP), again=True)
        else:
            self._timers.pop(request.msg_id, None)
            self._act(request)
