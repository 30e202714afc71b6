"""On which channel a kernel is asked to end."""

import asyncio

import pytest

from jupyter_kernel_mgmt import _shutdown
from jupyter_kernel_mgmt._router import Request
from jupyter_kernel_mgmt._shutdown import ask_to_end, shutdown_channels
from jupyter_protocol import Message, messages

GUARD = 20


@pytest.mark.parametrize(
    ("implementation", "idle", "expected"),
    [
        ("ipython", True, ("shell", "control")),
        ("bash_kernel", True, ("shell", "control")),
        ("ipython", False, ("control",)),
        ("xeus-python", True, ("control",)),
        (None, True, ("control",)),
    ],
)
def test_ipykernel_is_asked_on_shell_while_it_runs_nothing(
    implementation: object, idle: bool, expected: tuple[str, ...]
) -> None:
    """Its control thread may wait for one that has ended; other kernels do not answer on shell."""
    assert shutdown_channels(implementation, idle=idle) == expected


class Kernel:
    """Answers on some channels."""

    def __init__(self, *answering: str) -> None:
        self.answering = answering
        self.asked: list[tuple[str, bool]] = []
        self.waiting = 0

    def send(self, channel: str, message: Message) -> None:
        assert message.msg_type == "shutdown_request"
        self.asked.append((channel, message.content["restart"]))

    async def reply_to(self, request: Request) -> Message:
        self.waiting += 1
        try:
            if request.channel not in self.answering:
                await asyncio.Event().wait()
            return messages.shutdown_reply(restart=False, parent=messages.shutdown_request())
        finally:
            self.waiting -= 1


async def test_the_first_answer_is_enough() -> None:
    kernel = Kernel("shell")
    async with asyncio.timeout(GUARD):
        await ask_to_end(kernel.send, kernel.reply_to, ("shell", "control"), restart=True)
    assert (kernel.asked, kernel.waiting) == ([("shell", True)], 0)


async def test_one_that_does_not_answer_on_shell_is_asked_on_control(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever kept it: nobody waits any longer for the first answer then."""
    monkeypatch.setattr(_shutdown, "PATIENCE", 0.01)
    kernel = Kernel("control")
    async with asyncio.timeout(GUARD):
        reply = await ask_to_end(kernel.send, kernel.reply_to, ("shell", "control"), restart=False)
    assert reply.msg_type == "shutdown_reply"
    assert (kernel.asked, kernel.waiting) == ([("shell", False), ("control", False)], 0)


async def test_cancelling_ends_the_wait() -> None:
    kernel = Kernel()
    task = asyncio.create_task(ask_to_end(kernel.send, kernel.reply_to, ("control",), restart=False))
    while not kernel.waiting:  # noqa: ASYNC110 - a fake tells nobody
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kernel.waiting == 0
