"""What running a notebook raises on purpose.

::

    KernelError
    └── NotebookError
        ├── InvalidNotebook (ValueError)   it cannot be read, or is no notebook
        ├── NoKernelChosen                 there is no kernel that clearly fits it
        ├── CellFailed                     a cell failed, and nothing allows that; the rest was not run
        ├── OutputInUse                    another run writes the same file
        ├── CannotSave (OSError)           what was run could not be written
        └── CannotResume                   what there is of an earlier run cannot be gone on with
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..exceptions import KernelError
from ..results import ErrorInfo

if TYPE_CHECKING:
    from nbformat import NotebookNode

FailureStatus = Literal["error", "aborted", "interrupted", "timeout", "died"]


class NotebookError(KernelError):
    """The base of these. ``notebook`` is what has been run so far, or None before anything was."""

    notebook: "NotebookNode | None" = None


class InvalidNotebook(NotebookError, ValueError):
    """What was given is no notebook; the text says where and why."""


class NoKernelChosen(NotebookError):
    """The notebook fits no kernel type, or none clearly. ``candidates`` are those that fit, or else all.

    ``reasons`` say for candidates why they would fit, or what keeps them from being launched.
    """

    def __init__(
        self, reason: str, candidates: Sequence[str], *, reasons: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.candidates = tuple(candidates)
        self.reasons = dict(reasons or {})

    def __str__(self) -> str:
        if not self.candidates:
            return f"{self.reason}; there are no kernel types at all: install a kernel, such as ipykernel"
        shown = [f"{one} ({self.reasons[one]})" if one in self.reasons else one for one in self.candidates]
        return f"{self.reason}; name one of: {', '.join(shown)}"


class CellFailed(NotebookError):
    """A cell failed. ``index`` counts all cells from 0; the notebook holds what it wrote, its error included.

    ``status`` is ``"error"`` (``error`` has name, value and traceback), ``"timeout"``, ``"interrupted"``,
    ``"aborted"`` or ``"died"``; then the `KernelDied` is the cause.
    """

    notebook: "NotebookNode"

    def __init__(
        self, index: int, status: FailureStatus, error: ErrorInfo | None, notebook: "NotebookNode"
    ) -> None:
        super().__init__(index, status)
        self.index = index
        self.status: FailureStatus = status
        self.error = error
        self.notebook = notebook

    def __str__(self) -> str:
        text = f"cell {self.index + 1} {_WORDS[self.status]}"
        if self.status == "died":
            return f"{text}: {self.__cause__}" if self.__cause__ else text
        if self.status == "error" and self.error is not None:
            return ": ".join(filter(None, [text, self.error.ename, self.error.evalue]))
        return text


_WORDS = {
    "error": "failed",
    "aborted": "was not run by the kernel",
    "interrupted": "was interrupted",
    "timeout": "took too long",
    "died": "ended the kernel",
}


class OutputInUse(NotebookError):
    """Another run writes ``path`` at this moment."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is being written by another run: choose another output, or wait for that one"


class CannotSave(NotebookError, OSError):
    """The output could not be written; the file has what was written before."""

    def __str__(self) -> str:
        return str(self.strerror)


class CannotResume(NotebookError):
    """There is nothing to go on with, or rebuilding the kernel's state failed."""
