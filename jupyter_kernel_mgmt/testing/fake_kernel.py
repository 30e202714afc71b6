"""`FakeKernel`: answers like a kernel, in this process, and runs a callable of yours instead of code."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from jupyter_protocol import ChannelClosed, Message, messages

from ..channels import OnMessage

log = logging.getLogger(__name__)


class KernelSide(Protocol):
    """What a kernel talks through: `KernelEnd` in memory, or `jupyter_protocol.KernelSockets`."""

    on_message: OnMessage | None

    def send(self, channel: str, message: Message) -> None:
        """Send a message; a reply goes to the sender of its parent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a kernel misbehaves; all of it was seen in kernels that people use. By default it does not.

    ``silent`` answers nothing at all. ``lost_on_iopub`` is how many of the first iopub messages get lost, as
    with a young subscription. The words are what replies say of code that was interrupted or not run.
    """

    silent: bool = False
    lost_on_iopub: int = 0
    says_idle: bool = True
    says_status_in_replies: bool = True
    replies_before_busy: bool = False
    answers_on_control: bool = True
    answers_kernel_info_on_control: bool = True
    ignores_interrupts: bool = False
    ignores_shutdown: bool = False
    aborted_word: Literal["aborted", "abort"] = "aborted"
    interrupted_word: Literal["error", "abort", "ok"] = "error"


class FakeRun:
    """One execution, as the behaviour sees it: ``code``, and what code may do."""

    def __init__(self, kernel: "FakeKernel", request: Message) -> None:
        self.kernel = kernel
        self.request = request
        self.code: str = request.content["code"]
        self.answers: asyncio.Queue[str] = asyncio.Queue()

    def publish(self, message: Message) -> None:
        """Send a message on iopub; make it with ``parent=run.request``."""
        self.kernel.send("iopub", message)

    def write(self, text: str, name: Literal["stdout", "stderr"] = "stdout") -> None:
        """Print text."""
        self.publish(messages.stream(name, text, parent=self.request))

    def display(self, data: dict[str, Any], **options: Any) -> None:
        """Show a MIME bundle; options as of `jupyter_protocol.messages.display_data`."""
        self.publish(messages.display_data(data, parent=self.request, **options))

    def result(self, text: str) -> None:
        """Give the value of the code."""
        count = self.kernel.execution_count
        self.publish(messages.execute_result(count, {"text/plain": text}, parent=self.request))

    async def input(self, prompt: str = "", *, password: bool = False) -> str:
        """Ask the client for a line. Raises `RuntimeError` where it said that nobody answers."""
        if not self.request.content.get("allow_stdin"):
            raise RuntimeError("this client does not answer questions")
        question = messages.input_request(prompt, password=password, parent=self.request)
        self.kernel.send("stdin", question)
        return await self.answers.get()


Behaviour = Callable[[FakeRun], Awaitable[None]]
"""Runs instead of code: returns where the code ends well and raises what the code raises."""


class FakeKernel:
    """A kernel on one end of some channels, while it is entered (``async with``).

    ``behaviour`` is an async callable that gets each `FakeRun`; by default code does nothing. It is
    cancelled to interrupt it. ``quirks`` say how the kernel misbehaves and may be changed at any time.
    ``on_shutdown(restart)`` is called once it answered a shutdown request. ``received`` holds all that
    came, as ``(channel, message)``.

    Requests on shell are handled one after the other, those on control at once, each between busy and idle.
    """

    def __init__(
        self,
        side: KernelSide,
        behaviour: Behaviour | None = None,
        *,
        quirks: Quirks | None = None,
        on_shutdown: Callable[[bool], None] | None = None,
    ) -> None:
        self.side = side
        self.behaviour = behaviour or _nothing
        self.quirks = quirks or Quirks()
        self.on_shutdown = on_shutdown
        self.received: list[tuple[str, Message]] = []
        self.execution_count = 0
        self._more_received = asyncio.Event()
        self._published = 0
        self._queue: deque[Message] = deque()
        self._arrival = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._run: FakeRun | None = None
        self._running: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="fake-kernel")
        self.side.on_message = self._arrived
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def stop(self) -> None:
        """Die in the middle of whatever it does: nothing more is taken or answered."""
        self.quirks = Quirks(silent=True)
        if self._worker is not None:
            self._worker.cancel()

    async def aclose(self) -> None:
        """Stop, and wait until that has happened. May be called again."""
        self.stop()
        if self._worker is not None:
            await asyncio.wait([self._worker])

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
        """What SIGINT does: the code that runs stops, if any does."""
        if self._running is not None and not self.quirks.ignores_interrupts:
            self._running.cancel()

    def send(self, channel: str, message: Message) -> None:
        """Send something as the kernel; what it has nobody to send to is lost."""
        if self.quirks.silent:
            return
        if channel == "iopub":
            self._published += 1
            if self._published <= self.quirks.lost_on_iopub:
                return
        try:
            self.side.send(channel, message)
        except ChannelClosed:
            log.debug("Nobody is there any more to get %r", message)

    # Requests

    def _arrived(self, channel: str, message: Message) -> None:
        self.received.append((channel, message))
        self._more_received.set()
        if self.quirks.silent:
            return
        if channel == "shell":
            self._queue.append(message)
            self._arrival.set()
        elif channel == "control" and self.quirks.answers_on_control:
            self._handle(channel, message)
        elif channel == "stdin" and message.msg_type == "input_reply" and self._run is not None:
            self._run.answers.put_nowait(message.content["value"])

    async def _work(self) -> None:
        while True:
            await self._arrival.wait()
            while self._queue:
                message = self._queue.popleft()
                if message.msg_type == "execute_request":
                    await self._execute(message)
                else:
                    self._handle("shell", message)
            self._arrival.clear()

    def _handle(self, channel: str, message: Message) -> None:
        """Answer what can be answered at once."""
        answer = _ANSWERS.get(message.msg_type)
        if message.msg_type == "kernel_info_request" and channel == "control":
            answer = answer if self.quirks.answers_kernel_info_on_control else None
        self._busy_until(message, channel, None if answer is None else answer(message))
        if message.msg_type == "interrupt_request":
            self.interrupt()
        elif message.msg_type == "shutdown_request" and not self.quirks.ignores_shutdown and self.on_shutdown:
            self.on_shutdown(bool(message.content.get("restart")))

    def _busy_until(self, request: Message, channel: str, reply: Message | None) -> None:
        """Everything that surrounds a reply."""
        if self.quirks.ignores_shutdown and request.msg_type == "shutdown_request":
            reply = None
        if self.quirks.replies_before_busy and reply is not None:
            self._reply(channel, reply)
        self.send("iopub", messages.status("busy", parent=request))
        if not self.quirks.replies_before_busy and reply is not None:
            self._reply(channel, reply)
        self._idle(request)

    def _reply(self, channel: str, reply: Message) -> None:
        if not self.quirks.says_status_in_replies and reply.content.get("status") == "ok":
            del reply.content["status"]
        self.send(channel, reply)

    def _idle(self, request: Message) -> None:
        if self.quirks.says_idle:
            self.send("iopub", messages.status("idle", parent=request))

    # Running code

    async def _execute(self, request: Message) -> None:
        if request.content.get("store_history", True) and not request.content.get("silent"):
            self.execution_count += 1
        if self.quirks.replies_before_busy:
            self._reply("shell", messages.execute_reply(self.execution_count, parent=request))
        self.send("iopub", messages.status("busy", parent=request))
        code, count = request.content["code"], self.execution_count
        self.send(
            "iopub",
            messages.new_message("execute_input", {"code": code, "execution_count": count}, parent=request),
        )
        reply = await self._outcome(FakeRun(self, request))
        if not self.quirks.replies_before_busy:
            self._reply("shell", reply)
        self._idle(request)
        if reply.content.get("status") == "error" and request.content.get("stop_on_error"):
            self._abort_queue()

    async def _outcome(self, run: FakeRun) -> Message:
        """Run the behaviour; the reply that follows from how it ends."""
        self._run = run
        running = self._running = asyncio.ensure_future(self._guarded(run))
        try:
            await asyncio.wait([running])
        finally:
            self._run = self._running = None
            running.cancel()
            await asyncio.wait([running])
        if running.cancelled():
            return self._interrupted_reply(run.request)
        error = running.exception()
        if error is None:
            return messages.execute_reply(self.execution_count, parent=run.request)
        return self._failed(run.request, type(error).__name__, str(error))

    async def _guarded(self, run: FakeRun) -> None:
        await self.behaviour(run)

    def _failed(self, request: Message, ename: str, evalue: str) -> Message:
        self.send("iopub", messages.error(ename, evalue, [f"{ename}: {evalue}"], parent=request))
        return messages.error_reply(
            request, ename, evalue, [f"{ename}: {evalue}"], execution_count=self.execution_count
        )

    def _interrupted_reply(self, request: Message) -> Message:
        word = self.quirks.interrupted_word
        if word == "error":
            return self._failed(request, "KeyboardInterrupt", "")
        content: Mapping[str, Any] = {"status": word, "execution_count": self.execution_count}
        return messages.new_reply("execute_reply", dict(content), parent=request)

    def _abort_queue(self) -> None:
        """An error with ``stop_on_error``: what code waits is not run."""
        waiting, self._queue = self._queue, deque()
        for message in waiting:
            if message.msg_type != "execute_request":
                self._queue.append(message)
                continue
            content = {"status": self.quirks.aborted_word, "execution_count": self.execution_count}
            self._busy_until(message, "shell", messages.new_reply("execute_reply", content, parent=message))


async def _nothing(run: FakeRun) -> None:
    """The default behaviour."""


def _kernel_info(request: Message) -> Message:
    language = {"name": "fake", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"}
    return messages.kernel_info_reply("fake", "1", language, parent=request)


def _complete(request: Message) -> Message:
    position = request.content["cursor_pos"]
    return messages.complete_reply([request.content["code"] + "…"], 0, position, parent=request)


_ANSWERS: Mapping[str, Callable[[Message], Message]] = {
    "kernel_info_request": _kernel_info,
    "complete_request": _complete,
    "inspect_request": lambda request: messages.inspect_reply(None, parent=request),
    "history_request": lambda request: messages.history_reply([], parent=request),
    "is_complete_request": lambda request: messages.is_complete_reply("complete", parent=request),
    "comm_info_request": lambda request: messages.comm_info_reply({}, parent=request),
    "interrupt_request": lambda request: messages.interrupt_reply(parent=request),
    "shutdown_request": lambda request: messages.shutdown_reply(
        restart=bool(request.content.get("restart")), parent=request
    ),
}
"""What is answered without running anything; other requests get busy and idle and no reply."""
