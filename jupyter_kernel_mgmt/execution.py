"""`Execution`: code that was sent to a kernel; `ExecutionResult`: what became of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from jupyter_protocol import Message

from ._output_log import OutputDropped, OutputLog
from ._outputs import Output, as_text, fold
from .exceptions import ExecutionAborted, ExecutionError, ExecutionInterrupted, KernelDied

Status = Literal["ok", "error", "aborted", "interrupted"]


class InterruptOutcome(Enum):
    """What an interrupt led to: the kernel is idle again, goes on as if nothing had happened, or died."""

    IDLE = "idle"
    IGNORED = "ignored"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error that code raised, in the kernel's words; ``traceback`` is a list of lines."""

    ename: str
    evalue: str
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The answer to an execution.

    ``status`` is ``"ok"``, ``"error"`` (the code raised), ``"aborted"`` (it was not run) or
    ``"interrupted"`` (by us); None in the partial result of an error. ``outputs`` are nbformat 4 dicts,
    ``reply`` is the kernel's message (None where an interrupted kernel sent none), ``dropped`` the number of
    output messages over the limit.
    """

    status: Status | None
    execution_count: int | None
    outputs: list[Output]
    error: ErrorInfo | None
    reply: Message | None
    dropped: int

    @property
    def stdout(self) -> str:
        """All that was written to stdout."""
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        """All that was written to stderr."""
        return self._stream("stderr")

    @property
    def data(self) -> dict[str, Any]:
        """The MIME bundle of the code's value; empty without one."""
        for output in reversed(self.outputs):
            if output["output_type"] == "execute_result":
                data: dict[str, Any] = output["data"]
                return data
        return {}

    @property
    def text(self) -> str:
        """The code's value as plain text; empty without one."""
        return as_text(self.data.get("text/plain"))

    def raise_for_status(self) -> "ExecutionResult":
        """The result itself if ``status`` is "ok".

        Raises `ExecutionError`, `ExecutionInterrupted` or `ExecutionAborted` otherwise.
        """
        if self.status == "error":
            raise ExecutionError(self)
        if self.status == "interrupted":
            raise ExecutionInterrupted(self)
        if self.status == "aborted":
            raise ExecutionAborted(self)
        return self

    def _stream(self, name: str) -> str:
        return "".join(o["text"] for o in self.outputs if o["output_type"] == "stream" and o["name"] == name)


class Execution:
    """Code that a kernel was asked to run. Made, and sent, by ``execute(…)``.

    Await it for the `ExecutionResult`, any number of times and from any number of tasks. Raises
    `KernelDied`, `KernelRestarted` or `ClientClosed`, with the output so far in ``.result``, when no
    answer can come. Cancelling an awaiting task only ends that wait: the kernel runs on.

    Iterate over it for the output messages as they arrive, from the first kept one on, also after the
    end. In the place of messages that the output limit left out stands one `OutputDropped`.
    """

    def __init__(
        self,
        msg_id: str,
        *,
        output_limit: int | None,
        interrupt: "Callable[[Execution], Awaitable[InterruptOutcome | None]]",
    ) -> None:
        self.msg_id = msg_id
        self._log = OutputLog(output_limit)
        self._interrupt = interrupt
        self.interrupted = False
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
        await asyncio.wait([self._finished])
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
                await asyncio.wait([self._more])

    # What the client calls, in the order of arrival:

    def add_output(self, message: Message) -> None:
        """Note an output message."""
        self._log.append(message)
        self._wake()

    def mark_interrupted(self) -> None:
        """An interrupt was sent while it ran: unless the code ended well, that is why it ended."""
        self.interrupted = True

    def finish(self, reply: Message | None) -> None:
        """It has ended with this reply, or without one after an interrupt."""
        if not self.done():
            status = "interrupted" if reply is None else _status(reply.content, interrupted=self.interrupted)
            self._result = self._make_result(status, reply)
            self._end()

    def fail(self, error: "Callable[[ExecutionResult], Exception]") -> None:
        """It has ended without an answer; the error is made with the output so far."""
        if not self.done():
            self._error = error(self._make_result(None, None))
            self._end()

    def _end(self) -> None:
        self._finished.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self._more is not None:
            self._more.set_result(None)
            self._more = None

    def _make_result(self, status: Status | None, reply: Message | None) -> ExecutionResult:
        outputs = fold(self._log.kept())
        count = None if reply is None else reply.content.get("execution_count")
        return ExecutionResult(
            status=status,
            execution_count=count if isinstance(count, int) else None,
            outputs=outputs,
            error=None if reply is None else _error(reply.content, outputs),
            reply=reply,
            dropped=self._log.dropped,
        )


def _status(content: dict[str, Any], *, interrupted: bool) -> Status:
    """What a reply says. Kernels spell "aborted" in two ways and may say nothing where all went well."""
    status = content.get("status", "ok")
    if status == "ok":
        return "ok"
    if interrupted:
        return "interrupted"
    return "aborted" if status in ("aborted", "abort") else "error"


def _error(content: dict[str, Any], outputs: list[Output]) -> ErrorInfo | None:
    """The error in a reply, or else in the outputs: some kernels put it only there."""
    candidates = [content] if content.get("status") == "error" else []
    candidates += [output for output in reversed(outputs) if output["output_type"] == "error"]
    for candidate in candidates:
        if "ename" in candidate:
            lines = candidate.get("traceback")
            return ErrorInfo(
                str(candidate["ename"]),
                str(candidate.get("evalue", "")),
                tuple(map(str, lines)) if isinstance(lines, list) else (),
            )
    return None
