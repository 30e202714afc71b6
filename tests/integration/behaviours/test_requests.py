"""Requests of every kind, many at once, alike with every kernel, alone or beside another client."""

import asyncio

import pytest

from jupyter_kernel_mgmt import KernelDied, Unsupported

from .._second_client import Beside

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUARD = 20.0


# Questions about the kernel and about code


async def test_the_kernel_says_who_it_is(kernel, kind):
    """Its language at least."""
    content = (await kernel.kernel_info()).content
    assert content["language_info"]["name"] == kind.language


async def ask(kernel, kind):
    """What the kernel knows: completions, help, earlier inputs, whether code is complete."""
    async with asyncio.timeout(GUARD):
        asked = [kernel.complete(kind.complete[0]), kernel.is_complete(kind.unfinished[0])]
        asked += [kernel.inspect(kind.inspect)] if kind.inspects else []
        asked += [kernel.history(n=5)] if kind.history else []
        complete, finished, *others = [reply.content for reply in await asyncio.gather(*asked)]
    assert kind.complete[1] in complete["matches"]
    assert finished["status"] == kind.unfinished[1]
    if kind.inspects:
        assert others.pop(0)["found"]
    if kind.history:
        assert others.pop(0)["history"]


async def test_an_idle_kernel_answers_questions(kernel, kind):
    """All at once, each its own."""
    await kernel.execute(kind.say % "in the history")
    await ask(kernel, kind)


async def test_a_busy_kernel_answers_questions(kernel, kind, run_gated, gate):
    """When the code has ended, or, in a subshell of ours, while it runs; neither disturbs the other."""
    await kernel.execute(kind.say % "in the history")
    execution = await run_gated()
    asking = asyncio.create_task(ask(kernel, kind))
    if kind.subshells and kind.language == "python":
        assert kind.complete[1] in (await kernel.complete(kind.complete[0])).content["matches"]
        assert not execution.done()
    gate.touch()
    await asking
    assert (await execution).stdout == "started\nended\n"


async def test_subshells_are_there_or_unsupported(kernel, kind, run_gated, gate):
    """Code in one runs beside other code; where there are none, asking for one says so."""
    if not kind.subshells:
        with pytest.raises(Unsupported):
            await kernel.create_subshell()
        return
    if kind.subshells_wait:
        pytest.skip("its subshells share one process of another language, and one waits for the other")
    execution = await run_gated()
    async with kernel.subshell() as subshell:
        beside = await kernel.execute(kind.say % "beside", subshell_id=subshell)
        assert beside.stdout == "beside\n"
        assert not execution.done()
        gate.touch()
        await execution


# Many at once


async def test_many_in_flight_each_get_their_own_output(kernel, kind):
    """None is lost, doubled or given to another, whatever is asked in between."""
    executions = [kernel.execute(kind.say % f"out {n}") for n in range(kind.in_flight)]
    questions = [asyncio.create_task(kernel.complete(kind.complete[0])) for _ in range(3)]
    async with asyncio.timeout(2 * GUARD):
        results = await asyncio.gather(*executions)
        replies = await asyncio.gather(*questions)
    assert [result.stdout for result in results] == [f"out {n}\n" for n in range(kind.in_flight)]
    assert [result.reply.parent_id for result in results] == [e.msg_id for e in executions]
    assert [result.status for result in results] == ["ok"] * kind.in_flight
    assert all(kind.complete[1] in reply.content["matches"] for reply in replies)


async def test_an_error_aborts_nothing_that_is_queued_behind_it(kernel, kind):
    """Unless that was asked for, or the kernel does so all the same: then it is told."""
    failing = kernel.execute(kind.error)
    behind = [kernel.execute(kind.say % n) for n in range(3)]
    if kind.aborts_always:
        async with asyncio.timeout(GUARD):
            assert [(await execution).status for execution in behind] == ["aborted"] * 3
        return
    async with asyncio.timeout(GUARD):
        assert [(await execution).stdout for execution in behind] == ["0\n", "1\n", "2\n"]
    if not kind.mixes_replies:
        assert (await failing).status == "error"
        assert [(await execution).status for execution in behind] == ["ok"] * 3


async def test_stop_on_error_aborts_what_is_queued_behind(kernel, kind, run_until, gate):
    """Those are answered too: they were not run. A kernel that does not know this runs them."""
    failing = kernel.execute(f"{kind.gated % gate}\n{kind.error}", stop_on_error=True)
    behind = [kernel.execute(kind.say % "behind") for _ in range(3)]
    async for message in failing:
        if "started" in message.content.get("text", ""):
            break
    gate.touch()
    async with asyncio.timeout(GUARD):
        await failing
        results = [await execution for execution in behind]
    if not kind.mixes_replies:
        assert (await failing).status == "error"
        assert [result.status for result in results] == ["aborted" if kind.aborts else "ok"] * 3
    assert [result.stdout for result in results] == ["" if kind.aborts else "behind\n"] * 3


async def test_cancelling_one_wait_disturbs_no_other(kernel, kind, run_gated, gate):
    """The kernel runs on, and others who wait, for the same or for another, get their answers."""
    execution = await run_gated()
    other = kernel.execute(kind.say % "other")
    waiting = [asyncio.create_task(wait(execution)) for _ in range(3)]
    asking = asyncio.create_task(kernel.complete(kind.complete[0]))
    await asyncio.sleep(0)
    cancelled = [waiting[0], asking]
    for task in cancelled:
        task.cancel()  # both at once: the kernel may answer one while the other is waited for
    await asyncio.wait(cancelled)
    assert all(task.cancelled() for task in cancelled)
    gate.touch()
    assert [result.stdout for result in await asyncio.gather(*waiting[1:])] == ["started\nended\n"] * 2
    assert (await other).stdout == "other\n"


# The kernel's questions


def require_questions(kind, beside):
    if not kind.question:
        pytest.skip("it never asks")
    if kind.asks_everybody and isinstance(beside, Beside):
        pytest.skip("it asks everybody who is connected")


async def test_prompts_are_answered_by_the_application(kernel, kind, beside):
    """The async callable gets the prompt, and the code gets its answer."""
    require_questions(kind, beside)
    asked = []

    async def answer(prompt, password):
        asked.append((prompt.strip(), password))
        await asyncio.sleep(0)
        return f"answer {len(asked)}"

    kernel.client.stdin = answer
    assert (await kernel.execute(kind.question)).stdout == "answer 1\n"
    if kind.secret:
        assert (await kernel.execute(kind.secret)).stdout == "answer 2\n"
    assert asked == [("name?", False), ("word?", True)][: len(asked)]


async def test_a_prompt_that_nobody_answers_does_not_hang(kernel, kind, beside):
    """The kernel is told beforehand and raises; one that asks all the same is interrupted."""
    require_questions(kind, beside)
    async with asyncio.timeout(GUARD):
        result = await kernel.execute(kind.question)
    if kind.takes_no_answer:
        assert (result.status, result.stdout.strip()) == ("ok", kind.takes_no_answer)
    else:
        assert result.status == ("interrupted" if kind.asks_all_the_same else "error")


async def test_a_stdin_handler_that_fails_interrupts_the_code_that_asked(kernel, kind, caplog, beside):
    """What it raised is logged; a kernel that does not stand interrupts dies, which is told."""
    require_questions(kind, beside)

    async def fail(prompt, password):
        raise RuntimeError("the application's own mistake")

    kernel.client.stdin = fail
    async with asyncio.timeout(GUARD):
        if kind.dies_of_sigint:
            with pytest.raises(KernelDied):
                await kernel.execute(kind.question)
        else:
            assert (await kernel.execute(kind.question)).status == "interrupted"
    assert "the application's own mistake" in caplog.text


# Comms


async def test_a_comm_that_the_kernel_opens_comes_to_its_handler(kernel, kind):
    """With its data."""
    if not kind.open_comm:
        pytest.skip("it has no comms")
    opened = asyncio.get_running_loop().create_future()
    kernel.client.on_comm("t", lambda comm, opening: opened.set_result((comm, opening)))
    await kernel.execute(kind.open_comm)
    async with asyncio.timeout(GUARD):
        comm, opening = await opened
    assert opening.content["data"] == {"a": 1}
    kernel.client.on_comm("t", None)
    comm.close()


async def test_a_comm_that_we_open_carries_data_both_ways(kernel, kind):
    """In order."""
    if not kind.echo:
        pytest.skip("it takes no comms from clients")
    assert (await kernel.execute(kind.echo)).status == "ok"
    async with asyncio.timeout(GUARD), kernel.client.open_comm("echo") as comm:
        for n in range(5):
            comm.send({"n": n})
        assert [(await anext(comm)).content["data"] for _ in range(5)] == [{"n": n} for n in range(5)]


async def test_a_comm_to_nobody_is_closed_by_the_kernel(kernel, kind):
    """Where it says so, reading it ends; where it does not, nothing is made up."""
    async with kernel.client.open_comm("nobody-knows-this") as comm:
        if kind.closes_unknown_comms:
            async with asyncio.timeout(GUARD):
                assert [message async for message in comm] == []
        else:
            await kernel.execute(kind.hello)
        assert comm.closed is kind.closes_unknown_comms


async def wait(execution):
    return await execution
