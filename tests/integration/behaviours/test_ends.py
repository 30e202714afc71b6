"""Interrupts, time-outs, deaths and restarts, told truthfully of every kernel, alone or beside another.

Some kernels die of the signal that interrupts others: then that is what is told.
"""

import asyncio
import signal
import sys

import pytest

from jupyter_kernel_mgmt import InterruptOutcome, KernelDied, KernelRestarted, KernelState, connect

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUARD = 20.0


# Interrupts


def spared(beside, kind, before):
    """Whether nothing of the other's was interrupted, or it had to be."""
    return beside.interrupted == before or kind.interrupt_aborts


async def has_ended(execution, kernel, kind, status):
    """It has that status; or the kernel died, which keeps the output."""
    async with asyncio.timeout(GUARD):  # idle and reply have no order: the reply may come after the outcome
        if kind.dies_of_sigint:
            with pytest.raises(KernelDied) as caught:
                await execution
            assert kernel.state is KernelState.DEAD
            return caught.value.result
        result = await execution
    assert result.status == status
    assert kernel.state is KernelState.READY
    return result


@pytest.mark.parametrize("whole", [False, True], ids=["the execution", "the kernel"])
async def test_interrupting_running_code_tells_what_became_of_it(kernel, kind, beside, run_until, whole):
    """It ended and the kernel is idle, or died of it; nobody else's code was hit."""
    before = beside.interrupted
    execution = await run_until(kernel, kind.endless)
    outcome = await (kernel if whole else execution).interrupt()
    assert outcome is (InterruptOutcome.DIED if kind.dies_of_sigint else InterruptOutcome.IDLE)
    result = await has_ended(execution, kernel, kind, "interrupted")
    assert result.stdout.strip() == "started"
    assert await execution.interrupt() is outcome
    assert spared(beside, kind, before)


async def test_interrupting_an_idle_kernel_leaves_it_idle(kernel, kind, beside):
    """Even one that would die of a signal that finds nothing to interrupt: it is sent none."""
    async with beside.at_rest():
        assert await kernel.interrupt() is InterruptOutcome.IDLE
        assert kernel.state is KernelState.READY
        assert (await kernel.execute(kind.hello)).stdout == "hello\n"


async def test_interrupting_what_has_ended_does_nothing(kernel, kind, beside):
    """Not even to a kernel that would die of it."""
    before = beside.interrupted
    execution = kernel.execute(kind.hello)
    await execution
    assert await execution.interrupt() is InterruptOutcome.IDLE
    assert (await kernel.execute(kind.hello)).stdout == "hello\n"
    assert spared(beside, kind, before)


async def test_an_interrupt_reaches_the_execution_it_is_for(kernel, kind, run_until):
    """The one that runs at once, a queued one when its turn comes, those behind it never."""
    if kind.dies_of_sigint or kind.interrupt_aborts:
        pytest.skip("the first interrupt ends all that wait")
    running = await run_until(kernel, kind.endless)
    doomed, behind = kernel.execute(kind.endless), kernel.execute(kind.say % "behind")
    interrupting = asyncio.create_task(doomed.interrupt())
    async with asyncio.timeout(GUARD):
        assert await running.interrupt() is InterruptOutcome.IDLE
        assert await interrupting is InterruptOutcome.IDLE
        assert [(await each).status for each in (running, doomed)] == ["interrupted"] * 2
        assert (await behind).stdout == "behind\n"


async def test_an_interrupt_by_message_tells_what_became_of_it(kernel, kind, run_until, restart):
    """What a client without a manager can do; kernels that take no notice are said to ignore it."""
    async with connect(kernel.connection_file) as other:
        execution = await run_until(other, kind.endless)
        outcome = await other.client.interrupt(grace=GUARD if kind.heeds_message else 0.5)
        if kind.heeds_message:
            assert outcome is InterruptOutcome.IDLE
            assert (await execution).status == "interrupted"
        else:
            assert outcome is InterruptOutcome.IGNORED
            assert not execution.done()
            await restart()


# Time


async def test_code_that_takes_too_long_is_interrupted(kernel, kind, beside):
    """Its status says so, whatever the kernel calls it; the kernel goes on with others."""
    before = beside.interrupted
    execution = kernel.execute(kind.endless, timeout=0.3)
    behind = kernel.execute(kind.say % "behind")
    await has_ended(execution, kernel, kind, "timeout")
    async with asyncio.timeout(GUARD):
        if kind.interrupt_aborts:
            assert (await behind).status == "aborted"
        elif not kind.dies_of_sigint:
            assert (await behind).stdout == "behind\n"
    assert spared(beside, kind, before)


async def test_code_that_waits_too_long_is_given_up(kernel, kind, beside, run_gated, gate):
    """Its caller is told at once, and the kernel does not run it to its end.

    Time spent in the queue does not count as running: the other one has all its time when it begins.
    """
    if kind.says_busy_when_it_comes_in:
        pytest.skip("its word that it has begun comes too early")
    before = beside.interrupted
    execution = await run_gated()
    patient = kernel.execute(kind.hello, timeout=1.0)
    result = await kernel.execute(kind.endless, queue_timeout=1.2)
    assert (result.status, result.reply) == ("timeout", None)
    assert not execution.done()
    assert not patient.done()
    gate.touch()
    assert (await execution).stdout == "started\nended\n"
    assert ((await patient).status, (await patient).stdout) == ("ok", "hello\n")
    async with asyncio.timeout(GUARD):
        if kind.dies_of_sigint:
            with pytest.raises(KernelDied):
                await kernel.execute(kind.hello)
        elif kind.interrupt_aborts:
            assert (await kernel.execute(kind.hello)).status == "aborted"
        else:
            assert (await kernel.execute(kind.hello)).stdout == "hello\n"
    assert spared(beside, kind, before)


async def test_cancelling_whoever_waits_may_interrupt_the_code(kernel, kind, beside):
    """Where that was asked for."""
    before = beside.interrupted
    execution = kernel.execute(kind.endless, interrupt_on_cancel=True)
    async for message in execution:
        if "started" in message.content.get("text", ""):
            break

    async def wait():
        await execution

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    result = await has_ended(execution, kernel, kind, "interrupted")
    assert result.stdout.strip() == "started"
    assert spared(beside, kind, before)


# Ends


async def test_code_that_ends_the_kernel_fails_all_that_wait(kernel, kind):
    """They all get the exit code, as does whoever asks later."""
    code, returncode = kind.die
    executions = [kernel.execute(code), kernel.execute(kind.hello), kernel.execute(kind.hello)]
    async with asyncio.timeout(GUARD):
        ends = await asyncio.gather(*map(wait, executions), return_exceptions=True)
    assert [type(end) for end in ends] == [KernelDied] * 3
    assert {end.exit_info.returncode for end in ends} == {returncode}
    assert kernel.state is KernelState.DEAD
    with pytest.raises(KernelDied):
        kernel.execute(kind.hello)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
async def test_a_kernel_that_is_killed_fails_all_that_wait(kernel, kind, run_until):
    """With the signal, and what the code had said."""
    execution = await run_until(kernel, kind.endless)
    await kernel.manager.signal(signal.SIGKILL)
    with pytest.raises(KernelDied) as caught:
        await execution
    assert not isinstance(caught.value, KernelRestarted)
    assert caught.value.exit_info.returncode == -signal.SIGKILL
    assert caught.value.result.stdout.strip() == "started"
    assert kernel.state is KernelState.DEAD


async def test_a_restart_fails_all_that_wait(kernel, kind, run_until, restart):
    """With what the code had said; the new kernel answers."""
    running, queued = await run_until(kernel, kind.endless), kernel.execute(kind.hello)
    await restart()
    for execution, said in ((running, "started"), (queued, "")):
        with pytest.raises(KernelRestarted) as caught:
            await execution
        assert caught.value.result.stdout.strip() == said
    assert (await kernel.execute(kind.hello)).stdout == "hello\n"


async def test_a_new_process_is_noticed_by_whoever_did_not_start_it(kernel, kind, run_until, restart):
    """From what it says; a kernel that has no session id of its own gives nothing away."""
    async with connect(kernel.connection_file) as other:
        execution = await run_until(other, kind.endless)
        await kernel.manager.kill()
        await restart()
        async with asyncio.timeout(GUARD):
            await other.kernel_info()
            if kind.own_session:
                with pytest.raises(KernelRestarted) as caught:
                    await execution
                assert caught.value.result.stdout.strip() == "started"
            else:
                assert not execution.done()


async def wait(execution):
    return await execution
