"""Widget state from messages; what it becomes with real widgets is tested with real kernels."""

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt.notebook.widgets import WIDGET_STATE_TYPE, Disposition, WidgetState
from jupyter_protocol import Message, messages

OUTPUT = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel"}
SLIDER = {
    "_model_module": "@jupyter-widgets/controls",
    "_model_name": "IntSliderModel",
    "_model_module_version": "2.0.0",
    "value": 1,
}
CELL = messages.execute_request("a cell")
OTHER = messages.execute_request("another")
LEFT = Disposition(consumed=False)
CONSUMED = Disposition(consumed=True)


def opening(comm_id: str, state: dict[str, Any], **more: Any) -> Message:
    return messages.comm_open(comm_id, "jupyter.widget", {"state": state, "buffer_paths": []}, **more)


def update(comm_id: str, state: dict[str, Any], paths: Any = (), buffers: Any = (), **more: Any) -> Message:
    data = {"method": "update", "state": state, "buffer_paths": list(paths)} | more
    return messages.comm_msg(comm_id, data, buffers=buffers)


def capture(comm_id: str, request: Message | None) -> Message:
    return update(comm_id, {"msg_id": request.msg_id if request else ""})


def text(text: str, parent: Message = CELL) -> Message:
    return messages.stream("stdout", text, parent=parent)


def idle(parent: Message = CELL) -> Message:
    return messages.status("idle", parent=parent)


def widgets(*fed: Message) -> WidgetState:
    state = WidgetState()
    for message in fed:
        state.feed(message)
    return state


def states(state: WidgetState) -> dict[str, Any]:
    found: dict[str, Any] = state.metadata().get(WIDGET_STATE_TYPE, {}).get("state", {})
    return found


def texts(state: WidgetState, comm_id: str) -> list[str]:
    return [output["text"] for output in states(state)[comm_id]["state"]["outputs"]]


# The state


def test_the_metadata_is_what_the_schema_says():
    """With the models' names beside their states; updates take their place in it."""
    state = widgets(opening("s", SLIDER), update("s", {"value": 5}), update("s", {"max": 9}))
    assert state.metadata() == {
        "application/vnd.jupyter.widget-state+json": {
            "state": {
                "s": {
                    "model_name": "IntSliderModel",
                    "model_module": "@jupyter-widgets/controls",
                    "model_module_version": "2.0.0",
                    "state": SLIDER | {"value": 5, "max": 9},
                }
            },
            "version_major": 2,
            "version_minor": 0,
        }
    }


def test_without_widgets_there_is_no_metadata():
    """A comm of another target is none, whatever it says about a state."""
    assert WidgetState().metadata() == {}
    state = WidgetState()
    assert state.feed(messages.comm_open("c", "other", {"state": SLIDER})) == LEFT
    assert state.feed(update("c", SLIDER)) == LEFT
    assert state.feed(messages.comm_close("c")) == LEFT
    assert state.metadata() == {}


def test_echoes_are_updates_and_custom_messages_are_not():
    """What another front end sent is the widget's state, too."""
    state = widgets(opening("s", SLIDER), update("s", {"value": 7}, method="echo_update"))
    state.feed(messages.comm_msg("s", {"method": "custom", "content": {"state": {"value": 8}}}))
    assert states(state)["s"]["state"]["value"] == 7


def test_a_closed_widget_stays():
    """Outputs that show it do."""
    state = widgets(opening("s", SLIDER))
    assert state.feed(messages.comm_close("s")) == CONSUMED
    assert states(state)["s"]["state"] == SLIDER


def test_messages_and_metadata_are_left_as_they_are():
    """What was given out before does not change with what comes."""
    first, last = opening("o", OUTPUT | {"outputs": []}), update("o", {"x": 1})
    content = copy.deepcopy(first.content)
    state = widgets(first, capture("o", CELL), text("a"))
    before = state.metadata()
    kept = copy.deepcopy(before)
    for message in (last, text("b"), capture("o", None)):
        state.feed(message)
    assert (first.content, before) == (content, kept)
    assert texts(state, "o") == ["ab"]


# Buffers


def buffers(state: WidgetState) -> dict[tuple[Any, ...], bytes]:
    entries = states(state)["s"].get("buffers", [])
    assert all(entry["encoding"] == "base64" for entry in entries)
    return {tuple(entry["path"]): base64.b64decode(entry["data"]) for entry in entries}


def test_buffers_stand_beside_the_state_with_their_paths():
    """As base64; a later one takes the place of an earlier one."""
    state = widgets(opening("s", SLIDER), update("s", {}, [["value"], ["a", 0, "b"]], [b"\x00\xff", b"two"]))
    assert buffers(state) == {("value",): b"\x00\xff", ("a", 0, "b"): b"two"}
    state.feed(update("s", {}, [["value"]], [memoryview(bytearray(b"new"))]))
    assert buffers(state) == {("value",): b"new", ("a", 0, "b"): b"two"}


@pytest.mark.parametrize(
    "news",
    [update("s", {"a": None}), update("s", {"a": [{}]}, [["a", 0, "b"]], [b"1"])],
    ids=["plain value", "shorter list"],
)
def test_a_value_that_is_replaced_takes_its_buffers_with_it(news):
    """Their paths may lead nowhere in the new one."""
    state = widgets(
        opening("s", SLIDER), update("s", {"a": [{}, {}]}, [["a", 0, "b"], ["a", 1, "b"]], [b"1", b"2"])
    )
    state.feed(news)
    assert buffers(state).keys() == ({("a", 0, "b")} if news.buffers else set())


def test_a_widget_without_buffers_has_no_such_field():
    """It is optional in the schema."""
    assert "buffers" not in states(widgets(opening("s", SLIDER)))["s"]


# Capturing


def test_outputs_of_the_captured_request_go_to_the_widget():
    """From the update that names it until the one that does not; those of other requests stay in cells."""
    state = widgets(opening("o", OUTPUT | {"outputs": [], "msg_id": ""}))
    assert state.feed(text("before")) == LEFT
    assert state.feed(capture("o", CELL)) == CONSUMED
    assert state.feed(text("one ")) == CONSUMED
    assert state.feed(text("elsewhere", OTHER)) == LEFT
    assert state.feed(messages.stream("stdout", "no parent")) == LEFT
    assert state.feed(text("two")) == CONSUMED
    assert state.feed(messages.execute_input("code", 1, parent=CELL)) == LEFT
    assert state.feed(capture("o", None)) == CONSUMED
    assert state.feed(text("after")) == LEFT
    assert texts(state, "o") == ["one two"]


def test_every_kind_of_output_is_captured():
    """As nbformat has it."""
    state = widgets(
        opening("o", OUTPUT),
        capture("o", CELL),
        messages.display_data({"text/plain": "d"}, parent=CELL),
        messages.execute_result(3, {"text/plain": "r"}, parent=CELL),
        messages.error("E", "v", ["t"], parent=CELL),
    )
    assert states(state)["o"]["state"]["outputs"] == [
        {"output_type": "display_data", "data": {"text/plain": "d"}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/plain": "r"}, "metadata": {}, "execution_count": 3},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]},
    ]


def test_the_innermost_widget_captures():
    """Also when the outer one ends first, which a kernel may do in threads."""
    state = widgets(opening("a", OUTPUT), opening("b", OUTPUT), capture("a", CELL), text("a"))
    for message in (capture("b", CELL), text("b"), capture("b", None), text("A")):
        state.feed(message)
    for message in (capture("b", CELL), capture("a", None), text("B"), capture("b", None)):
        state.feed(message)
    assert (texts(state, "a"), texts(state, "b")) == (["aA"], ["bB"])
    assert state.feed(text("cell")) == LEFT


def test_a_widget_captures_one_request_at_a_time():
    """The next takes the place of the one before; the same one again changes nothing."""
    state = widgets(opening("o", OUTPUT), capture("o", CELL), capture("o", CELL), capture("o", OTHER))
    assert state.feed(text("cell")) == LEFT
    assert state.feed(text("other", OTHER)) == CONSUMED
    state.feed(capture("o", None))
    assert state.feed(text("other", OTHER)) == LEFT


def test_a_widget_may_capture_from_its_opening_on():
    """And one that is closed, or opened anew, does so no longer."""
    state = widgets(opening("o", OUTPUT | {"msg_id": CELL.msg_id}))
    assert state.feed(text("one")) == CONSUMED
    state.feed(messages.comm_close("o"))
    assert state.feed(text("two")) == LEFT
    assert texts(state, "o") == ["one"]
    state.feed(opening("o", OUTPUT | {"msg_id": CELL.msg_id}))
    state.feed(opening("o", OUTPUT | {"outputs": []}))
    assert state.feed(text("three")) == LEFT


@pytest.mark.parametrize("module", ["@jupyter-widgets/controls", "@jupyter-widgets/output"])
def test_only_output_widgets_capture(module):
    """Both names of the model count."""
    state = widgets(
        opening("s", {"_model_module": module, "_model_name": "IntSliderModel"}), capture("s", CELL)
    )
    assert state.feed(text("cell")) == LEFT


def test_clearing_in_a_widget():
    """At once, or with the next output; the cell's are not touched."""
    clear, later = (messages.clear_output(wait=wait, parent=CELL) for wait in (False, True))
    state = widgets(opening("o", OUTPUT | {"outputs": []}), capture("o", CELL), text("a"))
    assert state.feed(later) == CONSUMED
    assert texts(state, "o") == ["a"]
    state.feed(text("b"))
    assert texts(state, "o") == ["b"]
    assert state.feed(clear) == CONSUMED
    assert texts(state, "o") == []
    assert WidgetState().feed(clear) == LEFT


def test_outputs_that_the_kernel_sets():
    """They are kept as they are, and what is captured then comes after them, or joins them."""
    one = {"output_type": "stream", "name": "stdout", "text": ["o", "ne"]}
    state = widgets(opening("o", OUTPUT | {"outputs": ["junk", one]}), capture("o", CELL))
    assert states(state)["o"]["state"]["outputs"] == ["junk", one]
    state.feed(text(" two"))
    assert states(state)["o"]["state"]["outputs"] == ["junk", one | {"text": "one two"}]
    state.feed(messages.stream("stderr", "!", parent=CELL))
    state.feed(update("o", {"outputs": [one]}))
    state.feed(messages.stream("stderr", "!", parent=CELL))
    assert texts(state, "o") == [["o", "ne"], "!"]


def test_a_display_is_updated_wherever_a_widget_shows_it():
    """The message is left for displays in cells; without the display it changes nothing."""
    shown = messages.display_data({"text/plain": "old"}, transient={"display_id": "d"}, parent=CELL)
    plain = messages.display_data({"text/plain": "plain"}, parent=CELL)
    state = widgets(opening("o", OUTPUT), capture("o", CELL), plain, shown, capture("o", None), idle())
    for name in ("d", "elsewhere", ""):
        news = messages.update_display_data({"text/plain": f"new {name}"}, name, parent=OTHER)
        assert state.feed(news) == LEFT
    outputs = states(state)["o"]["state"]["outputs"]
    assert [output["data"]["text/plain"] for output in outputs] == ["plain", "new d"]
    assert len(state.feed(idle(OTHER)).send) == 1


# What the kernel is told


def test_the_kernel_is_told_once_when_it_is_idle():
    """All that a widget shows, as an update whose cause is the request that was captured."""
    state = widgets(opening("o", OUTPUT), opening("p", OUTPUT), capture("o", CELL), text("a"), text("b"))
    assert state.feed(messages.status("busy", parent=OTHER)) == LEFT
    disposition = state.feed(idle())
    assert not disposition.consumed
    (news,) = disposition.send
    assert (news.msg_type, news.parent_id) == ("comm_msg", CELL.msg_id)
    outputs = [{"output_type": "stream", "name": "stdout", "text": "ab"}]
    assert news.content == {
        "comm_id": "o",
        "data": {"method": "update", "state": {"outputs": outputs}, "buffer_paths": []},
    }
    assert state.feed(idle()) == LEFT


def test_the_kernel_is_told_of_clearing_but_not_of_one_that_waits():
    """Nothing has changed yet while it waits."""
    state = widgets(opening("o", OUTPUT), capture("o", CELL), text("a"), idle())
    state.feed(messages.clear_output(wait=True, parent=CELL))
    assert state.feed(idle()) == LEFT
    state.feed(messages.clear_output(parent=CELL))
    (news,) = state.feed(idle()).send
    assert news.content["data"]["state"] == {"outputs": []}


def test_the_kernel_is_not_told_what_it_said():
    """Its own update takes the place of what it did not know."""
    state = widgets(opening("o", OUTPUT), capture("o", CELL), text("a"), update("o", {"outputs": []}))
    assert state.feed(idle()) == LEFT


def test_an_echo_of_what_was_told_changes_nothing():
    """It may be older than what was captured since."""
    state = widgets(opening("o", OUTPUT), capture("o", CELL), text("a"), idle(), text("b"))
    state.feed(update("o", {"outputs": ["old"], "layout": "new"}, method="echo_update"))
    assert texts(state, "o") == ["ab"]
    assert states(state)["o"]["state"]["layout"] == "new"


def test_a_closed_widget_is_told_nothing():
    """Nobody would hear."""
    state = widgets(opening("o", OUTPUT), capture("o", CELL), text("a"), messages.comm_close("o"))
    assert state.feed(idle()) == LEFT
    assert texts(state, "o") == ["a"]


# Whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "o", "jupyter.widget", CELL.msg_id]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["state", "outputs", "msg_id", "text", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)
TYPES = ["comm_open", "comm_msg", "comm_close", "stream", "clear_output", "status", "update_display_data"]
FIELDS = ["comm_id", "target_name", "data", "text", "name", "wait", "transient", "execution_state"]
STATES = st.dictionaries(st.sampled_from(["outputs", "msg_id", "_model_name", "_model_module"]), JSON)
ODD = st.builds(
    lambda kind, content: messages.new_message(kind, content, parent=CELL, buffers=[b"1", b"2"]),
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(FIELDS), JSON),
) | st.builds(
    lambda state, paths: update("o", state, buffer_paths=paths),
    STATES,
    JSON | st.lists(st.lists(st.sampled_from(["a", 0, None, 1.5, True]), max_size=2)),
)


@given(st.lists(ODD))
def test_odd_messages_raise_nothing(odd):
    """And leave a widget that goes on working."""
    state = widgets(opening("o", OUTPUT | {"outputs": []}), capture("o", CELL))
    for message in odd:
        state.feed(message)
        state.metadata()
    state.feed(opening("p", OUTPUT))
    state.feed(capture("p", OTHER))
    assert state.feed(text("as ever", OTHER)).consumed
    assert texts(state, "p") == ["as ever"]
