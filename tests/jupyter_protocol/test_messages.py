"""Messages and their constructors."""

import inspect
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_protocol import Message, Session, messages

REQUEST = Message({}, {"msg_id": "1", "msg_type": "execute_request", "alien": 1}, idents=[b"client", b"hop"])

# Messaging in Jupyter, by section; one row for every message type of the specification and the JEPs.
CONSTRUCTED: dict[str, tuple[Callable[..., Message], tuple[Any, ...], dict[str, Any]]] = {
    # shell
    "execute_request": (
        messages.execute_request,
        ("1",),
        {
            "code": "1",
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        },
    ),
    "execute_reply": (
        messages.execute_reply,
        (3,),
        {"status": "ok", "execution_count": 3, "user_expressions": {}, "payload": []},
    ),
    "inspect_request": (
        messages.inspect_request,
        ("ab",),
        {"code": "ab", "cursor_pos": 2, "detail_level": 0},
    ),
    "inspect_reply": (
        messages.inspect_reply,
        (None,),
        {"status": "ok", "found": False, "data": {}, "metadata": {}},
    ),
    "complete_request": (messages.complete_request, ("é😀",), {"code": "é😀", "cursor_pos": 2}),
    "complete_reply": (
        messages.complete_reply,
        (("a",), 0, 1),
        {"status": "ok", "matches": ["a"], "cursor_start": 0, "cursor_end": 1, "metadata": {}},
    ),
    "history_request": (
        messages.history_request,
        (),
        {"output": False, "raw": True, "hist_access_type": "tail", "n": 10},
    ),
    "history_reply": (messages.history_reply, ([[0, 1, "a"]],), {"status": "ok", "history": [[0, 1, "a"]]}),
    "is_complete_request": (messages.is_complete_request, ("a",), {"code": "a"}),
    "is_complete_reply": (messages.is_complete_reply, ("complete",), {"status": "complete"}),
    "connect_request": (messages.connect_request, (), {}),
    "connect_reply": (messages.connect_reply, ({"shell_port": 1},), {"status": "ok", "shell_port": 1}),
    "comm_info_request": (messages.comm_info_request, (), {}),
    "comm_info_reply": (messages.comm_info_reply, ({},), {"status": "ok", "comms": {}}),
    "kernel_info_request": (messages.kernel_info_request, (), {}),
    "kernel_info_reply": (
        messages.kernel_info_reply,
        ("k", "1", {"name": "l"}),
        {
            "status": "ok",
            "protocol_version": "5.5",
            "implementation": "k",
            "implementation_version": "1",
            "language_info": {"name": "l"},
            "banner": "",
            "debugger": False,
            "help_links": [],
            "supported_features": [],
        },
    ),
    # control
    "shutdown_request": (messages.shutdown_request, (), {"restart": False}),
    "shutdown_reply": (messages.shutdown_reply, (), {"status": "ok", "restart": False}),
    "interrupt_request": (messages.interrupt_request, (), {}),
    "interrupt_reply": (messages.interrupt_reply, (), {"status": "ok"}),
    "debug_request": (messages.debug_request, ({"seq": 1},), {"seq": 1}),
    "debug_reply": (messages.debug_reply, ({"seq": 2},), {"seq": 2}),
    "create_subshell_request": (messages.create_subshell_request, (), {}),
    "create_subshell_reply": (messages.create_subshell_reply, ("s",), {"status": "ok", "subshell_id": "s"}),
    "delete_subshell_request": (messages.delete_subshell_request, ("s",), {"subshell_id": "s"}),
    "delete_subshell_reply": (messages.delete_subshell_reply, (), {"status": "ok"}),
    "list_subshell_request": (messages.list_subshell_request, (), {}),
    "list_subshell_reply": (messages.list_subshell_reply, (("s",),), {"status": "ok", "subshell_id": ["s"]}),
    # iopub
    "stream": (messages.stream, ("stdout", "a"), {"name": "stdout", "text": "a"}),
    "display_data": (
        messages.display_data,
        ({"a/b": 1},),
        {"data": {"a/b": 1}, "metadata": {}, "transient": {}},
    ),
    "update_display_data": (
        messages.update_display_data,
        ({}, "d"),
        {"data": {}, "metadata": {}, "transient": {"display_id": "d"}},
    ),
    "execute_input": (messages.execute_input, ("a", 1), {"code": "a", "execution_count": 1}),
    "execute_result": (
        messages.execute_result,
        (1, {}),
        {"execution_count": 1, "data": {}, "metadata": {}, "transient": {}},
    ),
    "error": (messages.error, ("E", "v", ("t",)), {"ename": "E", "evalue": "v", "traceback": ["t"]}),
    "status": (messages.status, ("busy",), {"execution_state": "busy"}),
    "clear_output": (messages.clear_output, (), {"wait": False}),
    "debug_event": (messages.debug_event, ({"seq": 3},), {"seq": 3}),
    "iopub_welcome": (messages.iopub_welcome, ("",), {"subscription": ""}),
    # stdin
    "input_request": (messages.input_request, (), {"prompt": "", "password": False}),
    "input_reply": (messages.input_reply, ("v",), {"value": "v", "status": "ok"}),
    # either way
    "comm_open": (messages.comm_open, ("c", "t"), {"comm_id": "c", "target_name": "t", "data": {}}),
    "comm_msg": (messages.comm_msg, ("c", {"a": 1}), {"comm_id": "c", "data": {"a": 1}}),
    "comm_close": (messages.comm_close, ("c",), {"comm_id": "c", "data": {}}),
}
TO_A_SENDER = {name for name in CONSTRUCTED if name.endswith("_reply")} - {"input_reply"} | {"input_request"}
NOT_CONSTRUCTORS = {"Envelope", "Frame", "JSONDict", "Message", "new_message", "new_reply", "error_reply"}


def test_every_message_type_of_the_specification_has_a_constructor() -> None:
    """The table above is the list; nothing else is offered."""
    assert set(messages.__all__) - NOT_CONSTRUCTORS == set(CONSTRUCTED)


@pytest.mark.parametrize("msg_type", CONSTRUCTED)
def test_a_constructor_makes_its_type_with_the_content_of_the_specification(msg_type: str) -> None:
    """Type and content of each, with the defaults."""
    make, arguments, content = CONSTRUCTED[msg_type]
    message = make(*arguments)

    assert message.msg_type == msg_type == make.__name__
    assert message.content == content
    assert set(message.header) == {"msg_id", "msg_type", "date"}
    assert (message.parent_header, message.metadata, message.buffers, message.idents) == ({}, {}, [], [])


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize("msg_type", CONSTRUCTED)
def test_every_constructor_round_trips_with_its_envelope(msg_type: str, packer: str) -> None:
    """What one end makes the other reads: content, parent, metadata and buffers."""
    make, arguments, _ = CONSTRUCTED[msg_type]
    sent = make(*arguments, parent=REQUEST, metadata={"m": 1}, buffers=[b"one", bytearray(b"two")])
    frames = [bytes(frame) for frame in Session("k", packer=packer).serialize(sent)]
    received = Session("k", packer=packer).deserialize(frames)

    assert received.content == sent.content
    assert received.header.items() >= sent.header.items()
    assert received.parent_header == REQUEST.header
    assert received.metadata == {"m": 1}
    assert received.buffers == [b"one", b"two"]
    assert received.idents == sent.idents


@pytest.mark.parametrize("msg_type", CONSTRUCTED)
def test_replies_and_only_replies_are_addressed_to_the_sender_of_their_parent(msg_type: str) -> None:
    """An input request is addressed too: it goes to the client whose code asks."""
    make, arguments, _ = CONSTRUCTED[msg_type]
    message = make(*arguments, parent=REQUEST)

    assert message.idents == (REQUEST.idents if msg_type in TO_A_SENDER else [])
    assert message.idents is not REQUEST.idents
    assert message.parent_header is REQUEST.header


@pytest.mark.parametrize("make", [row[0] for row in CONSTRUCTED.values()], ids=CONSTRUCTED)
def test_a_misspelt_option_is_an_error(make: Callable[..., Message]) -> None:
    """No option is ignored in silence."""
    arguments = CONSTRUCTED[make.__name__][1]
    with pytest.raises(TypeError, match="subshel_id"):
        make(*arguments, subshel_id="x")


@pytest.mark.parametrize("make", [row[0] for row in CONSTRUCTED.values()], ids=CONSTRUCTED)
def test_flags_are_keyword_only(make: Callable[..., Message]) -> None:
    """A True among the arguments would say nothing."""
    for parameter in inspect.signature(make).parameters.values():
        assert parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or not isinstance(
            parameter.default, bool
        )


def test_an_error_reply_takes_its_type_from_its_parent() -> None:
    """One constructor for the failing reply to any request."""
    reply = messages.error_reply(
        REQUEST, "E", "v", ["t"], execution_count=4, metadata={"m": 1}, buffers=[b"b"]
    )

    assert reply.msg_type == "execute_reply"
    assert reply.content == {
        "status": "error",
        "ename": "E",
        "evalue": "v",
        "traceback": ["t"],
        "execution_count": 4,
    }
    assert (reply.idents, reply.metadata, reply.buffers) == (REQUEST.idents, {"m": 1}, [b"b"])
    completion = messages.complete_request("a")
    assert "execution_count" not in messages.error_reply(completion, "E", "v").content


def test_a_failed_execution_has_a_count_too() -> None:
    """Clients show it in their prompt, and fall over a reply without it."""
    with pytest.raises(ValueError, match="execution_count is missing"):
        messages.error_reply(messages.execute_request("1 / 0"), "E", "v")


def test_a_subshell_is_chosen_in_the_header() -> None:
    """JEP 91: the field is only there when it is asked for."""
    assert messages.execute_request("1", subshell_id="s").header["subshell_id"] == "s"
    assert "subshell_id" not in messages.execute_request("1").header


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"hist_access_type": "range"}, "session, start, stop missing"),
        ({"hist_access_type": "range", "session": 0, "stop": 0}, "start missing"),
        ({"hist_access_type": "search"}, "pattern missing"),
        ({"hist_access_type": "search", "n": 3, "start": 1}, "pattern missing"),
    ],
)
def test_history_is_not_asked_for_without_what_selects_it(given: dict[str, Any], missing: str) -> None:
    """Kernels would answer something else, or fail."""
    with pytest.raises(ValueError, match=f"^{missing}"):
        messages.history_request(**given)


OPTIONS: list[tuple[Message, dict[str, Any]]] = [
    (messages.execute_reply(1, status="aborted"), {"status": "aborted", "execution_count": 1}),
    (messages.execute_request("", user_expressions={"a": "b"}), {"user_expressions": {"a": "b"}}),
    (messages.inspect_request("abc", cursor_pos=1, detail_level=1), {"cursor_pos": 1, "detail_level": 1}),
    (messages.inspect_reply({"a/b": 1}), {"found": True, "data": {"a/b": 1}}),
    (messages.complete_request("abc", cursor_pos=0), {"cursor_pos": 0}),
    (
        messages.history_request(hist_access_type="search", pattern="a", n=2),
        {"pattern": "a", "n": 2, "unique": False},
    ),
    (
        messages.history_request(hist_access_type="range", session=0, start=1, stop=2),
        {"session": 0, "start": 1},
    ),
    (messages.is_complete_reply("incomplete", indent="  "), {"status": "incomplete", "indent": "  "}),
    (messages.comm_info_request(target_name="t"), {"target_name": "t"}),
    (messages.comm_open("c", "t", {"a": 1}, target_module="m"), {"target_module": "m", "data": {"a": 1}}),
    (
        messages.display_data({}, data_metadata={"a": 1}, transient={"display_id": "d"}),
        {"metadata": {"a": 1}},
    ),
]


@pytest.mark.parametrize(("message", "part"), OPTIONS, ids=lambda value: getattr(value, "msg_type", None))
def test_options_arrive_in_the_content(message: Message, part: dict[str, Any]) -> None:
    """Each option has its field."""
    assert message.content.items() >= part.items()


def test_the_date_is_an_aware_time_stamp_of_now() -> None:
    """ISO 8601 with microseconds, parsed when asked for."""
    message = messages.kernel_info_request()

    assert message.date is not None
    assert message.date.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - message.date) < timedelta(hours=1)
    assert message.header["date"] == message.date.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_dates_never_run_backwards_while_messages_are_made() -> None:
    """Also across the change of a second."""
    dates = [messages.status("busy").header["date"] for _ in range(20_000)]
    assert dates == sorted(dates)


DATES = [
    ("2024-02-29T12:34:56.789Z", datetime(2024, 2, 29, 12, 34, 56, 789000, UTC)),
    ("2024-02-29T12:34:56+00:00", datetime(2024, 2, 29, 12, 34, 56, 0, UTC)),
    ("2024-02-29T12:34:56.789012", datetime(2024, 2, 29, 12, 34, 56, 789012)),  # noqa: DTZ001 - an old kernel's
    ("yesterday", None),
    ("2024-13-01T00:00:00Z", None),
    ("\ud800", None),
    ("", None),
    (None, None),
    (12345, None),
    ({}, None),
]


@pytest.mark.parametrize(("text", "date"), DATES, ids=lambda value: ascii(value))
def test_a_date_is_parsed_or_none(text: object, date: datetime | None) -> None:
    """A kernel's strange date is no reason to fail."""
    assert Message({}, {"date": text}).date == date
    assert Message({}, {}).date is None


@given(st.text(st.characters(codec=None)))
def test_any_text_is_a_date_or_none(text: str) -> None:
    """No text in a header makes reading its date raise."""
    date = Message({}, {"date": text}).date
    assert date is None or isinstance(date, datetime)


def test_ids_are_unique_in_all_threads() -> None:
    """Messages may be made anywhere."""
    ids: list[str] = []

    def make() -> None:
        ids.extend([messages.interrupt_request().msg_id for _ in range(5_000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 20_000


FORK = """
import os
from jupyter_protocol import messages
def ids(): return [messages.status("busy").msg_id for _ in range(3)]
ids()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, " ".join(ids()).encode())
    os._exit(0)
ours = ids()
os.wait()
theirs = os.read(read, 10000).decode().split()
assert len(theirs) == 3, theirs
assert not set(ours) & set(theirs), (ours, theirs)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_ids_are_unique_after_a_fork() -> None:
    """The child does not go on counting where its parent was."""
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)


def test_header_fields_of_the_wrong_kind_are_none() -> None:
    """What is not text is no id."""
    message = Message({}, {"session": 1}, parent_header={"msg_id": ["x"]})

    assert message.session is None
    assert message.parent_id is None
    assert Message({}, {}).parent_id is None
    assert messages.status("idle", parent=REQUEST).parent_id == "1"


def test_the_four_dicts_are_the_very_objects_given() -> None:
    """Kept verbatim: nothing is copied, converted or filled in."""
    dicts: list[dict[str, Any]] = [{}, {}, {}, {}]
    message = Message(dicts[0], dicts[1], parent_header=dicts[2], metadata=dicts[3])

    kept = [message.content, message.header, message.parent_header, message.metadata]
    assert all(ours is theirs for ours, theirs in zip(kept, dicts, strict=True))


def test_repr_tells_type_and_ids_and_no_content() -> None:
    """Short, and without what users wrote."""
    message = messages.stream("stdout", "secret", parent=REQUEST, buffers=[b"hidden"])

    assert repr(message) == f"<Message stream {message.msg_id} parent=1, 1 buffers>"
    assert repr(Message({}, {})) == "<Message None None parent=None>"


def test_messages_take_no_other_attributes() -> None:
    """Slots: small, and a misspelt attribute is an error."""
    with pytest.raises(AttributeError):
        messages.status("busy").contents = {}  # type: ignore[attr-defined]
