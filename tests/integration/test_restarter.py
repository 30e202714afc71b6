"""Kernels that crash come back, as often as that makes sense and only where nobody meant it."""

import asyncio
import os
import signal
import sys

import pytest

from jupyter_kernel_mgmt import (
    Backoff,
    ExitInfo,
    KernelDied,
    KernelExited,
    KernelFinder,
    KernelRestarter,
    KernelState,
    LaunchRequest,
    RestartGaveUp,
    RestartScheduled,
    StateChanged,
    Unresponsive,
    connect,
    launch,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

GUARD = 60
BRIEFLY = Backoff(initial=0.01, maximum=0.1)
NEVER = Backoff(initial=10_000, maximum=10_000)
HANG = "import time; print('started', flush=True); time.sleep(600)"
DIE = "import os; os._exit(3)"


async def until(source, wanted):
    """The events up to one of them, or one of that type."""
    seen = []
    async with asyncio.timeout(GUARD):
        async for event in source.events():
            seen.append(event)
            if event == wanted or (isinstance(wanted, type) and isinstance(event, wanted)):
                return seen
    raise AssertionError(f"{wanted} never came; there were {seen}")


def kernels(descendants):
    """The processes of kernels: what was started, but for the agent that guards them."""
    return {pid: line for pid, line in descendants().items() if "far_end" not in line}


async def test_a_kernel_killed_while_it_executes_is_usable_again(ipykernel, run_until, descendants):
    """Who waited gets the death; kernel_id, file, client and handlers stay, and there is one process."""
    seen = []
    async with launch(ipykernel) as kernel, KernelRestarter(kernel, backoff=BRIEFLY):
        client, kernel_id, file = kernel.client, kernel.kernel_id, kernel.connection_file
        kernel.client.add_handler(lambda channel, message: seen.append(message.msg_type), ["iopub"])
        running = await run_until(kernel, HANG)
        queued = kernel.execute("1")
        os.kill(kernel.manager.pid, signal.SIGKILL)
        for execution in (running, queued):
            with pytest.raises(KernelDied) as caught:
                await execution
            assert type(caught.value) is KernelDied
            assert caught.value.exit_info.returncode == -signal.SIGKILL
        await until(kernel, StateChanged(KernelState.READY, 2))
        seen.clear()
        assert (await kernel.execute("print('again')")).stdout == "again\n"
        assert "stream" in seen
        assert (kernel.client, kernel.kernel_id, kernel.connection_file) == (client, kernel_id, file)
        assert list(kernels(descendants)) == [kernel.manager.pid]
        async with connect(kernel.connection_file) as other:
            assert (await other.execute("6 * 7")).text == "42"


async def test_it_comes_back_again_and_again(ipykernel):
    """Each time as a whole kernel, for as long as the count allows."""
    async with launch(ipykernel) as kernel, KernelRestarter(kernel, backoff=BRIEFLY, restart_limit=3):
        for generation in (1, 2, 3):
            with pytest.raises(KernelDied):
                await kernel.execute(DIE)
            await until(kernel, StateChanged(KernelState.READY, generation + 1))
        with pytest.raises(KernelDied):
            await kernel.execute(DIE)
        gave_up = (await until(kernel, RestartGaveUp))[-1]
        assert (gave_up.generation, gave_up.attempts) == (4, 3)
        assert kernel.state is KernelState.DEAD


async def test_a_kernel_that_can_no_longer_start_is_given_up(spec, world, descendants):
    """Each attempt is told with how it ended, each waits longer, and no process is left."""
    broken = world.other / "broken"
    program = (
        f"import os, sys; os.path.exists({str(broken)!r}) and sys.exit('no licence')\n"
        "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    )
    spec("fragile", [sys.executable, "-c", program, "-f", "{connection_file}"])
    backoff = Backoff(initial=0.01, factor=2, jitter=0)
    async with launch("fragile") as kernel, KernelRestarter(kernel, backoff=backoff, restart_limit=3):
        broken.touch()
        with pytest.raises(KernelDied):
            await kernel.execute(DIE)
        seen = await until(kernel, RestartGaveUp)
        assert kernel.state is KernelState.DEAD
        assert kernels(descendants) == {}
        assert [e.delay for e in seen if isinstance(e, RestartScheduled)] == [0.01, 0.02, 0.04]
        exits = [e for e in seen if isinstance(e, KernelExited)]
        assert [(e.exit_info.returncode, e.generation) for e in exits] == [(3, 1), (1, 2), (1, 3), (1, 4)]
        assert all("no licence" in e.exit_info.output_tail for e in exits[1:])
        broken.unlink()
        await kernel.restart()
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_what_was_shut_down_is_not_revived(ipykernel, descendants):
    """By us; the restarter tells nothing, since there is nothing to tell."""
    async with launch(ipykernel) as kernel, KernelRestarter(kernel, backoff=BRIEFLY):
        await kernel.shutdown()
        assert (kernel.state, kernels(descendants)) == (KernelState.DEAD, {})
        await kernel.restart()
        await kernel.shutdown()
        assert (kernel.state, kernels(descendants)) == (KernelState.DEAD, {})
        await kernel.aclose()
        told = [event async for event in kernel.events()]
        assert not [event for event in told if isinstance(event, RestartScheduled | RestartGaveUp)]


@pytest.mark.parametrize("restart", [False, True])
async def test_a_shutdown_by_another_client_is_meant(ipykernel, restart):
    """It is heard of, whoever asked; where they asked for a restart, it is the restarter that makes it."""
    backoff = BRIEFLY if restart else NEVER
    async with launch(ipykernel) as kernel, KernelRestarter(kernel, backoff=backoff) as restarter:
        async with connect(kernel.connection_file) as other:
            await other.client.request_shutdown(restart=restart)
            await until(kernel, StateChanged(KernelState.DEAD, 1))
        if restart:
            await until(kernel, StateChanged(KernelState.READY, 2))
            assert (await kernel.execute("6 * 7")).text == "42"
        else:
            for _ in range(50):  # the restarter has heard of it by then
                await asyncio.sleep(0)
            assert restarter._policy.plan is None
            assert kernel.state is KernelState.DEAD


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process does")
async def test_a_stopped_kernel_is_killed_and_restarted(ipykernel, descendants):
    """It could not be asked, and is reaped."""
    async with (
        launch(ipykernel, unresponsive_after=0.5) as kernel,
        KernelRestarter(kernel, backoff=BRIEFLY, restart_unresponsive=True),
    ):
        os.kill(kernel.manager.pid, signal.SIGSTOP)
        seen = await until(kernel, StateChanged(KernelState.READY, 2))
        assert any(isinstance(event, Unresponsive) for event in seen)
        assert (await kernel.execute("6 * 7")).text == "42"
        assert list(kernels(descendants)) == [kernel.manager.pid]


async def test_closing_during_a_restart_leaves_a_dead_kernel_and_no_process(
    ipykernel, descendants, eventually
):
    """Closed as soon as the next process is there: it is ended, and a restart by hand works."""
    async with launch(ipykernel) as kernel:
        async with KernelRestarter(kernel, backoff=BRIEFLY):
            with pytest.raises(KernelDied):
                await kernel.execute(DIE)
            first = kernel.manager
            await eventually(lambda: kernel.manager is not first)
        assert (kernel.state, kernels(descendants)) == (KernelState.DEAD, {})
        await kernel.restart()
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_a_manager_alone_gets_another_kernel_in_its_place(ipykernel, descendants):
    """From the finder; the restarter ends what it started, the first manager is ended by its owner."""
    async with KernelFinder.from_entrypoints() as finder:
        name = ipykernel if "/" in ipykernel else f"spec/{ipykernel}"
        launched = await finder.launch(name, LaunchRequest())

        async def relaunch():
            return await finder.launch(name, LaunchRequest())

        manager = launched.manager
        async with KernelRestarter(manager, relaunch=relaunch, backoff=BRIEFLY) as restarter:
            await manager.kill()
            seen = await until(restarter, StateChanged(KernelState.STARTING, 2))
            async with connect(restarter.launched) as kernel:
                assert (await kernel.execute("6 * 7")).text == "42"
        await manager.aclose()
        assert kernels(descendants) == {}
        [exit] = [event for event in seen if isinstance(event, KernelExited)]
        assert exit == KernelExited(ExitInfo(-signal.SIGKILL), 1, expected=False)
