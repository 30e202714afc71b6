"""Run notebooks on kernels. Needs the extra ``notebook``."""

from .batch import Outcome, run_all
from .choosing import Choice, choose_kernel
from .events import (
    CellFinished,
    CellOutput,
    CellStarted,
    NotebookEvent,
    NotebookFinished,
    NotebookStarted,
)
from .exceptions import (
    CannotResume,
    CannotSave,
    CellFailed,
    InvalidNotebook,
    NoKernelChosen,
    NotebookError,
    OutputInUse,
)
from .executor import execute_notebook
from .kernels import launching, lending, using
from .parameters import ParameterError
from .run import NotebookRun, RunOptions

__all__ = [
    # running
    "NotebookRun",
    "Outcome",
    "RunOptions",
    "execute_notebook",
    "run_all",
    # which kernel
    "Choice",
    "choose_kernel",
    "launching",
    "lending",
    "using",
    # what happens
    "CellFinished",
    "CellOutput",
    "CellStarted",
    "NotebookEvent",
    "NotebookFinished",
    "NotebookStarted",
    # errors
    "CannotResume",
    "CannotSave",
    "CellFailed",
    "InvalidNotebook",
    "NoKernelChosen",
    "NotebookError",
    "OutputInUse",
    "ParameterError",
]
