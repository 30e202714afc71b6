"""A kernel's death reaches everyone who waits, at once and with all that is known of it."""

import asyncio
import os
import signal
import sys
import time

import pytest

from jupyter_kernel_mgmt import KernelDied, KernelExited, KernelState, launch

# To the real stderr: file descriptor 2 leads to iopub in ipykernel. The test makes the file `gate` once
# it has read the output, which a death could overtake.
DIE = """
import ctypes, os, signal, sys, time
print("so far", flush=True)
while not os.path.exists({gate!r}):
    time.sleep(0.005)
os.write(sys.stderr._original_stdstream_copy, b"last words\\n")
{death}
"""

WAYS = {
    "exit": ("os._exit(3)", 3),
    "segfault": ("ctypes.string_at(0)", -getattr(signal, "SIGSEGV", 0)),
    "kill": ("os.kill(os.getpid(), signal.SIGKILL)", -getattr(signal, "SIGKILL", 0)),
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="exit codes of signals are POSIX's")


def has_ended(pid):
    """Whether a child has ended, which stays a zombie."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


@pytest.mark.parametrize(
    ("kernel_type", "way"),
    [("python3", "exit"), ("python3", "segfault"), ("python3", "kill"), ("ipykernel6", "exit")],
)
async def test_every_waiter_gets_the_death_and_what_is_known_of_it(
    kernel_type, way, require, run_until, world
):
    """Executions, running or queued, other requests, any number of tasks: KernelDied, code, stderr."""
    require(kernel_type)
    death, code = WAYS[way]
    gate = world.other / "gate"
    async with launch(kernel_type) as kernel:
        dying = await run_until(kernel, DIE.format(gate=str(gate), death=death), "so far")
        queued = kernel.execute("1")

        async def awaits(execution):
            return await execution

        async def iterates(execution):
            return [message async for message in execution]

        waiters = [
            *(asyncio.create_task(awaits(dying)) for _ in range(3)),
            asyncio.create_task(iterates(dying)),
            asyncio.create_task(awaits(queued)),
            asyncio.create_task(kernel.complete("impor")),
            asyncio.create_task(kernel.inspect("print")),
        ]
        ended = asyncio.create_task(kernel.wait())
        await asyncio.sleep(0)  # let them begin
        gate.touch()
        async with asyncio.timeout(30):
            outcomes = await asyncio.gather(*waiters, return_exceptions=True)
            info = await ended
        assert [type(outcome) for outcome in outcomes] == [KernelDied] * len(waiters)
        assert {outcome.exit_info.returncode for outcome in outcomes} == {info.returncode} == {code}
        assert all("last words" in outcome.exit_info.output_tail for outcome in outcomes)
        assert "last words" in str(outcomes[0])
        assert [outcome.result.stdout for outcome in outcomes[:4]] == ["so far\n"] * 4
        assert outcomes[0].result.status is None
        assert outcomes[4].result.outputs == []
        assert kernel.state is KernelState.DEAD
        with pytest.raises(KernelDied):
            kernel.execute("1")
        with pytest.raises(KernelDied):
            await kernel.complete("impor")


async def test_output_from_just_before_the_death_is_in_the_result(ipykernel):
    """What the kernel had sent when it ended is read before anybody is told, however much that is."""
    code = "import os, time\nfor i in range(2000): print(i, flush=True)\ntime.sleep(0.5)\nos._exit(3)"
    async with launch(ipykernel) as kernel:
        execution = kernel.execute(code)
        await asyncio.sleep(0)  # the request leaves
        while not has_ended(kernel.manager.pid):
            time.sleep(0.01)  # noqa: ASYNC251 - so that the death and its output meet us together
        with pytest.raises(KernelDied) as caught:
            await execution
        assert caught.value.result.stdout.split() == [str(i) for i in range(2000)]


async def test_an_idle_kernel_that_is_killed_from_outside_is_dead(run_until):
    """The state says so and so do the events, and requests raise at once instead of waiting."""
    async with launch() as kernel:
        os.kill(kernel.manager.pid, signal.SIGKILL)
        info = await kernel.wait()
        assert info.returncode == -signal.SIGKILL
        async for event in kernel.events():
            if isinstance(event, KernelExited):
                assert (event.exit_info, event.generation, event.expected) == (info, 1, False)
                break
        assert kernel.state is KernelState.DEAD
        with pytest.raises(KernelDied):
            await kernel.kernel_info()


async def test_it_can_die_and_be_restarted_again_and_again():
    """Each generation is a whole kernel, and nothing of the earlier ones stays."""
    async with launch() as kernel:
        for code in (3, 4, 5):
            with pytest.raises(KernelDied) as caught:
                await kernel.execute(f"import os; os._exit({code})")
            assert caught.value.exit_info.returncode == code
            await kernel.restart()
            assert (await kernel.execute("6 * 7")).text == "42"


async def test_a_death_while_a_restart_ends_the_kernel_does_not_stop_it():
    """Killed at the same moment as it is restarted: the restart still gives a working kernel."""
    async with launch() as kernel:
        restarting = asyncio.create_task(kernel.restart())
        await asyncio.sleep(0)
        os.kill(kernel.manager.pid, signal.SIGKILL)
        await restarting
        assert kernel.state is KernelState.READY
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_a_dead_kernel_can_be_shut_down_and_says_how_it_ended():
    """Shutting down what is dead already is no error."""
    async with launch() as kernel:
        with pytest.raises(KernelDied):
            await kernel.execute("import os; os._exit(3)")
        assert (await kernel.shutdown()).returncode == 3


async def test_a_kernel_that_ignores_every_request_is_ended_all_the_same(run_until):
    """Neither interrupts nor SIGTERM nor a shutdown message move it: it is killed."""
    code = """
import signal, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Thread(target=threading.Event().wait, daemon=False).start()
import atexit, os
print("started", flush=True)
while True: pass
"""
    async with launch() as kernel:
        await run_until(kernel, code)
        info = await kernel.shutdown()
        assert info.returncode == -signal.SIGKILL
