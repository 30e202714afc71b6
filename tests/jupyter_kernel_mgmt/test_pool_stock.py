"""What a pool decides: who gets which kernel, what is launched and what is ended. No kernel is involved."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt._pool_stock import PATIENCE, SETTLED, Stock

Kernels = Stock[str, str]


def make(**options: object) -> Kernels:
    return Stock(**{"size": 2, "limit": None, "max_age": None, "max_uses": 1, "at_once": 10, **options})


def launch_all(stock: Kernels, now: float, *names: str) -> None:
    """As many launches as are due begin, and give these kernels."""
    assert stock.launches_due(now) == len(names)
    for _ in names:
        stock.launch()
    for name in names:
        stock.launched(name, now)


def hand_out(stock: Kernels, waiter: str) -> str:
    stock.wait(waiter)
    ((served, kernel),) = stock.assign()
    assert served == waiter
    stock.handed_out(kernel)
    return kernel


def test_an_empty_stock_wants_as_many_launches_as_its_size():
    stock = make(size=3)
    launch_all(stock, 0, "a", "b", "c")
    assert stock.full
    assert stock.launches_due(0) == 0


def test_no_more_launches_are_under_way_than_are_allowed_at_once():
    stock = make(size=5, at_once=2)
    assert stock.launches_due(0) == 2
    stock.launch()
    assert stock.launches_due(0) == 1


def test_who_waits_first_is_served_first_with_the_oldest_kernel():
    stock = make()
    for waiter in ("one", "two", "three"):
        stock.wait(waiter)
    assert stock.assign() == []
    for name in ("a", "b"):
        stock.launch()
        stock.launched(name, 0)
    assert stock.assign() == [("one", "a"), ("two", "b")]
    assert stock.metrics.waiting == 1


def test_somebody_whose_kernel_was_of_no_use_is_the_next_to_be_served():
    stock = make()
    launch_all(stock, 0, "a", "b")
    stock.wait("one")
    assert stock.assign() == [("one", "a")]
    stock.wait("two")
    stock.unfit("a")
    stock.wait("one", first=True)
    assert stock.assign() == [("one", "b")]


def test_a_replacement_is_wanted_only_when_a_kernel_has_been_handed_out():
    """Its launch would slow down the check."""
    stock = make()
    launch_all(stock, 0, "a", "b")
    stock.wait("one")
    stock.assign()
    assert stock.launches_due(0) == 0
    stock.handed_out("a")
    assert stock.launches_due(0) == 1


def test_somebody_who_leaves_the_queue_gets_nothing():
    stock = make()
    stock.wait("one")
    stock.wait("two")
    stock.withdraw("one")
    launch_all(stock, 0, "a", "b", "c")
    assert stock.assign() == [("two", "a")]


def test_a_kernel_that_reached_nobody_is_the_next_to_be_lent():
    stock = make()
    launch_all(stock, 0, "a", "b")
    stock.wait("one")
    stock.assign()
    stock.put_back("a")
    assert stock.metrics.handed_out == 0
    assert hand_out(stock, "two") == "a"


def test_kernels_are_launched_for_people_who_wait_and_for_the_stock_up_to_the_limit():
    stock = make(size=2, limit=5)
    for waiter in ("one", "two"):
        stock.wait(waiter)
    assert stock.launches_due(0) == 4
    for waiter in ("three", "four", "five"):
        stock.wait(waiter)
    assert stock.launches_due(0) == 5


def test_lent_and_ending_kernels_count_for_the_limit():
    stock = make(size=2, limit=3)
    launch_all(stock, 0, "a", "b")
    kernel = hand_out(stock, "one")
    launch_all(stock, 0, "c")
    hand_out(stock, "two")
    assert stock.launches_due(0) == 0
    assert not stock.goes_back(kernel, used=True, fit=True)
    assert stock.launches_due(0) == 0
    stock.ended(kernel)
    assert stock.launches_due(0) == 1


def test_the_limit_is_twice_the_size_unless_it_is_given():
    assert make(size=3).limit == 6
    assert make(size=3, limit=3).limit == 3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"size": 0}, "size"),
        ({"limit": 1}, "limit"),
        ({"max_age": 0}, "max_age"),
        ({"max_uses": 0}, "max_uses"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_name(options: dict[str, int], named: str):
    with pytest.raises(ValueError, match=f"^{named} must be"):
        make(**options)


# Kernels that come back


def test_a_kernel_that_was_used_is_ended_and_one_that_was_not_goes_back():
    stock = make()
    launch_all(stock, 0, "a", "b")
    used, unused = hand_out(stock, "one"), hand_out(stock, "two")
    assert not stock.goes_back(used, used=True, fit=True)
    assert stock.goes_back(unused, used=False, fit=True)
    assert stock.metrics.starting == 1
    stock.taken_back(unused)
    assert list(stock.ready) == [unused]
    assert (stock.metrics.taken_back, stock.metrics.ending) == (1, 1)


def test_a_kernel_may_serve_as_many_holders_as_were_allowed():
    stock = make(size=1, max_uses=2)
    launch_all(stock, 0, "a")
    hand_out(stock, "one")
    assert stock.goes_back("a", used=True, fit=True)
    stock.taken_back("a")
    hand_out(stock, "two")
    assert not stock.goes_back("a", used=True, fit=True)


def test_a_kernel_that_is_not_fit_does_not_go_back():
    stock = make(max_uses=10)
    launch_all(stock, 0, "a", "b")
    kernel = hand_out(stock, "one")
    assert not stock.goes_back(kernel, used=False, fit=False)
    assert stock.kernels() == ["b"]


# Age


def test_an_old_kernel_serves_until_its_replacement_is_there():
    stock = make(size=1, max_age=10)
    launch_all(stock, 0, "old")
    assert stock.look_again_at(5) == 10
    assert stock.retire(9.9) == []
    assert stock.launches_due(9.9) == 0
    assert stock.retire(10) == []
    launch_all(stock, 10, "new")
    assert stock.retire(11) == ["old"]
    assert list(stock.ready) == ["new"]
    assert stock.metrics.outlived == 1


def test_an_old_kernel_is_still_handed_out_while_it_serves():
    stock = make(size=1, max_age=10)
    launch_all(stock, 0, "old")
    assert hand_out(stock, "one") == "old"


def test_an_old_kernel_makes_room_where_there_is_none():
    stock = make(size=2, limit=2, max_age=10)
    launch_all(stock, 0, "a", "b")
    assert stock.retire(10) == ["a"]
    assert stock.retire(10) == [], "one after the other"
    assert stock.launches_due(10) == 0
    stock.ended("a")
    launch_all(stock, 10, "c")
    assert stock.retire(10) == ["b"]


def test_without_an_age_nothing_becomes_due_by_itself():
    stock = make()
    launch_all(stock, 0, "a", "b")
    assert stock.look_again_at(0) == float("inf")


# Failures


def fail(stock: Kernels, now: float) -> list[str]:
    assert stock.launches_due(now)
    stock.launch()
    return stock.launch_failed(now, hopeless=False)


def test_after_a_failure_one_launch_at_a_time_is_tried_later_and_later():
    stock = make(size=3)
    now, pauses = 0.0, []
    for _ in range(12):
        fail(stock, now)
        assert stock.launches_due(now) == 0
        pauses.append(stock.look_again_at(now) - now)
        now += pauses[-1]
        assert stock.launches_due(now) == 1
        stock.launch()
        assert stock.launches_due(now) == 0
        stock.launch_given_up()
    assert pauses[0] <= 0.1
    assert 5 <= pauses[-1] <= 10


def test_those_who_wait_are_told_after_some_failures_in_a_row():
    stock = make()
    stock.wait("one")
    now = 0.0
    for _ in range(PATIENCE - 1):
        assert fail(stock, now) == []
        now = stock.look_again_at(now)
    stock.wait("two")
    assert fail(stock, now) == ["one", "two"]
    assert stock.metrics.waiting == 0
    assert stock.metrics.failed == PATIENCE


def test_those_who_wait_are_told_at_once_where_it_is_hopeless():
    stock = make()
    stock.wait("one")
    stock.launch()
    assert stock.launch_failed(0, hopeless=True) == ["one"]


def test_a_launch_that_works_ends_the_row_of_failures():
    stock = make(size=1)
    fail(stock, 0)
    launch_all(stock, stock.look_again_at(0), "a")
    assert stock.failures == 0
    hand_out(stock, "one")
    assert stock.launches_due(1) == 1


def test_kernels_that_die_in_stock_as_soon_as_they_are_ready_are_failures_in_a_row():
    stock = make(size=1)
    now = 0.0
    for number in range(1, 5):
        launch_all(stock, now, "a")
        assert stock.died("a", now + SETTLED / 2)
        stock.ended("a")
        assert stock.failures == number
        now = stock.look_again_at(now + SETTLED / 2)
    assert stock.metrics.died == 4


def test_a_kernel_that_dies_much_later_is_replaced_at_once():
    stock = make(size=1)
    launch_all(stock, 0, "a")
    assert stock.died("a", SETTLED)
    assert stock.failures == 0
    assert stock.launches_due(SETTLED) == 1


def test_a_kernel_that_dies_on_loan_is_its_holders_affair():
    stock = make()
    launch_all(stock, 0, "a", "b")
    kernel = hand_out(stock, "one")
    assert not stock.died(kernel, 1)
    assert stock.metrics.lent == 1


# Whatever happens


@given(st.data())
def test_whatever_happens_the_limit_holds_and_nobody_waits_beside_a_ready_kernel(data: st.DataObject):
    """Nor is a kernel in two places, and when all is over, the stock fills up and nothing else is there."""
    size = data.draw(st.integers(1, 3))
    stock = make(
        size=size,
        limit=data.draw(st.integers(size, 6)),
        max_uses=data.draw(st.integers(1, 3)),
        max_age=data.draw(st.sampled_from([None, 5.0])),
        at_once=data.draw(st.integers(1, 3)),
    )
    names, now = count(), 0.0
    waiting: list[str] = []
    launching = 0

    def some(kernels: object) -> str | None:
        kernels = sorted(kernels)  # type: ignore[call-overload]
        return data.draw(st.sampled_from(kernels)) if kernels else None

    def wait() -> None:
        waiting.append(f"w{next(names)}")
        stock.wait(waiting[-1])

    def leave() -> None:
        if (waiter := some(waiting)) is not None:
            waiting.remove(waiter)
            stock.withdraw(waiter)

    def launched() -> None:
        nonlocal launching
        if launching:
            launching -= 1
            stock.launched(f"k{next(names)}", now)

    def failed() -> None:
        nonlocal launching
        if launching:
            launching -= 1
            for waiter in stock.launch_failed(now, hopeless=False):
                waiting.remove(waiter)

    def come_back() -> None:
        if (kernel := some(stock.lent)) is not None:
            stock.goes_back(kernel, used=data.draw(st.booleans()), fit=data.draw(st.booleans()))

    def put_back() -> None:
        if (kernel := some(stock.lent)) is not None:
            stock.put_back(kernel)

    def renewed() -> None:
        if (kernel := some(stock._returning)) is not None:
            stock.taken_back(kernel)

    def die() -> None:
        if (kernel := some(stock.ready)) is not None:
            stock.died(kernel, now)

    def ended() -> None:
        if (kernel := some(stock.ending)) is not None:
            stock.ended(kernel)

    steps: list[Callable[[], None]] = [
        wait,
        leave,
        launched,
        failed,
        come_back,
        put_back,
        renewed,
        die,
        ended,
    ]
    for _ in range(data.draw(st.integers(0, 40))):
        now += data.draw(st.sampled_from([0.0, 0.5, 20.0]))
        data.draw(st.sampled_from(steps))()
        for waiter, kernel in stock.assign():
            assert waiter == waiting.pop(0)
            stock.handed_out(kernel)
        stock.retire(now)
        for _ in range(stock.launches_due(now)):
            launching += 1
            stock.launch()
        places = [*stock.ready, *stock.lent, *stock._returning, *stock.ending]
        assert len(places) == len(set(places))
        assert len(places) + launching <= stock.limit
        assert not (waiting and stock.ready)
    for _ in range(100):
        now += 20
        for kernel in list(stock.lent):
            stock.goes_back(kernel, used=True, fit=False)
        for kernel in list(stock._returning):
            stock.taken_back(kernel)
        stock.retire(now)
        for kernel in list(stock.ending):
            stock.ended(kernel)
        for _ in range(stock.launches_due(now)):
            launching += 1
            stock.launch()
        while launching:
            launched()
        for waiter, kernel in stock.assign():
            assert waiter == waiting.pop(0)
            stock.handed_out(kernel)
    assert stock.full
    assert not waiting
