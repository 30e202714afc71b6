"""`FakeShell`: one shell of a `FakeKernel`, the main one or a subshell, and the code that runs in it."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from jupyter_protocol import Message, messages

from .fake_run import FakeRun

if TYPE_CHECKING:
    from .fake_kernel import FakeKernel


class FakeShell:
    """Handles requests one after the other, in a task of its own from `start` to `stop`."""

    def __init__(self, kernel: "FakeKernel", name: str) -> None:
        self.name = name
        self._kernel = kernel
        self._queue: deque[Message] = deque()
        self._arrival = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._running: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin to handle what is put."""
        self._worker = asyncio.create_task(self._work(), name=f"fake-kernel-{self.name}")

    def stop(self) -> None:
        """Take no more, and drop what runs without a word."""
        if self._worker is not None:
            self._worker.cancel()

    async def aclose(self) -> None:
        """`stop`, and wait until that has happened. May be called again."""
        self.stop()
        if self._worker is not None:
            await asyncio.wait([self._worker])

    def put(self, message: Message) -> None:
        """Handle a request when its turn comes."""
        self._queue.append(message)
        self._arrival.set()

    def interrupt(self) -> None:
        """Stop the code that runs, if any does."""
        if self._running is not None:
            self._running.cancel()

    async def _work(self) -> None:
        while True:
            await self._arrival.wait()
            while self._queue:
                message = self._queue.popleft()
                if message.msg_type == "execute_request":
                    await self._execute(message)
                else:
                    self._kernel.handle("shell", message)
            self._arrival.clear()

    async def _execute(self, request: Message) -> None:
        kernel = self._kernel
        if request.content.get("store_history", True) and not request.content.get("silent"):
            kernel.execution_count += 1
        early = None
        if kernel.quirks.replies_before_busy:
            early = messages.execute_reply(kernel.execution_count, parent=request)
        kernel.begin("shell", request, early)
        code, count = request.content["code"], kernel.execution_count
        kernel.send("iopub", messages.execute_input(code, count, parent=request))
        reply = await self._outcome(FakeRun(kernel, request))
        kernel.finish("shell", request, None if early is not None else reply)
        if reply.content.get("status") == "error" and request.content.get("stop_on_error"):
            self._abort_queue()

    async def _outcome(self, run: FakeRun) -> Message:
        """Run the behaviour; the reply that follows from how it ends."""
        running = self._running = asyncio.ensure_future(_guarded(run))
        try:
            await asyncio.wait([running])
        finally:
            self._running = None
            self._kernel.forget_questions(run)
            running.cancel()
            await asyncio.wait([running])
        if running.cancelled():
            return self._interrupted_reply(run.request)
        error = running.exception()
        if error is None:
            return messages.execute_reply(self._kernel.execution_count, parent=run.request)
        return self._failed(run.request, type(error).__name__, str(error))

    def _failed(self, request: Message, ename: str, evalue: str) -> Message:
        traceback, count = [f"{ename}: {evalue}"], self._kernel.execution_count
        self._kernel.send("iopub", messages.error(ename, evalue, traceback, parent=request))
        return messages.error_reply(request, ename, evalue, traceback, execution_count=count)

    def _interrupted_reply(self, request: Message) -> Message:
        word = self._kernel.quirks.interrupted_word
        if word == "error":
            return self._failed(request, "KeyboardInterrupt", "")
        return self._reply_without_run(request, word)

    def _abort_queue(self) -> None:
        """An error with ``stop_on_error``: what code waits is not run."""
        waiting, self._queue = self._queue, deque()
        for message in waiting:
            if message.msg_type != "execute_request":
                self._queue.append(message)
                continue
            reply = self._reply_without_run(message, self._kernel.quirks.aborted_word)
            self._kernel.surround("shell", message, reply)

    def _reply_without_run(self, request: Message, status: str) -> Message:
        content: dict[str, Any] = {"status": status, "execution_count": self._kernel.execution_count}
        return messages.new_reply("execute_reply", content, parent=request)


async def _guarded(run: FakeRun) -> None:
    await run.kernel.behaviour(run)
