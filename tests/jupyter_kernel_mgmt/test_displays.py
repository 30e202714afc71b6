"""`DisplayRegistry`: later code updates what finished executions show, while somebody has the result."""

import gc
from weakref import ref

from jupyter_kernel_mgmt._displays import DisplayRegistry
from jupyter_kernel_mgmt._outputs import fold
from jupyter_kernel_mgmt.results import ExecutionResult
from jupyter_protocol import messages


def showing(*displays: tuple[str, str]) -> ExecutionResult:
    """The result of code that showed these texts under these display ids."""
    shown = [
        messages.display_data({"text/plain": text}, transient={"display_id": display_id})
        for text, display_id in displays
    ]
    outputs, by_id = fold(shown)
    return ExecutionResult("ok", 1, outputs, None, None, 0, displays=by_id)


def texts(result: ExecutionResult) -> list[str]:
    return [output["data"]["text/plain"] for output in result.outputs]


def test_an_update_changes_every_result_that_shows_the_display() -> None:
    """In place, data and metadata; other displays stay."""
    registry = DisplayRegistry()
    first, second = showing(("a", "one"), ("b", "two"), ("c", "one")), showing(("d", "one"))
    registry.add(first)
    registry.add(second)
    registry.update(messages.update_display_data({"text/plain": "new"}, "one", metadata={}))

    assert (texts(first), texts(second)) == (["new", "b", "new"], ["new"])
    registry.update(messages.update_display_data({"text/plain": "newer"}, "one"))
    assert (texts(first), texts(second)) == (["newer", "b", "newer"], ["newer"])


def test_an_update_of_what_nobody_shows_is_ignored() -> None:
    """Nor does an update without an id find the displays that have none."""
    registry, result = DisplayRegistry(), showing(("a", ""), ("b", "known"))
    registry.add(result)
    for display_id in ("unknown", ""):
        registry.update(messages.update_display_data({"text/plain": "new"}, display_id))

    assert texts(result) == ["a", "b"]


def test_results_are_not_kept_alive() -> None:
    """One that its caller dropped is freed, and its ids are forgotten unless another result shows them."""
    registry = DisplayRegistry()
    dropped, kept = showing(("a", "one"), ("b", "two")), showing(("c", "two"))
    registry.add(dropped)
    registry.add(kept)
    assert len(registry) == 2
    watched = ref(dropped)
    del dropped
    gc.collect()

    assert watched() is None
    assert len(registry) == 1
    registry.update(messages.update_display_data({"text/plain": "new"}, "two"))
    assert texts(kept) == ["new"]


def test_a_result_without_displays_and_no_result_leave_nothing_behind() -> None:
    """Most results show nothing that can be updated."""
    registry, result = DisplayRegistry(), showing(("a", ""))
    registry.add(result)
    registry.add(None)

    assert len(registry) == 0
