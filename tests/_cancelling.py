"""Cancels an operation at each point where it, or a task that it started, waits for something.

A scene sets something up, calls `Plan.run` on one operation and then looks at what was promised. It is
played again and again: the first time the operation is cancelled at the first suspension, then at the
second, and so on, until it ends before that comes.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any, Literal, TypeVar

import pytest

from jupyter_kernel_mgmt import KernelClient
from jupyter_kernel_mgmt.testing._residue import Residue
from jupyter_protocol.sockets.context import SharedContext

T = TypeVar("T")

GUARD = 20
"""Seconds after which what is waited for will not come any more."""

TOO_MANY = 400
"""An operation that suspends that often never ends."""

Moment = Literal["arriving", "leaving", "twice"]
"""Cancelled as soon as it waits, or just when what it waits for has come and it is about to go on.

Or as soon as it waits and then, while it cleans up, once more.
"""

both_moments = pytest.mark.parametrize("moment", ["arriving", "leaving"])
all_moments = pytest.mark.parametrize("moment", ["arriving", "leaving", "twice"])
"""Also what is in a hurry: for what ends or releases something."""


class Plan:
    """Where the one operation of a scene is cancelled. ``cancelled`` says whether it got that far."""

    def __init__(self, place: int, moment: Moment) -> None:
        self.place = place
        self.moment = moment
        self.cancelled = False
        self.where = ""
        self._suspensions = 0
        self._task: asyncio.Task[Any] | None = None

    def __repr__(self) -> str:
        return f"<cancelled at suspension {self.place}, {self.moment}: {self.where or 'not reached'}>"

    async def run(self, operation: Awaitable[T]) -> T | None:
        """Run the operation in a task of its own; its result, or None where it was cancelled."""
        token = _plan.set(self)
        try:
            task = self._task = asyncio.get_running_loop().create_task(_awaiting(operation), name="operation")
        finally:
            _plan.reset(token)
        async with asyncio.timeout(GUARD):
            await asyncio.wait([task])
        self._task = None
        if not self.cancelled:
            return task.result()
        assert task.cancelled(), f"{self}: it went on, with {task.exception() or task.result()!r}"
        return None

    async def promise(self, condition: Callable[[], object]) -> None:
        """It holds now; soon, where a second cancellation left the rest to tasks that still run."""
        if self.moment == "twice":
            await comes_true(condition)
        assert condition()

    def suspended(self, coroutine: Any, waits_for: "asyncio.Future[Any] | None") -> None:
        """Some task of the operation suspends."""
        self._suspensions += 1
        if self._task is None:
            return
        if self._suspensions == self.place:
            self.where = _where(coroutine)
            if self.moment != "leaving":
                self._cancel()
            elif waits_for is None:
                asyncio.get_running_loop().call_soon(self._cancel)
            else:
                waits_for.add_done_callback(lambda _: self._cancel())
        elif self._suspensions == self.place + 1 and self.cancelled and self.moment == "twice":
            self._task.cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self.cancelled = self._task.cancel()


_plan: ContextVar[Plan | None] = ContextVar("plan", default=None)


class Watched(Coroutine[Any, Any, T]):
    """A coroutine that tells a plan whenever it suspends."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], plan: Plan) -> None:
        self._coroutine = coroutine
        self._plan = plan

    def __await__(self) -> Generator[Any, Any, T]:
        raise TypeError("it is only for tasks")

    def send(self, value: Any) -> Any:
        return self._told(self._coroutine.send(value))

    def throw(self, *args: Any) -> Any:
        return self._told(self._coroutine.throw(*args))

    def close(self) -> None:
        self._coroutine.close()

    def _told(self, waits_for: Any) -> Any:
        self._plan.suspended(self._coroutine, waits_for)
        return waits_for


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], **options: Any
) -> "asyncio.Task[T]":
    """A task factory; tasks inherit the plan of whoever starts them."""
    plan = _plan.get()
    return asyncio.Task(coroutine if plan is None else Watched(coroutine, plan), loop=loop, **options)


async def _awaiting(operation: Awaitable[T]) -> T:
    return await operation


def _where(coroutine: Any) -> str:
    """The innermost function that waits, for error texts."""
    names = []
    while coroutine is not None:
        names.append(getattr(coroutine, "__qualname__", type(coroutine).__name__))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return " > ".join(names)


Scene = Callable[[Plan], Awaitable[None]]


async def cancel_everywhere(scene: Scene, moment: Moment, *, at_least: int = 1) -> None:
    """Play the scene for each suspension of its operation; ``at_least`` so many there must be.

    Whatever comes of it, nothing of it may be left: tasks, timers, descriptors, child processes.
    """
    asyncio.get_running_loop().set_task_factory(_make_task)
    for place in count(1):
        plan = Plan(place, moment)
        try:
            async with _leaving_nothing():
                await scene(plan)
        except Exception as error:
            error.add_note(str(plan))
            raise
        if not plan.cancelled:
            break
        assert place < TOO_MANY
    assert place > at_least, f"it suspended only {place - 1} times"


@asynccontextmanager
async def _leaving_nothing() -> AsyncIterator[None]:
    before, timers = Residue.now(), _timers()
    yield
    left = await before.wait_for_less(2)
    assert not left, f"there was still {left}"
    assert SharedContext._current is None
    assert not _timers() - timers


def _timers() -> "set[asyncio.TimerHandle]":
    """Those that would still go off. asyncio has no public way to ask."""
    scheduled = getattr(asyncio.get_running_loop(), "_scheduled", [])
    return {timer for timer in scheduled if not timer.cancelled()}


def held_by(client: KernelClient) -> dict[str, Any]:
    """What a client still keeps for requests that were made; empty when it waits for nothing."""
    under_way, deadlines = client._under_way, client._deadlines
    held: dict[str, Any] = {
        "requests": under_way.router.requests,
        "active": under_way.router.active,
        "executions": under_way._executions,
        "replies": under_way._replies,
        "conditions": under_way._conditions,
        "grace timers": under_way._grace_timers,
        "queue clocks": deadlines._queue_clocks._timers,
        "run clocks": deadlines._run_clocks._timers,
        "run limits": deadlines._run_limits,
        "given up": deadlines._given_up,
        "questions": client._prompts._asked,
        "tasks": client._tasks._tasks,
    }
    return {name: things for name, things in held.items() if things}


async def comes_true(condition: Callable[[], object]) -> None:
    """Turn the loop until it holds: for the end of what goes on beside whoever was cancelled."""
    async with asyncio.timeout(GUARD):
        while not condition():  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0 if sys.platform != "win32" else 0.001)
