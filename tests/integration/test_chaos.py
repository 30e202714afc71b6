"""Violence at random moments of a kernel's life: who waits is answered, it comes back, nothing is left.

Each round has its own chance, made of SEED and its number, so that one that fails can be repeated:
``SEED=… pytest -k "[12]"``. LONG_TESTS makes it 200 rounds, CHAOS_ROUNDS any number.
"""

import asyncio
import os
import random
import signal
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import (
    Backoff,
    ExecutionResult,
    ExitInfo,
    KernelError,
    KernelRestarter,
    KernelState,
    LaunchError,
    RestartFailed,
    RestartGaveUp,
    launch,
)
from jupyter_protocol import Message

from ._kinds import require

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it finds processes in /proc")

ROUNDS = int(os.environ.get("CHAOS_ROUNDS") or (200 if os.environ.get("LONG_TESTS") else 12))
SEED = os.environ.get("SEED", "1")
GUARD = 60

KERNELS = [
    {"kernel_type": "pyimport/kernel"},
    {"kernel_type": "pyimport/kernel", "forkserver": True},
    {"kernel_type": "spec/python3", "transport": "tcp"},
    {"kernel_type": "ipykernel6"},
]
SIGNALS = ["SIGKILL", "SIGSEGV", "SIGSTOP", "SIGTERM"]
WORK = "import time\nfor n in range(40): print(n, flush=True); time.sleep(0.02)"
EXIT = "import os, threading; threading.Timer({}, os._exit, [3]).start()"


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_a_round(number, world, monkeypatch):
    """While it starts, executes, is restarted or shut down."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(world.other))  # it will be spoilt
    chance = random.Random(f"{SEED} {number}")
    # In turns, so that few rounds show all phases as well.
    phase = [starting, executing, restarting, shutting_down][number % 4]
    options = KERNELS[number // 4 % len(KERNELS)]
    require(options["kernel_type"])
    async with asyncio.timeout(GUARD), asyncio.TaskGroup() as group:
        await phase(Round(chance, options, world, group))


class Round:
    """One kernel and what is done to it."""

    def __init__(self, chance, options, world, group):
        self.chance = chance
        self.options = options
        self.world = world
        self.group = group

    async def launch(self):
        return await launch(**self.options, startup_timeout=15, unresponsive_after=1.0)

    def restarter(self, kernel):
        return KernelRestarter(kernel, backoff=Backoff(initial=0.01, maximum=0.1), restart_unresponsive=True)

    def processes(self):
        """Kernels, without the agents that look after them."""
        return {pid for pid in self.world.processes() if not is_agent(pid)}

    def strike(self, pid):
        """Something that no process likes."""
        with suppress(ProcessLookupError):
            os.kill(pid, getattr(signal, self.chance.choice(SIGNALS)))

    def strike_soon(self, pid, most):
        """After up to so many seconds, in a task."""

        async def soon():
            await asyncio.sleep(self.chance.uniform(0, most))
            self.strike(pid)

        return self.group.create_task(soon())

    async def strike_next(self, known, most):
        """The next process that appears, once it has lived for up to so many seconds."""
        while not (new := self.processes() - known):  # noqa: ASYNC110 - nothing tells us of it
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.chance.uniform(0, most))
        self.strike(new.pop())


def is_agent(pid):
    """Those that were forked by one have its command line, but a mark of their own."""
    with suppress(OSError):
        return b"\0JUPYTER_KERNEL_MARK=agent" in b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    return True  # it has ended


async def is_usable(kernel):
    """It comes back by itself or, where it was given up or nobody meant it to, by hand."""
    events = kernel.events()
    while True:
        try:
            result = await kernel.execute("6 * 7")
        except KernelError:
            event = await anext(events)
            print(event)  # noqa: T201 - shown when a round fails
            if isinstance(event, RestartGaveUp):
                await kernel.restart()
        else:
            assert result.text == "42"
            return


async def starting(round_):
    """Either it starts, perhaps after all, or the error says why; the next one is not concerned."""
    striking = round_.group.create_task(round_.strike_next(round_.processes(), 0.5))
    async with AsyncExitStack() as stack:
        try:
            kernel = await stack.enter_async_context(await round_.launch())
        except LaunchError as error:
            assert str(error)  # noqa: PT017 - it need not fail
        else:
            await stack.enter_async_context(round_.restarter(kernel))
            await striking
            await is_usable(kernel)
    striking.cancel()
    async with await round_.launch() as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"


async def executing(round_):
    """Every waiter gets an answer, or the reason why there is none."""
    async with await round_.launch() as kernel, round_.restarter(kernel):
        waiting = [kernel.execute(WORK) for _ in range(3)]
        waiting += map(asyncio.create_task, (kernel.complete("impor"), kernel.kernel_info(), kernel.wait()))
        if round_.chance.random() < 0.3:
            waiting += [kernel.execute(EXIT.format(round_.chance.uniform(0, 0.5)))]
        else:
            round_.strike_soon(kernel.manager.pid, 1.0)
        for answer in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(answer, ExecutionResult | Message | ExitInfo | KernelError), repr(answer)
        await is_usable(kernel)


async def restarting(round_):
    """It succeeds, or says why not, and succeeds then: whichever process is hit, the old or the new one."""
    async with await round_.launch() as kernel, round_.restarter(kernel):
        if round_.chance.random() < 0.5:
            round_.strike_soon(kernel.manager.pid, 0.5)
            striking = None
        else:
            striking = round_.group.create_task(round_.strike_next(round_.processes(), 0.5))
        try:
            await kernel.restart()
        except RestartFailed:
            await kernel.restart()  # whoever restarts by hand is told, and left to decide
        if striking is not None:
            await striking
        await is_usable(kernel)


async def shutting_down(round_):
    """It ends, and is not revived."""
    async with await round_.launch() as kernel, round_.restarter(kernel):
        if round_.chance.random() < 0.5:
            kernel.execute(WORK)
        if round_.chance.random() < 0.3:
            kernel.execute(EXIT.format(round_.chance.uniform(0, 0.3)))
        else:
            round_.strike_soon(kernel.manager.pid, 0.3)
        end = round_.chance.choice([kernel.shutdown, kernel.aclose])
        await end()
        assert kernel.state in (KernelState.DEAD, KernelState.CLOSED)
