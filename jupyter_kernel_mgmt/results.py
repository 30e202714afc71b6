"""`ExecutionResult`: what became of code that was sent to a kernel. Plain values, and how they are made."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from jupyter_protocol import Message

from ._outputs import Displays, Output, as_text
from .exceptions import ExecutionAborted, ExecutionError, ExecutionInterrupted, ExecutionTimeout

Status = Literal["ok", "error", "aborted", "interrupted", "timeout"]


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


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ExecutionResult:
    """The answer to an execution.

    ``status`` is ``"ok"``, ``"error"`` (the code raised, or ended without a reply), ``"aborted"`` (it was
    not run), ``"interrupted"`` (by us) or ``"timeout"``; None in the partial result of an error.
    ``outputs`` are nbformat 4 dicts; what later code does to a display shown here changes them in place.
    ``reply`` is the kernel's message. It is None where the kernel sent none, and where the caller was given
    up on waiting: a request that still stood in the queue, or code that goes on in spite of an interrupt.
    ``idle_seen`` is False where the kernel did not say that it had finished, so that output may be missing.
    ``dropped`` is the number of output messages over the limits.
    """

    status: Status | None
    execution_count: int | None
    outputs: list[Output]
    error: ErrorInfo | None
    reply: Message | None
    dropped: int
    idle_seen: bool = True
    displays: Displays = field(default_factory=dict, repr=False, compare=False)

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

        Raises `ExecutionError`, `ExecutionInterrupted`, `ExecutionTimeout` or `ExecutionAborted` otherwise.
        """
        if self.status in _ERRORS:
            raise _ERRORS[self.status](self)
        return self

    def _stream(self, name: str) -> str:
        return "".join(o["text"] for o in self.outputs if o["output_type"] == "stream" and o["name"] == name)


_ERRORS = {
    "error": ExecutionError,
    "interrupted": ExecutionInterrupted,
    "timeout": ExecutionTimeout,
    "aborted": ExecutionAborted,
}


def reply_status(reply: Message | None, *, interrupted: bool) -> Status:
    """What a reply says. Kernels spell "aborted" in two ways and may say nothing where all went well.

    Code that ended well was not interrupted, whatever was sent. Without a reply it cannot be said to have.
    """
    status = "error" if reply is None else reply.content.get("status", "ok")
    if status == "ok":
        return "ok"
    if interrupted:
        return "interrupted"
    return "aborted" if status in ("aborted", "abort") else "error"


def error_info(reply: Message | None, outputs: list[Output]) -> ErrorInfo | None:
    """The error in a reply, or else in the outputs: some kernels put it only there."""
    if reply is None:
        return None
    candidates = [reply.content] if reply.content.get("status") == "error" else []
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
