"""What must come of each request, whatever the kernel says of it; and a loop whose time is virtual."""

import asyncio
import selectors
from typing import Any

import pytest

from jupyter_kernel_mgmt import Execution, OutputDropped
from jupyter_kernel_mgmt.results import ExecutionResult
from jupyter_protocol import Message, messages

from ._interleaving_output import OUTPUTS, Kept, output_message

REPLIES = ("ok", "error", "aborted", "abort", None, 7)
STATES = ("busy", "idle")

# A loop whose time is virtual


class _Selector(selectors.DefaultSelector):
    """Never sleeps; counts what it should have slept."""

    slept = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self.slept += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes, at once, where otherwise nothing would happen."""

    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        return 1000.0 + self.clock.slept

    async def settle(self) -> None:
        """Let everything happen that can happen now."""
        while True:
            await asyncio.sleep(0)
            if not self._ready:  # type: ignore[attr-defined]
                return


# What must come of a request


class Sent:
    """A request, what the kernel has said about it, and what must therefore become of it.

    ``fate`` is None as long as it has to wait, else the statuses or the error with which it may have ended.
    """

    def __init__(self, message: Message, channel: str, options: dict[str, Any], generation: int) -> None:
        self.message = message
        self.channel = channel
        self.options = options
        self.generation = generation
        self.execution: Execution | None = None
        self.answer: asyncio.Task[Message] | None = None
        self.waits: list[asyncio.Task[Any]] = []
        self.reads: list[tuple[asyncio.Task[Any], list[str | int]]] = []
        self.obedient = False
        self.busy = self.begun = self.idle = False
        self.reply: Any = ()
        self.live = True
        self.cancelled = False
        self.lost = False
        self.given_up = False
        self.asked = False
        self.marked = False
        self.due: float | None = None
        self.deaf_until = 0.0
        self.kept = Kept(options.get("output_limit"))
        self.fate: set[str] | type[Exception] | None = None
        self.told: tuple[bool, bool] = (False, False)

    @property
    def msg_id(self) -> str:
        return self.message.msg_id

    @property
    def subshell(self) -> str | None:
        return self.message.header.get("subshell_id")

    @property
    def started(self) -> bool:
        return self.busy or self.begun

    @property
    def ended(self) -> bool:
        return self.idle or self.reply != () or not self.live

    def done(self) -> bool:
        """Whether it has ended in fact."""
        waiting = self.execution or self.answer
        assert waiting is not None
        return waiting.done()

    def end(self, fate: set[str] | type[Exception]) -> None:
        """It must have ended so, and with the kernel's idle and reply if those have come."""
        if self.fate is None:
            self.fate = fate
            self.told = (self.idle, self.reply != ()) if isinstance(fate, set) else (False, False)

    def statuses(self, now: float) -> set[str]:
        """What its own reply, or the lack of one, makes of it."""
        status = (
            "error"
            if self.reply == ()
            else {None: "ok", "abort": "aborted", 7: "error"}.get(self.reply, self.reply)
        )
        if self.marked and status != "ok":
            status = "interrupted"
        return {status, "timeout"} if self.due is not None and now >= self.due else {status}

    def coming(self, now: float) -> set[str] | None:
        """What will come of it if nothing is heard any more; None: it waits on."""
        if self.reply != () or self.idle:
            return self.statuses(now)
        if self.due is not None:
            return {"timeout"}
        return {"timeout"} if not self.started and self.options.get("queue_timeout") is not None else None


# What came of it


async def check_execution(sent: Sent) -> None:
    """It has its fate, its own outputs, and so do all who waited for it or read along."""
    execution, fate = sent.execution, sent.fate
    assert execution is not None
    assert fate is not None
    if isinstance(fate, set):
        result = await execution
        assert result.status in fate
    else:
        with pytest.raises(fate) as caught:
            await execution
        assert type(caught.value) is fate
        result = caught.value.result
    _check_result(sent, result)
    for wait in sent.waits:
        outcome = (await asyncio.gather(wait, return_exceptions=True))[0]
        assert outcome is result or isinstance(outcome, asyncio.CancelledError | Exception)
        assert isinstance(outcome, asyncio.CancelledError) or isinstance(fate, set) == (outcome is result)
    for reading, seen in sent.reads:
        error = (await asyncio.gather(reading, return_exceptions=True))[0]
        place = sent.kept.place_of_reader(seen)
        if not isinstance(error, asyncio.CancelledError):
            assert place == len(sent.kept.items)
            assert error is None if isinstance(fate, set) else isinstance(error, fate)


def _check_result(sent: Sent, result: ExecutionResult) -> None:
    assert [_text(output) for output in result.outputs] == sent.kept.outputs(), (sent.kept, result)
    assert result.dropped == sent.kept.dropped, (sent.kept, result)
    assert (result.idle_seen, result.reply is not None) == sent.told, (vars(sent), result)


async def check_answer(sent: Sent) -> None:
    """Its own reply, or the error that it must be."""
    assert sent.answer is not None
    outcome = (await asyncio.gather(sent.answer, return_exceptions=True))[0]
    if sent.cancelled and isinstance(outcome, asyncio.CancelledError):
        return
    if isinstance(sent.fate, set):
        assert isinstance(outcome, Message)
        assert outcome.parent_id == sent.msg_id
        assert outcome.msg_type == sent.message.msg_type.replace("_request", "_reply")
    else:
        assert sent.fate is not None
        assert type(outcome) is sent.fate


def seen_as(message: Any) -> str | int:
    """What a reader makes of what it reads: the text, or how many were dropped."""
    if isinstance(message, OutputDropped):
        return message.count
    if message.msg_type == "clear_output":
        return "clear_output"
    return _text({"output_type": message.msg_type, **message.content})


def _text(output: dict[str, Any]) -> str:
    kind = output["output_type"]
    text: str = output["text"] if kind == "stream" else ""
    return text or (output["ename"] if kind == "error" else output["data"]["text/plain"])


# What a kernel says


def kernel_message(what: Any, text: str, channel: str, parent: Message) -> tuple[str, Message]:
    """The message for a word about a request on that channel, and the channel it comes on."""
    if isinstance(what, tuple):
        word, status = what
        content = {} if status is None else {"status": status}
        reply = messages.new_reply(parent.msg_type.replace("_request", "_reply"), content, parent=parent)
        elsewhere = {"shell": "control", "control": "shell"}
        return channel if word == "reply" else elsewhere[channel], reply
    if what == "prompt":
        return "stdin", messages.input_request(text, parent=parent)
    if what in STATES:
        return "iopub", messages.status(what, parent=parent)
    if what == "input":
        return "iopub", messages.execute_input("x", 1, parent=parent)
    if what in OUTPUTS:
        return "iopub", output_message(what, text, parent)
    return "iopub", messages.new_message("status", {"execution_state": ["no", "state"]}, parent=parent)
