"""`UnderWay`: the requests that were sent and not yet answered, and everybody who waits for them.

Source: Messaging in Jupyter, "Request-Reply" and "Kernel status".
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from jupyter_protocol import Message

from ._displays import DisplayRegistry
from ._router import Request, Router, Step
from .exceptions import NoReply
from .execution import Execution
from .results import ExecutionResult, Status

IDLE_GRACE = 1.0
"""Seconds without messages after which a kernel that replied is taken to be idle: some never say so.

Likewise an interrupted execution that became idle has ended then: some kernels do not reply to it.
"""

REPLY_GRACE = 5.0
"""Seconds without messages after which a kernel that became idle is taken not to reply."""

SETTLE_QUIET = 0.001
"""Seconds without a message after which a dead kernel's last words are taken to be complete."""

SETTLE_LIMIT = 1.0
"""Seconds that a dead kernel's backlog may hold up the news of its death."""

MakeError = Callable[[ExecutionResult | None], Exception]
"""Makes the error for one waiter from the result so far of an execution (None: of another request)."""

OnRequest = Callable[[Request], None]


class UnderWay:
    """Lets each message take its effect on the request it belongs to, and wakes who waits for that.

    ``on_started`` is called when the kernel has begun with a request, ``on_ended`` when nobody expects any
    more of it.
    """

    def __init__(self, on_started: OnRequest, on_ended: OnRequest) -> None:
        self.start()
        self.last_arrival = 0.0
        self._on_started = on_started
        self._on_ended = on_ended
        self._executions: dict[str, Execution] = {}
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._conditions: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._grace_timers: dict[str, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Another connection begins: nothing is expected, and nothing shown that could be updated."""
        self.router = Router()
        self._displays = DisplayRegistry()

    def replaced(self) -> None:
        """Another process answers from here on, which does not know what the old one did and showed."""
        self.router.replaced()
        self._displays = DisplayRegistry()

    # Who waits

    def add_execution(self, request: Request, execution: Execution) -> None:
        """Follow an execution until reply and idle have come."""
        self.router.add(request)
        self._executions[request.msg_id] = execution

    def execution(self, msg_id: str) -> Execution | None:
        """The execution of that id whose caller still waits for its end."""
        return self._executions.get(msg_id)

    @property
    def executing(self) -> bool:
        """Whether executions of ours have not ended, begun or not."""
        return bool(self._executions)

    def running(self) -> set[str]:
        """The ids of executions that the kernel runs, anybody's; ours alone where it never says so."""
        if not self.router.never_says_status:
            return self.router.executing()
        requests = map(self.router.requests.get, self._executions)
        return {r.msg_id for r in requests if r is not None and r.started and not r.ended}

    async def reply_to(self, request: Request) -> Message:
        """Wait for the reply. Raises `NoReply` where the kernel is done without one. Cancelling is safe."""
        self.router.add(request)
        reply = self._replies[request.msg_id] = asyncio.get_running_loop().create_future()
        try:
            answer: Message = await reply
            return answer
        finally:
            if not request.forgotten:
                self._forget(request)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a message makes a condition true. Raises what `fail` makes. Cancelling is safe."""
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._conditions[future] = condition
        try:
            await future
        finally:
            self._conditions.pop(future, None)

    def look_at_conditions(self) -> None:
        """Wake those for whom what they wait for has come true."""
        for future, condition in list(self._conditions.items()):
            if not future.done() and condition():
                future.set_result(None)

    def give_up(self, msg_id: str, status: Status) -> None:
        """End an execution for its caller with that status; the request stays in the kernel's hands."""
        if (execution := self._executions.pop(msg_id, None)) is not None:
            execution.give_up(status)
            self._displays.add(execution.result)
            self.look_at_conditions()

    def fail(self, make_error: MakeError, msg_ids: Iterable[str] | None = None) -> None:
        """Fail all who wait, or those who wait for these requests."""
        for msg_id in list(self.router.requests) if msg_ids is None else msg_ids:
            if (execution := self._executions.pop(msg_id, None)) is not None:
                execution.fail(make_error)
            if (reply := self._replies.pop(msg_id, None)) is not None and not reply.done():
                reply.set_exception(make_error(None))
            if (request := self.router.requests.get(msg_id)) is not None:
                self._forget(request)
        if msg_ids is not None:
            self.look_at_conditions()
            return
        for future in self._conditions:
            if not future.done():
                future.set_exception(make_error(None))

    # What arrives

    def received(self, channel: str, message: Message) -> None:
        """Let a message take its effect; conditions are looked at separately, once handlers saw it."""
        self.last_arrival = time.monotonic()
        request, step = self.router.received(channel, message)
        if step is Step.OUTPUT:
            self._output(message)
        if request is None:
            return
        if request.started and not request.seen_at:
            request.started_at = self.last_arrival
            self._on_started(request)
        request.seen_at = self.last_arrival
        if request.done:
            self._finish(request)
        elif step is Step.REPLY:
            self._start_grace(request, IDLE_GRACE)
        elif step is Step.IDLE:
            self._start_grace(request, self._reply_grace(request))

    async def settle(self) -> None:
        """Wait until nothing more arrives, at most `SETTLE_LIMIT`. Cancelling it is safe."""
        end = time.monotonic() + SETTLE_LIMIT
        while True:
            before = time.monotonic()
            await asyncio.sleep(SETTLE_QUIET)
            if self.last_arrival < before or time.monotonic() > end:
                return

    def _output(self, message: Message) -> None:
        """To the execution that caused it, and to those which show what it updates."""
        own = self._executions.get(message.parent_id or "")
        if own is not None:
            own.add_output(message)
        if message.msg_type == "update_display_data":
            for execution in self._executions.values():
                if execution is not own and execution.shows(message):
                    execution.add_output(message)
            self._displays.update(message)

    def _reply_grace(self, request: Request) -> float:
        execution = self._executions.get(request.msg_id)
        return IDLE_GRACE if execution is not None and execution.interrupted else REPLY_GRACE

    def _finish(self, request: Request, *, idle_seen: bool = True) -> None:
        execution = self._executions.pop(request.msg_id, None)
        reply = self._replies.pop(request.msg_id, None)
        self._forget(request)
        if execution is not None:
            execution.finish(request.reply, idle_seen=idle_seen)
            self._displays.add(execution.result)
        if reply is None or reply.done():
            return
        if request.reply is None:
            reply.set_exception(NoReply("the kernel handled the request and did not reply"))
        else:
            reply.set_result(request.reply)

    def _forget(self, request: Request) -> None:
        self.router.forget(request)
        self._executions.pop(request.msg_id, None)
        self._replies.pop(request.msg_id, None)
        if timer := self._grace_timers.pop(request.msg_id, None):
            timer.cancel()
        self._on_ended(request)

    # The other half of an answer, which may never come

    def _start_grace(self, request: Request, grace: float, delay: float | None = None) -> None:
        if timer := self._grace_timers.pop(request.msg_id, None):
            timer.cancel()
        later = asyncio.get_running_loop().call_later
        self._grace_timers[request.msg_id] = later(delay or grace, self._grace_over, request, grace)

    def _grace_over(self, request: Request, grace: float) -> None:
        """End the request, unless what it waits for may stand in a queue that is still being read."""
        patient = self.router.says_idle and not request.overtaken
        quiet_since = self.last_arrival if patient else request.seen_at
        rest = quiet_since + grace - time.monotonic()
        if rest > 0:
            self._start_grace(request, grace, rest)
            return
        idle_seen = request.idle
        self.router.presume_idle(request)
        self._finish(request, idle_seen=idle_seen)
        self.look_at_conditions()
