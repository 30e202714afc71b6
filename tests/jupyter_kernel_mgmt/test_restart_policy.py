"""When a kernel is started again, by a clock that the tests turn."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt import RestartGaveUp, RestartScheduled
from jupyter_kernel_mgmt._restart_policy import Backoff, Condition, RestartPolicy

WELL, UNDER_WAY, BROKEN, OVER = Condition
STEADY = Backoff(initial=1.0, factor=2.0, maximum=10.0, jitter=0.0)


def policy(limit: int = 3, window: float = 60, backoff: Backoff = STEADY) -> RestartPolicy:
    return RestartPolicy(limit=limit, window=window, backoff=backoff)


def carried_out(looks: list[tuple[Any, ...]], **options: Any) -> list[Any]:
    """What comes of looks (condition, generation, now); "begin" carries the plan out."""
    made = policy(**options)
    decisions = []
    for look in looks:
        if look == ("begin",):
            made.begin()
        elif (decision := made.look(*look)) is not None:
            decisions.append(decision)
    return decisions


BEGIN = ("begin",)
GAVE_UP = "restarts did not help"

TABLE = {
    "a-well-kernel-needs-nothing": ([(WELL, 1, 0), (WELL, 1, 5)], []),
    "a-broken-one-is-restarted-once": (
        [(BROKEN, 1, 0), (BROKEN, 1, 0.5)],
        [RestartScheduled(1, 1, 1)],
    ),
    "a-restart-that-failed-is-tried-again-later-and-later": (
        [(BROKEN, 1, 0), BEGIN, (BROKEN, 1, 2), BEGIN, (BROKEN, 1, 5)],
        [RestartScheduled(1, 1, 1), RestartScheduled(1, 2, 2), RestartScheduled(1, 3, 4)],
    ),
    "so-is-one-whose-kernel-died-while-it-was-starting": (
        [(BROKEN, 1, 0), BEGIN, (BROKEN, 2, 2), BEGIN, (BROKEN, 3, 5)],
        [RestartScheduled(1, 1, 1), RestartScheduled(2, 2, 2), RestartScheduled(3, 3, 4)],
    ),
    "after-the-limit-it-is-given-up-and-told-once": (
        [
            *[(BROKEN, 1, 0), BEGIN, (BROKEN, 2, 0), BEGIN, (BROKEN, 3, 0), BEGIN],
            *[(BROKEN, 4, 0), (BROKEN, 4, 100), (BROKEN, 4, 1000)],
        ],
        [
            *[RestartScheduled(1, 1, 1), RestartScheduled(2, 2, 2), RestartScheduled(3, 3, 4)],
            RestartGaveUp(4, 3, f"3 {GAVE_UP}"),
        ],
    ),
    "a-window-of-being-well-makes-it-forget": (
        [(BROKEN, 1, 0), BEGIN, (WELL, 2, 1), (BROKEN, 2, 61)],
        [RestartScheduled(1, 1, 1), RestartScheduled(2, 1, 1)],
    ),
    "less-than-that-does-not": (
        [(BROKEN, 1, 0), BEGIN, (WELL, 2, 1), (BROKEN, 2, 60.9)],
        [RestartScheduled(1, 1, 1), RestartScheduled(2, 2, 2)],
    ),
    "time-spent-starting-or-waiting-does-not-count": (
        [(BROKEN, 1, 0), BEGIN, (UNDER_WAY, 1, 100), (BROKEN, 2, 1000), (WELL, 3, 2000), (BROKEN, 3, 2001)],
        [RestartScheduled(1, 1, 1), RestartScheduled(2, 2, 2), RestartScheduled(3, 2, 2)],
    ),
    "the-window-slides": (
        [
            *[(BROKEN, 1, 0), BEGIN, (WELL, 2, 0), (BROKEN, 2, 40), BEGIN],
            *[(WELL, 3, 40), (BROKEN, 3, 70)],
        ],
        [RestartScheduled(1, 1, 1), RestartScheduled(2, 2, 2), RestartScheduled(3, 2, 2)],
    ),
    "one-that-comes-back-by-itself-is-left-alone-and-nothing-counted": (
        [(BROKEN, 1, 0), (WELL, 1, 0.5), (BROKEN, 1, 1)],
        [RestartScheduled(1, 1, 1), RestartScheduled(1, 1, 1)],
    ),
    "so-is-one-that-somebody-else-restarts": (
        [(BROKEN, 1, 0), (UNDER_WAY, 1, 0.5), (WELL, 2, 1)],
        [RestartScheduled(1, 1, 1)],
    ),
    "one-that-is-shut-down-meanwhile-is-left-alone-and-that-is-told": (
        [(BROKEN, 1, 0), (OVER, 1, 0.5), (OVER, 1, 1)],
        [RestartScheduled(1, 1, 1), RestartGaveUp(1, 0, "it was shut down")],
    ),
    "one-that-was-shut-down-is-not-revived": ([(WELL, 1, 0), (OVER, 1, 1), (OVER, 1, 100)], []),
}


@pytest.mark.parametrize(("looks", "expected"), TABLE.values(), ids=TABLE)
def test_what_is_decided(looks: list[tuple[Any, ...]], expected: list[Any]) -> None:
    """The names of the rows say it."""
    assert carried_out(looks) == expected


def test_a_limit_of_none_at_all_gives_up_at_once() -> None:
    """It only tells."""
    assert carried_out([(BROKEN, 1, 0)], limit=0) == [RestartGaveUp(1, 0, f"0 {GAVE_UP}")]


def test_a_kernel_that_somebody_starts_after_all_begins_with_a_clean_count() -> None:
    """Not so one that only comes back by itself."""
    given_up = [(BROKEN, 1, 0), BEGIN, (BROKEN, 2, 0)]
    first, gave_up = [RestartScheduled(1, 1, 1), RestartGaveUp(2, 1, f"1 {GAVE_UP}")]

    afresh = carried_out([*given_up, (UNDER_WAY, 2, 1), (WELL, 3, 2), (BROKEN, 3, 3)], limit=1)
    assert afresh == [first, gave_up, RestartScheduled(3, 1, 1)]
    itself = carried_out([*given_up, (WELL, 2, 2), (BROKEN, 2, 3)], limit=1)
    assert itself == [first, gave_up, gave_up]


def test_a_plan_says_when() -> None:
    """By the clock that was read when it was made; a look later does not put it off."""
    made = policy()
    made.look(BROKEN, 1, 100)
    made.look(BROKEN, 1, 100.5)
    assert (made.plan, made.due) == (RestartScheduled(1, 1, 1), 101)
    made.begin()
    assert (made.plan, made.due, made.restarts) == (None, math.inf, 1)


def test_calling_off_tells_where_there_was_a_plan() -> None:
    """And a reason."""
    made = policy()
    assert made.call_off("closed") is None
    made.look(BROKEN, 1, 0)
    assert made.call_off("closed") == RestartGaveUp(1, 0, "closed")
    assert made.plan is None


# Back-off


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (6, 10), (5000, 10)]
)
def test_each_delay_is_longer_up_to_a_maximum(attempt: int, expected: float) -> None:
    """However many there were."""
    assert STEADY.delay(attempt, 0.7) == expected


def test_jitter_takes_away_up_to_its_share() -> None:
    """So that the maximum is one."""
    backoff = Backoff(initial=8, factor=1, jitter=0.25)
    assert [backoff.delay(1, chance) for chance in (0, 0.5, 1)] == [8, 7, 6]


def test_a_seed_makes_the_delays_repeatable_and_without_one_they_differ() -> None:
    """Kernels that die together do not come back together."""

    def delay(seed: int | None) -> float:
        made = policy(backoff=Backoff(seed=seed))
        made.look(BROKEN, 1, 0)
        return made.due

    assert delay(7) == delay(7) != delay(8)
    assert len({delay(None) for _ in range(10)}) > 1


@pytest.mark.parametrize(
    "option",
    [
        {"initial": -1},
        {"initial": math.nan},
        {"factor": 0.5},
        {"factor": math.inf},
        {"maximum": -1},
        {"jitter": 1.1},
        {"jitter": -0.1},
    ],
    ids=str,
)
def test_a_backoff_that_makes_no_sense_is_refused(option: dict[str, float]) -> None:
    """By name."""
    with pytest.raises(ValueError, match=next(iter(option))):
        Backoff(**option)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", [{"limit": -1}, {"window": 0}, {"window": math.nan}], ids=str)
def test_a_policy_that_makes_no_sense_is_refused(option: dict[str, Any]) -> None:
    """By name."""
    with pytest.raises(ValueError, match=next(iter(option))):
        policy(**option)


# Whatever happens

SECONDS = st.integers(0, 200)  # whole ones, of which sums are exact
LIVES = st.lists(
    st.tuples(
        st.sampled_from(["well", "dies while it starts", "cannot be started", "restarted by somebody"]),
        SECONDS,  # how long that takes
        st.sampled_from([BROKEN, BROKEN, BROKEN, OVER]),  # and what comes then
    ),
    max_size=40,
)


@given(
    lives=LIVES,
    limit=st.integers(0, 6),
    window=st.integers(1, 300),
    backoff=st.builds(
        Backoff,
        initial=st.floats(0, 5),
        factor=st.floats(1, 3),
        maximum=st.floats(0, 50),
        jitter=st.floats(0, 1),
        seed=st.integers(0, 9),
    ),
)
def test_whatever_happens_the_limit_holds_and_what_is_over_is_left_alone(
    lives: list[tuple[str, int, Condition]], limit: int, window: int, backoff: Backoff
) -> None:
    """A model of kernels that live and die, with a count of its own.

    There is exactly one answer for each breakdown: a plan within the bounds of the back-off, or giving up,
    which happens if and only if there were ``limit`` restarts within the last ``window`` of good seconds.
    """
    made = RestartPolicy(limit=limit, window=window, backoff=backoff)
    now, well, generation = 0, 0, 1
    restarts: list[int] = []
    for what, seconds, then in lives:
        if what == "well":
            assert made.look(WELL, generation, now) is None
            well += seconds
        elif what == "restarted by somebody":
            assert made.look(UNDER_WAY, generation, now) is None
        generation += what != "cannot be started"
        now += seconds
        restarts = [moment for moment in restarts if well - moment < window]

        decision = made.look(then, generation, now)

        if then is OVER:
            assert decision is None
            assert made.plan is None
            continue
        assert made.look(then, generation, now + 1) is None, "it says the same thing twice"
        if decision is None:  # given up before, and nothing new has come since
            assert made.plan is None
            assert len(restarts) >= limit
            assert what == "cannot be started"
        elif isinstance(decision, RestartGaveUp):
            assert (decision.generation, decision.attempts) == (generation, len(restarts))
            assert len(restarts) >= limit
        else:
            assert len(restarts) < limit
            assert (decision.generation, decision.attempt) == (generation, len(restarts) + 1)
            full = min(backoff.initial * backoff.factor ** len(restarts), backoff.maximum)
            assert full * (1 - backoff.jitter) * 0.999 <= decision.delay <= full
            made.begin()
            restarts.append(well)
        now += 1
