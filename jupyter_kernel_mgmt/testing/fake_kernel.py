"""`FakeKernel`: answers like a kernel, in this process, and runs a callable of yours instead of code."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from jupyter_protocol import ChannelClosed, Message, messages

from ..channels import OnMessage
from ._answers import SUBSHELLS, answer
from ._fake_shell import FakeShell
from .fake_comms import FakeComms
from .fake_run import Behaviour, FakeRun
from .quirks import Quirks

log = logging.getLogger(__name__)


class KernelSide(Protocol):
    """What a kernel talks through: `KernelEnd` in memory, or `jupyter_protocol.KernelSockets`."""

    on_message: OnMessage | None

    def send(self, channel: str, message: Message) -> None:
        """Send a message; a reply goes to the sender of its parent."""
        ...


Debugger = Callable[["FakeKernel", dict[str, Any]], dict[str, Any]]
"""Called with the kernel and a request of the Debug Adapter Protocol; returns the response."""


class FakeKernel:
    """A kernel on one end of some channels, while it is entered (``async with``).

    ``behaviour`` is an async callable that gets each `FakeRun`; by default code does nothing. It is
    cancelled to interrupt it. ``quirks`` say how the kernel misbehaves and may be changed at any time.
    ``on_shutdown(restart)`` is called once it answered a shutdown request. ``debugger(kernel, request)``
    answers debugger requests; without one they get no reply. ``received`` holds all that came, as
    ``(channel, message)``; ``comms`` its comms; ``subshells`` the ids of its subshells.

    Requests on shell are handled one after the other in each shell, those on control at once, each between
    busy and idle. As in ipykernel, an interrupt stops code in the main shell only.
    """

    def __init__(
        self,
        side: KernelSide,
        behaviour: Behaviour | None = None,
        *,
        quirks: Quirks | None = None,
        on_shutdown: Callable[[bool], None] | None = None,
        debugger: Debugger | None = None,
    ) -> None:
        self.side = side
        self._others: list[KernelSide] = []
        self.behaviour = behaviour or _nothing
        self.quirks = quirks or Quirks()
        self.on_shutdown = on_shutdown
        self.debugger = debugger
        self.received: list[tuple[str, Message]] = []
        self.execution_count = 0
        self.session_id: str | None = None
        self.comms = FakeComms(self)
        self._more_received = asyncio.Event()
        self._published = 0
        self._held_idles: list[Message] = []
        self._debugged: Message | None = None
        self._questions: dict[str, FakeRun] = {}
        self._main = FakeShell(self, "main")
        self._subshells: dict[str, FakeShell] = {}
        self._ended: list[FakeShell] = []

    async def __aenter__(self) -> Self:
        self._main.start()
        self.side.on_message = self._arrived
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def stop(self) -> None:
        """Die in the middle of whatever it does: nothing more is taken or answered."""
        self.quirks = Quirks(silent=True)
        self._end_shells()

    async def aclose(self) -> None:
        """Stop, and wait until that has happened. May be called again."""
        self.stop()
        for shell in self._ended:
            await shell.aclose()

    def restart(self) -> None:
        """What clients see where somebody else restarted the kernel: another session, which knows nothing.

        What ran or was queued, comms and subshells are gone without a word.
        """
        self._end_shells()
        self.session_id = uuid.uuid4().hex
        self.execution_count = 0
        self.comms.opened.clear()
        self._held_idles.clear()
        self._main = FakeShell(self, "main")
        self._main.start()

    def serve(self, side: KernelSide) -> None:
        """Talk to one more client, from now on and until the end; each hears all that is published."""
        self._others.append(side)
        side.on_message = self._arrived

    def requests(self, msg_type: str) -> list[Message]:
        """What was received of one type."""
        return [message for _, message in self.received if message.msg_type == msg_type]

    async def wait_for(self, msg_type: str, *, count: int = 1) -> Message:
        """Wait until so many messages of that type were received; the last of them. Cancelling is safe."""
        while len(found := self.requests(msg_type)) < count:
            self._more_received.clear()
            await self._more_received.wait()
        return found[count - 1]

    def interrupt(self) -> None:
        """What SIGINT does: the code that runs in the main shell stops, if any does."""
        if not self.quirks.ignores_interrupts:
            self._main.interrupt()

    def send(self, channel: str, message: Message) -> None:
        """Send something as the kernel; what it has nobody to send to is lost."""
        if self.quirks.silent:
            return
        if channel == "iopub":
            self._published += 1
            if self._published <= self.quirks.lost_on_iopub:
                return
        if self.session_id is not None:
            message.header["session"] = self.session_id
        for side in (self.side, *self._others):
            try:
                side.send(channel, message)
            except ChannelClosed:
                log.debug("Nobody is there any more to get %r", message)

    def debug_event(self, event: dict[str, Any]) -> None:
        """Publish an event of the Debug Adapter Protocol, such as ``{"event": "stopped", "body": {…}}``."""
        self.send("iopub", messages.debug_event(event, parent=self._debugged))

    def release_idles(self) -> None:
        """Send every idle that ``Quirks.holds_idle`` has kept."""
        held, self._held_idles = self._held_idles, []
        for message in held:
            self.send("iopub", message)

    # Subshells

    @property
    def subshells(self) -> list[str]:
        """The ids of the subshells there are."""
        return list(self._subshells)

    def create_subshell(self) -> str:
        """Make a subshell, as another client might."""
        subshell_id = str(uuid.uuid4())
        shell = self._subshells[subshell_id] = FakeShell(self, subshell_id)
        shell.start()
        return subshell_id

    def delete_subshell(self, subshell_id: str) -> bool:
        """End a subshell and what runs in it; False where there is none of that name."""
        shell = self._subshells.pop(subshell_id, None)
        if shell is None:
            return False
        shell.stop()
        self._ended.append(shell)
        return True

    def _end_shells(self) -> None:
        self._main.stop()
        self._ended.append(self._main)
        for subshell_id in self.subshells:
            self.delete_subshell(subshell_id)

    # Requests

    def _arrived(self, channel: str, message: Message) -> None:
        self.received.append((channel, message))
        self._more_received.set()
        if self.quirks.silent:
            return
        if channel == "shell":
            self._put(message)
        elif channel == "control" and self.quirks.answers_on_control:
            self.handle(channel, message)
        elif channel == "stdin" and message.msg_type == "input_reply" and self._questions:
            # A reply need not say which question it answers.
            latest = next(reversed(self._questions))
            answered = message.parent_id if message.parent_id in self._questions else latest
            self._questions.pop(answered).answers.put_nowait(message.content["value"])

    def _put(self, message: Message) -> None:
        subshell_id = message.header.get("subshell_id")
        if subshell_id is None or SUBSHELLS not in self.quirks.supported_features:
            self._main.put(message)
        elif subshell_id in self._subshells:
            self._subshells[subshell_id].put(message)
        else:
            text = f"Unknown subshell_id {subshell_id!r}"
            count = self.execution_count if message.msg_type == "execute_request" else None
            reply = messages.error_reply(message, "UnknownSubshellError", text, execution_count=count)
            self.surround("shell", message, reply)

    def handle(self, channel: str, message: Message) -> None:
        """Answer what can be answered at once."""
        if message.msg_type == "debug_request":
            self._debugged = message
        early = self.quirks.replies_before_busy
        self.begin(channel, message, answer(self, channel, message) if early else None)
        if message.msg_type in ("comm_open", "comm_msg", "comm_close"):
            self.comms.handle(message)
        self.finish(channel, message, None if early else answer(self, channel, message))
        if message.msg_type == "interrupt_request":
            self.interrupt()
        elif message.msg_type == "shutdown_request" and not self.quirks.ignores_shutdown and self.on_shutdown:
            self.on_shutdown(bool(message.content.get("restart")))

    def surround(self, channel: str, request: Message, reply: Message | None) -> None:
        """A reply and all that comes with it."""
        self.begin(channel, request, reply)
        self.finish(channel, request, None if self.quirks.replies_before_busy else reply)

    def begin(self, channel: str, request: Message, reply: Message | None) -> None:
        """Say busy; give a reply already where this kernel replies before that."""
        if self.quirks.replies_before_busy and reply is not None:
            self._reply(channel, reply)
        if self.quirks.says_status:
            self.send("iopub", messages.status("busy", parent=request))

    def finish(self, channel: str, request: Message, reply: Message | None) -> None:
        """Reply if something is left to say, and say idle, in this kernel's order."""
        if self.quirks.replies_after_idle:
            self._idle(request)
        if reply is not None:
            self._reply(channel, reply)
        if not self.quirks.replies_after_idle:
            self._idle(request)

    def _reply(self, channel: str, reply: Message) -> None:
        if not self.quirks.says_status_in_replies and reply.content.get("status") == "ok":
            del reply.content["status"]
        self.send(channel, reply)

    def _idle(self, request: Message) -> None:
        if not (self.quirks.says_status and self.quirks.says_idle):
            return
        for _ in range(2 if self.quirks.repeats_idle else 1):
            message = messages.status("idle", parent=request)
            if self.quirks.holds_idle:
                self._held_idles.append(message)
            else:
                self.send("iopub", message)

    # Questions

    def ask(self, run: FakeRun, question: Message) -> None:
        """Send a run's question; the answer goes to its ``answers``."""
        self._questions[question.msg_id] = run
        self.send("stdin", question)

    def forget_questions(self, run: FakeRun) -> None:
        """The run has ended: what it asked needs no answer."""
        self._questions = {msg_id: asker for msg_id, asker in self._questions.items() if asker is not run}


async def _nothing(run: FakeRun) -> None:
    """The default behaviour."""
