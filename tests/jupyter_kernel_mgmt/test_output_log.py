"""Head and tail are kept within the limit, and what is left out is counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt._budget import OutputBudget
from jupyter_kernel_mgmt._output_log import MESSAGE_OVERHEAD, SHORT_TEXT, OutputDropped, OutputLog, size_of
from jupyter_kernel_mgmt._outputs import fold
from jupyter_protocol import Message, Session, messages

UNIT = 2 * MESSAGE_OVERHEAD
"""Sizes and limits here are in units of this, so that the overhead of each message is a part of one."""


def sized(number: int, size: int) -> Message:
    message = messages.stream("stdout", str(number))
    message.size = size * UNIT - MESSAGE_OVERHEAD
    return message


def numbers(kept: list[Message]) -> list[int]:
    return [int(message.content["text"]) for message in kept]


def read_all(log: OutputLog) -> list[int | str]:
    position, seen = 0, []
    while position < log.end:
        item, position = log.read(position)
        seen.append(f"-{item.count}" if isinstance(item, OutputDropped) else int(item.content["text"]))
    return seen


SIZES = st.lists(st.integers(1, 40), max_size=60)
LIMITS = st.integers(0, 200).map(lambda units: units * UNIT)


@given(SIZES, LIMITS)
def test_what_is_kept_and_what_is_dropped_make_up_everything(sizes: list[int], limit: int) -> None:
    """A head from the beginning and a tail to the end, nothing twice and nothing unaccounted for."""
    log = OutputLog(limit)
    for number, size in enumerate(sizes):
        log.append(sized(number, size))

    kept = numbers(log.kept())
    head = [n for place, n in enumerate(kept) if n == place]

    assert len(kept) + log.dropped == log.end == len(sizes)
    assert kept == head + list(range(len(sizes) - (len(kept) - len(head)), len(sizes)))
    assert len(kept) == len(sizes) or log.dropped


@given(SIZES, LIMITS)
def test_no_more_than_the_limit_is_kept_but_for_one_message(sizes: list[int], limit: int) -> None:
    """Half for the head, half for the tail; the last message is kept however large it is."""
    log = OutputLog(limit)
    for number, size in enumerate(sizes):
        log.append(sized(number, size))

    kept = log.kept()
    assert sum(size_of(m) for m in kept[:-1]) <= limit
    if sizes:
        assert numbers(kept)[-1] == len(sizes) - 1


@given(SIZES, LIMITS)
def test_what_fits_is_kept_whole(sizes: list[int], limit: int) -> None:
    """Nothing is dropped while everything together has room in the head, and never without a limit."""
    for bound in (None, 2 * sum(sizes) * UNIT + limit):
        log = OutputLog(bound)
        for number, size in enumerate(sizes):
            log.append(sized(number, size))

        assert numbers(log.kept()) == list(range(len(sizes)))
        assert log.dropped == 0


@given(SIZES, LIMITS)
def test_reading_from_the_start_gives_all_that_is_kept_and_says_what_is_not(
    sizes: list[int], limit: int
) -> None:
    """The gap is one `OutputDropped` with the right count, in its place."""
    log = OutputLog(limit)
    for number, size in enumerate(sizes):
        log.append(sized(number, size))

    seen = read_all(log)
    gaps = [item for item in seen if isinstance(item, str)]

    assert [item for item in seen if isinstance(item, int)] == numbers(log.kept())
    assert gaps == ([f"-{log.dropped}"] if log.dropped else [])


@given(SIZES, LIMITS, st.lists(st.booleans(), max_size=120))
def test_a_reader_that_goes_along_sees_each_message_once_or_counted_as_dropped(
    sizes: list[int], limit: int, turns: list[bool]
) -> None:
    """Whenever it reads, messages and drops add up to everything, in order."""
    log, position, read, missed = OutputLog(limit), 0, [], 0
    turn = iter(turns)
    for number, size in enumerate(sizes):
        log.append(sized(number, size))
        while position < log.end and next(turn, False):
            item, position = log.read(position)
            if isinstance(item, OutputDropped):
                missed += item.count
            else:
                read.append(int(item.content["text"]))
    while position < log.end:
        item, position = log.read(position)
        if isinstance(item, OutputDropped):
            missed += item.count
        else:
            read.append(int(item.content["text"]))

    assert read == sorted(set(read))
    assert len(read) + missed == len(sizes)


def test_an_example() -> None:
    """Ten of one unit with room for six: three from the beginning, three from the end."""
    log = OutputLog(6 * UNIT)
    for number in range(10):
        log.append(sized(number, 1))

    assert numbers(log.kept()) == [0, 1, 2, 7, 8, 9]
    assert log.dropped == 4
    assert read_all(log) == [0, 1, 2, "-4", 7, 8, 9]


def test_one_huge_message_is_kept_and_makes_room_for_the_next() -> None:
    """So that at least the last word is there."""
    log = OutputLog(10 * UNIT)
    log.append(sized(0, 10_000))
    assert numbers(log.kept()) == [0]
    log.append(sized(1, 1))
    assert numbers(log.kept()) == [1]
    assert log.dropped == 1


def test_the_head_is_closed_once_something_did_not_fit() -> None:
    """Otherwise a small message would come before a larger, earlier one."""
    log = OutputLog(10 * UNIT)
    for number, size in enumerate([1, 100, 1]):
        log.append(sized(number, size))

    assert numbers(log.kept()) == sorted(numbers(log.kept()))


@pytest.mark.parametrize(
    ("content", "buffers", "least"),
    [
        ({"text": "x" * 1000}, [], 1000),
        ({"data": {"text/plain": "x" * 50, "n": [1, 2.5, None, True]}}, [], 80),
        ({}, [b"x" * 70, memoryview(b"y" * 30)], 100),
    ],
)
def test_the_size_of_a_message_made_here_is_estimated(
    content: dict[str, Any], buffers: list[bytes], least: int
) -> None:
    """It counts texts, nested values and buffers."""
    message = messages.new_message("stream", content, buffers=buffers)

    assert least <= size_of(message) - MESSAGE_OVERHEAD <= 2 * least


def test_the_size_of_a_received_message_is_that_on_the_wire() -> None:
    """No need to look at its content again."""
    session = Session("key")
    sent = messages.stream("stdout", "x" * 500, buffers=[b"1234"])

    received = Session("key").deserialize(session.serialize(sent))

    assert size_of(received) - MESSAGE_OVERHEAD == received.size > 504


# What is left out had an effect


def shown(text: str, display_id: str, size: int = 1) -> Message:
    message = messages.display_data({"text/plain": text}, transient={"display_id": display_id})
    message.size = size * UNIT - MESSAGE_OVERHEAD
    return message


def updated(text: str, display_id: str) -> Message:
    message = messages.update_display_data({"text/plain": text}, display_id)
    message.size = UNIT - MESSAGE_OVERHEAD
    return message


def cleared(*, wait: bool = False) -> Message:
    message = messages.clear_output(wait=wait)
    message.size = UNIT - MESSAGE_OVERHEAD
    return message


def texts(log: OutputLog) -> list[str]:
    outputs, _ = fold(log.kept())
    return [output.get("text") or output["data"]["text/plain"] for output in outputs]


@pytest.mark.parametrize("wait", [False, True])
def test_a_clear_output_that_was_left_out_still_clears(wait: bool) -> None:
    """What was shown before it is not shown again."""
    log = OutputLog(6 * UNIT)
    for message in [sized(0, 1), sized(1, 1), cleared(wait=wait)]:
        log.append(message)
    for number in range(2, 12):
        log.append(shown(str(number), ""))

    assert texts(log) == ["9", "10", "11"]


def test_an_update_that_was_left_out_still_updates() -> None:
    """The last one for each display that is kept."""
    log = OutputLog(6 * UNIT)
    log.append(shown("old", "a"))
    for number in range(20):
        log.append(updated(f"new {number}", "a"))
    for number in range(20):
        log.append(shown(str(number), ""))

    assert texts(log)[:1] == ["new 19"]
    assert len(log.kept()) == 3 + 1 + 3


def test_updates_of_what_was_left_out_are_left_out_too() -> None:
    """Three are in the head: only theirs are kept."""
    log = OutputLog(6 * UNIT)
    for number in range(20):
        log.append(shown(str(number), f"id {number}"))
    for number in range(20):
        log.append(updated("x", f"id {number}"))

    assert len(log.kept()) == 6 + 3


def test_updates_that_were_left_out_take_no_more_room_than_the_end() -> None:
    """Those that changed last are kept, and show; what the others showed stays as it was."""
    log = OutputLog(12 * UNIT)
    for number in range(6):
        log.append(shown(f"old {number}", f"id {number}"))
    for round_ in range(3):
        for number in (5, 4, 3, 2, 1, 0):
            update = updated(f"new {number} {round_}", f"id {number}")
            update.size = 2 * UNIT - MESSAGE_OVERHEAD
            log.append(update)
    for number in range(6):
        log.append(shown(str(number), ""))

    assert log.size <= (6 + 6 + 6) * UNIT
    assert texts(log)[:6] == ["new 0 2", "new 1 2", "new 2 2", "old 3", "old 4", "old 5"]


def test_the_budget_takes_such_updates_too() -> None:
    """When nothing else is left to give up."""
    budget = OutputBudget(8 * UNIT)
    log = OutputLog(100 * UNIT, budget)
    log.append(shown("old", "a"))
    for number in range(100):
        log.append(updated(f"new {number}", "a"))
    other = OutputLog(100 * UNIT, budget)
    for number in range(100):
        other.append(sized(number, 1))

    assert budget.used <= 8 * UNIT


# The budget that logs share


def test_whoever_holds_most_makes_room() -> None:
    """A quiet log loses nothing to a noisy one."""
    budget = OutputBudget(10 * UNIT)
    quiet = OutputLog(4 * UNIT, budget)
    quiet.append(sized(0, 1))
    noisy = OutputLog(100 * UNIT, budget)
    for number in range(100):
        noisy.append(sized(number, 1))
    quiet.append(sized(1, 1))

    assert numbers(quiet.kept()) == [0, 1]
    assert quiet.dropped == 0
    assert numbers(noisy.kept())[-1] == 99
    assert budget.used <= 10 * UNIT


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=80), st.integers(0, 40))
def test_the_budget_holds_and_everything_is_accounted_for(
    appended: list[tuple[int, int]], units: int
) -> None:
    """However many logs there are, with limits of their own."""
    budget = OutputBudget(units * UNIT)
    logs = [OutputLog(limit * UNIT, budget) for limit in (4, 8, 30, 100)]
    for number, (which, size) in enumerate(appended):
        logs[which].append(sized(number, size))
        assert budget.used == sum(log.size for log in logs)
        assert budget.used <= units * UNIT

    for which, log in enumerate(logs):
        assert len(log.kept()) + log.dropped == log.end == sum(1 for place, _ in appended if place == which)
        log.close()
        log.close()
    assert budget.used == 0


# Text that is too long by itself


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_a_long_text_keeps_its_ends(letter: str) -> None:
    """And the gap counts as one message; what comes after takes the place of its end."""
    log = OutputLog(20 * UNIT)
    log.append(messages.stream("stdout", "first " + letter * 30 * UNIT + " last"))

    (output,), _ = fold(log.kept())
    assert output["text"].startswith("first ")
    assert output["text"].endswith(" last")
    assert log.dropped == 1
    assert log.size <= 21 * UNIT
    first, gap, last = (log.read(position)[0] for position in range(3))
    assert isinstance(first, Message)
    assert gap == OutputDropped(1)
    assert isinstance(last, Message)

    log.append(sized(7, 1))
    (output,), _ = fold(log.kept())
    assert output["text"].startswith("first ")
    assert output["text"].endswith("7")


def test_many_long_texts_stay_within_the_limit() -> None:
    """Each takes the place of the one before."""
    log = OutputLog(20 * UNIT)
    for number in range(10):
        log.append(messages.stream("stdout", f"{number}" * 30 * UNIT))

    assert log.size <= 21 * UNIT
    assert log.kept()[-1].content["text"][-1] == "9"
    position = 0
    while position < log.end:
        _, position = log.read(position)


def test_a_text_without_any_room_keeps_a_short_end() -> None:
    """So that the end is told, even with no limit to speak of."""
    log = OutputLog(0)
    log.append(messages.stream("stdout", 5000 * "x" + "last"))

    (kept,) = log.kept()
    assert kept.content["text"].endswith("xlast")
    assert len(kept.content["text"]) == SHORT_TEXT


@given(st.integers(0, 60_000), st.integers(1, 12))
def test_a_long_text_is_whole_or_has_a_gap(length: int, units: int) -> None:
    """No character comes twice, and none is lost without being told."""
    text = "".join(chr(ord("a") + place % 26) for place in range(length))
    log = OutputLog(units * UNIT)
    log.append(messages.stream("stdout", text))

    pieces = [message.content["text"] for message in log.kept()]
    if log.dropped:
        assert sum(map(len, pieces)) < length
        assert text.startswith(pieces[0]) or text.endswith(pieces[0])
        assert text.endswith(pieces[-1])
    else:
        assert "".join(pieces) == text
