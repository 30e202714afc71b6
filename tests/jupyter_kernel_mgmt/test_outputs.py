"""From messages to what a notebook shows; kernels misbehave, and folding never raises."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt import _outputs
from jupyter_kernel_mgmt._router import OUTPUT_TYPES
from jupyter_protocol import Message, messages

Content = dict[str, Any]


def fold(parts: Any) -> list[dict[str, Any]]:
    return _outputs.fold(parts)[0]


def shown(*parts: Message) -> list[Any]:
    """Outputs in short: text of streams, data of everything else."""
    return [
        (o["name"], o["text"]) if o["output_type"] == "stream" else o.get("data", o.get("ename"))
        for o in fold(parts)
    ]


def out(text: str) -> Message:
    return messages.stream("stdout", text)


def err(text: str) -> Message:
    return messages.stream("stderr", text)


def display(text: str, display_id: str | None = None) -> Message:
    transient = None if display_id is None else {"display_id": display_id}
    return messages.display_data({"text/plain": text}, transient=transient)


def update(text: str, display_id: str) -> Message:
    return messages.update_display_data({"text/plain": text}, display_id)


def test_neighbouring_text_of_one_stream_is_joined() -> None:
    """Another stream or another output between them ends the joining."""
    assert shown(out("a"), out("b"), err("c"), out("d"), display("e"), out("f"), out("g")) == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "d"),
        {"text/plain": "e"},
        ("stdout", "fg"),
    ]


def test_each_type_becomes_what_nbformat_wants() -> None:
    """The fields of nbformat 4, and no others."""
    parts = [
        out("text"),
        messages.display_data({"image/png": "aa"}, data_metadata={"width": 3}),
        messages.execute_result(7, {"text/plain": "42"}),
        messages.error("ValueError", "no", ["line"]),
    ]

    assert fold(parts) == [
        {"output_type": "stream", "name": "stdout", "text": "text"},
        {"output_type": "display_data", "data": {"image/png": "aa"}, "metadata": {"width": 3}},
        {
            "output_type": "execute_result",
            "data": {"text/plain": "42"},
            "metadata": {},
            "execution_count": 7,
        },
        {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["line"]},
    ]


def test_clear_output_clears_at_once() -> None:
    """What comes later stays."""
    assert shown(out("a"), display("b"), messages.clear_output(), out("c")) == [("stdout", "c")]
    assert shown(out("a"), messages.clear_output()) == []


def test_clear_output_that_waits_clears_with_the_next_output() -> None:
    """Without a next output everything stays; text after it is not joined to what it replaces."""
    wait = messages.clear_output(wait=True)

    assert shown(out("a"), wait) == [("stdout", "a")]
    assert shown(out("a"), wait, out("b"), out("c")) == [("stdout", "bc")]
    assert shown(out("a"), wait, wait, display("b"), out("c")) == [{"text/plain": "b"}, ("stdout", "c")]


def test_a_clear_at_once_settles_one_that_waits() -> None:
    """After both, the next two outputs stay."""
    parts = [out("a"), messages.clear_output(wait=True), messages.clear_output(), out("b"), display("c")]

    assert shown(*parts) == [("stdout", "b"), {"text/plain": "c"}]


def test_update_display_data_replaces_all_that_was_shown_under_its_id() -> None:
    """Data and metadata of each; other displays stay, and nothing is added."""
    parts = [
        display("a", "one"),
        display("b", "two"),
        display("c", "one"),
        messages.update_display_data({"text/plain": "new"}, "one", data_metadata={"k": 1}),
    ]

    assert shown(*parts) == [{"text/plain": "new"}, {"text/plain": "b"}, {"text/plain": "new"}]
    assert [o["metadata"] for o in fold(parts)] == [{"k": 1}, {}, {"k": 1}]


def test_a_result_with_a_display_id_is_updated_too() -> None:
    """IPython's display handles work on results as well."""
    result = messages.execute_result(1, {"text/plain": "old"}, transient={"display_id": "x"})

    assert shown(result, update("new", "x")) == [{"text/plain": "new"}]


def test_an_update_for_an_unknown_display_is_ignored() -> None:
    """The display belongs to another execution, or was never there."""
    assert shown(update("new", "unknown"), display("a", "other")) == [{"text/plain": "a"}]


def test_an_update_of_what_was_cleared_brings_nothing_back() -> None:
    """And does not disturb what is there now."""
    parts = [display("a", "x"), messages.clear_output(), display("b"), update("new", "x")]

    assert shown(*parts) == [{"text/plain": "b"}]


def test_an_update_is_no_output_that_a_waiting_clear_waits_for() -> None:
    """The clear waits for what takes the old output's place."""
    parts = [display("a", "x"), messages.clear_output(wait=True), update("new", "x")]

    assert shown(*parts) == [{"text/plain": "new"}]


def test_the_messages_themselves_stay_as_they_are() -> None:
    """An iterating reader sees what was sent, not what became of it."""
    first = display("a", "x")
    fold([first, update("new", "x"), out("b"), out("c")])

    assert first.content["data"] == {"text/plain": "a"}


MALFORMED = [
    {},
    {"name": None, "text": None},
    {"name": 3, "text": 4},
    {"name": ["stdout"], "text": ["a"]},
    {"name": {"a": 1}, "text": {"b": 2}},
    {"data": None, "metadata": None, "transient": None},
    {"data": "text", "metadata": 3, "transient": "x"},
    {"data": [1], "metadata": [2], "transient": [3]},
    {"transient": {"display_id": None}},
    {"transient": {"display_id": ["a"]}},
    {"ename": None, "evalue": 3, "traceback": None},
    {"ename": ["x"], "evalue": {}, "traceback": "line"},
    {"wait": "yes"},
    {"wait": None},
    {"execution_count": "seven"},
]


def check_nbformat(outputs: list[dict[str, Any]]) -> None:
    """The types that nbformat 4 asks for, so that whoever reads a result need not check again."""
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            assert isinstance(output["name"], str)
            assert isinstance(output["text"], str)
        elif kind == "error":
            assert isinstance(output["ename"], str)
            assert isinstance(output["evalue"], str)
            assert isinstance(output["traceback"], list)
        else:
            assert kind in ("display_data", "execute_result")
            assert isinstance(output["data"], dict)
            assert isinstance(output["metadata"], dict)


@pytest.mark.parametrize("msg_type", sorted(OUTPUT_TYPES))
@pytest.mark.parametrize("content", MALFORMED, ids=repr)
def test_malformed_contents_are_no_reason_to_fail(msg_type: str, content: Content) -> None:
    """Beside good messages, before, after and between them; what comes out has the right types."""
    bad = messages.new_message(msg_type, content)

    outputs = fold([out("a"), display("b", "x"), bad, out("c"), bad, bad, err("d"), update("e", "x"), bad])

    check_nbformat(outputs)
    if msg_type != "clear_output":
        assert outputs[0] == {"output_type": "stream", "name": "stdout", "text": "a"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ["name", "text", "data", "metadata", "transient", "wait", "ename", "evalue", "traceback"]
CONTENTS = st.dictionaries(st.sampled_from(FIELDS), JSON | st.just("stdout"), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(sorted(OUTPUT_TYPES)), CONTENTS), max_size=8))
def test_no_content_whatever_makes_it_raise(parts: list[tuple[str, Content]]) -> None:
    """Any JSON in any field of any output message."""
    check_nbformat(fold(messages.new_message(msg_type, dict(content)) for msg_type, content in parts))


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=5)), max_size=12))
def test_no_text_is_lost_in_joining(writes: list[tuple[Any, str]]) -> None:
    """All text of each stream, in order, and no two neighbours of the same stream."""
    outputs = fold(messages.stream(name, text) for name, text in writes)

    for name in ("stdout", "stderr"):
        written = "".join(text for other, text in writes if other == name)
        assert "".join(o["text"] for o in outputs if o["name"] == name) == written
    assert all(a["name"] != b["name"] for a, b in pairwise(outputs))
