"""Many tasks on one client, for long: each request ends truthfully, with its own output, and leaves nothing.

Variables of the environment: SEED repeats a run as far as time allows; LONG_TESTS makes it a long one, and
also runs it on ipykernel 6; SOAK_MINUTES repeats the long one for so many minutes. SOAK_RACES adds interrupts
that arrive just when the code ends. No client can know that in time, and ipykernel does not survive all of
them: it interrupts its own sending, so that about one in a hundred garbles a message, hits the next request
or ends the kernel. Such a run fails sooner or later, and shows how often.
"""

import asyncio
import gc
import os
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import Execution, ExecutionResult, InterruptOutcome, KernelDied, KernelError, launch
from jupyter_kernel_mgmt._router import Request

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
RACES = bool(os.environ.get("SOAK_RACES"))
LONG = bool(MINUTES or os.environ.get("LONG_TESTS"))
SEED = int(os.environ.get("SEED") or random.randrange(2**32))
TASKS = 8
REQUESTS = 500 if LONG else 30
GUARD = 120
"""Seconds after which a request that has not ended counts as lost."""

GROWTH = 48 * 1024 * 1024
"""Bytes that this process may grow: caches and fragments, but not what thousands of requests carried."""

KERNELS = ["spec/python3", "ipykernel6"] if LONG else ["spec/python3"]
ENDLESS = "import time\nwhile True: time.sleep(0.002)\n"


@pytest.mark.timeout(60 * MINUTES + 1200 if LONG else 120)
@pytest.mark.parametrize("kernel_type", KERNELS)
async def test_a_client_that_serves_many_tasks_confuses_and_keeps_nothing(kernel_type, require):
    """Random cancellations, time-outs, interrupts and errors touch only whom they are meant for."""
    require(kernel_type)
    print(f"SEED={SEED}")  # noqa: T201 - shown when the test fails
    end = time.monotonic() + 60 * MINUTES
    async with launch(kernel_type, stdin=_answer) as kernel:
        soak = Soak(kernel, random.Random(SEED))
        await kernel.execute("%xmode Minimal")  # tracebacks in colour take longer than all the rest
        await soak.run(5)
        before = await soak.footprint()
        while True:
            await soak.run(REQUESTS)
            if time.monotonic() > end:
                break
        after = await soak.footprint()
    print(soak.tally, *soak.problems, sep="\n")  # noqa: T201 - likewise
    assert soak.problems == []
    assert after.pop("memory") - before.pop("memory") < GROWTH
    assert after == before


async def _answer(prompt, password):
    await asyncio.sleep(0)
    return f"answer to {prompt}"


class Soak:
    """What one client is put through, and what came of it that should not have."""

    def __init__(self, kernel, choose):
        self.kernel = kernel
        self.choose = choose
        self.problems = []
        self.tally = Counter()
        self.kinds = {
            self.good: 6,
            self.failing: 3,
            self.asking: 1,
            self.side_requests: 3,
            self.read_live: 2,
            self.waited_for_in_vain: 3,
            self.timed_out: 2,
            self.interrupted: 2,
            self.interrupted_soon: 2,
            self.queued_too_long: 2,
            self.cancelled: 3,
        }
        if RACES:
            self.kinds |= {self.about_timed_out: 2, self.interrupted_late: 3}

    async def run(self, count):
        """So many requests by each task; returns when the kernel has dealt with what nobody waits for too."""
        async with asyncio.TaskGroup() as group:
            for number in range(TASKS):
                group.create_task(
                    self.work(random.Random(self.choose.random()), count), name=f"soak-{number}"
                )
        requests = self.kernel.client._under_way.router.requests
        async with asyncio.timeout(GUARD):
            await self.kernel.client.until(lambda: not requests)

    async def work(self, choose, count):
        for kind in choose.choices(list(self.kinds), list(self.kinds.values()), k=count):
            name = f"{choose.randrange(2**40):010x}"
            try:
                async with asyncio.timeout(GUARD):
                    await kind(choose, name)
            except TimeoutError:
                self.problems.append(f"{kind.__name__} {name}: it did not end")
            except (AssertionError, KernelError) as error:
                self.problems.append(f"{kind.__name__} {name}: {error!r}")

    async def footprint(self):
        """What this process holds when no request is under way."""
        await self.kernel.kernel_info()
        await asyncio.sleep(0)
        client = self.kernel.client
        clocks = [*client._deadlines._queue_clocks._timers, *client._deadlines._run_clocks._timers]
        gc.collect()
        objects = Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, OURS))
        return {
            "memory": _memory(),
            "objects": dict(objects),
            "tasks": len(asyncio.all_tasks()),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0,
            "timers": len(client._under_way._grace_timers) + len(clocks),
            "deadlines": len(client._deadlines._run_limits) + len(client._deadlines._given_up),
            "waiting": len(client._under_way._replies) + len(client._under_way._conditions),
            "own tasks": len(client._tasks._tasks),
            "budget": (client._budget.used, len(client._budget._holders)),
        }

    # What is asked of the kernel

    async def good(self, choose, name):
        """Ends well, with all its output."""
        execution = self.kernel.execute(_code(name))
        self.expect(await execution, {"ok"}, name)

    async def failing(self, choose, name):
        """Raises, with its own error."""
        result = await self.kernel.execute(_code(name) + f"\nraise ValueError({name!r})")
        self.expect(result, {"error"}, name)
        assert result.error is not None
        assert (result.error.ename, result.error.evalue) == ("ValueError", name)

    async def asking(self, choose, name):
        """Gets the answer to its own prompt."""
        result = await self.kernel.execute(f"print(input({name!r}))")
        assert (result.status, result.stdout) == ("ok", f"answer to {name}\n"), _shown(result)

    async def side_requests(self, choose, name):
        """Are answered as what they are."""
        if choose.random() < 0.5:
            reply = await self.kernel.kernel_info()
            assert reply.content["language_info"]["name"] == "python"
        reply = await self.kernel.complete(f"'{name}'; impor")
        assert (reply.msg_type, reply.content["cursor_start"]) == ("complete_reply", len(name) + 4)
        assert "import" in reply.content["matches"]
        reply = await self.kernel.inspect("print")
        assert (reply.msg_type, reply.content["found"]) == ("inspect_reply", True)
        reply = await self.kernel.comm_info(target_name=name)
        assert (reply.msg_type, reply.content["comms"]) == ("comm_info_reply", {})

    async def read_live(self, choose, name):
        """Reads what comes, message by message, and then the result: the same."""
        execution = self.kernel.execute(_code(name))
        seen = [message async for message in execution]
        assert {message.parent_id for message in seen} == {execution.msg_id}
        assert "".join(map(_text, seen)) == _expected(name)
        self.expect(await execution, {"ok"}, name)

    async def waited_for_in_vain(self, choose, name):
        """A wait that is cancelled changes nothing: whoever awaits it later gets all."""
        execution = self.kernel.execute(_code(name, pause=choose.uniform(0, 0.02)))
        await _cancelled_wait(execution, choose.uniform(0, 0.05))
        self.expect(await execution, {"ok"}, name)

    async def timed_out(self, choose, name):
        """Never ends by itself."""
        result = await self.kernel.execute(_code(name) + "\n" + ENDLESS, timeout=choose.uniform(0.01, 0.06))
        self.expect(result, {"timeout"}, name)
        assert result.reply is not None

    async def about_timed_out(self, choose, name):
        """Takes about as long as it may."""
        result = await self.kernel.execute(_code(name, pause=0.02), timeout=choose.uniform(0.01, 0.05))
        self.expect(result, {"ok", "timeout"}, name)

    async def interrupted(self, choose, name):
        """Never ends by itself, and is interrupted while it runs."""
        execution = self.kernel.execute(_code(name) + "\n" + ENDLESS)
        async for message in execution:
            if message.msg_type == "display_data":
                break
        assert await execution.interrupt() is InterruptOutcome.IDLE
        self.expect(await execution, {"interrupted"}, name)

    async def interrupted_soon(self, choose, name):
        """Is interrupted as soon as it is sent, which has to wait for its turn."""
        execution = self.kernel.execute(ENDLESS)
        assert await execution.interrupt() is InterruptOutcome.IDLE
        self.expect(await execution, {"interrupted"}, name)

    async def interrupted_late(self, choose, name):
        """Ends by itself about when it is interrupted."""
        execution = self.kernel.execute(_code(name, pause=0.01))
        async for message in execution:
            if message.msg_type == "stream":
                break
        await asyncio.sleep(choose.uniform(0.005, 0.015))
        assert await execution.interrupt() is InterruptOutcome.IDLE
        self.expect(await execution, {"ok", "interrupted"}, name)

    async def queued_too_long(self, choose, name):
        """Is given up unless its turn comes at once, and then is not left to run for ever."""
        code, seconds = _code(name) + "\n" + ENDLESS, choose.uniform(0, 0.05)
        result = await self.kernel.execute(code, queue_timeout=seconds, timeout=0.02)
        self.expect(result, {"timeout"}, name)

    async def cancelled(self, choose, name):
        """Is interrupted when a wait for it is cancelled, sometimes two at once."""
        execution = self.kernel.execute(_code(name) + "\n" + ENDLESS, interrupt_on_cancel=True)
        waits = choose.choice([1, 2])
        seconds = choose.uniform(0, 0.06)
        await asyncio.gather(*(_cancelled_wait(execution, seconds) for _ in range(waits)))
        self.expect(await execution, {"interrupted"}, name)

    def expect(self, result, statuses, name):
        """One of these statuses, all output if it ended by itself, and nothing but its own in any case."""
        self.tally[result.status] += 1
        assert result.status in statuses, _shown(result)
        assert result.dropped == 0
        outputs = [output for output in result.outputs if output["output_type"] != "error"]
        text = "".join(map(_text_of_output, outputs))
        whole = result.status in ("ok", "error")
        assert text == _expected(name) if whole else _expected(name).startswith(text), _shown(result)
        if result.status != "ok" and result.reply is not None:
            assert [output["output_type"] for output in result.outputs].count("error") <= 1, _shown(result)


OURS = (Execution, ExecutionResult, Request, KernelDied)


def _code(name, *, pause=0.0):
    """Writes its name in all the ways there are, in a fixed order."""
    return f"""
import sys, time
from IPython.display import display
print({name!r}, 1, flush=True)
time.sleep({pause})
display({{"text/plain": "{name} 2\\n"}}, raw=True)
print({name!r}, 3, file=sys.stderr, flush=True)
for i in (4, 5, 6): print({name!r}, i)
sys.stdout.flush()
get_ipython().display_pub.publish({{"text/plain": "{name} 7\\n"}})"""


def _expected(name):
    return "".join(f"{name} {n}\n" for n in range(1, 8))


def _text_of_output(output):
    return output["text"] if output["output_type"] == "stream" else output["data"]["text/plain"]


def _text(message):
    return message.content["text"] if message.msg_type == "stream" else message.content["data"]["text/plain"]


def _shown(result):
    return f"{result.status} {result.outputs} {result.reply and result.reply.content}"


async def _cancelled_wait(execution, seconds):
    """Wait for an execution, but not for long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await execution


def _memory():
    """Bytes that this process has in memory."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
