"""When a kernel counts as ready, and what is said of one that does not. In virtual time: nobody waits."""

import asyncio
import gc
import selectors
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from jupyter_kernel_mgmt import KernelClient
from jupyter_kernel_mgmt._readiness import UNANSWERED_REPEAT, Readiness
from jupyter_kernel_mgmt.testing import Behaviour, FakeKernel, FakeRun, MemoryChannels, Quirks
from jupyter_protocol import ConnectionInfo, Message, messages

MINUTE, DAY = 60.0, 86_400.0


class _NoWaiting(selectors.DefaultSelector):
    """Puts the clock forward where it would sleep."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self.now += timeout
        return super().select(0)


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on which a day passes as soon as there is nothing to do meanwhile."""

    def __init__(self) -> None:
        self._clock = _NoWaiting()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    with asyncio.Runner(loop_factory=_VirtualTimeLoop, debug=True) as runner:
        runner.run(test(*arguments))


async def with_kernel(
    test: Callable[[KernelClient, FakeKernel], Awaitable[None]],
    quirks: Quirks | None = None,
    behaviour: Behaviour | None = None,
) -> None:
    """Run a test with a client and the fake kernel it talks to."""
    channels = MemoryChannels()
    async with (
        FakeKernel(channels.kernel, behaviour, quirks=quirks) as kernel,
        KernelClient(channels) as client,
    ):
        await test(client, kernel)


async def wait(client: KernelClient, seconds: float) -> Readiness:
    """What is known of a kernel that was not ready after so many seconds."""
    readiness = Readiness()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await readiness.wait(client)
    return readiness


def somebodys(msg_type: str, content: dict[str, Any], parent_type: str = "execute_request") -> Message:
    """What a kernel publishes for another client's request."""
    header = {"msg_id": "theirs", "msg_type": parent_type, "session": "another"}
    return messages.new_message(msg_type, content, parent=Message({}, header))


BUSY = somebodys("status", {"execution_state": "busy"})
IDLE = somebodys("status", {"execution_state": "idle"})
OUTPUT = somebodys("stream", {"name": "stdout", "text": "step 1\n"})
WELCOME = messages.iopub_welcome("")

ON_SHELL_ALONE = Quirks(answers_on_control=False)
SILENT_BUT_FOR_IOPUB = Quirks(answers_on_control=False, answers_kernel_info_on_control=False)


@pytest.mark.parametrize("quirks", [Quirks(), ON_SHELL_ALONE, Quirks(answers_kernel_info_on_control=False)])
def test_an_idle_kernel_is_ready_after_one_answer(quirks: Quirks) -> None:
    """On either channel; each was asked once."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        readiness = Readiness()
        await readiness.wait(client)
        assert readiness.reply is not None
        assert readiness.iopub
        assert [channel for channel, _ in kernel.received] == ["control", "shell"]

    in_virtual_time(with_kernel, test, quirks)


def test_a_busy_kernel_that_answers_on_control_is_ready_at_once() -> None:
    """Its shell waits behind somebody's code, which runs on."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        running = client.execute("for ever")
        await Readiness().wait(client)
        assert not running.done()

    in_virtual_time(with_kernel, test, None, _run_for_ever)


@pytest.mark.parametrize("quirks", [ON_SHELL_ALONE, Quirks(answers_kernel_info_on_control=False)])
def test_a_busy_kernel_that_answers_on_shell_alone_is_waited_for(quirks: Quirks) -> None:
    """Ready when its code has ended, at once; what was asked meanwhile disturbs no later request."""
    end = asyncio.Event()

    async def run(run: FakeRun) -> None:
        run.write(run.code)
        if run.code == "long":
            await end.wait()

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        client.execute("long")
        readiness = Readiness()
        waiting = asyncio.create_task(readiness.wait(client))
        await asyncio.sleep(MINUTE)
        assert not waiting.done()
        end.set()
        ended, asked = asyncio.get_running_loop().time(), len(kernel.requests("kernel_info_request"))
        await waiting
        assert asyncio.get_running_loop().time() == ended, "it was not polled: the answer ended the wait"
        result = await client.execute("short")
        assert (result.status, result.stdout) == ("ok", "short")
        assert client.execution_state == "idle"
        await asyncio.sleep(DAY)
        assert len(kernel.requests("kernel_info_request")) == asked, "nobody asks any more"

    in_virtual_time(with_kernel, test, quirks, run)


@pytest.mark.parametrize(("seconds", "times"), [(0.9, 1), (MINUTE, 6), (DAY, 17)])
def test_requests_do_not_pile_up_before_a_silent_kernel(seconds: float, times: int) -> None:
    """Each wait for an answer is twice as long as the one before."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        await wait(client, seconds)
        assert [channel for channel, _ in kernel.received] == ["control", "shell"] * times

    in_virtual_time(with_kernel, test, Quirks(silent=True))


@pytest.mark.parametrize(("seconds", "times"), [(0.9, 0), (1.1, 1), (3.1, 2), (7.1, 3), (DAY, 16)])
def test_of_a_slow_kernel_is_told_each_time_it_is_asked_again(seconds: float, times: int) -> None:
    """With what is known of it by then."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        told: list[str] = []
        readiness = Readiness(on_slow=lambda: told.append(str(readiness)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await readiness.wait(client)
        assert told == ["it did not answer at all"] * times

    in_virtual_time(with_kernel, test, Quirks(silent=True))


def test_a_young_subscription_is_waited_for() -> None:
    """The request is repeated, where it was answered and soon after, until something comes on iopub."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        readiness = Readiness()
        await readiness.wait(client)
        assert readiness.iopub
        assert [channel for channel, _ in kernel.received] == ["control", "shell"] * 3
        # In virtual time, which tells how often it asked and not how long this took:
        assert asyncio.get_running_loop().time() < UNANSWERED_REPEAT

    in_virtual_time(with_kernel, test, Quirks(lost_on_iopub=9))


def test_a_kernel_that_becomes_busy_while_iopub_is_waited_for_is_not_flooded() -> None:
    """Only a request that was answered is soon repeated."""
    quirks = Quirks(answers_on_control=False, lost_on_iopub=10**9)

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        waiting = asyncio.create_task(Readiness().wait(client))
        await kernel.wait_for("kernel_info_request", count=10)
        client.execute("for ever")
        asked = len(kernel.requests("kernel_info_request"))
        await asyncio.sleep(MINUTE)
        assert len(kernel.requests("kernel_info_request")) - asked <= 7
        waiting.cancel()
        await asyncio.wait([waiting])

    in_virtual_time(with_kernel, test, quirks, _run_for_ever)


@pytest.mark.parametrize(
    ("published", "text"),
    [
        ([], "it did not answer at all"),
        ([WELCOME], "it sent on iopub but did not answer kernel_info"),
        ([BUSY], "it is busy with somebody else's request, and did not answer kernel_info beside it"),
        ([WELCOME, OUTPUT], "it is busy with somebody else's request"),
        ([OUTPUT, IDLE], "it sent on iopub but did not answer kernel_info"),
        ([BUSY, OUTPUT, IDLE], "it sent on iopub but did not answer kernel_info"),
    ],
)
def test_what_is_said_of_a_kernel_that_did_not_answer(published: list[Message], text: str) -> None:
    """Busy if it began or goes on with a request of somebody else's, which it did not end."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        waiting = asyncio.create_task(wait(client, 10))
        await kernel.wait_for("kernel_info_request")
        for message in published:
            kernel.side.send("iopub", message)
        assert str(await waiting).startswith(text)

    in_virtual_time(with_kernel, test, Quirks(silent=True))


def test_its_own_question_does_not_make_a_kernel_busy() -> None:
    """A kernel that begins with our kernel_info and never replies is not busy with somebody else's."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        waiting = asyncio.create_task(wait(client, 10))
        ours = await kernel.wait_for("kernel_info_request")
        kernel.side.send("iopub", messages.status("busy", parent=ours))
        assert str(await waiting) == "it sent on iopub but did not answer kernel_info"

    in_virtual_time(with_kernel, test, Quirks(silent=True))


def test_what_is_said_of_a_kernel_whose_output_never_comes() -> None:
    """That it answered."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        assert str(await wait(client, 10)) == "it answered kernel_info but sent nothing on iopub"

    in_virtual_time(with_kernel, test, Quirks(lost_on_iopub=10**9))


def test_what_is_said_of_a_busy_kernel_that_answers_on_control_without_a_word_on_iopub() -> None:
    """Its shell shows that it is busy; that its output will reach us is not known."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        client.execute("for ever")
        assert str(await wait(client, 10)).startswith("it is busy: it answered kernel_info on control")

    in_virtual_time(with_kernel, test, Quirks(lost_on_iopub=10**9), _run_for_ever)


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize(
    "quirks",
    [Quirks(silent=True), Quirks(lost_on_iopub=10**9), ON_SHELL_ALONE],
    ids=["silent", "mute", "shell"],
)
def test_a_wait_that_is_cancelled_leaves_nothing(quirks: Quirks, steps: int) -> None:
    """At whichever point: no task, nothing with the client, and no further request."""

    async def test(client: KernelClient, kernel: FakeKernel) -> None:
        client.execute("for ever")
        await kernel.wait_for("execute_request")
        await client.settle()
        tasks = asyncio.all_tasks()
        nowhere = ConnectionInfo(transport="ipc", ip="/nowhere/at/all", shell_port=1, hb_port=2)
        readiness = Readiness(nowhere)
        waiting = asyncio.create_task(readiness.wait(client))
        for _ in range(steps):
            await asyncio.sleep(0 if steps < 6 else 0.3)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert asyncio.all_tasks() == tasks
        held = weakref.ref(readiness)
        del readiness, waiting
        gc.collect()
        assert held() is None, "a handler or a condition of the client still refers to it"
        await client.settle()
        asked = len(kernel.requests("kernel_info_request"))
        await asyncio.sleep(10 * MINUTE)
        assert len(kernel.requests("kernel_info_request")) == asked

    in_virtual_time(with_kernel, test, quirks, _run_for_ever)


async def _run_for_ever(run: FakeRun) -> None:
    await asyncio.Event().wait()
