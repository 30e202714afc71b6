"""`Engine`: papermill's part that runs notebooks, done by this package. Needs papermill.

Registered by an entry point: ``papermill --engine jupyter_kernel_mgmt …``.
"""

import logging
from typing import Any, TextIO

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import from_dict
from papermill.engines import Engine as EngineBase
from papermill.engines import NotebookExecutionManager
from papermill.log import logger

from jupyter_protocol import Message

from .._outputs import as_text
from .blocking import run_blocking
from .events import CellFinished, CellOutput, CellStarted, NotebookEvent
from .exceptions import CellFailed
from .kernels import launching
from .run import NotebookRun, RunOptions


class Engine(EngineBase):  # type: ignore[misc]  # papermill has no types
    """Runs what papermill has prepared, and reports each cell to papermill, which saves the notebook.

    It blocks its caller, with a loop in a thread of its own.
    """

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        log_output: bool = False,  # noqa: FBT001, FBT002 - as papermill calls it
        stdout_file: TextIO | None = None,
        stderr_file: TextIO | None = None,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
        **options: Any,
    ) -> None:
        """Run ``nb_man.nb`` in place. Errors of cells are left to papermill, which finds them there."""
        report = _Report(nb_man, log_output=log_output, stdout=stdout_file, stderr=stderr_file)
        run = NotebookRun(
            nb_man.nb,
            kernels=launching(kernel_name, as_jupyter=True, startup_timeout=start_timeout),
            options=RunOptions(timeout=execution_timeout or options.get("timeout")),
            on_progress=report.heard,
        )
        try:
            notebook = run_blocking(run.execute)
        except CellFailed as error:
            notebook = error.notebook
            if error.status == "timeout":
                raise CellTimeoutError(str(error)) from error
            if error.status == "died":
                raise DeadKernelError(str(error)) from error
        else:
            report.pass_over(len(nb_man.nb.cells))
        for cell, ran in zip(nb_man.nb.cells, notebook.cells, strict=True):
            _take_over(cell, ran)
        for name in ("language_info", "widgets"):
            if name in notebook.metadata:
                nb_man.nb.metadata[name] = notebook.metadata[name]


class _Report:
    """Tells papermill of cells, in the way its own engine does: also of those with nothing to run."""

    def __init__(
        self,
        nb_man: NotebookExecutionManager,
        *,
        log_output: bool,
        stdout: TextIO | None,
        stderr: TextIO | None,
    ) -> None:
        self._nb_man = nb_man
        self._log_output = log_output
        self._files = {"stdout": stdout, "stderr": stderr}
        self._next = 0

    def heard(self, event: NotebookEvent) -> None:
        """What papermill wants to know of it."""
        match event:
            case CellStarted(index=index):
                self.pass_over(index)
                self._nb_man.cell_start(self._nb_man.nb.cells[index], index)
            case CellOutput(message=Message() as message):
                self._write(message)
            case CellFinished(index=index):
                cell = self._nb_man.nb.cells[index]
                _take_over(cell, event.cell)
                if event.status != "ok" and not event.allowed:
                    self._nb_man.cell_exception(cell, cell_index=index)
                self._nb_man.cell_complete(cell, cell_index=index)
                self._next = index + 1

    def pass_over(self, index: int) -> None:
        """The cells before this one that had nothing to run."""
        for number in range(self._next, index):
            self._nb_man.cell_start(self._nb_man.nb.cells[number], number)
            self._nb_man.cell_complete(self._nb_man.nb.cells[number], cell_index=number)
        self._next = max(self._next, index)

    def _write(self, message: Message) -> None:
        content = message.content
        if message.msg_type == "stream":
            name, text = str(content.get("name")), as_text(content.get("text"))
            file = self._files.get(name)
            if file is not None:
                file.write(text)
                file.flush()
            if self._log_output:
                logger.log(logging.WARNING if name == "stderr" else logging.INFO, "%s", text)
        elif self._log_output and isinstance(data := content.get("data"), dict) and "text/plain" in data:
            logger.info("%s", as_text(data["text/plain"]))


def _take_over(cell: Any, ran: Any) -> None:
    """What the run has noted in a cell, where it ran."""
    if cell.cell_type != "code":
        return
    cell.outputs, cell.execution_count = (
        [from_dict(output) for output in ran["outputs"]],
        ran["execution_count"],
    )
    if "execution" in ran["metadata"]:
        cell.metadata["execution"] = from_dict(ran["metadata"]["execution"])
