"""`KernelClient`: talks to one kernel over any channels, with any number of requests under way."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from jupyter_protocol import Message, messages

from ._handlers import Handler, Handlers, MessageStream
from ._prompts import Prompts, StdinHandler
from ._router import Request, Router, Step
from .channels import Channels
from .exceptions import ClientClosed, KernelDied
from .execution import Execution, ExecutionResult, InterruptOutcome
from .requests import KernelRequests

log = logging.getLogger(__name__)

IDLE_GRACE = 1.0
"""Seconds without messages after which a kernel that replied is taken to be idle: some never say so.

Likewise an interrupted execution that became idle has ended then: some kernels do not reply to it.
"""

INTERRUPT_GRACE = 5.0
"""Seconds that an interrupted kernel has to become idle before the interrupt counts as ignored."""

SETTLE_QUIET = 0.002
"""Seconds without a message after which a dead kernel's last words are taken to be complete."""

SETTLE_LIMIT = 1.0
"""Seconds that a dead kernel's backlog may hold up the news of its death."""

BEGIN_GRACE = 0.25
"""Seconds that an interrupt waits for an execution that is busy but has not shown its code yet."""

STREAM_LIMIT = 10_000
"""Messages that wait in `KernelClient.messages` for a reader that lags behind."""

MakeError = Callable[[ExecutionResult | None], Exception]
"""Makes the error for one waiter from the result so far of an execution (None: of another request)."""


class KernelClient(KernelRequests):
    """A client of one kernel. Owns the channels given to it and belongs to the running loop.

    ``stdin`` is an async callable ``(prompt, password) → str`` that answers the kernel's questions; without
    one, the kernel is told that nobody answers. ``interrupter`` is what interrupts the kernel; by default
    it sends an ``interrupt_request``. ``on_execution_state`` is called with "busy" or "idle".
    """

    def __init__(self, channels: Channels | None = None, *, stdin: StdinHandler | None = None) -> None:
        self.stdin = stdin
        self.interrupter: Callable[[], Awaitable[None]] = self._interrupt_by_message
        self.on_execution_state: Callable[[str], None] | None = None
        self._channels: Channels | None = None
        self._closed = False
        self._refusal: MakeError | None = _no_channels
        self._router = Router()
        self._executions: dict[str, Execution] = {}
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._conditions: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._grace_timers: dict[str, asyncio.TimerHandle] = {}
        self._prompts = Prompts(self)
        self._last_arrival = 0.0
        self._handlers = Handlers()
        self._streams: WeakSet[MessageStream] = WeakSet()
        if channels is not None:
            self.attach(channels)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self.execution_state if self._channels else "detached"
        return f"<KernelClient {state}, {len(self._router.requests)} requests>"

    def attach(self, channels: Channels) -> None:
        """Talk over these channels from here on, with the handlers and ``stdin`` there are.

        Raises `ClientClosed` when closed, `RuntimeError` while it has other channels.
        """
        if self._closed:
            raise ClientClosed
        if self._channels is not None:
            raise RuntimeError("the client has channels already; detach it first")
        self._channels = channels
        self._refusal = None
        self._router = Router()
        channels.on_closed = self._channels_lost
        channels.on_message = self._received

    def refuse(self, make_error: MakeError) -> None:
        """Fail all that wait, and every request from now on, with errors of this making.

        The channels stay open; only `request_shutdown` and interrupts still go out.
        """
        self._refusal = make_error
        for timer in self._grace_timers.values():
            timer.cancel()
        self._grace_timers.clear()
        executions, self._executions = self._executions, {}
        for execution in executions.values():
            execution.fail(make_error)
        waiting: list[asyncio.Future[Any]] = [*self._replies.values(), *self._conditions]
        for future in waiting:
            if not future.done():
                future.set_exception(make_error(None))
        self._router = Router()
        self._prompts.withdraw_all()

    async def detach(self, make_error: MakeError, *, discard: bool = False) -> None:
        """`refuse`, and close the channels; `attach` gives new ones.

        ``discard`` says that the kernel is gone and unsent messages need not leave. Everything is failed and
        released even when this is cancelled.
        """
        channels, self._channels = self._channels, None
        self.refuse(make_error)
        self.interrupter = self._interrupt_by_message
        try:
            if channels is not None:
                channels.on_closed = None
                await channels.aclose(discard=discard)
        finally:
            await self._prompts.aclose()

    async def aclose(self) -> None:
        """Close for good: what waits gets `ClientClosed`. The kernel is not told. May be called again."""
        self._closed = True
        for stream in list(self._streams):
            stream.end()
        await self.detach(lambda result: ClientClosed(result=result))

    # Requests

    def _start(self, message: Message, output_limit: int | None) -> Execution:
        message.content["allow_stdin"] = self.stdin is not None
        self.send("shell", message)
        self._router.add(Request(message.msg_id, "shell", needs_idle=True))
        execution = Execution(message.msg_id, output_limit=output_limit, interrupt=self._interrupt_execution)
        self._executions[message.msg_id] = execution
        return execution

    async def request_shutdown(self, *, restart: bool = False) -> Message:
        """Send a shutdown request and wait for the reply; no more. Source: "Kernel shutdown"."""
        request = messages.shutdown_request(restart=restart)
        return await self._reply_to(request, "control", self._transmit)

    def send(self, channel: str, message: Message) -> None:
        """Send any message; what answers it goes to handlers. Raises as requests do."""
        if self._refusal is not None:
            raise self._refusal(None)
        self._transmit(channel, message)

    async def _ask(self, message: Message, channel: str = "shell") -> Message:
        return await self._reply_to(message, channel, self.send)

    async def _reply_to(
        self, message: Message, channel: str, send: Callable[[str, Message], None]
    ) -> Message:
        send(channel, message)
        request = Request(message.msg_id, channel, needs_idle=False)
        self._router.add(request)
        reply = self._replies[message.msg_id] = asyncio.get_running_loop().create_future()
        try:
            answer: Message = await reply
            return answer
        finally:
            self._router.forget(request)
            self._replies.pop(message.msg_id, None)

    def _transmit(self, channel: str, message: Message) -> None:
        if self._channels is None:
            raise (self._refusal or _no_channels)(None)
        self._channels.send(channel, message)

    # Interrupting

    @property
    def execution_state(self) -> str:
        """``"busy"`` while the kernel handles anybody's request, else ``"idle"``, as far as it told us."""
        return "busy" if self._router.active else "idle"

    @property
    def executing(self) -> bool:
        """Whether the kernel runs code, anybody's, as far as it told us."""
        return bool(self._router.executing())

    async def interrupt(self, *, grace: float = INTERRUPT_GRACE) -> InterruptOutcome:
        """Interrupt what the kernel runs, and tell after at most ``grace`` seconds what became of it.

        ``IDLE``: it is ready for more. ``IGNORED``: it runs on or does not answer. ``DIED``: it is gone.
        Cancelling ends only the wait.
        """
        running = self._router.executing()
        for execution in map(self._executions.get, running):
            if execution is not None:
                execution.mark_interrupted()
        try:
            async with asyncio.timeout(grace):
                await self._until_begun(running)
                await self.interrupter()
                if running:
                    await self.until(lambda: not running & self._router.executing())
                else:
                    # Nothing seems to run, so that only an answer shows that the kernel survived.
                    await self.kernel_info()
        except TimeoutError:
            return InterruptOutcome.IGNORED
        except KernelDied:
            return InterruptOutcome.DIED
        return InterruptOutcome.IDLE

    async def _interrupt_execution(self, execution: Execution) -> InterruptOutcome | None:
        """Interrupt an execution once it runs; None where it ended before."""
        request = self._router.requests.get(execution.msg_id)
        try:
            if request is not None:
                await self.until(lambda: request.busy or execution.done())
        except KernelDied:
            return InterruptOutcome.DIED
        return None if execution.done() else await self.interrupt()

    async def _until_begun(self, msg_ids: set[str]) -> None:
        """Wait a moment until these executions say more than busy.

        ipykernel loses an interrupt that comes between its busy and its preparations for one.
        """
        requests = [request for request in map(self._router.requests.get, msg_ids) if request is not None]
        with suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_GRACE):
                await self.until(lambda: all(request.begun for request in requests))

    async def _interrupt_by_message(self) -> None:
        self._transmit("control", messages.interrupt_request())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a message makes a condition true; it is looked at after handlers saw each message.

        Raises as requests do when no more messages can come. Cancelling it is safe.
        """
        if self._refusal is not None:
            raise self._refusal(None)
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._conditions[future] = condition
        try:
            await future
        finally:
            self._conditions.pop(future, None)

    # Watching

    def add_handler(self, handler: Handler, channels: Iterable[str] | None = None) -> None:
        """Call ``handler(channel, message)`` for every message received, or for those of some channels.

        Handlers are called in the order they were added, after requests took note of the message. What one
        raises is logged.
        """
        self._handlers.add(handler, channels)

    def remove_handler(self, handler: Handler) -> None:
        """Call it no longer. An unknown handler is ignored."""
        self._handlers.remove(handler)

    def messages(self, channels: Iterable[str] = ("iopub",), *, limit: int = STREAM_LIMIT) -> MessageStream:
        """All messages of some channels: an async context manager and iterator of ``(channel, message)``."""
        stream = MessageStream(self._handlers, channels, limit)
        if self._closed:
            stream.end()
        self._streams.add(stream)
        return stream

    async def settle(self) -> None:
        """Wait until what a kernel sent before its end has arrived: until nothing more comes.

        Takes a few milliseconds, and at most a second. Cancelling it is safe.
        """
        end = time.monotonic() + SETTLE_LIMIT
        while True:
            before = time.monotonic()
            await asyncio.sleep(SETTLE_QUIET)
            if self._last_arrival < before or time.monotonic() > end:
                return

    # What arrives

    def _received(self, channel: str, message: Message) -> None:
        self._last_arrival = time.monotonic()
        state = self.execution_state
        request, step = self._router.received(channel, message)
        if channel == "stdin" and message.msg_type == "input_request":
            self._prompts.answer(message)
        elif request is not None:
            self._apply(request, step, message)
        self._tell_state(since=state)
        self._handlers.call(channel, message)
        self._look_at_conditions()

    def _tell_state(self, *, since: str) -> None:
        if self.execution_state != since and self.on_execution_state is not None:
            self.on_execution_state(self.execution_state)

    def _look_at_conditions(self) -> None:
        for future, condition in list(self._conditions.items()):
            if not future.done() and condition():
                future.set_result(None)

    def _apply(self, request: Request, step: Step, message: Message) -> None:
        """Let a message take its effect on the request it belongs to."""
        execution = self._executions.get(request.msg_id)
        if step is Step.OUTPUT and execution is not None:
            execution.add_output(message)
        if request.done:
            self._finish(request)
        elif step is Step.REPLY or (step is Step.IDLE and execution is not None and execution.interrupted):
            self._start_grace(request, IDLE_GRACE)

    def _finish(self, request: Request) -> None:
        self._router.forget(request)
        if timer := self._grace_timers.pop(request.msg_id, None):
            timer.cancel()
        self._prompts.withdraw(request.msg_id)
        if execution := self._executions.pop(request.msg_id, None):
            execution.finish(request.reply)
        reply = self._replies.pop(request.msg_id, None)
        if reply is not None and request.reply is not None and not reply.done():
            reply.set_result(request.reply)

    def _start_grace(self, request: Request, seconds: float) -> None:
        """Wait for the other half of the answer, but not for ever."""
        loop = asyncio.get_running_loop()
        self._grace_timers[request.msg_id] = loop.call_later(seconds, self._grace_over, request)

    def _grace_over(self, request: Request) -> None:
        """End the request, unless what it waits for may stand in a queue that is still being read."""
        rest = self._last_arrival + IDLE_GRACE - time.monotonic()
        if rest > 0:
            self._start_grace(request, rest)
        else:
            state = self.execution_state
            self._router.presume_idle(request)
            self._finish(request)
            self._tell_state(since=state)
            self._look_at_conditions()

    def _channels_lost(self, error: Exception | None) -> None:
        """The far end closed the channels, or they broke; `detach` closes this end."""

        def make_error(result: ExecutionResult | None) -> Exception:
            closed = ClientClosed("the connection to the kernel was lost", result=result)
            closed.__cause__ = error
            return closed

        self.refuse(make_error)


def _no_channels(result: ExecutionResult | None) -> Exception:
    return ClientClosed("the client has no channels", result=result)
