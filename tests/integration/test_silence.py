"""Kernels that give no sign of life, with ``unresponsive_after``, and kernels that only look like it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jupyter_kernel_mgmt import (
    Kernel,
    KernelUnresponsive,
    Responsive,
    Unresponsive,
    connect,
    launch,
)
from jupyter_kernel_mgmt._silence import Silence
from jupyter_kernel_mgmt.subproc.proc import look_at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process does")

GUARD = 30
PATIENCE = 0.5
"""Seconds that kernels get here before they are called unresponsive."""

IDLE, WAITING = "", "import time; print('started', flush=True); time.sleep(600)"

HOLDS_THE_GIL = """
import re, time
print('started', flush=True)
time.sleep(0.5)  # the thread that sends it gets no other chance
re.match('(a+)+$', 'a' * 40 + 'b')
"""
# As long as several times what a kernel gets.
SLEEPS = "import time; print('started', flush=True); time.sleep(2.5)"


def pid_of(kernel: Kernel) -> int:
    pid: int = kernel.manager.pid  # type: ignore[union-attr]
    return pid


def silence(kernel: Kernel) -> Silence:
    """What is known of its silence."""
    return kernel._generation._silence._silence  # type: ignore[union-attr]


def has_echoed(kernel: Kernel) -> bool:
    return silence(kernel)._has_heartbeat


def reports(kernel: Kernel) -> list[object]:
    """What was reported so far."""
    return [event for _, event in kernel._events._kept if isinstance(event, Unresponsive | Responsive)]


@asynccontextmanager
async def stopped(pid: int) -> AsyncIterator[None]:
    """A process that cannot run, until the end of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def until(kernel: Kernel, kind: type) -> list[object]:
    """The events about silence, up to the first of one kind."""
    seen: list[object] = []
    async with asyncio.timeout(GUARD):
        async for event in kernel.events():
            if isinstance(event, Unresponsive | Responsive):
                seen.append(event)
            if isinstance(event, kind):
                return seen
    raise AssertionError(f"no {kind.__name__} came from {kernel!r}")


@pytest.mark.parametrize("code", [IDLE, WAITING], ids=["idle", "busy"])
async def test_a_stopped_kernel_is_reported_and_comes_back(quick_kind, run_until, code):
    """Who waits is told, with the output so far; the kernel is not ended, and serves new requests later."""
    async with launch(quick_kind.kernel_type, unresponsive_after=PATIENCE) as kernel:
        execution = await run_until(kernel, code) if code else None
        async with stopped(pid_of(kernel)):
            waiting = asyncio.create_task(kernel.kernel_info())
            [event] = await until(kernel, Unresponsive)
            assert event.generation == 1
            with pytest.raises(KernelUnresponsive):
                await waiting
            if execution is not None:
                with pytest.raises(KernelUnresponsive) as caught:
                    await execution
                assert caught.value.result.stdout.strip() == "started"
                assert caught.value.silence == event.silence
            with pytest.raises(KernelUnresponsive):
                await kernel.kernel_info()  # sent to a kernel of which this is known
        assert await until(kernel, Responsive) == [event, Responsive(1)]
        if execution is not None and quick_kind.dies_of_sigint:
            return
        if execution is not None:
            await kernel.interrupt()
        assert (await kernel.execute(quick_kind.hello)).stdout.strip() == "hello"


async def test_a_kernel_that_computes_is_not_reported(quick_kind, run_until, eventually):
    """Though no other thread of it comes to run; when it is stopped in the middle of that, it is."""
    async with launch(quick_kind.kernel_type, unresponsive_after=PATIENCE) as kernel:
        await run_until(kernel, HOLDS_THE_GIL)
        before = look_at(pid_of(kernel)).cpu_time
        await eventually(lambda: look_at(pid_of(kernel)).cpu_time > before + 4 * PATIENCE)
        assert reports(kernel) == []
        os.kill(pid_of(kernel), signal.SIGSTOP)
        assert len(await until(kernel, Unresponsive)) == 1


async def test_a_kernel_that_sleeps_is_not_reported(quick_kind, run_until):
    """It executes what it was told to; only when it is stopped, afterwards, is it."""
    async with launch(quick_kind.kernel_type, unresponsive_after=PATIENCE) as kernel:
        execution = await run_until(kernel, SLEEPS)
        assert (await execution).status == "ok"
        assert reports(kernel) == []
        async with stopped(pid_of(kernel)):
            assert len(await until(kernel, Unresponsive)) == 1
        await until(kernel, Responsive)


async def test_an_application_that_was_held_up_does_not_blame_the_kernel(require):
    """Its kernel answered all the time; it was not there to hear it."""
    require("spec/python3")
    async with launch("spec/python3", unresponsive_after=PATIENCE) as kernel:
        for _ in range(3):
            time.sleep(4 * PATIENCE)  # noqa: ASYNC251 - that is what it is about
            assert (await kernel.execute("1")).status == "ok"
        async with stopped(pid_of(kernel)):
            assert len(await until(kernel, Unresponsive)) == 1
        await until(kernel, Responsive)


async def test_a_kernel_of_somebody_else_is_judged_by_its_heartbeat(ipykernel, eventually):
    """Nobody here can look at its process, but an idle kernel ought to echo."""
    async with (
        launch(ipykernel) as owned,
        connect(owned.connection_file, unresponsive_after=PATIENCE) as kernel,
    ):
        await eventually(lambda: has_echoed(kernel) and kernel.execution_state == "idle")
        async with stopped(pid_of(owned)):
            waiting = asyncio.create_task(kernel.kernel_info())
            with pytest.raises(KernelUnresponsive):
                await waiting
            await until(kernel, Unresponsive)
        await until(kernel, Responsive)
        assert (await kernel.execute("1")).status == "ok"


async def test_a_busy_kernel_of_somebody_else_may_compute(ipykernel, run_until, eventually):
    """Nobody here can tell whether it does, so it is not reported."""
    async with (
        launch(ipykernel) as owned,
        connect(owned.connection_file, unresponsive_after=PATIENCE) as kernel,
    ):
        await eventually(lambda: has_echoed(kernel))
        execution = await run_until(kernel, SLEEPS)
        async with stopped(pid_of(owned)):
            await eventually(lambda: silence(kernel).seconds > 2 * PATIENCE)
        assert (await execution).status == "ok"
        assert reports(kernel) == []


async def test_a_restart_of_an_unresponsive_kernel_begins_anew(ipykernel):
    """The new process is watched like the old one."""
    async with launch(ipykernel, unresponsive_after=PATIENCE) as kernel:
        os.kill(pid_of(kernel), signal.SIGSTOP)
        await until(kernel, Unresponsive)
        await kernel.restart()
        assert (await kernel.execute("1")).status == "ok"
        async with stopped(pid_of(kernel)):
            with pytest.raises(KernelUnresponsive):
                await kernel.kernel_info()
        await until(kernel, Responsive)


async def test_a_kernel_without_heartbeat_is_judged_by_its_process(require, spec, run_until):
    """Neither waiting for work nor sleeping is a reason to report it; being stopped is."""
    require("spec/python3")
    program = (
        "from ipykernel.kernelapp import IPKernelApp; IPKernelApp.init_heartbeat = lambda app: None; "
        "IPKernelApp.launch_instance()"
    )
    spec("heartless", [sys.executable, "-c", program, "-f", "{connection_file}"])
    async with launch("heartless", unresponsive_after=PATIENCE) as kernel:
        execution = await run_until(kernel, SLEEPS)
        assert (await execution).status == "ok"
        assert not has_echoed(kernel)
        assert reports(kernel) == []
        async with stopped(pid_of(kernel)):
            with pytest.raises(KernelUnresponsive):
                await kernel.kernel_info()
        await until(kernel, Responsive)
        assert (await kernel.execute("1")).status == "ok"


async def test_a_stopped_kernel_is_closed_without_being_asked(ipykernel, caplog):
    """It would not answer; nothing stays behind."""
    async with launch(ipykernel, unresponsive_after=PATIENCE) as kernel:
        os.kill(pid_of(kernel), signal.SIGSTOP)
        await until(kernel, Unresponsive)
    assert (await kernel.wait()).returncode == -signal.SIGKILL
    assert caplog.text == ""
