"""Two clients of one kernel, one of them jupyter_client's, both at work: neither disturbs the other.

The fixture `second_client` can accompany any test: jupyter_client in a thread, which executes and checks its
own answers all the time.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import InterruptOutcome, Kernel, connect, launch

from ._kinds import PYTHON3
from ._second_client import Beside, Theirs, answer, answers, jupyter_clients, until_started

GUARD = 30.0
ENDLESS = PYTHON3.endless


# A kernel of somebody's, our client and theirs


@pytest.fixture
async def file(ipykernel) -> AsyncIterator[Path]:
    """The connection file of a kernel that a third party owns."""
    async with launch(ipykernel) as owner:
        yield owner.connection_file
        assert (await owner.execute("6 * 7")).text == "42"


@pytest.fixture
async def theirs(file) -> AsyncIterator[Theirs]:
    """jupyter_client's client of that kernel."""
    async with jupyter_clients(file) as client:
        yield client


@pytest.fixture
async def ours(file, theirs) -> AsyncIterator[Kernel]:
    """Our client of it."""
    async with connect(file) as kernel:
        yield kernel


async def test_each_gets_its_own_output_and_nothing_else(ours, theirs):
    """Fifty executions of each under way at once, with replies, values and prints."""
    asked = [theirs.execute(f"print('theirs', {i}); {i}") for i in range(50)]
    runs = [ours.execute(f"print('ours', {i}); -{i}") for i in range(50)]
    async with asyncio.timeout(GUARD):
        got, results = await asyncio.gather(answers(theirs, asked), asyncio.gather(*runs))
    assert [(a.text, a.values) for a in got] == [(f"theirs {i}\n", [f"{i}"]) for i in range(50)]
    assert [(r.stdout, r.text) for r in results] == [(f"ours {i}\n", str(-i)) for i in range(50)]


async def test_who_asks_is_who_is_asked(file, theirs):
    """Each one's prompts come to it alone, while both run code that prompts."""
    prompts = []

    async def stdin(prompt: str, password: bool) -> str:
        prompts.append(prompt)
        return f"our {prompt}"

    async with connect(file, stdin=stdin) as ours, asyncio.timeout(GUARD):
        runs = [ours.execute(f"input('a{i}')") for i in range(5)]
        asked = [theirs.execute(f"input('b{i}')", allow_stdin=True) for i in range(5)]
        for i in range(5):
            question = await theirs.get_stdin_msg(timeout=GUARD)
            assert question["content"]["prompt"] == f"b{i}"
            theirs.input(f"their b{i}")
        assert [a.values for a in await answers(theirs, asked)] == [[f"'their b{i}'"] for i in range(5)]
        assert [(await run).text for run in runs] == [f"'our a{i}'" for i in range(5)]
        assert prompts == [f"a{i}" for i in range(5)]
        assert not await theirs.stdin_channel.msg_ready()


async def test_a_prompt_for_the_other_is_none_of_ours(ours, theirs):
    """Nothing arrives on our stdin channel, and the other's code waits for the other."""
    seen = []
    ours.client.add_handler(lambda channel, message: seen.append(message), ["stdin"])
    asked = theirs.execute("input('b')", allow_stdin=True)
    await theirs.get_stdin_msg(timeout=GUARD)
    theirs.input("x")
    assert (await answers(theirs, [asked]))[0].values == ["'x'"]
    assert (await ours.execute("6 * 7")).text == "42"
    assert seen == []


async def test_an_interrupt_by_the_other_is_told_as_it_was(ours, theirs, run_until):
    """Our execution ended with an error of the kernel's; it was not we who interrupted it."""
    running = await run_until(ours, ENDLESS)
    theirs.control_channel.send(theirs.session.msg("interrupt_request", {}))
    result = await running
    assert (result.status, result.error.ename) == ("error", "KeyboardInterrupt")
    assert (await ours.execute("6 * 7")).text == "42"


async def test_our_interrupt_of_the_other_is_told_as_it_was(ours, theirs):
    """We hear that the kernel is idle again, they that their code was interrupted."""
    asked = theirs.execute(ENDLESS)
    await until_started(theirs, asked)
    assert await ours.interrupt() is InterruptOutcome.IDLE
    assert (await answers(theirs, [asked]))[0].reply["ename"] == "KeyboardInterrupt"
    assert (await answer(theirs, "6 * 7")).values == ["42"]


async def test_interrupting_what_is_queued_leaves_what_runs_alone(ours, theirs, world):
    """Our execution waits behind theirs, which ends as if nothing had been asked."""
    flag = world.other / "flag"
    wait = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)\n"
    asked = theirs.execute(f"print('started', flush=True)\n{wait}'ended'")
    await until_started(theirs, asked)
    queued = ours.execute(ENDLESS)
    interrupting = asyncio.create_task(queued.interrupt())
    await theirs_is_heard(ours, theirs)
    assert not queued.done()
    flag.touch()
    assert (await answers(theirs, [asked]))[0].values == ["'ended'"]
    async with asyncio.timeout(GUARD):
        assert await interrupting is InterruptOutcome.IDLE
        assert (await queued).error.ename == "KeyboardInterrupt"


async def theirs_is_heard(ours: Kernel, theirs: Theirs) -> None:
    """Wait until the kernel has answered on control, where an interrupt sent before would have come first."""
    request = theirs.session.msg("kernel_info_request", {})
    seen: set[str | None] = set()
    ours.client.add_handler(lambda channel, message: seen.add(message.parent_id), ["iopub"])
    theirs.control_channel.send(request)
    async with asyncio.timeout(GUARD):
        await ours.client.until(lambda: request["header"]["msg_id"] in seen)
        await theirs.get_control_msg(timeout=GUARD)


async def test_an_error_of_one_aborts_nothing_of_the_other(ours, theirs):
    """Ours never ask the kernel to abort what is queued."""
    failing = ours.execute("import time; time.sleep(0.1); 1/0")
    asked = [theirs.execute(f"{i}") for i in range(5)]
    assert (await failing).status == "error"
    assert [a.values for a in await answers(theirs, asked)] == [[str(i)] for i in range(5)]


async def test_disconnecting_leaves_the_other_at_work(file, theirs, run_until):
    """In the middle of our execution and of theirs; they get all that they asked for."""
    async with connect(file) as ours:
        await run_until(ours, "print('started', flush=True)\nimport time; time.sleep(0.2)")
        asked = [theirs.execute(f"print('theirs', {i})") for i in range(20)]
    assert [a.text for a in await answers(theirs, asked)] == [f"theirs {i}\n" for i in range(20)]
    async with connect(file) as again:
        assert (await again.execute("6 * 7")).text == "42"


async def test_the_other_leaving_leaves_us_at_work(file, ours):
    """In the middle of its execution and of ours."""
    async with jupyter_clients(file) as other:
        asked = other.execute("print('started', flush=True)\nimport time; time.sleep(0.2)")
        await until_started(other, asked)
        runs = [ours.execute(f"print('ours', {i})") for i in range(20)]
    assert [(await run).stdout for run in runs] == [f"ours {i}\n" for i in range(20)]


async def test_what_the_other_sets_is_seen_by_us(ours, theirs):
    """It is one kernel: names, numbers of executions and what runs are common."""
    assert (await answer(theirs, "kept = 'by them'")).reply["status"] == "ok"
    assert (await ours.execute("kept")).text == "'by them'"
    first = (await ours.execute("1")).execution_count
    assert (await answer(theirs, "2")).reply["execution_count"] == first + 1
    asked = theirs.execute("print('started', flush=True)\nimport time; time.sleep(0.2)")
    async with asyncio.timeout(GUARD):
        await ours.client.until(lambda: ours.execution_state == "busy")
        await ours.client.until(lambda: ours.execution_state == "idle")
    assert (await answers(theirs, [asked]))[0].text == "started\n"


# All at once, beside a second client that checks its answers all the time


async def test_everything_of_ours_beside_a_second_client(file, second_client):
    """Many requests, errors, displays, prompts, floods, connecting and giving up: it notices nothing."""

    async def stdin(prompt: str, password: bool) -> str:
        return prompt.upper()

    with second_client(file) as beside:
        await beside.until_checked()
        async with connect(file, stdin=stdin) as ours, asyncio.timeout(2 * GUARD):
            runs = [ours.execute(f"print({i}); {i}" if i % 5 else "1/0") for i in range(50)]
            replies = await asyncio.gather(*(ours.complete("impor") for _ in range(10)))
            assert all("import" in reply.content["matches"] for reply in replies)
            results = await asyncio.gather(*runs)
            assert [result.stdout for result in results] == [f"{i}\n" if i % 5 else "" for i in range(50)]
            assert (await ours.execute("input('name')")).text == "'NAME'"
            assert len((await ours.execute("print('x' * 79 + '\\n', end='')\n" * 500)).stdout) == 40_000
            await beside.until_checked(3)
            for steps in range(20):
                connecting = asyncio.create_task(connect(file))
                for _ in range(steps * 5):
                    await asyncio.sleep(0)
                connecting.cancel()
                await asyncio.wait([connecting])
                if not connecting.cancelled():
                    await connecting.result().aclose()
        await beside.until_checked(3)
        assert beside.interrupted == 0


async def test_our_interrupts_reach_what_is_ours_beside_a_second_client(file, second_client, run_until):
    """Each of our endless executions is interrupted; the other's code runs on when its turn comes."""
    with second_client(file) as beside:
        async with connect(file) as ours, asyncio.timeout(2 * GUARD):
            for _ in range(5):
                await beside.until_checked()
                running = await run_until(ours, ENDLESS)
                assert await running.interrupt() is InterruptOutcome.IDLE
                assert (await running).status == "interrupted"
        await beside.until_checked(3)
        assert beside.interrupted == 0


async def test_the_second_client_would_notice(file):
    """A check of the check: what it calls is changed under it."""
    beside = Beside(file)
    beside.start()
    try:
        await beside.until_checked()
        async with connect(file) as ours:
            await ours.execute("_print = print; print = lambda *a: _print(*a, 'and more')")
            await beside.until_checked(3)
    finally:
        beside.stop()
    assert "and more" in beside.problems[0]
