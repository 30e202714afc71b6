"""A conversation with a kernel over bare sockets, without the client that makes up for its habits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from jupyter_kernel_mgmt import KernelSpecProvider, Launched, LaunchRequest
from jupyter_protocol import ClientSockets, ConnectionInfo, Message, messages

START = 20.0
"""Seconds that a kernel has to answer for the first time; six start at once."""

PATIENCE = 4.0
"""Seconds after which what an idle kernel has not said is taken never to come."""


class Talk:
    """A conversation with a kernel: requests, and all that it said."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Message]] = []
        self.sockets: ClientSockets | None = None
        self._news = asyncio.Event()

    def note(self, channel: str, message: Message) -> None:
        self.heard.append((channel, message))
        self._news.set()

    async def until(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> bool:
        """Whether what is heard makes it true in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        return bool(condition())

    def about(self, request: Message, *types: str) -> list[Message]:
        """What was said about a request, of these types or all."""
        return [
            m for _, m in self.heard if m.parent_id == request.msg_id and (not types or m.msg_type in types)
        ]

    def reply(self, request: Message) -> Message | None:
        return next(iter(self.about(request, request.msg_type.replace("_request", "_reply"))), None)

    def idle(self, request: Message) -> bool:
        return any(m.content["execution_state"] == "idle" for m in self.about(request, "status"))

    def send(self, channel: str, message: Message) -> Message:
        assert self.sockets is not None
        self.sockets.send(channel, message)
        return message

    async def ask(
        self, request: Message, channel: str = "shell", seconds: float = PATIENCE
    ) -> Message | None:
        """The reply, once idle has come too or is not going to."""
        self.send(channel, request)
        await self.until(lambda: self.reply(request), seconds)
        if self.reply(request) is not None:
            await self.until(lambda: self.idle(request), PATIENCE)
        return self.reply(request)

    async def run(self, code: str, **options: Any) -> Message:
        """Run code; returns the request."""
        request = messages.execute_request(code, **options)
        await self.ask(request)
        return request


@asynccontextmanager
async def talking(info: ConnectionInfo) -> AsyncIterator[Talk]:
    talk = Talk()
    async with ClientSockets(info, on_message=talk.note) as talk.sockets:
        yield talk


@asynccontextmanager
async def running(kernel_type: str, transport: str) -> AsyncIterator[tuple[Launched, Talk, bool]]:
    """A kernel, a conversation from before its first word, and whether it became ready."""
    provider = KernelSpecProvider()
    for last in (False, False, True):  # all choose ports at the same time, and may lose one to another
        launched = await provider.launch(
            kernel_type.removeprefix("spec/"), LaunchRequest(transport=transport)
        )
        assert launched.manager is not None
        assert launched.connection_info is not None
        try:
            async with talking(launched.connection_info) as talk:
                ready = await _becomes_ready(talk, launched)
                if not ready and transport == "tcp" and not last:
                    continue
                yield launched, talk, ready
                talk.send("control", messages.shutdown_request())
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await launched.manager.wait()
                return
        finally:
            await launched.manager.aclose()


async def _becomes_ready(talk: Talk, launched: Launched) -> bool:
    first = talk.send("shell", messages.kernel_info_request())
    if not await before_its_end(launched, talk.until(lambda: talk.reply(first), START)):
        return False
    while not any(channel == "iopub" for channel, _ in talk.heard):
        if await talk.ask(messages.kernel_info_request(), seconds=START) is None:
            return False
    return True


async def before_its_end(launched: Launched, waiting: Awaitable[bool]) -> bool:
    """Whether something happens while the kernel lives."""
    assert launched.manager is not None
    task = asyncio.ensure_future(waiting)
    end = asyncio.create_task(launched.manager.wait())
    await asyncio.wait([task, end], return_when=asyncio.FIRST_COMPLETED)
    for one in (task, end):
        one.cancel()
    await asyncio.wait([task, end])
    return not task.cancelled() and task.result()
