"""What is done with a cell: its tags and the options of the run. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

Cell = Mapping[str, Any]

SKIP_TAG = "skip-execution"
RAISES_TAG = "raises-exception"


def runs(cell: Cell) -> bool:
    """Whether there is something to run: code that is not blank and not tagged ``skip-execution``."""
    return cell["cell_type"] == "code" and bool(source(cell).strip()) and SKIP_TAG not in tags(cell)


def may_fail(cell: Cell, allow_errors: "bool | Callable[[Cell], bool]") -> bool:
    """Whether the run goes on after an error in this cell: by the option, or its tag ``raises-exception``."""
    return (allow_errors(cell) if callable(allow_errors) else allow_errors) or RAISES_TAG in tags(cell)


def seconds(cell: Cell, timeout: "float | Callable[[Cell], float | None] | None") -> float | None:
    """How long this cell may run; None: as long as it likes."""
    return timeout(cell) if callable(timeout) else timeout


def tags(cell: Cell) -> list[str]:
    """The cell's tags."""
    found: list[str] = cell["metadata"].get("tags", [])
    return found


def source(cell: Cell) -> str:
    """The cell's text in one piece."""
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)
