"""The kernel's questions on stdin, each answered by the application in a task of its own.

Source: Messaging in Jupyter, "Messages on the stdin (ROUTER/DEALER) channel".
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from jupyter_protocol import ChannelClosed, Message, messages

from .exceptions import KernelError
from .results import InterruptOutcome

if TYPE_CHECKING:
    from .client import KernelClient

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 2.0
"""Seconds that an application's ``stdin`` has to end when it is cancelled."""

INTERRUPTS = 3
"""How often code that asks is interrupted before it is left alone."""

StdinHandler = Callable[[str, bool], Awaitable[str]]
"""Async callable ``(prompt, password)`` → the line."""


class Prompts:
    """Asks the client's ``stdin`` and sends what it returns. Owns the tasks in which it runs.

    ``interrupt(msg_id)`` interrupts the code that asks where nobody answers: it would wait for ever.
    """

    def __init__(
        self, client: "KernelClient", interrupt: Callable[[str | None], Awaitable[InterruptOutcome | None]]
    ) -> None:
        self._client = client
        self._interrupt = interrupt
        self._asked: dict[asyncio.Task[None], str | None] = {}

    def answer(self, question: Message) -> None:
        """Begin to answer an ``input_request``."""
        if self._client.stdin is None:  # the kernel was told so
            log.warning("The kernel asks for input and nobody answers; interrupting the code that asked")
            answering = self._stop(question)
        else:
            answering = self._answer(self._client.stdin, question)
        task = asyncio.create_task(answering)
        self._asked[task] = question.parent_id
        task.add_done_callback(lambda task: self._asked.pop(task, None))

    def withdraw(self, msg_id: str) -> None:
        """That request has ended: its questions need no answers any more."""
        for task, parent_id in self._asked.items():
            if parent_id == msg_id:
                task.cancel()

    def withdraw_all(self) -> None:
        """No question needs an answer any more."""
        for task in self._asked:
            task.cancel()

    async def aclose(self) -> None:
        """End all tasks, within `CLOSE_TIMEOUT`. Cancelling it is safe: they have been cancelled."""
        self.withdraw_all()
        if self._asked:
            _, late = await asyncio.wait(list(self._asked), timeout=CLOSE_TIMEOUT)
            if late:
                log.error("stdin did not end when it was cancelled: %s", late)

    async def _answer(self, stdin: StdinHandler, question: Message) -> None:
        prompt, password = question.content.get("prompt", ""), question.content.get("password", False)
        try:
            line = await stdin(str(prompt), bool(password))
            self._client.send("stdin", messages.input_reply(line, parent=question))
        except (KernelError, ChannelClosed) as error:
            log.debug("The answer to a prompt came too late: %s", error)
        except Exception:  # the application's code; without an answer the kernel would wait for ever
            log.exception("stdin failed; interrupting the code that asked")
            await self._stop(question)

    async def _stop(self, question: Message) -> None:
        """Interrupts get lost in the moment in which a kernel begins to wait, so that one may not do."""
        try:
            for _ in range(INTERRUPTS):
                if await self._interrupt(question.parent_id) is not InterruptOutcome.IGNORED:
                    return
        except Exception as error:  # noqa: BLE001 - a manager of somebody else's, or the kernel is gone
            log.warning("The code that asked could not be interrupted: %s", error)
        else:
            log.warning("The code that asked ignores interrupts and waits on")
