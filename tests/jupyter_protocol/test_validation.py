"""`validate`: what is accepted, what is refused and how that is told."""

import re
import string
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_protocol import InvalidMessage, Message, Problem, Session, messages, problems, validate
from jupyter_protocol.validation import validate_registration
from jupyter_protocol.validation.inspection import RULES

from ._examples import (
    BUNDLE,
    EXAMPLES,
    KERNEL,
    LANGUAGE,
    REGISTRATION,
    Place,
    changed,
    msg_type,
    request,
    travelled,
    without,
)

NOT_CONSTRUCTORS = {"Envelope", "Frame", "JSONDict", "Message", "new_message", "new_reply", "error_reply"}
CONSTRUCTORS = set(messages.__all__) - NOT_CONSTRUCTORS


def fields(message: Message) -> list[str]:
    """All places where the message is wrong."""
    found: list[Problem] = list(problems(message))
    return [problem.field for problem in found]


def refusal(message: Message) -> InvalidMessage:
    """What `validate` raises."""
    with pytest.raises(InvalidMessage) as caught:
        validate(message)
    return caught.value


# --- what is right


def test_every_type_of_the_specification_has_a_rule_and_an_example() -> None:
    """Each constructor's type, the handshake, and nothing that nobody made up an example for."""
    assert set(RULES) == CONSTRUCTORS | {"handshake_request", "handshake_reply"}
    assert {msg_type(name) for name in EXAMPLES} == {*RULES, "custom", "custom_reply"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_constructors_make_is_valid(example: str) -> None:
    """As it is made, before a session has completed it."""
    validate(EXAMPLES[example])


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_what_constructors_make_is_valid_where_it_arrives(example: str, packer: str) -> None:
    """Packing, signing and unpacking leave it valid."""
    validate(travelled(EXAMPLES[example], Session("k", packer=packer)))


text, whole, flag = st.text(), st.integers(), st.booleans()
natural = st.integers(0)
anything = st.recursive(
    st.none() | flag | whole | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(text, anything, max_size=3)
names = st.text(string.ascii_letters + string.digits + "+.-", min_size=1).filter(
    lambda name: name[0].isalnum()
)
bundles = st.dictionaries(names.map(lambda name: f"text/{name}x"), text, max_size=3) | st.dictionaries(
    names.map(lambda name: f"application/{name}"), anything, max_size=3
)
display = {"data_metadata": st.dictionaries(names, anything, max_size=3)}
ARGUMENTS: dict[Callable[..., Message], tuple[list[st.SearchStrategy[Any]], dict[str, Any]]] = {
    messages.execute_request: (
        [text],
        {
            **dict.fromkeys(("silent", "store_history", "allow_stdin", "stop_on_error"), flag),
            "user_expressions": st.dictionaries(text, text),
            "subshell_id": text,
            "metadata": objects,
        },
    ),
    messages.execute_reply: (
        [natural],
        {"payload": st.lists(objects.map(lambda one: {**one, "source": "s"}))},
    ),
    messages.inspect_request: ([text], {"detail_level": st.sampled_from([0, 1])}),
    messages.inspect_reply: ([st.none() | bundles], display),
    messages.complete_request: ([text], {}),
    messages.complete_reply: ([st.lists(text), natural, natural], {"match_metadata": objects}),
    messages.history_request: ([], {"n": whole, "output": flag, "raw": flag}),
    messages.history_reply: ([st.lists(st.tuples(whole, whole, text | st.tuples(text, text)))], {}),
    messages.is_complete_reply: (
        [st.sampled_from(["complete", "incomplete", "invalid", "unknown"])],
        {"indent": text},
    ),
    messages.comm_info_reply: ([st.dictionaries(text, text.map(lambda name: {"target_name": name}))], {}),
    messages.kernel_info_reply: (
        [text, text, text.map(lambda name: {**LANGUAGE, "name": name})],
        {"banner": text, "debugger": flag, "supported_features": st.lists(text)},
    ),
    messages.shutdown_request: ([], {"restart": flag}),
    messages.list_subshell_reply: ([st.lists(text)], {}),
    messages.stream: ([st.sampled_from(["stdout", "stderr"]), text], {}),
    messages.display_data: ([bundles], display),
    messages.update_display_data: ([bundles, text], display),
    messages.execute_result: ([natural, bundles], display),
    messages.error: ([text, text, st.lists(text)], {}),
    messages.clear_output: ([], {"wait": flag}),
    messages.iopub_welcome: ([text], {}),
    messages.input_request: ([text], {"password": flag}),
    messages.input_reply: ([text], {}),
    messages.comm_open: ([text, text, objects], {"target_module": text}),
    messages.comm_msg: ([text, objects], {}),
}


@pytest.mark.parametrize("make", ARGUMENTS, ids=lambda make: make.__name__)
def test_constructors_make_valid_messages_of_whatever_they_are_meant_to_take(
    make: Callable[..., Message],
) -> None:
    """Any text, number and object."""
    positional, keywords = ARGUMENTS[make]
    needed = {name: keywords[name] for name in keywords.keys() & {"n"}}
    if make.__name__.endswith("_reply"):
        needed["parent"] = st.just(request(make.__name__.replace("_reply", "_request")))
    optional = {name: values for name, values in keywords.items() if name not in needed}

    @given(st.tuples(*positional), st.fixed_dictionaries(needed, optional=optional))
    def check(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        validate(make(*arguments, **options))

    check()


def test_unknown_fields_are_accepted_wherever_they_are() -> None:
    """Both sides should allow extra fields in known message types ("Compatibility")."""
    for message in EXAMPLES.values():
        for place in [("header",), ("parent_header",), ("metadata",), ("content",)]:
            if place != ("parent_header",) or message.parent_header:
                validate(changed(message, (*place, "alien"), [{"a": None}]))
    for example, place in [
        ("execute_reply", ("user_expressions", "good")),
        ("execute_reply", ("payload", 0)),
        ("kernel_info_reply", ("language_info",)),
        ("kernel_info_reply, full", ("help_links", 0)),
        ("comm_info_reply", ("comms", "c")),
        ("display_data", ("transient",)),
        ("debug_reply, debugInfo", ("body", "breakpoints", 0)),
    ]:
        validate(changed(EXAMPLES[example], ("content", *place, "alien"), [{"a": None}]))


@given(st.text(), objects)
def test_other_types_are_custom_messages_with_a_content_of_their_own(
    name: str, content: dict[str, Any]
) -> None:
    """The specification allows unexpected message types."""
    message = messages.new_message(f"x{name}", content)
    assert fields(message) == (["parent_header"] if name.endswith("_reply") else [])
    validate(messages.new_message(f"x{name}", content, parent=request("whatever")))


# --- header, parent header, metadata

STAMPED = changed(travelled(EXAMPLES["execute_request"]), ("header", "subshell_id"), "s")
REPLY = travelled(EXAMPLES["kernel_info_reply"], KERNEL)
HEADER = ("msg_id", "msg_type", "session", "username", "date", "version")


@pytest.mark.parametrize("name", HEADER)
@pytest.mark.parametrize("part", ["header", "parent_header"])
def test_a_header_has_all_its_fields(part: str, name: str) -> None:
    """Without one of them it is refused, and so is the copy of such a header."""
    wrong = without(REPLY, (part, name))
    assert fields(wrong)[0] == f"{part}.{name}"
    assert refusal(wrong).field == f"{part}.{name}"


@pytest.mark.parametrize("value", [None, 5, True, ["5"], {}])
@pytest.mark.parametrize("name", [*HEADER, "subshell_id"])
def test_what_is_in_a_header_is_text(name: str, value: object) -> None:
    """Except for a subshell_id, which may be null (JEP 91)."""
    wrong = changed(STAMPED, ("header", name), value)
    assert fields(wrong)[:1] == ([] if (name, value) == ("subshell_id", None) else [f"header.{name}"])


DATES = [
    ("2024-02-29T12:34:56.789Z", True),
    ("2024-02-29T12:34:56.789012+01:00", True),
    ("2024-02-29 12:34:56", True),
    ("2016-12-31T23:59:60Z", True),
    ("2017-01-01 00:59:60.25+01:00", True),
    ("20161231T235960Z", True),
    ("2016-12-31T23:59:61Z", False),
    ("2016-12-31T23:60:00Z", False),
    ("2024-02-29", False),
    ("20240229", False),
    ("2024-W09-4", False),
    ("12:34:56", False),
    ("yesterday", False),
    ("2024-02-30T12:34:56Z", False),
    ("", False),
    ("\ud800", False),
]


@pytest.mark.parametrize(("date", "right"), DATES, ids=lambda value: ascii(value))
def test_a_date_is_one_of_iso_8601(date: str, right: bool) -> None:
    """Its zone may be missing."""
    assert fields(changed(STAMPED, ("header", "date"), date)) == ([] if right else ["header.date"])


@pytest.mark.parametrize(
    ("version", "right"), [("5.0", True), ("5.0.0", True), ("5.1", False), ("5.10", False)]
)
def test_a_date_may_be_missing_before_5_1(version: str, right: bool) -> None:
    """It became mandatory then."""
    old = changed(STAMPED, ("header", "version"), version)
    assert fields(without(old, ("header", "date"))) == ([] if right else ["header.date"])
    assert fields(changed(old, ("header", "date"), 5)) == ["header.date"]


@pytest.mark.parametrize("version", ["5", "v5.5", "5.5 ", "5.5-beta", "", "\u0665.5"])
def test_a_version_is_numbers_with_dots(version: str) -> None:
    """And nothing else."""
    assert fields(changed(STAMPED, ("header", "version"), version)) == ["header.version"]


def test_a_message_made_here_needs_no_session_yet_but_all_or_nothing_of_it() -> None:
    """Session.serialize adds session, username and version."""
    made = messages.execute_request("1")
    validate(made)
    begun = changed(made, ("header", "session"), "s")
    assert fields(begun) == ["header.username", "header.version"]
    validate(messages.execute_reply(1, parent=made))
    assert fields(changed(messages.execute_reply(1, parent=made), ("header", "session"), "s"))[2:] == [
        "parent_header.session",
        "parent_header.username",
        "parent_header.version",
    ]


def test_a_message_that_came_in_needs_a_session() -> None:
    """Its size tells that it came in."""
    bare = Message({}, messages.interrupt_request().header, size=2)
    assert fields(bare) == ["header.session", "header.username", "header.version"]


@pytest.mark.parametrize("example", [name for name in EXAMPLES if msg_type(name).endswith("_reply")])
def test_a_reply_has_a_parent(example: str) -> None:
    """It MUST have, says the specification of all replies."""
    assert fields(changed(EXAMPLES[example], ("parent_header",), {})) == ["parent_header"]


@pytest.mark.parametrize("example", [name for name in EXAMPLES if msg_type(name).endswith("_reply")])
def test_the_parent_of_a_reply_is_the_request(example: str) -> None:
    """Of a type that is known; what a custom reply answers nobody knows."""
    other = changed(EXAMPLES[example], ("parent_header", "msg_type"), "comm_msg")
    assert fields(other) == ([] if example == "custom_reply" else ["parent_header.msg_type"])


def test_other_messages_may_have_a_parent_or_none() -> None:
    """Side effects typically have one."""
    for parent in (None, request("execute_request"), request("comm_msg")):
        validate(messages.stream("stdout", "a", parent=parent))
    wrong = messages.stream("stdout", "a", parent=without(request("comm_msg"), ("header", "msg_id")))
    assert fields(wrong) == ["parent_header.msg_id"]


def test_a_welcome_has_no_parent() -> None:
    """Welcome messages cannot identify the client that they are for."""
    error = refusal(messages.iopub_welcome("", parent=request("execute_request")))
    assert error.field == "parent_header"
    assert "Welcome message" in str(error)


@pytest.mark.parametrize("part", ["header", "parent_header", "metadata", "content"])
@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_the_four_parts_are_objects(part: str, value: object) -> None:
    """Of messages of every type, known or not."""
    for message in (REPLY, travelled(EXAMPLES["custom"])):
        assert part in fields(changed(message, (part,), value))


@pytest.mark.parametrize("part", ["header", "parent_header", "metadata", "content"])
def test_names_of_fields_are_text(part: str) -> None:
    """JSON has no others, and would change these without a word."""
    error = refusal(changed(REPLY, (part, 5), "a"))
    assert error.field == f"{part}[5]"
    assert "expected text as its name, found an integer as its name" in str(error).replace(
        "should be", "expected"
    )


# --- contents beyond required fields and their types

WRONG: list[tuple[str, Place, object, str]] = [
    # an integer is no boolean, nor the other way round, and no number with a fraction
    ("execute_request", ("silent",), 0, "silent"),
    ("execute_input", ("execution_count",), True, "execution_count"),
    ("execute_input", ("execution_count",), 1.0, "execution_count"),
    ("inspect_request", ("detail_level",), True, "detail_level"),
    ("inspect_request", ("detail_level",), 2, "detail_level"),
    # vocabularies
    ("execute_reply", ("status",), "abortion", "status"),
    ("execute_reply", ("status",), None, "status"),
    ("is_complete_reply", ("status",), "ok", "status"),
    ("history_request", ("hist_access_type",), "head", "hist_access_type"),
    ("stream", ("name",), "stdlog", "name"),
    ("status", ("execution_state",), "restarting", "execution_state"),
    ("handshake_reply", ("status",), "aborted", "status"),
    # what is optional has a type all the same
    ("execute_request", ("store_history",), "yes", "store_history"),
    ("execute_request", ("user_expressions", "a"), 1, "user_expressions['a']"),
    ("execute_reply", ("payload", 0, "source"), 1, "payload[0].source"),
    ("execute_reply", ("user_expressions", "good", "data"), [], "user_expressions['good'].data"),
    ("execute_reply", ("user_expressions", "bad", "traceback"), "t", "user_expressions['bad'].traceback"),
    ("history_request", ("session",), "1", "session"),
    ("history_request", ("unique",), None, "unique"),
    ("connect_reply", ("hb_port",), "1", "hb_port"),
    ("comm_info_request", ("target_name",), None, "target_name"),
    ("kernel_info_reply", ("debugger",), "no", "debugger"),
    ("kernel_info_reply", ("protocol_version",), "five", "protocol_version"),
    ("kernel_info_reply", ("supported_features",), {}, "supported_features"),
    ("kernel_info_reply, full", ("help_links", 0, "url"), 1, "help_links[0].url"),
    ("kernel_info_reply, full", ("language_info", "codemirror_mode"), 1, "language_info.codemirror_mode"),
    ("display_data", ("transient",), None, "transient"),
    ("display_data", ("transient", "display_id"), 1, "transient.display_id"),
    ("input_reply", ("status",), "no", "status"),
    # lists and what is in them
    ("error", ("traceback",), "t", "traceback"),
    ("error", ("traceback", 0), 1, "traceback[0]"),
    ("complete_reply", ("matches", 0), None, "matches[0]"),
    ("history_reply", ("history", 1), [0, 1], "history[1]"),
    ("history_reply", ("history", 1, 0), "0", "history[1][0]"),
    ("history_reply", ("history", 1, 2), ["b"], "history[1][2]"),
    ("comm_info_reply", ("comms", "c"), {}, "comms['c'].target_name"),
    ("comm_open", ("data",), [], "data"),
    # what a reply has whatever its status
    ("execute_reply, error", ("execution_count",), None, "execution_count"),
    ("execute_reply, aborted", ("execution_count",), "1", "execution_count"),
    # what must not be there
    ("is_complete_reply", ("indent",), "", "indent"),
    ("execute_reply, aborted", ("ename",), "E", "ename"),
    ("execute_reply, aborted", ("user_expressions",), {}, "user_expressions"),
    # the cursor
    ("inspect_request", ("cursor_pos",), -1, "cursor_pos"),
    ("inspect_request", ("cursor_pos",), 3, "cursor_pos"),
    ("complete_reply", ("cursor_start",), -3, "cursor_start"),
    ("complete_reply", ("cursor_end",), -1, "cursor_end"),
    # counts
    ("execute_reply", ("execution_count",), -1, "execution_count"),
    ("execute_reply, error", ("execution_count",), -1, "execution_count"),
    ("execute_input", ("execution_count",), -1, "execution_count"),
    ("execute_result", ("execution_count",), -1, "execution_count"),
    ("complete_request", ("cursor_pos",), 4, "cursor_pos"),  # as UTF-16 counts them
    # the debugger's
    ("debug_request, dumpCell", ("type",), "response", "type"),
    (
        "debug_reply, debugInfo",
        ("body", "breakpoints", 0, "breakpoints", 0),
        {},
        "body.breakpoints[0].breakpoints[0].line",
    ),
    ("debug_reply, debugInfo", ("body", "hashSeed"), 1, "body.hashSeed"),
    ("debug_reply, failed", ("message",), 1, "message"),
    ("debug_event", ("event",), None, "event"),
    # ports
    ("handshake_request", ("shell_port",), 0, "shell_port"),
    ("handshake_request", ("shell_port",), 65536, "shell_port"),
    ("handshake_request", ("shell_port",), "1", "shell_port"),
]


@pytest.mark.parametrize(("example", "place", "value", "field"), WRONG)
def test_a_value_that_is_not_as_specified_is_refused_by_name(
    example: str, place: Place, value: object, field: str
) -> None:
    """And nothing else is found wrong."""
    message = EXAMPLES[example]
    wrong = changed(message, ("content", *place), value)
    assert fields(wrong) == [f"content.{field}"]
    assert refusal(wrong).field == f"content.{field}"


RIGHT: list[tuple[str, Place, object]] = [
    ("execute_reply, error", ("payload",), []),  # "should be omitted"
    ("execute_reply, error", ("user_expressions",), 5),
    ("execute_reply, aborted", ("alien",), 1),
    ("execute_result", ("data",), {"text/html": "no plain text"}),
    ("input_reply", ("status",), "ok"),
    ("kernel_info_reply, full", ("language_info", "codemirror_mode"), "l"),
    ("comm_open", ("target_module",), None),  # no field of 5.5 any more; ipykernel sends null
    ("debug_request, setBreakpoints", ("arguments",), 5),
    ("debug_reply, failed", ("body",), {"error": {}}),
    ("execute_request", ("user_expressions",), {}),
    ("execute_reply", ("execution_count",), 0),
]


@pytest.mark.parametrize(("example", "place", "value"), RIGHT)
def test_what_the_specification_leaves_open_is_accepted(example: str, place: Place, value: object) -> None:
    """It is strict about what it says, and about no more."""
    validate(changed(EXAMPLES[example], ("content", *place), value))


OPTIONAL = [
    ("execute_request", "silent"),
    ("execute_request", "store_history"),
    ("execute_reply", "payload"),
    ("inspect_request", "detail_level"),
    ("history_request, search", "unique"),
    ("connect_reply", "shell_port"),
    ("kernel_info_reply", "debugger"),
    ("kernel_info_reply", "help_links"),
    ("kernel_info_reply", "supported_features"),
    ("display_data", "transient"),
    ("execute_result", "transient"),
    ("input_reply", "status"),
    ("debug_reply, failed", "message"),
    ("debug_reply, setExpression", "body"),
]


@pytest.mark.parametrize(("example", "name"), OPTIONAL)
def test_what_is_optional_deprecated_or_has_a_default_may_be_missing(example: str, name: str) -> None:
    """As the specification says of each."""
    validate(without(EXAMPLES[example], ("content", name)))


@pytest.mark.parametrize("name", ["pygments_lexer", "codemirror_mode", "nbconvert_exporter"])
def test_a_language_may_have_no_tools(name: str) -> None:
    """They are only needed if they differ from its name."""
    validate(without(EXAMPLES["kernel_info_reply, full"], ("content", "language_info", name)))


@pytest.mark.parametrize("status", ["aborted", "abort"])
@pytest.mark.parametrize(
    "example", [name for name in EXAMPLES if msg_type(name) in RULES and "_reply" in name]
)
def test_every_reply_may_be_aborted_and_says_no_more_then(example: str, status: str) -> None:
    """Only execute_reply has its count whatever the status; the specification has two words for it."""
    content: dict[str, Any] = {"status": status} | ({"execution_count": 1} if "execute" in example else {})
    aborted = changed(EXAMPLES[example], ("content",), content)
    assert fields(aborted) == (["content.status"] if "handshake" in example else [])
    for name in () if "handshake" in example else ("ename", "evalue", "traceback"):
        assert fields(changed(aborted, ("content", name), "x")) == [f"content.{name}"]


@pytest.mark.parametrize(
    "example", [name for name in EXAMPLES if msg_type(name) in RULES and "_reply" in name]
)
@pytest.mark.parametrize("name", ["ename", "evalue", "traceback"])
def test_every_reply_may_fail_and_tells_the_error_then(example: str, name: str) -> None:
    """Except that of the handshake, which says no without a reason."""
    content = {"status": "error", "ename": "E", "evalue": "v", "traceback": []}
    failed = changed(EXAMPLES[example], ("content",), content | {"execution_count": 1})
    validate(failed)
    assert fields(without(failed, ("content", name))) == (
        [] if "handshake" in example else [f"content.{name}"]
    )


BUNDLES: list[tuple[dict[Any, Any], str]] = [
    ({}, ""),
    (BUNDLE, ""),
    ({"application/vnd.jupyter.widget-view+json": {"a": 1}, "application/json": None, "a/b": 1}, ""),
    ({"text/plain; charset=utf-8": "a", "text/x.y+json": {}, "image/png": "aGk="}, ""),
    ({"text/x-tree": {"a": []}, "image/x-layers": [], "audio/x-notes": [1], "video/mp4": None}, ""),
    ({"text/plain": ["a", "b"]}, "['text/plain']"),
    ({"text/plain": None}, "['text/plain']"),
    ({"image/png": b"\x89"}, "['image/png']"),
    ({"text/html;a=b": 1}, "['text/html;a=b']"),
    ({"text/markdown": {}}, "['text/markdown']"),
    ({"text/latex": 1}, "['text/latex']"),
    ({"image/svg+xml": []}, "['image/svg+xml']"),
    ({"image/jpeg": 1}, "['image/jpeg']"),
    ({"application/javascript": {}}, "['application/javascript']"),
    ({"text": "a"}, "['text']"),
    ({"": "a"}, "['']"),
    ({"text/plain/x": "a"}, "['text/plain/x']"),
    ({"text/ plain": "a"}, "['text/ plain']"),
    ({5: "a"}, "[5]"),
]


@pytest.mark.parametrize(("bundle", "place"), BUNDLES)
@pytest.mark.parametrize(
    "example", ["display_data", "update_display_data", "execute_result", "inspect_reply", "execute_reply"]
)
def test_a_bundle_holds_raw_data_by_mime_type(example: str, bundle: dict[Any, Any], place: str) -> None:
    """Of well-known types it is text, in base64 for some; of others it may be anything."""
    inside: Place = ("user_expressions", "good") if example == "execute_reply" else ()
    message = changed(EXAMPLES[example], ("content", *inside, "data"), bundle)
    within = "content.user_expressions['good'].data" if inside else "content.data"
    assert fields(message) == ([within + place] if place else [])


def test_metadata_for_one_type_of_a_bundle_is_an_object() -> None:
    """Beside it there may be anything under other names."""
    place = ("content", "metadata")
    validate(changed(EXAMPLES["display_data"], place, {"width": 3, "a": None, "a/b": {}}))
    wrong = changed(EXAMPLES["display_data"], place, {"image/png": 3})
    assert refusal(wrong).field == "content.metadata['image/png']"


def test_a_cursor_counts_code_points_since_5_2_and_nobody_knows_what_before() -> None:
    """Two code points, three units of UTF-16."""
    message = changed(travelled(EXAMPLES["complete_request"]), ("content", "cursor_pos"), 3)
    for version, wrong in {"5.0": False, "5.1": False, "5.2": True, "5.10": True, "6.0": True}.items():
        assert bool(fields(changed(message, ("header", "version"), version))) == wrong


# --- the handshake in the standard dialect


def test_a_registration_in_the_standard_dialect_has_its_ports_as_text() -> None:
    """All of it is required, and more may be there."""
    validate_registration(REGISTRATION | {"nonce": "x"})
    for name in REGISTRATION:
        for wrong in (
            {other: value for other, value in REGISTRATION.items() if other != name},
            REGISTRATION | {name: 5},
        ):
            with pytest.raises(
                InvalidMessage, match=f"registration: content.{name} should be .*Kernel startup"
            ):
                validate_registration(wrong)


@pytest.mark.parametrize("port", ["0", "65536", "70000", "00080", "-1", "8080 ", "\u0665", "", "1e3"])
def test_a_port_is_a_number_from_1_to_65535(port: str) -> None:
    """Written without anything around it."""
    with pytest.raises(InvalidMessage, match="shell_port should be a port as text, found another text"):
        validate_registration(REGISTRATION | {"shell_port": port})


def test_every_port_is_one() -> None:
    """The expression for it leaves none out, and takes no other."""
    accepted = []
    for number in range(100_000):
        with suppress(InvalidMessage):
            validate_registration(REGISTRATION | {"shell_port": str(number)})
            accepted.append(number)
    assert accepted == list(range(1, 65536))


def test_a_registration_that_is_no_object_is_refused() -> None:
    """As whatever else arrives."""
    with pytest.raises(InvalidMessage, match="content should be an object, found a list"):
        validate_registration([])  # type: ignore[arg-type]


# --- how it is told


def test_a_refusal_names_field_expectation_type_and_section() -> None:
    """In one line, and the field in an attribute too."""
    error = refusal(changed(EXAMPLES["stream"], ("content", "name"), None))
    assert str(error) == (
        "stream: content.name should be 'stdout' or 'stderr', found null (Messaging in Jupyter, \"Streams\")"
    )
    assert error.field == "content.name"
    assert InvalidMessage("any other reason").field is None


SECTIONS = [
    ("execute_reply", ("content", "status"), "Request-Reply"),
    ("execute_reply, error", ("content", "ename"), "Request-Reply"),
    ("execute_reply", ("content", "user_expressions"), "Execution results"),
    ("execute_reply", ("content", "payload", 0, "source"), "Payloads (DEPRECATED)"),
    ("execute_reply", ("content", "user_expressions", "bad", "ename"), "Execute"),
    ("execute_reply", ("header", "date"), "Message Header"),
    ("execute_reply", ("parent_header", "date"), "Parent header"),
    ("debug_reply, debugInfo", ("content", "body", "isStarted"), "debugInfo"),
    ("input_request", ("content", "prompt"), "Messages on the stdin (ROUTER/DEALER) channel"),
]


@pytest.mark.parametrize(("example", "place", "section"), SECTIONS)
def test_the_section_is_the_one_that_says_so(example: str, place: Place, section: str) -> None:
    """That of the field, and not only that of the type."""
    (problem,) = problems(without(EXAMPLES[example], place))
    assert problem.section == f'Messaging in Jupyter, "{section}"'


def test_the_handshake_of_ark_is_in_another_document() -> None:
    """Its messages are in no version of the specification."""
    assert 'JEP 66, "Kernel Handshaking pattern"' in str(
        refusal(without(EXAMPLES["handshake_request"], ("content", "hb_port")))
    )


def test_all_problems_are_told_and_the_first_is_raised() -> None:
    """In the order of header, parent header, metadata and content."""
    wrong = changed(changed(REPLY, ("content", "banner"), 5), ("content", "language_info", "name"), None)
    wrong = changed(without(wrong, ("header", "session")), ("metadata",), None)
    wrong = changed(wrong, ("parent_header",), {})
    assert fields(wrong) == [
        "header.session",
        "metadata",
        "parent_header",
        "content.language_info.name",
        "content.banner",
    ]
    assert refusal(wrong).field == "header.session"


def test_kinds_of_problems_are_few_however_many_names_there_are() -> None:
    """What depends on the message is left out of them, so that they can be counted without end."""
    comms = {f"c{n}": {} for n in range(50)}
    found = list(problems(changed(EXAMPLES["comm_info_reply"], ("content", "comms"), comms)))
    assert len({problem.field for problem in found}) == 50
    assert {problem.kind for problem in found} == {"comm_info_reply content.comms[*].target_name"}
    custom = [without(messages.new_message(f"x{n}", {}), ("header", "date")) for n in range(50)]
    assert {problem.kind for one in custom for problem in problems(one)} == {"custom message header.date"}


SECRET = "hunter2-hunter2"


def test_no_value_is_ever_told() -> None:
    """A secret in the place of any field is in no text about it, however wrong it is there."""
    for message in EXAMPLES.values():
        for name in message.content:
            for wrong in (SECRET, [SECRET], {"a": SECRET}, SECRET.encode()):
                for problem in problems(changed(message, ("content", name), wrong)):
                    assert SECRET not in repr(problem) + str(problem)
        for name in HEADER[2:]:
            for problem in problems(changed(message, ("header", name), SECRET)):
                assert SECRET not in repr(problem) + str(problem)


@given(st.text(st.characters(codec=None)))
def test_what_is_told_is_one_short_line(name: str) -> None:
    """Whatever names a message has."""
    message = messages.display_data({name * 100: 1}, data_metadata={f"a/b;{name}": 1})
    custom = Message({}, {"msg_type": name * 100})
    for problem in [*problems(message), *problems(custom)]:
        assert re.fullmatch(r"[ -~]{1,300}", str(problem))


@given(anything, anything, anything, anything, st.sampled_from([*RULES, "custom"]))
def test_whatever_a_message_holds_is_told_and_raises_nothing_else(
    content: Any, parent: Any, metadata: Any, header: Any, kind: str
) -> None:
    """Any JSON in any place."""
    message = Message({}, {"msg_type": kind})
    message.content, message.parent_header, message.metadata = content, parent, metadata
    list(problems(message))
    message.header = header
    list(problems(message))


@given(st.sampled_from(list(EXAMPLES)), st.data())
def test_any_value_in_any_field_is_told_and_raises_nothing_else(example: str, data: st.DataObject) -> None:
    """Also where one field decides what the others should be."""
    message = EXAMPLES[example]
    part = data.draw(
        st.sampled_from([part for part in ("header", "content") if getattr(message, part)])
        if message.content
        else st.just("header")
    )
    name = data.draw(st.sampled_from(list(getattr(message, part))))
    list(problems(changed(message, (part, name), data.draw(anything))))


# --- what it costs


def test_the_tables_are_imported_by_who_first_validates() -> None:
    """Importing jupyter_protocol does not take longer for them."""
    program = """
import sys, jupyter_protocol
assert not any("validation.inspection" in name for name in sys.modules)
jupyter_protocol.validate(jupyter_protocol.messages.interrupt_request())
assert any("validation.inspection" in name for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
