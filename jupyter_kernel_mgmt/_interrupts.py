"""`Interrupts`: stop what a kernel runs, and tell truthfully what became of that.

A kernel interrupts whatever it runs, whoever asked for it: so one request is only interrupted while it
is what runs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ._router import Request
from ._under_way import UnderWay
from .exceptions import KernelDied, KernelUnresponsive
from .results import InterruptOutcome

INTERRUPT_GRACE = 5.0
"""Seconds that an interrupted kernel has to become idle before the interrupt counts as ignored."""

BEGIN_GRACE = 0.25
"""Seconds that an interrupt waits for an execution that is busy but has not shown its code yet.

Likewise a kernel of which nothing is known has to answer, if it is not to be interrupted.
"""


SETTLE = 0.03
"""Seconds that an execution has run before it is interrupted, so that its code is what gets it."""

Until = Callable[[Callable[[], bool]], Awaitable[None]]


class Interrupts:
    """Sends interrupts by ``send``, which may be replaced, and watches what they lead to.

    ``until`` waits for a condition, and raises when the kernel is not there; ``probe`` asks the kernel
    anything that it answers only when it is.
    """

    def __init__(self, under_way: UnderWay, until: Until, probe: Callable[[], Awaitable[object]]) -> None:
        self.send: Callable[[], Awaitable[None]] = _nothing
        self._under_way = under_way
        self._until = until
        self._probe = probe

    async def everything(self, grace: float) -> InterruptOutcome:
        """Interrupt whatever runs, anybody's. Cancelling ends only the wait.

        A kernel that surely runs nothing is sent nothing: some die of an interrupt then.
        """
        router = self._under_way.router
        try:
            async with asyncio.timeout(grace):
                running = await self._running_soon()
                if not running and await self._is_free():
                    return InterruptOutcome.IDLE
                known = map(router.requests.get, running)
                await self._until_begun(*(request for request in known if request is not None))
                self._mark(running)
                await self.send()
                if running:
                    await self._until(lambda: not running & self._under_way.running())
                else:
                    # Nothing seems to run, so that only an answer shows that the kernel survived.
                    await self._probe()
        except (TimeoutError, KernelUnresponsive):
            return InterruptOutcome.IGNORED
        except KernelDied:
            return InterruptOutcome.DIED
        return InterruptOutcome.IDLE

    async def _is_free(self) -> bool:
        """Whether the main shell answers; where it may have been busy before we listened, whether at once."""
        sure = self._under_way.router.shell_answered
        try:
            async with asyncio.timeout(None if sure else BEGIN_GRACE):
                await self._probe()
        except TimeoutError:
            return False
        return True

    async def _running_soon(self) -> set[str]:
        """What runs; where only executions of ours are on their way, what runs once one has begun.

        Where the main shell may have been busy before we listened, they may wait behind what we cannot see.
        """
        under_way = self._under_way
        if not under_way.running() and under_way.executing and under_way.router.shell_answered:
            await self._until(lambda: bool(under_way.running()) or not under_way.executing)
        return under_way.running()

    async def one(
        self, request: Request, grace: float, on_send: Callable[[], None] | None = None
    ) -> InterruptOutcome | None:
        """Interrupt a request once it, and no other, runs; None where it ended before, or was lost.

        ``on_send`` is called just before the interrupt is sent. Cancelling ends only the wait.
        """
        try:
            while True:
                await self._until(lambda: request.ended or self._runs_alone(request))
                async with asyncio.timeout(grace):
                    await self._until_begun(request)
                    if request.ended:
                        return None
                    if self._runs_alone(request):
                        if on_send is not None:
                            on_send()
                        await self._send_for(request)
                        break
        except (TimeoutError, KernelUnresponsive):
            return InterruptOutcome.IGNORED
        except KernelDied:
            return InterruptOutcome.DIED
        return InterruptOutcome.IDLE if request.idle or request.reply is not None else None

    async def _send_for(self, request: Request) -> None:
        """Interrupt a request and wait for its end; a second interrupt might hit what comes after it."""
        now = asyncio.get_running_loop().time()
        if request.interrupted_at is None or now >= request.interrupted_at + INTERRUPT_GRACE:
            request.interrupted_at = now
            self._mark({request.msg_id})
            await self.send()
        await self._until(lambda: request.ended)

    def _runs_alone(self, request: Request) -> bool:
        return request.started and self._under_way.running() <= {request.msg_id}

    def _mark(self, msg_ids: set[str]) -> None:
        for execution in map(self._under_way.execution, msg_ids):
            if execution is not None:
                execution.mark_interrupted()

    async def _until_begun(self, *requests: Request) -> None:
        """Wait a moment until these executions say more than busy, and another until their code surely runs.

        ipykernel loses an interrupt that comes between its busy and its preparations for one, and one that
        comes before the code itself runs may break it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_GRACE):
                await self._until(lambda: all(request.begun or request.ended for request in requests))
        newest = max((request.started_at for request in requests), default=0.0)
        rest = newest + SETTLE - time.monotonic()
        if rest > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._until(lambda: all(request.ended for request in requests))


async def _nothing() -> None:
    """No interrupts can be sent yet."""
