"""Much at once: requests in flight, output faster than its readers, prompts."""

import asyncio
import time

import pytest

from jupyter_kernel_mgmt import InterruptOutcome, launch


async def test_a_hundred_requests_in_flight_each_get_their_own_answer():
    """Outputs, values and replies are not mixed up, and an error in one aborts none of the others."""
    async with launch() as kernel:
        executions = [
            kernel.execute(f"print('out', {i})\n" + ("1/0" if i == 10 else f"{i} * 2")) for i in range(100)
        ]
        others = [
            asyncio.create_task(request)
            for _ in range(10)
            for request in (kernel.complete("impor"), kernel.inspect("print"), kernel.kernel_info())
        ]
        async with asyncio.timeout(60):
            results = await asyncio.gather(*executions)
            replies = await asyncio.gather(*others)
    assert [result.stdout for result in results] == [f"out {i}\n" for i in range(100)]
    assert [result.status for result in results] == ["error" if i == 10 else "ok" for i in range(100)]
    assert [result.text for result in results] == ["" if i == 10 else str(2 * i) for i in range(100)]
    assert results[10].error.ename == "ZeroDivisionError"
    assert [result.execution_count for result in results] == list(range(1, 101))
    assert [result.reply.parent_id for result in results] == [execution.msg_id for execution in executions]
    assert [reply.msg_type for reply in replies] == [
        *("complete_reply", "inspect_reply", "kernel_info_reply") * 10
    ]


async def test_a_hundred_requests_in_flight_on_other_kernels(quick_kind):
    """As with ipykernel 7."""
    if quick_kind.kernel_type == "xpython":
        pytest.skip("xeus-python 0.19 stops reading when many requests wait, whoever the client is")
    async with launch(quick_kind.kernel_type) as kernel:
        results = await asyncio.gather(
            *(kernel.execute(f"print({i})" if i != 10 else "1/0") for i in range(100))
        )
    assert [result.stdout.strip() for result in results] == ["" if i == 10 else str(i) for i in range(100)]
    assert [result.status for result in results] == ["error" if i == 10 else "ok" for i in range(100)]


async def test_stop_on_error_aborts_what_is_queued_behind():
    """Those behind it are answered too: they were not run."""
    async with launch() as kernel:
        failing = kernel.execute("import time; time.sleep(0.2); 1/0", stop_on_error=True)
        behind = [kernel.execute("print('never')") for _ in range(3)]
        assert (await failing).status == "error"
        assert [(await execution).status for execution in behind] == ["aborted"] * 3
        assert [(await execution).stdout for execution in behind] == [""] * 3


async def test_cancelling_one_wait_disturbs_no_other(run_until):
    """The kernel runs on, other waits for the same execution and for others get their answers."""
    async with launch() as kernel:
        execution = await run_until(kernel, "import time; print('started'); time.sleep(0.3); 'end'")
        other = kernel.execute("6 * 7")
        waiting = asyncio.create_task(_result(execution))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await execution).text == "'end'"
        assert (await other).text == "42"


async def test_interrupting_one_execution_leaves_those_behind_it(run_until):
    """Only the one that runs is stopped; a queued one is interrupted when its turn comes."""
    async with launch() as kernel:
        running = await run_until(kernel, "print('started')\nwhile True: pass")
        doomed = kernel.execute("while True: pass")
        behind = kernel.execute("6 * 7")
        interrupting = asyncio.create_task(doomed.interrupt())
        assert await running.interrupt() is InterruptOutcome.IDLE
        assert await interrupting is InterruptOutcome.IDLE
        assert (await running).status == "interrupted"
        assert (await doomed).status == "interrupted"
        assert (await behind).text == "42"


async def test_a_reader_that_comes_late_misses_nothing():
    """Output that came before anybody looked is read from its beginning, also after the end."""
    async with launch() as kernel:
        execution = kernel.execute("for i in range(500): print(i, flush=True)")
        await kernel.execute("'a later one has been answered'")
        assert await _text(execution) == "".join(f"{i}\n" for i in range(500))
        assert (await execution).stdout == await _text(execution)


async def test_a_slow_reader_misses_nothing():
    """A reader that takes one message while hundreds come gets them all, in order."""
    async with launch() as kernel:
        execution = kernel.execute("for i in range(500): print(i, flush=True)")
        seen = ""
        async for message in execution:
            seen += message.content["text"]
            await kernel.kernel_info()
        assert seen == "".join(f"{i}\n" for i in range(500))


async def test_output_is_kept_while_the_application_is_busy(world):
    """20,000 displays, sent while the loop is blocked, all arrive, in order.

    They are sent as fast as the kernel can; it is kept from dropping some, which no client could bring back.
    """
    done = world.other / "done"
    code = f"""
import zmq
kernel = get_ipython().kernel
kernel.iopub_thread.socket.set(zmq.SNDHWM, 0)
for i in range(20_000):
    content = {{"data": {{"text/plain": str(i)}}, "metadata": {{}}, "transient": {{}}}}
    kernel.session.send(kernel.iopub_socket, "display_data", content, kernel.get_parent())
open({str(done)!r}, "w").close()
"""
    async with launch() as kernel:
        execution = kernel.execute(code)
        await asyncio.sleep(0)  # the request leaves
        while not done.exists():
            time.sleep(0.01)  # noqa: ASYNC251 - a busy application is what this is about
        result = await execution
    assert result.status == "ok"
    assert result.dropped == 0
    assert [output["data"]["text/plain"] for output in result.outputs] == [str(i) for i in range(20_000)]


async def test_a_kernel_that_writes_much_to_its_stdout_is_not_held_up_by_a_busy_application(world):
    """What goes past iopub, into the process's own stdout, is drained while the loop is blocked."""
    done = world.other / "done"
    code = f"""
import os, sys
for _ in range(100):
    os.write(sys.stdout._original_stdstream_copy, b"x" * 10_000)
open({str(done)!r}, "w").close()
"""
    async with launch() as kernel:
        execution = kernel.execute(code)
        await asyncio.sleep(0)
        while not done.exists():
            time.sleep(0.01)  # noqa: ASYNC251 - a busy application is what this is about
        assert (await execution).status == "ok"
        tail = await kernel.manager.output_tail()
        assert 10_000 <= len(tail) <= 64 * 1024


async def test_prompts_are_answered_by_the_application(quick_kind):
    """input() and getpass() ask the async callable, with their prompts, and get its answers."""
    asked = []

    async def answer(prompt, password):
        asked.append((prompt, password))
        await asyncio.sleep(0)
        return f"answer {len(asked)}"

    async with launch(quick_kind.kernel_type, stdin=answer) as kernel:
        result = await kernel.execute(
            "import getpass; print(input('name? ')); print(getpass.getpass('word? '))"
        )
    assert result.status == "ok"
    assert result.stdout.splitlines() == ["answer 1", "answer 2"]
    assert asked == [("name? ", False), ("word? ", True)]


async def test_a_prompt_that_nobody_answers_is_an_error_and_no_hang(quick_kind):
    """Without a callable the kernel is told beforehand, and raises in the code that asks."""
    async with launch(quick_kind.kernel_type) as kernel:
        async with asyncio.timeout(30):
            result = await kernel.execute("input('name? ')")
        assert result.status == "error"
        assert (await kernel.execute("print('hello')")).stdout.strip() == "hello"


async def test_a_prompt_handler_that_fails_does_not_hang_the_kernel(caplog):
    """What it raised is logged, and the code that asked is interrupted."""

    async def fail(prompt, password):
        raise RuntimeError("the application's own mistake")

    async with launch(stdin=fail) as kernel:
        async with asyncio.timeout(30):
            result = await kernel.execute("input('name? ')")
        assert result.status in ("error", "interrupted")
        assert "the application's own mistake" in caplog.text
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_closing_during_a_prompt_leaves_nothing():
    """A callable that never answers is cancelled."""
    asked = asyncio.Event()
    ended = asyncio.Event()

    async def never(prompt, password):
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with launch(stdin=never) as kernel:
        kernel.execute("input('name? ')")
        await asked.wait()
    assert ended.is_set()


async def test_all_iopub_traffic_can_be_read_as_a_stream():
    """Everybody's messages, from the entering on."""
    async with launch() as kernel, kernel.client.messages() as stream:
        execution = kernel.execute("print('hello')")
        seen = []
        async for channel, message in stream:
            assert channel == "iopub"
            if message.parent_id == execution.msg_id:
                seen.append(message.content.get("execution_state") or message.msg_type)
                if seen[-1] == "idle":
                    break
    assert seen == ["busy", "execute_input", "stream", "idle"]


async def _result(execution):
    return await execution


async def _text(execution):
    return "".join([message.content["text"] async for message in execution])
