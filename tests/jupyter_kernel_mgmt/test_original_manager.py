"""Managers of the first version as managers of today."""

import asyncio
import logging
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import ExitInfo, Unsupported
from jupyter_kernel_mgmt.managerabc import KernelManagerABC
from jupyter_kernel_mgmt.managerbase import KILL
from jupyter_kernel_mgmt.original import manager as module
from jupyter_kernel_mgmt.original.manager import (
    UNSEEN,
    UNTOLD,
    OriginalManager,
    end_now,
    exit_info,
    manager_of,
)
from jupyter_kernel_mgmt.testing import FakeManager, check_manager

from ._original import GUARD, AsyncOld, BlockingOld


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Managers that hang have moments."""
    monkeypatch.setattr(module, "WAIT_INTERVAL", 0.001)
    monkeypatch.setattr(module, "STEP_TIMEOUT", 0.2)
    monkeypatch.setattr(module, "END_TIMEOUT", 0.2)


@pytest.mark.parametrize("make", [BlockingOld, AsyncOld])
async def test_an_adapted_manager_keeps_the_promises_of_a_manager(make: Callable[[], Any]) -> None:
    """All that the conformance check looks at."""

    async def factory() -> OriginalManager:
        return OriginalManager(make(), "id")

    await check_manager(factory, timeout=GUARD)


@pytest.mark.parametrize("make", [BlockingOld, AsyncOld])
async def test_every_method_is_the_old_one(make: Callable[[], Any]) -> None:
    """What the old shape did not have is a signal; closing kills and cleans up, once."""
    old = make()
    manager = OriginalManager(old, "id")
    assert await manager.is_alive() is True
    await manager.signal(3)
    await manager.interrupt()
    await manager.terminate()
    await manager.aclose()
    await manager.aclose()

    assert old.calls == [3, "interrupt", signal.SIGTERM, "kill", "cleanup"]
    assert manager.kernel_id == "id"
    assert await manager.is_alive() is False


async def test_ordinary_methods_run_in_daemon_threads() -> None:
    old = BlockingOld()
    manager = OriginalManager(old, "id")
    await manager.is_alive()
    await manager.interrupt()
    await manager.aclose()

    assert threading.main_thread() not in old.threads
    assert all(thread.daemon for thread in old.threads)


async def test_a_kernel_that_ended_is_cleaned_up_and_not_killed() -> None:
    """Nor asked for anything: its number may be that of another process."""
    old = AsyncOld()
    manager = OriginalManager(old, "id")
    old.ended.set()
    assert await manager.wait() == ExitInfo(-9)
    await manager.kill()
    await manager.interrupt()
    await manager.aclose()

    assert old.calls == ["cleanup"]


@pytest.mark.parametrize(
    ("answer", "info"),
    [
        (True, None),
        (None, None),
        (False, ExitInfo(reason=UNTOLD)),
        (0, ExitInfo(0)),
        (3, ExitInfo(3)),
        (signal.SIGTERM, ExitInfo(15)),
        (ExitInfo(4, "why"), ExitInfo(4, "why")),
        ({"StatusCode": 1}, ExitInfo(reason=UNTOLD)),
    ],
)
def test_what_wait_says_is_the_exit_info(answer: object, info: ExitInfo | None) -> None:
    """True is still alive, False is not, a number the exit code."""
    assert exit_info(answer) == info


class Told(KernelManagerABC):
    """Is alive for some questions; ``wait`` gives or raises one answer after the other."""

    def __init__(self, *answers: object, alive: int = 0) -> None:
        self.answers = list(answers)
        self.alive = alive
        self.asked = 0

    def is_alive(self) -> bool:
        self.asked += 1
        return self.asked <= self.alive

    async def wait(self, timeout: float | None = None) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Asked(KernelManagerABC):
    """Has no ``wait`` at all."""

    asked = 0

    def is_alive(self) -> bool:
        self.asked += 1
        return self.asked <= 3


@pytest.mark.parametrize(
    "old",
    [
        Told(True, True, False),
        Told(True, TimeoutError(), None),
        Told(None, None, None, None, alive=3),
        Told(subprocess.TimeoutExpired("x", 1), False),
        Told(AttributeError("'NoneType' object has no attribute 'wait'")),
        Asked(),
    ],
)
async def test_where_wait_says_nothing_it_is_asked_again_until_the_kernel_is_gone(old: Any) -> None:
    """Only then: one with nothing better."""
    async with asyncio.timeout(GUARD):
        assert await OriginalManager(old, "id").wait() == ExitInfo(reason=UNTOLD)


async def test_a_wait_that_fails_while_the_kernel_runs_raises_and_is_asked_again_by_the_next() -> None:
    manager = OriginalManager(Told(OSError("lost"), 5, alive=1), "id")

    with pytest.raises(OSError, match="lost"):
        await manager.wait()
    assert await manager.wait() == ExitInfo(5)


async def test_a_wait_that_timed_out_has_told_nothing() -> None:
    """Whether or not the manager can say that the kernel is alive."""

    class OnlyWaits(Told):
        is_alive = KernelManagerABC.is_alive

    assert await OriginalManager(Told(TimeoutError(), 5, alive=9), "id").wait() == ExitInfo(5)
    assert await OriginalManager(OnlyWaits(TimeoutError(), True, 5), "id").wait() == ExitInfo(5)
    assert await OriginalManager(OnlyWaits(None), "id").wait() == ExitInfo(reason=UNTOLD)
    with pytest.raises(OSError, match="lost"):
        await OriginalManager(OnlyWaits(OSError("lost")), "id").wait()


async def test_a_wait_is_called_once_for_all_who_wait() -> None:
    manager = OriginalManager(Told(5), "id")

    assert await asyncio.gather(*(manager.wait() for _ in range(3))) == [ExitInfo(5)] * 3
    assert await manager.wait() == ExitInfo(5)


async def test_what_fails_because_the_kernel_is_gone_is_no_error() -> None:
    class Gone(Told):
        def kill(self) -> None:
            raise ProcessLookupError

        def signal(self, signum: int) -> None:
            raise ProcessLookupError

    await OriginalManager(Gone(), "id").kill()
    with pytest.raises(ProcessLookupError):
        await OriginalManager(Gone(alive=1), "id").signal(2)


async def test_what_an_old_manager_lacks_is_unsupported_by_name() -> None:
    """Also where it says so itself; a signal stands for an interrupt, SIGTERM and SIGKILL."""

    class Signals(Told):
        def __init__(self) -> None:
            super().__init__(alive=9)
            self.signals: list[int] = []

        def signal(self, signum: int) -> None:
            self.signals.append(signum)

    class Refuses(Told):
        async def signal(self, signum: int) -> None:
            raise NotImplementedError

    signals = Signals()
    manager = OriginalManager(signals, "id")
    for act in (manager.interrupt, manager.terminate, manager.kill):
        await act()
    assert signals.signals == [signal.SIGINT, signal.SIGTERM, KILL]
    for old in (Told(alive=9), Refuses(alive=9)):
        with pytest.raises(Unsupported, match=rf"signal: {type(old).__name__} has no signal\(\)"):
            await OriginalManager(old, "id").interrupt()


class Hangs(BlockingOld):
    """Every method but ``is_alive`` hangs until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def wait(self, timeout: float | None) -> bool:
        return not self.let_go.wait(GUARD)

    def kill(self) -> None:
        self.let_go.wait(GUARD)

    def cleanup(self) -> None:
        self.let_go.wait(GUARD)
        self.calls.append("cleanup")


async def test_a_manager_that_hangs_is_closed_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """The steps are bounded and told by name, and those who wait are answered."""
    old = Hangs()
    manager = OriginalManager(old, "id")
    waiting = asyncio.create_task(manager.wait())
    try:
        async with asyncio.timeout(GUARD):
            await manager.aclose()
            assert await waiting == ExitInfo(reason=UNSEEN)
    finally:
        old.let_go.set()

    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "kill() of <OriginalManager of Hangs> did not end" in caplog.text
    assert "cleanup() of" in caplog.text


async def test_a_close_that_is_cancelled_still_kills_and_cleans_up() -> None:
    """Before it returns, on the loop as in a thread."""
    for old in (AsyncOld(), BlockingOld()):
        closing = asyncio.create_task(OriginalManager(old, "id").aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert old.calls == ["kill", "cleanup"]


async def test_a_step_that_fails_keeps_none_from_the_next(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(AsyncOld):
        async def kill(self) -> None:
            self.ended.set()
            raise OSError("no access")

        async def cleanup(self) -> None:
            self.calls.append("cleanup")
            raise OSError("no such file")

    old = Fails()
    await OriginalManager(old, "id").aclose()

    assert old.calls == ["cleanup"]
    assert "no such file" in caplog.text


def test_what_could_not_manage_a_kernel_is_refused() -> None:
    """By what is missing."""
    with pytest.raises(TypeError, match=r"KernelManagerABC has neither wait\(\) nor is_alive\(\)"):
        manager_of(KernelManagerABC(), "id")
    with pytest.raises(TypeError, match=r"Asked has neither kill\(\) nor signal\(\)"):
        manager_of(Asked(), "id")


async def test_managers_of_today_and_none_are_taken_as_they_are() -> None:
    fake = FakeManager("id")

    assert manager_of(fake, "other") is fake
    assert manager_of(None, "id") is None


async def test_what_nobody_waits_for_is_ended_in_the_thread_it_came_in() -> None:
    """With kill and cleanup; what is asynchronous runs on the loop."""
    loop = asyncio.get_running_loop()
    blocking, on_loop = BlockingOld(), AsyncOld()
    cleaned = asyncio.Event()
    kept = on_loop.cleanup

    async def cleanup() -> None:
        await kept()
        cleaned.set()

    on_loop.cleanup = cleanup  # type: ignore[method-assign]
    await asyncio.to_thread(end_now, blocking, loop)
    await asyncio.to_thread(end_now, on_loop, loop)
    async with asyncio.timeout(GUARD):
        await cleaned.wait()

    assert blocking.calls == on_loop.calls == ["kill", "cleanup"]
    end_now(None, loop)


def test_what_is_ended_after_its_loop_is_ended_as_far_as_it_can_be(caplog: pytest.LogCaptureFixture) -> None:
    """Ordinary methods need no loop; what they raise is logged, and keeps none from the next."""
    loop = asyncio.new_event_loop()
    loop.close()

    class Fails(BlockingOld):
        def kill(self) -> None:
            super().kill()
            raise OSError("no access")

    old, on_loop = Fails(), AsyncOld()
    end_now(old, loop)
    end_now(on_loop, loop)
    assert old.calls == ["kill", "cleanup"]
    assert on_loop.calls == []
    assert "kill() of a Fails failed" in caplog.text
