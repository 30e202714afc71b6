"""What an earlier run left that need not be run again, and what rebuilds the kernel's state. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from . import policy
from .exceptions import CannotResume

Rebuild = Literal["all", "none"] | int
"""Which of the kept cells run once more, for what they do to the kernel: all, none, or from this index on."""

Cell = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The first ``kept`` cells stay as they are; of these, those from ``rebuild`` on run once more."""

    kept: int = 0
    rebuild: int = 0
    reason: str = ""

    def reruns(self, index: int) -> bool:
        """Whether a cell runs only to rebuild the kernel's state."""
        return self.rebuild <= index < self.kept


def resume(
    cells: Sequence[Cell],
    earlier: Sequence[Cell],
    *,
    rebuild: Rebuild,
    may_fail: Callable[[Cell], bool],
) -> Plan:
    """Which cells of an earlier run are good: those before the first that differs, is missing or did not end.

    Raises `CannotResume` for a ``rebuild`` that is no cell before the one to go on with.
    """
    kept, reason = 0, "all cells had been run"
    for cell, before in zip(cells, earlier, strict=False):
        why = _why_not(cell, before, may_fail)
        if why:
            reason = f"cell {kept + 1} {why}"
            break
        kept += 1
    else:
        if kept < len(cells):
            reason = f"cell {kept + 1} is not in it"
    return Plan(kept, _first(rebuild, kept), reason)


def _why_not(cell: Cell, before: Cell, may_fail: Callable[[Cell], bool]) -> str:
    if cell["cell_type"] != before["cell_type"] or policy.source(cell) != policy.source(before):
        return "has been changed"
    if not policy.runs(cell):
        return ""
    if not ended(before):
        return "had not ended"
    if failed(before) and not may_fail(cell):
        return "had failed"
    return ""


def _first(rebuild: Rebuild, kept: int) -> int:
    if rebuild == "all":
        return 0
    if rebuild == "none":
        return kept
    if not 0 <= rebuild <= kept:
        raise CannotResume(
            f"the state can be rebuilt from one of the first {kept} cells, which had been run, "
            f"not from cell {rebuild + 1}"
        )
    return rebuild


def ended(cell: Cell) -> bool:
    """Whether a run has noted that the kernel was done with this cell."""
    timing = cell["metadata"].get("execution")
    return isinstance(timing, Mapping) and "shell.execute_reply" in timing


def failed(cell: Cell) -> bool:
    """Whether the cell shows an error."""
    return any(output.get("output_type") == "error" for output in cell.get("outputs", ()))
