"""One stream of events for any number of readers."""

import asyncio
from typing import Any

import pytest

from jupyter_kernel_mgmt import events as events_module
from jupyter_kernel_mgmt.events import (
    EventLog,
    ExecutionStateChanged,
    KernelEvent,
    KernelState,
    LaunchProgress,
    StateChanged,
)


def event(number: int) -> LaunchProgress:
    return LaunchProgress(str(number))


async def read(log: EventLog) -> list[KernelEvent]:
    return [item async for item in log.read()]


async def test_readers_get_what_was_kept_then_what_is_new_until_the_end() -> None:
    """Whenever they begin."""
    log = EventLog()
    log.emit(event(1))
    early = asyncio.create_task(read(log))
    await asyncio.sleep(0)
    log.emit(event(2))
    middle = asyncio.create_task(read(log))
    await asyncio.sleep(0)
    log.emit(event(3))
    log.close()

    expected = [event(1), event(2), event(3)]
    assert await early == await middle == await read(log) == expected


async def test_nothing_is_added_after_the_end() -> None:
    """And ending again is fine."""
    log = EventLog()
    log.close()
    log.emit(event(1))
    log.close()

    assert await read(log) == []


async def test_only_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that comes late or is slow misses the oldest and gets the rest in order."""
    monkeypatch.setattr(events_module, "HISTORY", 3)
    log = EventLog()
    reader = log.read()
    log.emit(event(0))
    assert await anext(reader) == event(0)
    for number in range(1, 10):
        log.emit(event(number))
    log.close()

    expected = [event(7), event(8), event(9)]
    assert [item async for item in reader] == expected
    assert await read(log) == expected


async def test_busy_and_idle_push_out_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the latest of them are kept, in their places among the others."""
    monkeypatch.setattr(events_module, "HISTORY", 3)
    monkeypatch.setattr(events_module, "BUSY_HISTORY", 2)
    log = EventLog()
    log.emit(event(0))
    for number in range(10):
        log.emit(ExecutionStateChanged(f"old {number}"))
    log.emit(event(1))
    log.emit(ExecutionStateChanged("busy"))
    log.emit(event(2))
    log.emit(ExecutionStateChanged("idle"))
    log.close()

    busy, idle = ExecutionStateChanged("busy"), ExecutionStateChanged("idle")
    assert await read(log) == [event(0), event(1), busy, event(2), idle]


async def test_cancelling_a_reader_disturbs_no_other() -> None:
    """Both wait for the same next event."""
    log = EventLog()
    leaving, staying = asyncio.create_task(read(log)), asyncio.create_task(read(log))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    log.emit(event(1))
    log.close()

    assert await staying == [event(1)]


async def test_the_callback_hears_everything_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """What it raises is logged and stops nothing."""
    heard: list[KernelEvent] = []

    def on_event(item: Any) -> None:
        heard.append(item)
        raise ValueError("a bug of the application's")

    log = EventLog(on_event)
    log.emit(event(1))
    log.emit(StateChanged(KernelState.READY, 1))
    log.close()
    log.emit(event(2))

    assert heard == await read(log) == [event(1), StateChanged(KernelState.READY, 1)]
    assert "a bug of the application's" in caplog.text
