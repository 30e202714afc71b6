"""What a run tells while it goes on: to progress bars, loggers and hooks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_protocol import Message

from .._output_log import OutputDropped
from .exceptions import FailureStatus

CellStatus = Literal["ok"] | FailureStatus

Why = Literal["run", "rebuild"]
"""Cells run for their outputs, or once more to rebuild the kernel's state, and keep the outputs they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookEvent:
    """The base of these; ``name`` is the notebook's, as the run was given it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookStarted(NotebookEvent):
    """The kernel is ready: of this type, for this reason.

    Of ``total`` cells ``cells`` are to be run; the first ``kept`` are as an earlier run left them.
    """

    kernel_type: str
    reason: str
    cells: int
    kept: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStarted(NotebookEvent):
    """A cell is about to run; ``index`` counts all cells, from 0."""

    index: int
    cell: dict[str, Any]
    why: Why = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutput(NotebookEvent):
    """A cell wrote something: the message, or in its place how many were left out by the output limit."""

    index: int
    message: Message | OutputDropped


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFinished(NotebookEvent):
    """A cell ended after ``seconds``, and what it wrote is saved. An ``allowed`` failure stops nothing."""

    index: int
    cell: dict[str, Any]
    status: CellStatus
    seconds: float
    allowed: bool = False
    why: Why = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookFinished(NotebookEvent):
    """The run has ended; ``error`` says why, if before the last cell."""

    seconds: float
    error: BaseException | None = None


OnProgress = Callable[[NotebookEvent], Awaitable[None] | None]
"""Called with each event, in order; what it gives back is awaited. What it raises ends the run."""
