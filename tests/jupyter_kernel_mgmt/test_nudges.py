"""`Nudges`: kernels that leave requests unread until something more comes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import KernelClient, _nudges
from jupyter_kernel_mgmt._nudges import Nudges, left_unread
from jupyter_kernel_mgmt._router import Request, Router
from jupyter_kernel_mgmt._under_way import UnderWay
from jupyter_kernel_mgmt.testing import FakeKernel, MemoryChannels
from jupyter_protocol import Message, messages

GUARD = 20


def status(state: str, **parent: Any) -> Message:
    return messages.new_message("status", {"execution_state": state}, parent=Message({}, parent))


def reply(msg_id: str, **parent: Any) -> Message:
    return messages.new_reply(
        "kernel_info_reply", {"status": "ok"}, parent=Message({}, {"msg_id": msg_id, **parent})
    )


def router_of(idle_kernel: bool = True) -> Router:
    router = Router()
    if idle_kernel:
        router.add(asked := Request("first", "shell", needs_idle=False))
        router.received("iopub", status("busy", msg_id="first"))
        router.received("shell", reply("first"))
        router.received("iopub", status("idle", msg_id="first"))
        router.forget(asked)
    return router


def test_a_request_of_which_an_idle_kernel_says_nothing_is_unread() -> None:
    """On the main shell: there, it would have begun with it."""
    router = router_of()
    assert not left_unread(router)
    router.add(Request("a", "shell", needs_idle=True))
    assert left_unread(router)


@pytest.mark.parametrize(
    "request_",
    [
        Request("a", "control", needs_idle=False),
        Request("a", "shell", needs_idle=False, subshell_id="s"),
    ],
    ids=["control", "subshell"],
)
def test_other_lines_are_not_looked_at(request_: Request) -> None:
    """They have queues of their own, which a message on the main shell would not move."""
    router = router_of()
    router.add(request_)
    assert not left_unread(router)


@pytest.mark.parametrize(
    ("parent", "unread"),
    [
        ({"msg_id": "somebody's", "msg_type": "execute_request"}, False),
        ({"msg_id": "somebody's", "msg_type": "execute_request", "subshell_id": "s"}, True),
    ],
    ids=["main shell", "subshell"],
)
def test_a_busy_kernel_reads_later(parent: dict[str, Any], unread: bool) -> None:
    """Whoever keeps it busy; a busy subshell is no reason to wait."""
    router = router_of()
    router.add(Request("a", "shell", needs_idle=True))
    router.received("iopub", status("busy", **parent))
    assert left_unread(router) is unread


def test_of_a_kernel_that_tells_no_states_nothing_is_known() -> None:
    """It may be busy, or have been before we listened."""
    router = router_of(idle_kernel=False)
    router.add(Request("a", "shell", needs_idle=True))
    assert not left_unread(router)
    router.received("iopub", status("idle", msg_id="b"))
    assert not left_unread(router), "the main shell may be busy since before"


@pytest.mark.parametrize("word", ["busy", "reply"])
def test_a_request_that_was_taken_up_is_not_unread(word: str) -> None:
    """It has begun or was answered."""
    router = router_of()
    router.add(Request("a", "shell", needs_idle=True))
    if word == "busy":
        router.received("iopub", status("busy", msg_id="a"))
    else:
        router.received("shell", reply("a"))
    assert not left_unread(router)


class Lazy:
    """Between client and fake kernel: one message on shell is read for each that comes after the first."""

    def __init__(self, kernel: FakeKernel, channels: MemoryChannels) -> None:
        self.unread: list[tuple[str, Message]] = []
        self.nudged = asyncio.Event()
        self.lazy = False
        self._deliver: Callable[[str, Message], None] | None = channels.kernel.on_message
        channels.kernel.on_message = self.arrived

    def arrived(self, channel: str, message: Message) -> None:
        assert self._deliver is not None
        if channel != "shell":
            self._deliver(channel, message)
            return
        self.unread.append((channel, message))
        if message.msg_type == "kernel_info_request":
            self.nudged.set()
        if not self.lazy or len(self.unread) > 1:
            self._deliver(*self.unread.pop(0))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second."""
    monkeypatch.setattr(_nudges, "NUDGE_AFTER", 0.01)
    monkeypatch.setattr(_nudges, "NUDGE_AGAIN", 0.001)


async def test_what_a_kernel_left_unread_is_answered_in_the_end() -> None:
    """All of it, though each nudge makes it read but one more."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel) as kernel, KernelClient(channels) as client:
        lazy = Lazy(kernel, channels)
        await client.kernel_info()
        lazy.lazy = True
        async with asyncio.timeout(GUARD):
            results = await asyncio.gather(*(client.execute(f"{n}") for n in range(5)))
            assert [result.status for result in results] == ["ok"] * 5
            assert (await client.complete("x")).msg_type == "complete_reply"
    assert lazy.nudged.is_set()


class Knockable(MemoryChannels):
    """What ZMQ's channels can: it makes a lazy kernel read one message."""

    lazy: Lazy

    def knock(self) -> None:
        assert self.lazy._deliver is not None
        if self.lazy.unread:
            self.lazy._deliver(*self.lazy.unread.pop(0))


async def test_where_channels_can_knock_nothing_is_sent() -> None:
    """It is one request less that a kernel may leave unread."""
    channels = Knockable()
    async with FakeKernel(channels.kernel) as kernel, KernelClient(channels) as client:
        channels.lazy = Lazy(kernel, channels)
        await client.kernel_info()
        channels.lazy.lazy = True
        async with asyncio.timeout(GUARD):
            results = await asyncio.gather(*(client.execute(f"{n}") for n in range(5)))
        assert [result.status for result in results] == ["ok"] * 5
        assert len(kernel.requests("kernel_info_request")) == 1


async def test_a_kernel_that_runs_code_is_left_alone() -> None:
    """What waits behind the code will be read after it."""
    channels = MemoryChannels()
    ending = asyncio.Event()

    async def run(run: Any) -> None:
        await ending.wait()

    async with FakeKernel(channels.kernel, run) as kernel, KernelClient(channels) as client:
        await client.kernel_info()
        first, second = client.execute("long"), client.execute("behind")
        looks = Looks(client._nudges)
        async with asyncio.timeout(GUARD):
            await looks.wait(3)
            assert len(kernel.requests("kernel_info_request")) == 1
            ending.set()
            assert [(await first).status, (await second).status] == ["ok", "ok"]


class Looks:
    """Counts how often it was looked whether a kernel reads."""

    def __init__(self, nudges: Nudges) -> None:
        self._look = nudges._look
        self._count = 0
        self._more = asyncio.Event()
        nudges.stop()
        nudges._look = self._counted  # type: ignore[method-assign]
        nudges.sent()

    def _counted(self) -> None:
        self._count += 1
        self._more.set()
        self._look()

    async def wait(self, count: int) -> None:
        while self._count < count:
            self._more.clear()
            await self._more.wait()


async def test_nobody_looks_when_nothing_waits() -> None:
    """Nor after it was stopped."""
    under_way = UnderWay(lambda request: None, lambda request: None)
    nudges = Nudges(under_way, nudge=lambda: pytest.fail("there is nobody to nudge"))
    looks = Looks(nudges)
    async with asyncio.timeout(GUARD):
        await looks.wait(1)
    assert nudges._timer is None
    nudges.sent()
    nudges.stop()
    assert nudges._timer is None
