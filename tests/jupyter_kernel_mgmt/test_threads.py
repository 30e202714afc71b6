"""Calling code that blocks: results, errors, cancellation, and what nobody wants any more."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from jupyter_kernel_mgmt._threads import ITEMS_AHEAD, in_thread, iterate_in_thread

GUARD = 20


class Blocked:
    """A function that blocks until it is let go."""

    def __init__(self, result: object = "result") -> None:
        self.result = result
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> object:
        self.entered.set()
        assert self.let_go.wait(GUARD)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def wait_until_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, GUARD)


async def test_it_runs_in_a_daemon_thread_of_that_name() -> None:
    """A thread that hangs must not keep the program from ending."""
    thread = await in_thread(threading.current_thread, name="the-name")

    assert (thread.daemon, thread.name) == (True, "the-name")
    assert thread is not threading.current_thread()


async def test_results_and_errors_come_to_whoever_waits() -> None:
    """The very object that was raised."""
    error = ValueError("no")

    def fail() -> None:
        raise error

    assert await in_thread(lambda: 42) == 42
    with pytest.raises(ValueError, match="no") as caught:
        await in_thread(fail)
    assert caught.value is error


async def test_the_loop_goes_on_while_it_blocks() -> None:
    """Any number may block at once."""
    blocked = [Blocked(n) for n in range(20)]
    tasks = [asyncio.create_task(in_thread(function)) for function in blocked]
    for function in blocked:
        await function.wait_until_entered()
    for function in reversed(blocked):
        function.let_go.set()

    assert await asyncio.gather(*tasks) == list(range(20))


async def test_cancelling_ends_the_wait_at_once_and_the_result_is_disposed_of() -> None:
    """In a thread, once it comes."""
    blocked, disposed = Blocked(), asyncio.Queue[tuple[object, bool]]()
    loop, main = asyncio.get_running_loop(), threading.current_thread()

    def abandoned(result: object) -> None:
        loop.call_soon_threadsafe(disposed.put_nowait, (result, threading.current_thread() is main))

    task = asyncio.create_task(in_thread(blocked, abandoned=abandoned))
    await blocked.wait_until_entered()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert disposed.empty()
    blocked.let_go.set()

    async with asyncio.timeout(GUARD):
        assert await disposed.get() == ("result", False)


async def test_a_result_that_is_there_when_the_cancellation_comes_is_disposed_of() -> None:
    """The loop had not yet passed it on: whoever waited never saw it."""
    disposed: list[object] = []
    task = asyncio.create_task(in_thread(lambda: "result", abandoned=disposed.append, name="just-done"))
    await asyncio.sleep(0)
    for thread in threading.enumerate():
        if thread.name == "just-done":
            thread.join(GUARD)  # the loop stands still meanwhile
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await join("just-done")

    assert disposed == ["result"]


async def test_a_result_that_was_passed_on_is_not_disposed_of() -> None:
    """A cancellation after that comes too late."""
    disposed: list[object] = []

    async def wait() -> object:
        return await in_thread(lambda: "result", abandoned=disposed.append, name="passed-on")

    task = asyncio.create_task(wait())
    assert await task == "result"
    assert not task.cancel()
    await join("passed-on")

    assert disposed == []


async def test_an_error_after_the_cancellation_is_nobodys() -> None:
    """There is nothing to dispose of, and no noise."""
    blocked = Blocked(ValueError("too late"))
    disposed: list[object] = []
    task = asyncio.create_task(in_thread(blocked, abandoned=disposed.append, name="late-error"))
    await blocked.wait_until_entered()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    blocked.let_go.set()
    await join("late-error")

    assert disposed == []


async def test_a_failing_clean_up_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is left to tell."""
    blocked = Blocked()

    def abandoned(result: object) -> None:
        raise ValueError("a bug in the clean-up")

    task = asyncio.create_task(in_thread(blocked, abandoned=abandoned, name="bad-clean-up"))
    await blocked.wait_until_entered()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    blocked.let_go.set()
    await join("bad-clean-up")

    assert "a bug in the clean-up" in caplog.text


async def join(name: str) -> None:
    """Wait for the end of threads of that name."""
    for thread in threading.enumerate():
        if thread.name == name:
            await asyncio.to_thread(thread.join, GUARD)
            assert not thread.is_alive()


def test_a_thread_that_hangs_does_not_hold_up_the_end_of_the_loop() -> None:
    """And its result, when it comes after all, hurts nobody."""
    blocked = Blocked()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await in_thread(blocked, name="hung")

    asyncio.run(main())
    blocked.let_go.set()
    for thread in threading.enumerate():
        if thread.name == "hung":
            thread.join(GUARD)
            assert not thread.is_alive()


async def test_items_come_as_they_are_made() -> None:
    """Before the iterable has ended."""
    more = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        assert more.wait(GUARD)
        yield 2

    items = iterate_in_thread(numbers, name="numbers")
    assert await anext(items) == 1
    more.set()
    assert [item async for item in items] == [2]


async def test_an_error_of_the_iterable_comes_after_its_items() -> None:
    """Also one that is raised before there is anything to iterate over."""

    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    def nothing() -> Iterator[int]:
        raise ValueError("nothing at all")

    items = iterate_in_thread(numbers, name="numbers")
    assert await anext(items) == 1
    with pytest.raises(ValueError, match="no more"):
        await anext(items)
    with pytest.raises(ValueError, match="nothing at all"):
        await anext(iterate_in_thread(nothing, name="nothing"))


async def test_a_closed_iteration_stops_its_thread_after_the_current_item() -> None:
    """An endless search ends."""
    made: list[int] = []
    more = threading.Semaphore(1)

    def numbers() -> Iterator[int]:
        while True:
            assert more.acquire(timeout=GUARD)
            made.append(len(made))
            yield len(made)

    items = iterate_in_thread(numbers, name="endless")
    assert await anext(items) == 1
    await items.aclose()
    more.release()
    more.release()
    await join("endless")

    assert len(made) == 2


async def test_a_stop_iteration_comes_to_whoever_waits() -> None:
    """No future takes it as it is, and the wait would never end."""
    async with asyncio.timeout(GUARD):
        with pytest.raises(RuntimeError, match="it raised StopIteration"):
            await in_thread(lambda: next(iter(())))


async def test_a_thread_that_is_far_ahead_waits_for_the_loop() -> None:
    """An endless iteration neither holds up the loop nor fills the memory."""
    made, ahead, items = 0, 0, []

    def numbers() -> Iterator[int]:
        nonlocal made
        while made < 20 * ITEMS_AHEAD:
            made += 1
            yield made

    async for item in iterate_in_thread(numbers, name="ahead"):
        items.append(item)
        ahead = max(ahead, made - item)

    assert items == list(range(1, 20 * ITEMS_AHEAD + 1))
    assert ahead <= 3 * ITEMS_AHEAD  # those that it made, and those that are on their way


async def test_a_closed_iteration_lets_go_of_a_thread_that_is_far_ahead() -> None:
    def numbers() -> Iterator[int]:
        while True:
            yield 1

    items = iterate_in_thread(numbers, name="let-go")
    async with asyncio.timeout(GUARD):
        assert await anext(items) == 1
        await items.aclose()
    await join("let-go")
