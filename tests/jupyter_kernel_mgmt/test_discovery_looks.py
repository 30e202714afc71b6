"""Looks at files, one provider's after the other's."""

import asyncio
import threading
from pathlib import Path
from typing import cast

import pytest

from jupyter_kernel_mgmt.discovery import looks as module
from jupyter_kernel_mgmt.discovery.looks import Looks
from jupyter_kernel_mgmt.discovery.times import Times


class Look:
    """Stands for `Times`: a look that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def unchanged(self) -> bool:
        self.begun.set()
        return self.let_go.wait(20)


def look(looks: Looks, one: Look) -> "asyncio.Task[bool]":
    return asyncio.create_task(looks.unchanged(cast("Times", one), name="look"))


async def test_what_times_say_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    times = Times({str(missing): None})
    assert await Looks().unchanged(times, name="look")
    missing.touch()
    assert not await Looks().unchanged(times, name="look")


async def test_a_look_waits_for_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 20.0)
    looks, first, second = Looks(), Look(), Look()
    tasks = [look(looks, first), look(looks, second)]
    await asyncio.to_thread(first.begun.wait)
    assert not second.begun.is_set()
    first.let_go.set()
    await asyncio.to_thread(second.begun.wait)
    second.let_go.set()
    assert await asyncio.gather(*tasks) == [True, True]


async def test_one_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.001)
    looks, hangs, other = Looks(), Look(), Look()
    hanging = look(looks, hangs)
    await asyncio.to_thread(hangs.begun.wait)
    other.let_go.set()
    assert await look(looks, other)
    assert not hanging.done()
    hangs.let_go.set()
    assert await hanging


async def test_one_that_is_cancelled_lets_the_next_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 20.0)
    looks, hangs, other = Looks(), Look(), Look()
    hanging = look(looks, hangs)
    await asyncio.to_thread(hangs.begun.wait)
    next_one = look(looks, other)
    hanging.cancel()
    await asyncio.to_thread(other.begun.wait)
    other.let_go.set()
    assert await next_one
    hangs.let_go.set()
