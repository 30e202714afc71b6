"""Subshells of a real kernel: beside code that runs, and gone when we are."""

import asyncio

import pytest

from jupyter_kernel_mgmt import Unsupported, connect, launch
from jupyter_kernel_mgmt.exceptions import SubshellError
from jupyter_protocol import messages

GUARD = 30
SLEEP = "print('started', flush=True)\nimport time\nwhile not done: time.sleep(0.02)"


async def listed(kernel):
    """The subshells that another client sees."""
    reply = await kernel.client._ask(messages.list_subshell_request(), "control")
    return reply.content["subshell_id"]


async def test_a_subshell_is_made_used_and_deleted():
    """Code in it sees what the main shell made, and runs while that one is busy."""
    async with launch("python3") as kernel:
        await kernel.execute("kept = 41")
        running = kernel.execute("import time\nwhile kept == 41: time.sleep(0.02)")
        subshell_id = await kernel.create_subshell()
        assert await kernel.list_subshells() == [subshell_id]
        assert (await kernel.execute("kept += 1; kept", subshell_id=subshell_id)).text == "42"
        assert (await running).status == "ok"
        await kernel.delete_subshell(subshell_id)
        assert await kernel.list_subshells() == []
        with pytest.raises(SubshellError, match=subshell_id):
            await kernel.delete_subshell(subshell_id)


async def test_an_editor_is_answered_while_code_runs(run_until):
    """Completions and help come from the sidecar, of which there is one; history comes in its turn."""
    async with launch("python3") as kernel:
        running = await run_until(kernel, "done = False\n" + SLEEP)
        history = asyncio.create_task(kernel.history(n=1))
        completed, inspected, complete = await asyncio.gather(
            kernel.complete("impor"), kernel.inspect("print"), kernel.is_complete("1")
        )
        assert completed.content["matches"] == ["import"]
        assert inspected.content["found"]
        assert complete.content["status"] == "complete"
        assert len(await kernel.list_subshells()) == 1
        assert not running.done()
        assert not history.done()

        await running.interrupt()
        assert (await history).content["status"] == "ok"
        assert (await running).status == "interrupted"


@pytest.mark.parametrize("kernel_type", ["ipykernel6", "xpython", "bash"])
async def test_kernels_with_and_without_them_answer_in_the_end(kernel_type, require):
    """Where there are none, asking for one is refused at once and completions wait for their turn."""
    require(kernel_type)
    code, text = ("sleep 0.2", "ech") if kernel_type == "bash" else ("import time; time.sleep(0.2)", "impor")
    async with launch(kernel_type) as kernel:
        info = await kernel.kernel_info()
        execution = kernel.execute(code)
        completed = await kernel.complete(text)
        assert text in completed.content["matches"][0]
        assert (await execution).status == "ok"
        if "kernel subshells" in info.content.get("supported_features", []):
            await kernel.delete_subshell(await kernel.create_subshell())
        else:
            with pytest.raises(Unsupported):
                await kernel.create_subshell()


async def test_disconnecting_leaves_no_subshell_of_ours_in_somebody_elses_kernel(run_until):
    """Neither those made by hand nor the sidecar; those of others stay."""
    async with launch("python3") as theirs:
        kept = await theirs.create_subshell()
        running = await run_until(theirs, "done = False\n" + SLEEP)
        async with connect(theirs.connection_file) as kernel:
            await kernel.create_subshell()
            await kernel.complete("impor")
            assert len(await listed(theirs)) == 3
        assert await listed(theirs) == [kept]
        assert not running.done()
        await running.interrupt()


async def test_creations_that_are_cancelled_leave_nothing(run_until):
    """Whatever the kernel has answered by then."""
    async with launch("python3") as theirs, connect(theirs.connection_file) as kernel:
        await kernel.list_subshells()
        for number in range(20):
            creation = asyncio.create_task(kernel.create_subshell())
            for _ in range(number):
                await asyncio.sleep(0)
            creation.cancel()
            await asyncio.wait([creation])
            if not creation.cancelled():  # it was done before: the subshell is the caller's
                await kernel.delete_subshell(creation.result())
        async with asyncio.timeout(GUARD):  # the kernel may delete them while it answers this
            while await kernel.list_subshells():
                pass


async def test_deleting_a_busy_subshell_waits_for_its_code_and_freezes_nothing(run_until):
    """ipykernel would answer nothing on control until the code ends."""
    async with launch("python3") as kernel:
        await kernel.execute("done = False")
        subshell_id = await kernel.create_subshell()
        started = asyncio.Event()
        kernel.client.add_handler(
            lambda channel, message: started.set() if message.msg_type == "stream" else None, ("iopub",)
        )
        running = kernel.execute(SLEEP, subshell_id=subshell_id)
        await started.wait()
        deletion = asyncio.create_task(kernel.delete_subshell(subshell_id))
        assert await kernel.list_subshells() == [subshell_id]
        assert not deletion.done()
        await kernel.execute("done = True")
        await deletion
        assert (await running).status == "ok"
        assert await kernel.list_subshells() == []


async def test_after_a_restart_there_are_new_ones():
    """The old ids mean nothing to the new process, the sidecar included."""
    async with launch("python3") as kernel:
        await kernel.create_subshell()
        await kernel.restart()
        assert await kernel.list_subshells() == []
        running = kernel.execute("import time\nwhile True: time.sleep(0.02)")
        assert (await kernel.complete("impor")).content["matches"] == ["import"]
        assert len(await kernel.list_subshells()) == 1
        await running.interrupt()
