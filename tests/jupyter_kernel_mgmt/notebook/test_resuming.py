"""What an earlier run left that is still right."""

from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from jupyter_kernel_mgmt.notebook import CannotResume
from jupyter_kernel_mgmt.notebook.resuming import Plan, Rebuild, resume

ENDED = {"execution": {"shell.execute_reply": "2026-01-01T00:00:00Z"}}
ERROR = new_output("error", ename="E", evalue="v", traceback=[])


def cells(*sources: str) -> list[dict[str, Any]]:
    return [new_code_cell(source) for source in sources]


def ran(source: str, *outputs: Any) -> dict[str, Any]:
    cell: dict[str, Any] = new_code_cell(source, metadata=ENDED, outputs=list(outputs))
    return cell


def planned(now: list[Any], earlier: list[Any], rebuild: Rebuild = "all", may_fail: bool = False) -> Plan:
    return resume(now, earlier, rebuild=rebuild, may_fail=lambda cell: may_fail)


@pytest.mark.parametrize(
    ("earlier", "kept", "reason"),
    [
        ([ran("1"), ran("2"), ran("3")], 3, "all cells had been run"),
        ([ran("1"), ran("2"), new_code_cell("3")], 2, "cell 3 had not ended"),
        ([ran("1"), ran("2", ERROR), ran("3")], 1, "cell 2 had failed"),
        ([ran("1"), ran("other"), ran("3")], 1, "cell 2 has been changed"),
        ([ran("1"), new_markdown_cell("2"), ran("3")], 1, "cell 2 has been changed"),
        ([ran("1")], 1, "cell 2 is not in it"),
        ([], 0, "cell 1 is not in it"),
    ],
)
def test_cells_are_kept_up_to_the_first_that_is_not_right(earlier: list[Any], kept: int, reason: str) -> None:
    """It says why it goes on where it does."""
    plan = planned(cells("1", "2", "3"), earlier)
    assert (plan.kept, plan.reason) == (kept, reason)


def test_what_is_not_run_cannot_be_unfinished() -> None:
    """Text, blank code and skipped cells are kept with those around them."""
    now = [new_markdown_cell("a"), new_code_cell(" "), new_code_cell("1")]
    assert planned(now, [new_markdown_cell("a"), new_code_cell(" "), ran("1")]).kept == 3


def test_an_error_that_was_allowed_is_a_result() -> None:
    assert planned(cells("1", "2"), [ran("1", ERROR), ran("2")], may_fail=True).kept == 2


@pytest.mark.parametrize(
    ("rebuild", "again"), [("all", [0, 1]), ("none", []), (1, [1]), (0, [0, 1]), (2, [])]
)
def test_state_is_rebuilt_as_asked(rebuild: Rebuild, again: list[int]) -> None:
    """By all kept cells, by none, or by those from one on."""
    plan = planned(cells("1", "2", "3"), [ran("1"), ran("2")], rebuild)
    assert [index for index in range(3) if plan.reruns(index)] == again


@pytest.mark.parametrize("rebuild", [3, -1])
def test_state_cannot_be_rebuilt_from_what_was_not_run(rebuild: int) -> None:
    with pytest.raises(CannotResume, match=f"the first 2 cells, .* not from cell {rebuild + 1}"):
        planned(cells("1", "2", "3"), [ran("1"), ran("2")], rebuild)
