"""`Execution`: code that was sent to a kernel, to be awaited, iterated over and interrupted."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

from jupyter_protocol import Message

from ._budget import OutputBudget
from ._output_log import OutputDropped, OutputLog
from ._outputs import display_id, fold
from .exceptions import KernelDied
from .results import ExecutionResult, InterruptOutcome, Status, error_info, reply_status

OnInterrupt = Callable[["Execution"], Awaitable[InterruptOutcome | None]]
OnCancelled = Callable[["Execution"], None]


class Execution:
    """Code that a kernel was asked to run. Made, and sent, by ``execute(…)``.

    Await it for the `ExecutionResult`, any number of times and from any number of tasks. Raises
    `KernelDied`, `KernelRestarted`, `KernelUnresponsive` or `ClientClosed`, with the output so far in
    ``.result``, when no answer can come. Cancelling a task that awaits it or iterates over it only ends that
    wait and the kernel runs on, unless it was made with ``interrupt_on_cancel``.

    Iterate over it for the output messages as they arrive, from the first kept one on, also after the
    end. In the place of messages that a limit left out stands one `OutputDropped`. What others do to a
    display shown here (``update_display_data``) is among them.
    """

    def __init__(
        self,
        msg_id: str,
        *,
        output_limit: int | None,
        budget: OutputBudget | None = None,
        interrupt: OnInterrupt,
        on_cancelled: OnCancelled | None = None,
    ) -> None:
        self.msg_id = msg_id
        self._log = OutputLog(output_limit, budget)
        self._interrupt = interrupt
        self._on_cancelled = on_cancelled
        self._shown: set[str] = set()
        self._interrupted = False
        self._timed_out = False
        self._result: ExecutionResult | None = None
        self._error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._more: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = (
            self._result.status if self._result else type(self._error).__name__ if self._error else "pending"
        )
        return f"<Execution {self.msg_id} {state}>"

    def __await__(self) -> Generator[Any, None, ExecutionResult]:
        return self._wait().__await__()

    def __aiter__(self) -> "AsyncGenerator[Message | OutputDropped, None]":
        return self._read()

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._finished.done()

    def so_far(self) -> ExecutionResult:
        """The result or, before the end, what has been written until now: then ``status`` is None."""
        return self._result or self._make_result(None, None, idle_seen=False)

    async def interrupt(self) -> InterruptOutcome:
        """Interrupt this execution, once it runs, and tell what became of that.

        While it waits for others in the kernel's queue nothing is sent. Raises `ClientClosed` when nobody
        can tell any more. Cancelling ends only the wait.
        """
        outcome = None if self.done() else await self._interrupt(self)
        if outcome is not None:
            return outcome
        if isinstance(self._error, KernelDied):
            return InterruptOutcome.DIED
        if self._error is not None:
            raise self._error
        return InterruptOutcome.IDLE

    async def _wait(self) -> ExecutionResult:
        await self._until(self._finished)
        if self._error is not None:
            raise self._error
        assert self._result is not None, "a finished execution has a result or an error"
        return self._result

    async def _read(self) -> "AsyncGenerator[Message | OutputDropped, None]":
        position = 0
        while True:
            if position < self._log.end:
                item, position = self._log.read(position)
                yield item
            elif self.done():
                if self._error is not None:
                    raise self._error
                return
            else:
                if self._more is None:
                    self._more = self._loop.create_future()
                await self._until(self._more)

    async def _until(self, future: "asyncio.Future[None]") -> None:
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            if self._on_cancelled is not None and not self.done():
                self._on_cancelled(self)
            raise

    # What the client calls, in the order of arrival:

    def add_output(self, message: Message) -> None:
        """Note an output message."""
        if message.msg_type != "update_display_data" and (shown := display_id(message.content)):
            self._shown.add(shown)
        self._log.append(message)
        self._wake()

    def shows(self, update: Message) -> bool:
        """Whether it shows the display that an ``update_display_data`` is about."""
        return display_id(update.content) in self._shown

    def mark_interrupted(self) -> None:
        """An interrupt was sent while it ran: unless the code ended well, that is why it ended."""
        self._interrupted = True

    def mark_timed_out(self) -> None:
        """It is about to be interrupted for its time-out: whatever it answers, it took too long."""
        self._timed_out = True

    @property
    def interrupted(self) -> bool:
        """Whether an interrupt was sent while it ran."""
        return self._interrupted

    def finish(self, reply: Message | None, *, idle_seen: bool = True) -> None:
        """It has ended with this reply, or without one."""
        status = reply_status(reply, interrupted=self._interrupted)
        self._finish("timeout" if self._timed_out else status, reply, idle_seen=idle_seen)

    def give_up(self, status: Status) -> None:
        """Nobody waits for the end any longer: it has ended for its caller."""
        self._finish(status, None, idle_seen=False)

    def fail(self, error: "Callable[[ExecutionResult], Exception]") -> None:
        """It has ended without an answer; the error is made with the output so far."""
        if not self.done():
            self._error = error(self._make_result(None, None, idle_seen=False))
            self._end()

    @property
    def result(self) -> ExecutionResult | None:
        """The result; None before the end, and where there is an error instead."""
        return self._result

    def _finish(self, status: Status, reply: Message | None, *, idle_seen: bool) -> None:
        if not self.done():
            self._result = self._make_result(status, reply, idle_seen=idle_seen)
            self._end()

    def _end(self) -> None:
        self._log.close()
        self._finished.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self._more is not None:
            self._more.set_result(None)
            self._more = None

    def _make_result(
        self, status: Status | None, reply: Message | None, *, idle_seen: bool
    ) -> ExecutionResult:
        outputs, displays = fold(self._log.kept())
        count = None if reply is None else reply.content.get("execution_count")
        return ExecutionResult(
            status=status,
            execution_count=count if isinstance(count, int) else None,
            outputs=outputs,
            error=error_info(reply, outputs),
            reply=reply,
            dropped=self._log.dropped,
            idle_seen=idle_seen,
            displays=displays,
        )
