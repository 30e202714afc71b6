"""`NotebookRun`: one notebook, run from its first cell to its last, and saved after each."""

import inspect
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell

from jupyter_protocol import Message

from .._output_log import OutputDropped
from ..requests import DEFAULT_OUTPUT_LIMIT
from ..results import InterruptOutcome
from . import policy
from .cells import CellResult, CellRunner
from .document import Source, read_in_thread
from .events import (
    CellFinished,
    CellOutput,
    CellStarted,
    NotebookEvent,
    NotebookFinished,
    NotebookStarted,
    OnProgress,
    Why,
)
from .exceptions import CannotResume, CannotSave, CellFailed, NotebookError
from .kernels import Opened, OpenKernel
from .output_file import OutputFile
from .parameters import ParameterError, inject
from .resuming import Plan, Rebuild, resume
from .widgets import WIDGET_STATE_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a notebook is run.

    ``cwd`` is the kernel's directory (None: the notebook's own, if it is a file). ``timeout`` is in seconds
    for each cell, or a function of the cell; a cell that takes longer is interrupted and has failed.
    ``allow_errors``, or a function of the cell that says so, lets the run go on after errors.
    ``parameters`` are assigned in a cell put after the one tagged ``parameters``. ``output`` is the file
    that is written after each cell. With ``resume`` what an earlier run left in that file is kept as far as
    it is still right; it says which of the kept cells run once more, for the kernel's state: ``"all"``,
    ``"none"`` or those from an index on. ``output_limit`` is that of `Kernel.execute`, for each cell.
    """

    cwd: Path | None = None
    timeout: float | Callable[[policy.Cell], float | None] | None = None
    allow_errors: bool | Callable[[policy.Cell], bool] = False
    parameters: dict[str, Any] | None = None
    output: Path | None = None
    resume: Rebuild | None = None
    output_limit: int | None = DEFAULT_OUTPUT_LIMIT


class NotebookRun:
    """Runs a notebook once, with `execute`; meanwhile `interrupt` reaches the cell that runs.

    ``notebook`` is a file or a notebook, which stays as it is. ``kernels`` says where the kernel comes from.
    ``on_progress`` is told what happens, under ``name`` (by default the file's).
    """

    def __init__(
        self,
        notebook: Source,
        *,
        kernels: OpenKernel,
        options: RunOptions | None = None,
        name: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.options = options or RunOptions()
        self._source = notebook
        self._path = None if isinstance(notebook, Mapping) else Path(notebook)
        self.name = name or ("notebook" if self._path is None else str(self._path))
        self._kernels = kernels
        self._on_progress = on_progress
        self._notebook = NotebookNode()
        self._output: OutputFile | None = None
        self._runner: CellRunner | None = None
        self._earlier_widgets: dict[str, Any] = {}
        self._stopped = False

    async def execute(self) -> NotebookNode:
        """Run it, and give the notebook with its outputs.

        Raises `CellFailed` for the first cell that fails where nothing allows it, another `NotebookError`
        (whose ``.notebook`` is what was run so far), and what starting the kernel raises. Cancelling it ends
        the kernel, if it is the run's own, and saves what was run, with what the running cell had written.
        """
        started = time.monotonic()
        error: BaseException | None = None
        try:
            async with AsyncExitStack() as resources:
                await self._run(resources)
        except NotebookError as failed:
            failed.notebook = self._copy()
            error = failed
            raise
        except BaseException as failed:
            error = failed
            raise
        finally:
            self._runner = None
            await self._emit(
                NotebookFinished(name=self.name, seconds=time.monotonic() - started, error=error)
            )
        return self._copy()

    async def interrupt(self) -> InterruptOutcome | None:
        """Interrupt the cell that runs, which then has failed unless it may.

        Where none runs, before the first or between two, the next is not begun: it has failed as one that was
        interrupted. The result is None then.
        """
        outcome = None if self._runner is None else await self._runner.interrupt()
        self._stopped = self._stopped or outcome is None
        return outcome

    async def _run(self, resources: AsyncExitStack) -> None:
        options = self.options
        notebook = self._notebook = await read_in_thread(self._source)
        self._check_stopped(0)  # a kernel would be started for nothing
        if options.output is not None:
            self._output = await resources.enter_async_context(OutputFile(options.output))
        elif options.resume is not None:
            raise CannotResume("an earlier run is looked for in the output, and none is named")
        path = None if self._path is None else self._path.absolute()
        cwd = options.cwd or (None if path is None else path.parent)
        if path is None and cwd is not None:  # one without a file is at home where it runs
            path = cwd.absolute() / "notebook.ipynb"
        opened = await resources.enter_async_context(self._kernels(notebook.metadata, cwd, path))
        await self._prepare(notebook, opened)
        plan = await self._plan()
        self._forget_earlier_outputs(plan)
        self._runner = await resources.enter_async_context(
            CellRunner(opened.kernel, output_limit=options.output_limit)
        )
        await self._save(None)
        await self._emit(
            NotebookStarted(
                name=self.name,
                kernel_type=opened.choice.kernel_type,
                reason=opened.choice.reason,
                cells=sum(map(policy.runs, notebook.cells[plan.kept :])),
                kept=plan.kept,
                total=len(notebook.cells),
            )
        )
        for index, cell in enumerate(notebook.cells):
            if policy.runs(cell):
                self._check_stopped(index)
                if index >= plan.kept:
                    await self._run_cell(self._runner, index, cell)
                elif plan.reruns(index):
                    await self._rebuild(self._runner, index, cell)

    async def _prepare(self, notebook: NotebookNode, opened: Opened) -> None:
        """Note in the notebook what is run, and on what."""
        info = (await opened.kernel.kernel_info()).content.get("language_info")
        if isinstance(info, dict) and isinstance(info.get("name"), str):  # nbformat wants the name
            notebook.metadata["language_info"] = from_dict(info)
        if self.options.parameters:
            new_id = _new_id if (notebook.nbformat, notebook.nbformat_minor) >= (4, 5) else None
            notebook.cells = from_dict(
                inject(notebook.cells, self.options.parameters, _language(notebook.metadata), new_id)
            )

    async def _plan(self) -> Plan:
        if self.options.resume is None or self._output is None:
            return Plan()
        earlier = await self._output.earlier()
        if earlier is None:
            return Plan()
        plan = resume(
            self._notebook.cells, earlier.cells, rebuild=self.options.resume, may_fail=self._may_fail
        )
        for cell, before in zip(self._notebook.cells[: plan.kept], earlier.cells, strict=False):
            _take_over(cell, before)
        self._earlier_widgets = earlier.metadata.get("widgets", {})
        return plan

    def _forget_earlier_outputs(self, plan: Plan) -> None:
        """What the notebook shows is to be of this run, also where it ends early."""
        for cell in self._notebook.cells[plan.kept :]:
            if policy.runs(cell):
                cell.outputs, cell.execution_count = [], None
                cell.metadata.pop("execution", None)
        self._notebook.metadata.pop("widgets", None)

    async def _run_cell(self, runner: CellRunner, index: int, cell: NotebookNode) -> None:
        async def on_output(message: Message | OutputDropped) -> None:
            await self._emit(CellOutput(name=self.name, index=index, message=message))

        await self._emit(CellStarted(name=self.name, index=index, cell=cell))
        try:
            result = await runner.run(
                index,
                cell,
                timeout=policy.seconds(cell, self.options.timeout),
                on_output=None if self._on_progress is None else on_output,
            )
        except BaseException:
            with suppress(CannotSave):  # what ends the run is the better news
                await self._save({index})
            raise
        await self._save({index})
        if not await self._is_good(index, cell, result):
            raise CellFailed(index, result.failure, result.error, self._copy()) from result.cause

    async def _rebuild(self, runner: CellRunner, index: int, cell: NotebookNode) -> None:
        await self._emit(CellStarted(name=self.name, index=index, cell=cell, why="rebuild"))
        result = await runner.repeat(cell, timeout=policy.seconds(cell, self.options.timeout))
        if not await self._is_good(index, cell, result, why="rebuild"):
            raise CannotResume(_not_rebuilt(index, result)) from result.cause

    async def _is_good(self, index: int, cell: NotebookNode, result: CellResult, *, why: Why = "run") -> bool:
        """Tell that the cell has ended, and whether the run can go on."""
        allowed = result.status != "died" and self._may_fail(cell)
        await self._emit(
            CellFinished(
                name=self.name,
                index=index,
                cell=cell,
                status=result.status,
                seconds=result.seconds,
                allowed=allowed,
                why=why,
            )
        )
        return result.status == "ok" or allowed

    def _check_stopped(self, index: int) -> None:
        if self._stopped:
            raise CellFailed(index, "interrupted", None, self._copy())

    def _may_fail(self, cell: policy.Cell) -> bool:
        return policy.may_fail(cell, self.options.allow_errors)

    async def _save(self, changed: Collection[int] | None) -> None:
        self._note_widgets()
        if self._output is not None:
            others = self._runner.take_changed() if self._runner is not None else set()
            await self._output.save(self._notebook, None if changed is None else {*changed, *others})

    def _note_widgets(self) -> None:
        """The widgets of cells that were kept are those of the run that showed them."""
        widgets = {} if self._runner is None else self._runner.widgets.metadata()
        if widgets:
            earlier = self._earlier_widgets.get(WIDGET_STATE_TYPE, {}).get("state", {})
            widgets[WIDGET_STATE_TYPE]["state"] = {**earlier, **widgets[WIDGET_STATE_TYPE]["state"]}
        elif self._earlier_widgets:
            widgets = self._earlier_widgets
        if widgets:
            self._notebook.metadata["widgets"] = widgets

    async def _emit(self, event: NotebookEvent) -> None:
        if self._on_progress is not None:
            given = self._on_progress(event)
            if inspect.isawaitable(given):
                await given

    def _copy(self) -> NotebookNode:
        copied: NotebookNode = from_dict(self._notebook)
        return copied


def _take_over(cell: NotebookNode, before: NotebookNode) -> None:
    """What an earlier run has noted in a cell; tags, attachments and the rest are as they are now."""
    if policy.runs(cell):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
        if "execution" in before.metadata:
            cell.metadata["execution"] = before.metadata["execution"]


def _new_id() -> str:
    return str(new_code_cell().id)


def _language(metadata: NotebookNode) -> str:
    """What the kernel has said that it speaks, or else the notebook. Raises `ParameterError`."""
    for place, key in (("language_info", "name"), ("kernelspec", "language")):
        found = metadata.get(place, {}).get(key)
        if isinstance(found, str) and found:
            return found
    raise ParameterError("parameters cannot be written: neither the kernel nor the notebook names a language")


def _not_rebuilt(index: int, result: CellResult) -> str:
    text = f"the kernel's state could not be rebuilt: cell {index + 1} ended with {result.status!r} this time"
    return text if result.error is None else f"{text} ({result.error.ename}: {result.error.evalue})"
