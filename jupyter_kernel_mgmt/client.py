"""`KernelClient`: talks to one kernel over any channels, with any number of requests under way."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from jupyter_protocol import ChannelClosed, Message, messages

from ._budget import OutputBudget
from ._comms import Comms
from ._deadlines import Deadlines
from ._handlers import Handlers
from ._interrupts import INTERRUPT_GRACE, Interrupts
from ._line import Line
from ._nudges import Nudges
from ._prompts import Prompts, StdinHandler
from ._replacement import Origin
from ._restart_notice import RestartNotice, restarted
from ._router import Request
from ._shutdown import ask_to_end, shutdown_channels
from ._tasks import TaskSet
from ._under_way import MakeError, UnderWay
from .channels import Channels
from .exceptions import ClientClosed, KernelError
from .execution import Execution
from .requests import ExecuteOptions, KernelRequests
from .results import ExecutionResult, InterruptOutcome
from .subshells import Subshells
from .watching import KernelWatching

OUTPUT_BUDGET = 256 * 1024 * 1024
"""Bytes of output that all executions under way on one client keep together."""


class KernelClient(KernelRequests, KernelWatching):
    """A client of one kernel. Owns the channels given to it and belongs to the running loop.

    ``stdin`` is an async callable ``(prompt, password) → str`` that answers the kernel's questions; without
    one, the kernel is told that nobody answers. ``interrupter`` is what interrupts the kernel; by default
    it sends an ``interrupt_request``. ``on_execution_state`` is called with "busy" or "idle", ``on_replaced``
    when another process turned out to have taken the kernel's place.

    ``output_budget`` bounds the output messages that all executions under way keep together, in bytes
    (None: no bound beyond their own ``output_limit``, and what has no limit takes no part); those that hold
    most give up their oldest, which is counted.
    """

    def __init__(
        self,
        channels: Channels | None = None,
        *,
        stdin: StdinHandler | None = None,
        output_budget: int | None = OUTPUT_BUDGET,
    ) -> None:
        self.stdin = stdin
        self.on_execution_state: Callable[[str], None] | None = None
        self.on_replaced: Callable[[], None] | None = None
        self._line = Line()
        self._closed = False
        self._told_state = "idle"
        self._idle_at_its_end = False
        self._budget = OutputBudget(output_budget)
        self._tasks = TaskSet()
        self._under_way = UnderWay(on_started=self._started, on_ended=self._ended)
        self._restart_notice = RestartNotice(self._under_way, self._tasks, self._ask)
        self._interrupts = Interrupts(self._under_way, self.until, probe=self.kernel_info)
        self._interrupts.send = self._interrupt_by_message
        self._deadlines = Deadlines(self._under_way, self._interrupts, self._tasks)
        self._nudges = Nudges(self._under_way, self._nudge)
        self._prompts = Prompts(self, self._interrupt_request)
        self._comms = Comms(self)
        self._side_shells = Subshells(self, busy=lambda: not self._idle)
        self._handlers = Handlers()
        if channels is not None:
            self.attach(channels)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self.execution_state if self._line.channels else "detached"
        return f"<KernelClient {state}, {len(self._under_way.router.requests)} requests>"

    # Its channels

    def attach(self, channels: Channels) -> None:
        """Talk over these channels from here on, with the handlers and ``stdin`` there are.

        Raises `ClientClosed` when closed, `RuntimeError` while it has other channels.
        """
        if self._closed:
            raise ClientClosed
        self._line.attach(channels)
        self._restart_notice.start()
        self._under_way.start()
        self._told_state = "idle"
        self._comms.start()
        channels.on_closed = self._channels_lost
        channels.on_message = self._received

    def refuse(self, make_error: MakeError) -> None:
        """Fail all that wait, and every request from now on, with errors of this making.

        The channels stay open; only `request_shutdown` and interrupts still go out.
        """
        if self._line.refusal is None:
            self._idle_at_its_end = self._idle
        self._line.refusal = make_error
        self.fail_waiting(make_error)
        self._comms.fail(make_error)
        self._side_shells.fail()
        self._under_way.start()

    def fail_waiting(self, make_error: MakeError) -> None:
        """Fail all that wait; requests that are sent later are not concerned. Late answers go to handlers."""
        self._under_way.fail(make_error)
        self._prompts.withdraw_all()

    async def detach(self, make_error: MakeError, *, discard: bool = False) -> None:
        """`refuse`, and close the channels; `attach` gives new ones.

        ``discard`` says that the kernel is gone and unsent messages need not leave. Everything is failed and
        released even when this is cancelled.
        """
        channels = self._line.let_go()
        self.refuse(make_error)
        self._tasks.cancel()
        self._nudges.stop()
        self.interrupter = self._interrupt_by_message
        try:
            if channels is not None:
                channels.on_closed = None
                await channels.aclose(discard=discard)
        finally:
            await self._prompts.aclose()

    async def close_subshells(self) -> None:
        """Delete the subshells we made in a kernel that lives on, within two seconds; more cannot be made.

        When cancelled, the deletions have been sent.
        """
        await self._side_shells.aclose()

    async def aclose(self) -> None:
        """Close for good: what waits gets `ClientClosed`. May be called again.

        Of a kernel that lives on our subshells are deleted, within two seconds; otherwise it is told nothing.
        Everything is failed and released even when this is cancelled.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._comms.aclose)
            stack.push_async_callback(self._tasks.aclose)
            stack.push_async_callback(self._close_channels)
            stack.push_async_callback(self._side_shells.aclose)

    async def _close_channels(self) -> None:
        self._closed = True
        self._handlers.end_streams()
        await self.detach(lambda result: ClientClosed(result=result))

    # Requests

    def _start(self, message: Message, options: ExecuteOptions) -> Execution:
        message.content["allow_stdin"] = self.stdin is not None
        self.send("shell", message)
        subshell_id = message.header.get("subshell_id")
        request = Request(message.msg_id, "shell", needs_idle=True, subshell_id=subshell_id)
        execution = Execution(
            message.msg_id,
            output_limit=options.output_limit,
            budget=self._budget,
            interrupt=self._interrupt_execution,
            on_cancelled=self._execution_cancelled if options.interrupt_on_cancel else None,
        )
        self._under_way.add_execution(request, execution)
        self._deadlines.sent(request, options.timeout, options.queue_timeout)
        self._nudges.sent()
        return execution

    async def request_shutdown(self, *, restart: bool = False) -> Message:
        """Send a shutdown request and wait for the reply; no more. Source: "Kernel shutdown".

        Subshells of ours that are idle are deleted first. Cancelling stops the wait; the kernel ends all the
        same.
        """
        for deletion in self._side_shells.deletions():
            self._transmit("control", deletion)
        idle = self._idle if self._line.refusal is None else self._idle_at_its_end
        channels = shutdown_channels(self._side_shells.implementation, idle=idle)
        return await ask_to_end(self._transmit, self._under_way.reply_to, channels, restart=restart)

    @property
    def _idle(self) -> bool:
        return not (self._under_way.executing or self.executing)

    def send(self, channel: str, message: Message) -> None:
        """Send any message; what answers it goes to handlers. Raises as requests do."""
        self._line.check()
        self._transmit(channel, message)

    async def _ask(self, message: Message, channel: str = "shell") -> Message:
        self.send(channel, message)
        subshell_id = message.header.get("subshell_id")
        request = Request(message.msg_id, channel, needs_idle=False, subshell_id=subshell_id)
        self._nudges.sent()
        return await self._under_way.reply_to(request)

    def _transmit(self, channel: str, message: Message) -> None:
        self._line.send(channel, message)
        self._side_shells.sent(message)

    def _nudge(self) -> None:
        with suppress(KernelError, ChannelClosed, OSError):
            if not self._line.knock():
                self.send("shell", messages.kernel_info_request())

    @property
    def _subshells(self) -> Subshells:
        return self._side_shells

    # Interrupting

    @property
    def interrupter(self) -> Callable[[], Awaitable[None]]:
        """An async callable that interrupts whatever the kernel runs."""
        return self._interrupts.send

    @interrupter.setter
    def interrupter(self, send: Callable[[], Awaitable[None]]) -> None:
        self._interrupts.send = send

    async def interrupt(self, *, grace: float = INTERRUPT_GRACE) -> InterruptOutcome:
        """Interrupt what the kernel runs, and tell after at most ``grace`` seconds what became of it.

        A kernel that runs nothing, as far as can be known, is only asked whether it is there: some die of
        an interrupt when they are idle. ``IDLE``: it is ready for more. ``IGNORED``: it runs on or does not
        answer. ``DIED``: it is gone. Cancelling ends only the wait.
        """
        return await self._interrupts.everything(grace)

    async def _interrupt_execution(self, execution: Execution) -> InterruptOutcome | None:
        return await self._interrupt_request(execution.msg_id)

    async def _interrupt_request(self, msg_id: str | None) -> InterruptOutcome | None:
        request = self._under_way.router.requests.get(msg_id or "")
        return None if request is None else await self._interrupts.one(request, INTERRUPT_GRACE)

    def _execution_cancelled(self, execution: Execution) -> None:
        request = self._under_way.router.requests.get(execution.msg_id)
        if request is not None:
            self._deadlines.cancelled(request)

    async def _interrupt_by_message(self) -> None:
        self._transmit("control", messages.interrupt_request())

    # What arrives

    def _received(self, channel: str, message: Message) -> None:
        if self._line.tracer is not None:
            self._line.tracer.show("received", channel, message)
        origin = self._restart_notice.look(message)
        if origin is Origin.STALE:
            self._handlers.call(channel, message)
            return
        if origin is Origin.NEW:
            self._replaced()
        self._under_way.received(channel, message)
        if channel == "stdin" and message.msg_type == "input_request":
            self._prompts.answer(message)
        self._comms.received(channel, message)
        self._side_shells.received(channel, message)
        self._tell_state()
        self._handlers.call(channel, message)
        self._under_way.look_at_conditions()

    def _tell_state(self) -> None:
        state = self.execution_state
        if state != self._told_state:
            self._told_state = state
            if self.on_execution_state is not None:
                self.on_execution_state(state)

    def _started(self, request: Request) -> None:
        self._deadlines.started(request)

    def _ended(self, request: Request) -> None:
        self._deadlines.ended(request)
        self._prompts.withdraw(request.msg_id)
        self._tell_state()

    def _replaced(self) -> None:
        """Another process answers, which knows nothing of comms and subshells."""
        self._comms.fail(restarted)
        self._comms.start()
        self._side_shells.fail()
        if self.on_replaced is not None:
            self.on_replaced()

    def _channels_lost(self, error: Exception | None) -> None:
        """The far end closed the channels, or they broke; `detach` closes this end."""

        def make_error(result: ExecutionResult | None) -> Exception:
            closed = ClientClosed("the connection to the kernel was lost", result=result)
            closed.__cause__ = error
            return closed

        self.refuse(make_error)
