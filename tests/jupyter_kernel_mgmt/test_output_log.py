"""Head and tail are kept within the limit, and what is left out is counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt._output_log import OutputDropped, OutputLog, size_of
from jupyter_protocol import Message, Session, messages


def sized(number: int, size: int) -> Message:
    message = messages.stream("stdout", str(number))
    message.size = size
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
LIMITS = st.integers(0, 200)


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
    for bound in (None, 2 * sum(sizes) + limit):
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
    """Ten of one byte with room for six: three from the beginning, three from the end."""
    log = OutputLog(6)
    for number in range(10):
        log.append(sized(number, 1))

    assert numbers(log.kept()) == [0, 1, 2, 7, 8, 9]
    assert log.dropped == 4
    assert read_all(log) == [0, 1, 2, "-4", 7, 8, 9]


def test_one_huge_message_is_kept_and_makes_room_for_the_next() -> None:
    """So that at least the last word is there."""
    log = OutputLog(10)
    log.append(sized(0, 10_000))
    assert numbers(log.kept()) == [0]
    log.append(sized(1, 1))
    assert numbers(log.kept()) == [1]
    assert log.dropped == 1


def test_the_head_is_closed_once_something_did_not_fit() -> None:
    """Otherwise a small message would come before a larger, earlier one."""
    log = OutputLog(10)
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

    assert least <= size_of(message) <= 2 * least


def test_the_size_of_a_received_message_is_that_on_the_wire() -> None:
    """No need to look at its content again."""
    session = Session("key")
    sent = messages.stream("stdout", "x" * 500, buffers=[b"1234"])

    received = Session("key").deserialize(session.serialize(sent))

    assert size_of(received) == received.size > 504
