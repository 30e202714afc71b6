"""`CellRunner`: runs cells on one kernel, one after the other, and notes in each what became of it."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from jupyter_protocol import ChannelClosed, Message

from .._output_log import OutputDropped
from .._outputs import display_id, fold, update
from ..exceptions import ClientClosed, KernelDied, KernelUnresponsive
from ..execution import Execution
from ..kernel import Kernel
from ..results import ErrorInfo, ExecutionResult, InterruptOutcome
from . import policy
from .events import CellStatus
from .exceptions import FailureStatus
from .tidy import tidy
from .widgets import WidgetState

Cell = dict[str, Any]
OnOutput = Callable[[Message | OutputDropped], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CellResult:
    """How a cell ended. ``cause`` is the exception, where the kernel gave no answer."""

    status: CellStatus
    error: ErrorInfo | None
    seconds: float
    cause: Exception | None = None

    @property
    def failure(self) -> FailureStatus:
        """The status of one that is not ok."""
        assert self.status != "ok", "it has not failed"
        return self.status


class CellRunner:
    """Writes outputs, execution count and timing into the cells it is given.

    ``output_limit`` is that of `Kernel.execute`, for each cell. An async context manager: inside, it
    listens to the kernel, so that what later code does to a display is seen in the cell that shows it
    (`take_changed` tells which cells were changed), and ``widgets`` have their state.
    """

    def __init__(self, kernel: Kernel, *, output_limit: int | None) -> None:
        self._kernel = kernel
        self._output_limit = output_limit
        self._execution: Execution | None = None
        self._timing: dict[str, str] = {}
        self._results: list[ExecutionResult] = []  # as long as they are held, updates reach their displays
        self._shown: dict[str, set[int]] = {}
        self._changed: set[int] = set()
        self.widgets = WidgetState()
        self._captured: set[str] = set()
        self._count: int | None = None
        self._refolded: list[ExecutionResult] = []

    async def __aenter__(self) -> Self:
        self._kernel.client.add_handler(self._heard, ("iopub", "shell"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kernel.client.remove_handler(self._heard)

    async def interrupt(self) -> InterruptOutcome | None:
        """Interrupt the cell that runs, as `Execution.interrupt` does; None: there is none."""
        return None if self._execution is None else await self._execution.interrupt()

    async def run(
        self, index: int, cell: Cell, *, timeout: float | None, on_output: OnOutput | None = None
    ) -> CellResult:
        """Run a cell for its outputs. Cancelling leaves in it what it had written until then."""
        self._timing, self._captured, self._count, started = {}, set(), None, time.monotonic()
        cause: Exception | None = None
        self._execution = execution = self._start(cell, timeout)
        try:
            if on_output is not None:
                async for message in execution:
                    await on_output(message)
            result = await execution
        except (KernelDied, KernelUnresponsive, ClientClosed) as error:
            result, cause = error.result or execution.so_far(), error
        except BaseException:
            self._note(index, cell, execution.so_far(), None)
            raise
        finally:
            self._execution = None
        status = "died" if result.status is None else result.status
        if status not in ("ok", "error") or (status == "error" and not _shows_error(result.outputs)):
            # It stands for a cell that has ended, well or with an error that can be seen in it.
            self._timing.pop("shell.execute_reply", None)
        if self._captured:
            result = await self._without_captured(result, execution)
        self._note(index, cell, result, cause)
        return CellResult(status, result.error, time.monotonic() - started, cause)

    async def repeat(self, cell: Cell, *, timeout: float | None) -> CellResult:
        """Run a cell for what it does to the kernel; the cell keeps the outputs it has."""
        self._timing, started = {}, time.monotonic()
        self._execution = execution = self._start(cell, timeout)
        try:
            result = await execution
        except (KernelDied, KernelUnresponsive, ClientClosed) as error:
            return CellResult("died", None, time.monotonic() - started, error)
        finally:
            self._execution = None
        return CellResult(result.status or "died", result.error, time.monotonic() - started)

    def take_changed(self) -> set[int]:
        """The cells whose displays were changed by others, since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def _start(self, cell: Cell, timeout: float | None) -> Execution:
        return self._kernel.execute(policy.source(cell), timeout=timeout, output_limit=self._output_limit)

    def _note(self, index: int, cell: Cell, result: ExecutionResult, cause: Exception | None) -> None:
        cell["outputs"] = outputs = result.outputs
        for output in outputs:  # in place: later code may still change a display
            tidy(output)
        cell["metadata"]["execution"] = self._timing
        if result.execution_count is not None:
            cell["execution_count"] = result.execution_count
        elif self._count is not None:  # the kernel died before it replied
            cell["execution_count"] = self._count
        if result.dropped:
            outputs.append(
                _told(f"{result.dropped} output messages were left out: they exceed output_limit\n")
            )
        if cause is not None:
            outputs.append(_as_output(cause))
        self._results.append(result)
        for shown in result.displays:
            self._show_alike(shown)
            self._changed |= self._shown.setdefault(shown, set())
            self._shown[shown].add(index)

    async def _without_captured(self, result: ExecutionResult, execution: Execution) -> ExecutionResult:
        """What is left of a cell's outputs after Output widgets have taken theirs."""
        kept = [
            message
            async for message in _until_its_end(execution)
            if isinstance(message, Message) and message.msg_id not in self._captured
        ]
        outputs, displays = fold(kept)
        left = replace(result, outputs=outputs, displays=displays)
        self._refolded.append(left)  # the client does not know it, and lets no update reach it
        return left

    def _show_alike(self, shown: str) -> None:
        """What is displayed under an id that is in use replaces what was there, as IPython's users expect."""
        outputs = [output for result in self._results for output in result.displays.get(shown, ())]
        for output in outputs[:-1]:
            output |= {key: outputs[-1][key] for key in ("data", "metadata")}

    def _heard(self, channel: str, message: Message) -> None:
        if message.msg_type == "update_display_data":
            self._changed |= self._shown.get(display_id(message.content), set())
            for result in self._refolded:
                update(result.displays, message)
        if channel == "iopub":
            self._feed_widgets(message)
        if self._execution is not None and message.parent_id == self._execution.msg_id:
            name = _timed(channel, message)
            if name:
                self._timing[name] = _moment(message)
            if message.msg_type == "execute_input":
                count = message.content.get("execution_count")
                self._count = count if isinstance(count, int) else None

    def _feed_widgets(self, message: Message) -> None:
        disposition = self.widgets.feed(message)
        if disposition.consumed:
            self._captured.add(message.msg_id)
        for news in disposition.send:
            with suppress(ChannelClosed):  # the kernel has just ended
                self._kernel.client.send("shell", news)


async def _until_its_end(execution: Execution) -> AsyncGenerator[Message | OutputDropped, None]:
    """The messages that were kept of an execution that has ended, well or not."""
    try:
        async for message in execution:
            yield message
    except (KernelDied, KernelUnresponsive, ClientClosed):
        return


def _shows_error(outputs: list[dict[str, Any]]) -> bool:
    return any(output["output_type"] == "error" for output in outputs)


def _timed(channel: str, message: Message) -> str | None:
    """The name under which notebooks keep the time of this message."""
    if channel == "shell":
        return "shell.execute_reply" if message.msg_type == "execute_reply" else None
    if message.msg_type == "execute_input":
        return "iopub.execute_input"
    state = message.content.get("execution_state") if message.msg_type == "status" else None
    return f"iopub.status.{state}" if state in ("busy", "idle") else None


def _moment(message: Message) -> str:
    date = message.date or datetime.now(UTC)
    date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    return date.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _told(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stderr", "text": text}


def _as_output(cause: Exception) -> dict[str, Any]:
    name, text = type(cause).__name__, str(cause)
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}
