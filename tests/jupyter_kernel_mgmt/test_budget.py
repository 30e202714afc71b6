"""`OutputBudget`: what all executions keep together fits, and whoever holds most makes room."""

from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt._budget import OutputBudget
from jupyter_kernel_mgmt._output_log import MESSAGE_OVERHEAD, OutputLog
from jupyter_protocol import Message, messages

UNIT = 2 * MESSAGE_OVERHEAD
"""Sizes and limits here are in units of this, so that the overhead of each message is a part of one."""

NO_LIMIT = 10**12
"""A limit of its own that no log here reaches: only the budget bounds it."""


def sized(number: int, size: int = 1) -> Message:
    message = messages.stream("stdout", str(number))
    message.size = size * UNIT - MESSAGE_OVERHEAD
    return message


def fill(log: OutputLog, count: int) -> None:
    for number in range(count):
        log.append(sized(number))


def numbers(log: OutputLog) -> list[int]:
    return [int(message.content["text"]) for message in log.kept()]


def test_within_the_budget_nothing_is_given_up() -> None:
    """Up to the last byte."""
    budget = OutputBudget(8 * UNIT)
    first, second = OutputLog(NO_LIMIT, budget), OutputLog(NO_LIMIT, budget)
    fill(first, 4)
    fill(second, 4)

    assert (first.dropped, second.dropped) == (0, 0)
    assert budget.used == 8 * UNIT
    assert not budget.exceeded


def test_whoever_holds_most_gives_up_not_whoever_comes_last() -> None:
    """A small output keeps everything beside an endless one; what is given up lies in the middle."""
    budget = OutputBudget(10 * UNIT)
    greedy, modest = OutputLog(NO_LIMIT, budget), OutputLog(NO_LIMIT, budget)
    fill(greedy, 10)
    fill(modest, 3)

    assert (greedy.dropped, modest.dropped) == (3, 0)
    assert numbers(modest) == [0, 1, 2]
    assert numbers(greedy)[0] == 0
    assert len(numbers(greedy)) == 7
    assert budget.used == 10 * UNIT


def test_head_and_tail_are_kept_when_the_budget_bounds_an_output() -> None:
    """As when its own limit does."""
    log = OutputLog(NO_LIMIT, OutputBudget(10 * UNIT))
    fill(log, 100)

    kept = numbers(log)
    assert len(kept) == 10
    assert kept == [0, 1, 2, 3, 4, 95, 96, 97, 98, 99]


def test_an_output_that_has_ended_counts_no_longer() -> None:
    """Its memory belongs to whoever keeps the result; leaving twice is fine."""
    budget = OutputBudget(4 * UNIT)
    done, running = OutputLog(NO_LIMIT, budget), OutputLog(NO_LIMIT, budget)
    fill(done, 4)
    done.close()
    done.close()
    assert budget.used == 0
    fill(running, 4)

    assert (done.dropped, running.dropped) == (0, 0)
    assert (numbers(done), numbers(running)) == ([0, 1, 2, 3], [0, 1, 2, 3])


def test_what_has_no_limit_takes_no_part() -> None:
    """``output_limit=None`` keeps everything, and takes nothing from the others."""
    budget = OutputBudget(4 * UNIT)
    everything, bounded = OutputLog(None, budget), OutputLog(NO_LIMIT, budget)
    fill(everything, 100)
    fill(bounded, 4)

    assert (everything.dropped, bounded.dropped) == (0, 0)
    assert budget.used == 4 * UNIT


def test_without_a_bound_nothing_is_ever_exceeded() -> None:
    """``output_budget=None``."""
    budget = OutputBudget(None)
    log = OutputLog(NO_LIMIT, budget)
    fill(log, 1000)

    assert not budget.exceeded
    assert log.dropped == 0


def test_a_message_larger_than_the_budget_is_given_up_too() -> None:
    """Nothing is left to make room for it, and it is counted."""
    budget = OutputBudget(4 * UNIT)
    log = OutputLog(NO_LIMIT, budget)
    log.append(sized(0, 100))
    assert (log.dropped, log.kept(), budget.used) == (1, [], 0)
    log.append(sized(1))
    assert numbers(log) == [1]


@given(
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), max_size=60),
)
def test_the_sum_is_right_and_within_the_budget_whatever_comes(
    limit: int, steps: list[tuple[int, int, bool]]
) -> None:
    """However many write and end, in any order; nothing is lost without being counted."""
    budget = OutputBudget(limit * UNIT)
    logs = [OutputLog(NO_LIMIT, budget) for _ in range(4)]
    written, closed = [0] * 4, [False] * 4
    for which, size, ends in steps:
        if closed[which]:
            continue
        logs[which].append(sized(written[which], size))
        written[which] += 1
        assert budget.used <= limit * UNIT
        if ends:
            logs[which].close()
            closed[which] = True

        assert budget.used == sum(log.size for log, over in zip(logs, closed, strict=True) if not over)
        assert [len(log.kept()) + log.dropped for log in logs] == written
