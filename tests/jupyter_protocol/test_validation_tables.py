"""The tables of `jupyter_protocol.validation`: each field of each type, removed and spoilt one by one.

Which fields there are is read in the tables, and once more in a list written by hand from the specification.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from jupyter_protocol import InvalidMessage, Message, validate
from jupyter_protocol.validation import problems
from jupyter_protocol.validation.checks import Absent, Check, Date, Kind, Matching, OneOf, Within
from jupyter_protocol.validation.compound import By, Either, Fields, ListOf, ObjectOf, Optional, Row
from jupyter_protocol.validation.faults import bracketed
from jupyter_protocol.validation.header import header_check
from jupyter_protocol.validation.inspection import RULES

from ._examples import EXAMPLES, KERNEL, Place, changed, msg_type, travelled, without

# Messaging in Jupyter 5.5: what the content of each type must have, when the status of a reply is "ok".
REQUIRED = {
    "execute_request": "code user_expressions allow_stdin stop_on_error",
    "execute_reply": "status execution_count user_expressions",
    "inspect_request": "code cursor_pos",
    "inspect_reply": "status found data metadata",
    "complete_request": "code cursor_pos",
    "complete_reply": "status matches cursor_start cursor_end metadata",
    "history_request": "output raw hist_access_type n",
    "history_request, range": "output raw hist_access_type session start stop",
    "history_request, search": "output raw hist_access_type n pattern",
    "history_reply": "status history",
    "is_complete_request": "code",
    "is_complete_reply": "status",
    "is_complete_reply, incomplete": "status indent",
    "connect_request": "",
    "connect_reply": "status",
    "comm_info_request": "",
    "comm_info_reply": "status comms",
    "kernel_info_request": "",
    "kernel_info_reply": "status protocol_version implementation implementation_version language_info banner",
    "shutdown_request": "restart",
    "shutdown_reply": "status restart",
    "interrupt_request": "",
    "interrupt_reply": "status",
    "debug_request, dumpCell": "seq type command arguments",
    "debug_request, debugInfo": "seq type command",
    "debug_reply, debugInfo": "seq type request_seq success command body",
    "debug_reply, failed": "seq type request_seq success command",
    "create_subshell_request": "",
    "create_subshell_reply": "status subshell_id",
    "delete_subshell_request": "subshell_id",
    "delete_subshell_reply": "status",
    "list_subshell_request": "",
    "list_subshell_reply": "status subshell_id",
    "iopub_welcome": "subscription",
    "stream": "name text",
    "display_data": "data metadata",
    "update_display_data": "data metadata transient",
    "execute_input": "code execution_count",
    "execute_result": "execution_count data metadata",
    "error": "ename evalue traceback",
    "status": "execution_state",
    "clear_output": "wait",
    "debug_event": "seq type event",
    "input_request": "prompt password",
    "input_reply": "value",
    "comm_open": "comm_id target_name data",
    "comm_msg": "comm_id data",
    "comm_close": "comm_id data",
    "handshake_request": "shell_port iopub_port stdin_port control_port hb_port",
    "handshake_reply": "status",
}

SAMPLES: list[Any] = [None, True, 7, 7.5, "no such word", b"bytes", [], {}]
"""One of each type there is, and none of a vocabulary's words."""


def test_the_list_has_every_type() -> None:
    """None was forgotten."""
    assert {msg_type(example) for example in REQUIRED} == set(RULES)


@pytest.mark.parametrize("example", REQUIRED)
def test_exactly_the_required_fields_cannot_be_left_out(example: str) -> None:
    """As listed by hand. What else an example has is optional."""
    message = EXAMPLES[example]
    assert set(REQUIRED[example].split()) == {
        name for name in message.content if list(problems(without(message, ("content", name))))
    }


# --- generated from the tables


@dataclass(frozen=True)
class Spot:
    """A value in a message, where it is in the tables and in words, and what is expected of it."""

    place: Place
    field: str
    check: Check
    optional: bool = False
    in_object: bool = True  # and not an item of a list, which cannot be missing


def spots(check: Check, value: Any, here: Spot) -> Iterator[Spot]:
    """All the values within a value that the tables have something to say of."""
    match check:
        case Fields():
            for name, inner in check.fields.items():
                optional = isinstance(inner, Optional)
                there = Spot((*here.place, name), f"{here.field}.{name}", inner, optional)
                yield there
                if name in value:
                    yield from spots(inner, value[name], there)
        case By():
            case = check.cases.get(value.get(check.selector, check.missing), check.otherwise)
            assert case is not None
            if check.otherwise is None:  # the cases stand for a check of their selector
                place, field = (*here.place, check.selector), f"{here.field}.{check.selector}"
                yield Spot(place, field, OneOf(tuple(check.cases)), check.missing is not None)
            yield from spots(case, value, here)
        case ListOf() | Row():
            checks = check.items if isinstance(check, Row) else [check.item] * len(value)
            for number, (inner, item) in enumerate(zip(checks, value, strict=True)):
                there = Spot((*here.place, number), f"{here.field}[{number}]", inner, in_object=False)
                yield there
                yield from spots(inner, item, there)
        case ObjectOf():
            for name, item in value.items():
                inner_check = check._for(name)
                assert inner_check is not None
                place = (*here.place, name)
                there = Spot(place, here.field + bracketed(name), inner_check, optional=True)
                yield there
                yield from spots(inner_check, item, there)
        case Optional():
            yield from spots(check.check, value, here)
        case Either():
            pass  # said of the value as a whole


def is_wrong(check: Check, sample: Any) -> bool:
    """Whether a sample is not what a check is about, told from its class and data alone."""
    match check:
        case Optional():
            return is_wrong(check.check, sample)
        case Either():
            return all(is_wrong(each, sample) for each in check.checks)
        case Kind():
            return type(sample) not in check.types and object not in check.types
        case Within():
            return type(sample) is not int
        case OneOf() | Matching() | Date() | Absent():
            return True
        case ListOf() | Row():
            return type(sample) is not list or (isinstance(check, Row) and check.items != ())
        case _:
            return type(sample) is not dict


def spots_of(message: Message) -> list[Spot]:
    content, header = Spot(("content",), "content", RULES[message.msg_type].content), ("header",)
    checked = header_check(stamped=True)
    return [
        content,
        *spots(content.check, message.content, content),
        *spots(checked, message.header, Spot(header, "header", checked)),
    ]


KNOWN = {name: travelled(message, KERNEL) for name, message in EXAMPLES.items() if msg_type(name) in RULES}


def test_the_tables_have_more_to_say_than_the_top_of_contents() -> None:
    """What follows would pass where nothing is found in them."""
    found = {spot.field for message in KNOWN.values() for spot in spots_of(message)}
    assert len(found) > 150
    assert {
        "header.date",
        "content.status",
        "content.hist_access_type",
        "content.data['text/plain']",
        "content.history[1][2]",
        "content.language_info.name",
        "content.user_expressions['bad'].traceback[0]",
        "content.body.breakpoints[0].breakpoints[0].line",
    } <= found


@pytest.mark.parametrize("example", KNOWN)
def test_each_required_field_that_is_missing_is_refused_by_name(example: str) -> None:
    """And each optional one may be missing."""
    message = KNOWN[example]
    for spot in spots_of(message):
        if spot.in_object and not isinstance(spot.check, Absent) and len(spot.place) > 1:
            try:
                less = without(message, spot.place)
            except KeyError:
                assert spot.optional
                continue
            expected = [] if spot.optional else [spot.field]
            assert [problem.field for problem in problems(less)] == expected, spot
            if not spot.optional:
                refused(less, spot)


@pytest.mark.parametrize("example", KNOWN)
def test_each_field_of_a_wrong_type_is_refused_by_name(example: str) -> None:
    """Also where it is optional, and what must not be there whatever its type."""
    message = KNOWN[example]
    for spot in spots_of(message):
        for sample in SAMPLES:
            if is_wrong(spot.check, sample):
                wrong = changed(message, spot.place, sample)
                assert [problem.field for problem in problems(wrong)] == [spot.field], (spot, sample)
                refused(wrong, spot)


def refused(message: Message, spot: Spot) -> None:
    with pytest.raises(InvalidMessage) as caught:
        validate(message)
    assert caught.value.field == spot.field
    assert f"{spot.field} should be " in str(caught.value)
