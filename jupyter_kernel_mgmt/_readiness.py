"""When is a kernel ready? When one kernel_info reply and anything on iopub have come.

Source: JEP 65 (an iopub subscription takes effect late), JEP 80 (kernel_info on control).
"""

import asyncio
from collections.abc import Callable

from jupyter_protocol import ConnectionInfo, Message, messages

from ._reachability import Reachability
from .client import KernelClient

FIRST_REPEAT = 0.01
"""Seconds after which an answered request is repeated while nothing came on iopub; then twice as many."""

LONGEST_REPEAT = 0.25

UNANSWERED_REPEAT = 1.0
"""Seconds after which a request without an answer is repeated; then twice as many, without end.

Those sent too early are queued, not lost, and those sent to a busy kernel wait there: a day of asking
leaves it 17 to answer.
"""


class Readiness:
    """The signs of life that have come from a kernel so far; ``str`` says what they show, if not readiness.

    With ``connection_info`` a kernel that does not answer is looked at from outside too. ``on_slow`` is
    called each time a request is about to be repeated that got no answer, in growing intervals.
    """

    def __init__(
        self, connection_info: ConnectionInfo | None = None, *, on_slow: Callable[[], None] | None = None
    ) -> None:
        self.reply: Message | None = None
        self.iopub = False
        self._outside = None if connection_info is None else Reachability(connection_info)
        self._on_slow = on_slow
        self._channels: set[str] = set()
        self._answered = False
        self._asked: set[str] = set()
        self._running: set[str] = set()

    def __str__(self) -> str:
        if self._channels == {"control"}:
            return (
                "it is busy: it answered kernel_info on control, but not on shell, and sent nothing on iopub"
            )
        if self.reply is not None:
            return "it answered kernel_info but sent nothing on iopub"
        if self._running:
            return "it is busy with somebody else's request, and did not answer kernel_info beside it"
        if self.iopub:
            return "it sent on iopub but did not answer kernel_info"
        return "it did not answer at all" if self._outside is None else str(self._outside)

    async def wait(self, client: KernelClient) -> None:
        """Ask on control and shell, and again, until both signs have come.

        No particular request's idle is needed: it is lost when the subscription is young, and some kernels
        never send it. A busy kernel that answers on shell alone is waited for. There is no time limit here.
        Raises as requests do; cancelling it is safe and leaves nothing but what was sent.
        """
        client.add_handler(self._note)
        looking = None
        if self._outside is not None:
            looking = asyncio.create_task(self._outside.watch(), name="kernel-reachability")
        try:
            await self._ask_until_complete(client)
        finally:
            client.remove_handler(self._note)
            if looking is not None:
                looking.cancel()
                await asyncio.wait([looking])

    async def _ask_until_complete(self, client: KernelClient) -> None:
        pause, patience = FIRST_REPEAT, UNANSWERED_REPEAT
        while not self._complete():
            self._ask(client)
            if await _comes_true(client, lambda: self._answered or self._complete(), patience):
                await _comes_true(client, self._complete, pause)
                pause, patience = min(2 * pause, LONGEST_REPEAT), UNANSWERED_REPEAT
            else:
                patience *= 2
                if self._on_slow is not None:
                    self._on_slow()

    def _complete(self) -> bool:
        return self.reply is not None and self.iopub

    def _ask(self, client: KernelClient) -> None:
        self._answered = False
        # Again wherever it answered: Deno sends nothing on iopub for what comes on control.
        for channel in sorted(self._channels) or ("control", "shell"):
            request = messages.kernel_info_request()
            self._asked.add(request.msg_id)
            client.send(channel, request)

    def _note(self, channel: str, message: Message) -> None:
        if channel == "iopub":
            self.iopub = True
            self._note_activity(message)
        elif message.msg_type == "kernel_info_reply":
            self._answered = True
            self._channels.add(channel)
            self.reply = self.reply or message

    def _note_activity(self, message: Message) -> None:
        """Requests of others that the kernel is at: they began, or go on, and have not ended."""
        parent_id = message.parent_id
        if parent_id is None or parent_id in self._asked:
            return
        if message.msg_type == "status" and message.content.get("execution_state") == "idle":
            self._running.discard(parent_id)
        else:
            self._running.add(parent_id)


async def _comes_true(client: KernelClient, condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a message makes it true in time."""
    try:
        async with asyncio.timeout(seconds):
            await client.until(condition)
    except TimeoutError:
        return False
    return True
