"""When is a kernel ready? When one kernel_info reply and anything on iopub have come.

Source: JEP 65 (an iopub subscription takes effect late), JEP 80 (kernel_info on control).
"""

import asyncio

from jupyter_protocol import Message, messages

from .client import KernelClient

FIRST_REPEAT = 0.01
"""Seconds after which an answered request is repeated while nothing came on iopub; then twice as many."""

LONGEST_REPEAT = 0.25

UNANSWERED_REPEAT = 1.0
"""Seconds after which a request without any answer is repeated: those sent too early are queued, not lost."""


class Readiness:
    """The signs of life that have come from a kernel so far."""

    def __init__(self) -> None:
        self.reply: Message | None = None
        self.iopub = False
        self._channel: str | None = None

    def __str__(self) -> str:
        if self.reply is not None:
            return "it answered kernel_info but sent nothing on iopub"
        return "it sent on iopub but did not answer kernel_info" if self.iopub else "it did not answer at all"

    async def wait(self, client: KernelClient) -> None:
        """Ask on control and shell, and again, until both signs have come.

        No particular request's idle is needed: it is lost when the subscription is young, and some kernels
        never send it. There is no time limit here. Raises as requests do; cancelling it is safe.
        """
        client.add_handler(self._note)
        pause = FIRST_REPEAT
        try:
            self._ask(client)
            while not self._complete():
                try:
                    if self.reply is None:
                        async with asyncio.timeout(UNANSWERED_REPEAT):
                            await client.until(lambda: self.reply is not None)
                    else:
                        async with asyncio.timeout(pause):
                            await client.until(self._complete)
                except TimeoutError:
                    self._ask(client)
                    if self.reply is not None:
                        pause = min(2 * pause, LONGEST_REPEAT)
        finally:
            client.remove_handler(self._note)

    def _complete(self) -> bool:
        return self.reply is not None and self.iopub

    def _ask(self, client: KernelClient) -> None:
        for channel in ("control", "shell") if self._channel is None else (self._channel,):
            client.send(channel, messages.kernel_info_request())

    def _note(self, channel: str, message: Message) -> None:
        if channel == "iopub":
            self.iopub = True
        elif message.msg_type == "kernel_info_reply" and self.reply is None:
            self.reply, self._channel = message, channel
