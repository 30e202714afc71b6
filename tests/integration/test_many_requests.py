"""Much at once: requests in flight, output faster than its readers. For every kernel: see behaviours/."""

import asyncio
import time

from jupyter_kernel_mgmt import launch


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
