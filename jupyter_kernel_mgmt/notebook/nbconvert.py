"""`ExecutePreprocessor`: nbconvert's step that runs notebooks, done by this package. Needs nbconvert.

It has the name of nbconvert's own, and so its configuration: `use` puts it in that one's place, after which
``--execute``, ``--allow-errors`` and ``--ExecutePreprocessor.timeout=…`` mean what they did.
"""

from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert.exporters import Exporter
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from traitlets import Bool, Float, Unicode

from ..matching.hints import read_hints
from ..matching.record import read_record
from .blocking import run_blocking
from .exceptions import CellFailed
from .kernels import launching
from .run import NotebookRun, RunOptions

REPLACED = "nbconvert.preprocessors.ExecutePreprocessor"
NAME = f"{__name__}.ExecutePreprocessor"


def use(config: Any) -> None:
    """Let nbconvert run notebooks with this package; for its configuration file, where it is called ``c``."""
    before: list[Any] = Exporter.class_traits()["default_preprocessors"].default() or []
    config.Exporter.default_preprocessors = [NAME if name == REPLACED else name for name in before]


class ExecutePreprocessor(Preprocessor):
    """Runs the notebook's cells, on a kernel of its own in the directory of the notebook.

    It is the one that nbconvert's own would take: the kernelspec that the notebook names, or ``python3``,
    also where the notebook's project has an environment. Only what `with_kernel` has noted comes before that,
    and the language of one that names no kernel and is not in Python.

    ``timeout`` (None or below 0: no limit) and ``startup_timeout`` are in seconds. Raises what nbconvert's
    own does: nbclient's ``CellExecutionError``, ``CellTimeoutError`` and ``DeadKernelError``. It blocks its
    caller, with a loop in a thread of its own.
    """

    timeout = Float(None, allow_none=True, help="Seconds that a cell may run.").tag(config=True)
    startup_timeout = Float(60, help="Seconds that the kernel has to start.").tag(config=True)
    allow_errors = Bool(False, help="Go on after cells that fail.").tag(config=True)
    kernel_name = Unicode("", help="The kernel, in place of the one that the notebook names.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Run ``nb`` in place; ``resources["metadata"]["path"]`` is the kernel's directory."""
        run = NotebookRun(
            nb,
            kernels=launching(
                self.kernel_name or kernel_name(nb.metadata),
                as_jupyter=True,
                startup_timeout=self.startup_timeout,
            ),
            options=RunOptions(
                cwd=_directory(resources), timeout=_limit(self.timeout), allow_errors=self.allow_errors
            ),
        )
        try:
            nb.update(run_blocking(run.execute))
        except CellFailed as error:
            nb.update(error.notebook)
            raise _as_nbclient_says(error) from error
        return nb, resources


def kernel_name(metadata: object) -> str | None:
    """What nbconvert's own takes for a notebook; None where we know better: by a record or the language."""
    hints = read_hints(metadata)
    if read_record(metadata).kernel_type:
        return None
    return hints.name or ("python3" if hints.language == "python" else None)


def _directory(resources: dict[str, Any] | None) -> Path | None:
    path = (resources or {}).get("metadata", {}).get("path")
    return Path(path) if path else None


def _limit(timeout: float | None) -> float | None:
    return None if timeout is None or timeout < 0 else timeout


def _as_nbclient_says(error: CellFailed) -> Exception:
    cell = error.notebook.cells[error.index]
    if error.status == "timeout":
        return CellTimeoutError(f"{error}\n{cell.source}")
    if error.status == "died":
        return DeadKernelError(str(error))
    lines = [] if error.error is None else error.error.traceback
    name, value = (error.status, "") if error.error is None else (error.error.ename, error.error.evalue)
    return CellExecutionError("\n".join([str(error), cell.source, *lines]), name, value)
