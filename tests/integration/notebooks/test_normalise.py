"""What chance put in is taken out, and nothing else."""

from typing import Any

import pytest

from ._normalise import at, differing, normalised

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def notebook(*outputs: dict[str, Any], widgets: dict[str, Any] | None = None, **cell: Any) -> dict[str, Any]:
    """One code cell with these outputs."""
    metadata = {"widgets": {STATE: {"state": widgets}}} if widgets else {}
    cell = {"cell_type": "code", "metadata": {}, "outputs": list(outputs), "source": "", **cell}
    return {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def said(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def result(text: str, **data: Any) -> dict[str, Any]:
    return {"output_type": "execute_result", "data": {"text/plain": text, **data}, "metadata": {}}


def with_widgets(one: str, other: str, *, shown: int = 0) -> dict[str, Any]:
    state = {one: {"state": {"layout": f"IPY_MODEL_{other}"}}, other: {"state": {"width": None}}}
    return notebook(result("Widget()", **{VIEW: {"model_id": (one, other)[shown]}}), widgets=state)


ALIKE = {
    "a stream that was cut": (notebook(said("a"), said("b")), notebook(said("ab"))),
    "times": (notebook(metadata={"execution": {"x": "1"}}), notebook(metadata={"execution": {"x": "2"}})),
    "new ids of cells": (notebook(id="0123abcd"), notebook(id="4567cdef")),
    "addresses": (notebook(result("<f at 0x7f0123456789>")), notebook(result("<f at 0x7fabcdefabcd>"))),
    "files of cells": (notebook(said("/tmp/ipykernel_1/2.py")), notebook(said("/tmp/ipykernel_34/2.py"))),
    "models of widgets": (with_widgets("a" * 32, "b" * 32), with_widgets("d" * 32, "c" * 32)),
}
UNLIKE = {
    "two streams": (notebook(said("a"), said("b", "stderr")), notebook(said("ab"))),
    "order": (notebook(said("a"), said("b", "stderr")), notebook(said("b", "stderr"), said("a"))),
    "text": (notebook(said("a")), notebook(said("a\n"))),
    "ids that were given": (notebook(id="cell-1"), notebook(id="cell-2")),
    "short hexadecimal numbers": (notebook(result("0x10")), notebook(result("0x11"))),
    "an output without text": (notebook(), notebook(said(""))),
    "the model that is shown": (with_widgets("a" * 32, "b" * 32), with_widgets("a" * 32, "b" * 32, shown=1)),
    "a name of a time": (
        notebook(metadata={"execution": {"x": "1"}}),
        notebook(metadata={"execution": {}}),
    ),
}


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE)
def test_what_chance_put_in_is_taken_out(pair: tuple[Any, Any]) -> None:
    """Notebooks that differ in this alone are the same afterwards, and were not before."""
    one, other = pair
    assert one != other
    assert list(differing(normalised(one), normalised(other))) == []


@pytest.mark.parametrize("pair", UNLIKE.values(), ids=UNLIKE)
def test_all_else_is_kept(pair: tuple[Any, Any]) -> None:
    """What is close to what is taken out still tells two notebooks apart."""
    one, other = pair
    assert list(differing(normalised(one), normalised(other))) != []


def test_normalising_leaves_the_notebook_as_it_is() -> None:
    """It makes another one."""
    given = notebook(said("a"), said("b"), id="0123abcd")
    normalised(given)
    assert given == notebook(said("a"), said("b"), id="0123abcd")


def test_a_difference_is_told_by_its_place() -> None:
    """As a path to the value, or to the list whose length differs, which leads there again."""
    one = {"a": [{"b": 1, "c": [1]}], "d": None}
    other = {"a": [{"b": 2, "c": []}]}
    assert list(differing(one, other)) == ["a[0].b", "a[0].c", "d"]
    assert [at(one, place) for place in differing(one, other)] == [1, [1], None]
    assert at(other, "d") is None
