"""`TaskSet`: tasks that end with their owner, and whose failures do not go unseen."""

import asyncio
import logging

import pytest

from jupyter_kernel_mgmt import _tasks
from jupyter_kernel_mgmt._tasks import TaskSet

GUARD = 20
"""Seconds after which a test that waits for something has failed."""


async def test_a_task_runs_beside_its_owner_under_its_name() -> None:
    """Until it ends by itself, in its own time."""
    tasks, names = TaskSet(), []
    ended = asyncio.Event()

    async def work() -> None:
        names.append(asyncio.current_task().get_name())  # type: ignore[union-attr]
        ended.set()

    tasks.start(work(), name="a name")
    assert names == []
    async with asyncio.timeout(GUARD):
        await ended.wait()
    assert names == ["a name"]
    await tasks.aclose()


async def test_closing_cancels_all_and_waits_for_their_end() -> None:
    """Even where they need a while for it; closing again is fine."""
    tasks, ended = TaskSet(), []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    for name in ("a", "b"):
        tasks.start(work(name))
    await asyncio.sleep(0)
    await tasks.aclose()
    assert sorted(ended) == ["a", "b"]
    await tasks.aclose()


async def test_cancelling_does_not_wait() -> None:
    """The tasks end later; `aclose` waits for them."""
    tasks, ended = TaskSet(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    tasks.start(work())
    await asyncio.sleep(0)
    tasks.cancel()
    assert ended == []
    await tasks.aclose()
    assert ended == ["ended"]


async def test_what_a_task_raises_is_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """Once; nobody else hears of it, and a cancelled task is no failure."""
    tasks = TaskSet()
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ValueError("a bug")

    tasks.start(fail(), name="failing")
    tasks.start(asyncio.Event().wait(), name="waiting")
    async with asyncio.timeout(GUARD):
        await failed.wait()
    await tasks.aclose()

    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "failing failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a bug"


async def test_a_task_may_close_the_set_it_is_in() -> None:
    """It does not wait for itself."""
    tasks, closed = TaskSet(), asyncio.Event()

    async def close() -> None:
        await tasks.aclose()
        closed.set()

    tasks.start(close())
    async with asyncio.timeout(GUARD):
        await closed.wait()


async def test_closing_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that does not end when it is cancelled is named in the log."""
    monkeypatch.setattr(_tasks, "CLOSE_TIMEOUT", 0.01)
    tasks, let_go = TaskSet(), asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    tasks.start(stubborn(), name="stubborn")
    await asyncio.sleep(0)
    async with asyncio.timeout(GUARD):
        await tasks.aclose()
        assert "stubborn" in caplog.text
        let_go.set()
        await tasks.aclose()
