"""`Answers`: which of an agent's events answers which of our questions."""

import asyncio
import itertools
from typing import Any

from ..exceptions import LaunchError

HELLO = 0
"""The number of the question that nobody has to ask."""


class Answers:
    """Numbers questions, and has each wait for its answer. Belongs to one loop."""

    def __init__(self) -> None:
        self._numbers = itertools.count(HELLO + 1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    def number(self) -> int:
        """A number for another question, which goes with it as ``re``."""
        return next(self._numbers)

    async def wait(self, number: int, timeout: float, what: str) -> dict[str, Any]:
        """Wait for the answer, ``timeout`` seconds at most. Before the loop turns, or it would be missed.

        ``what`` was to be done is for the error: raises `LaunchError` where that failed, took too long, or
        no answer comes any more. Cancelling stops only this wait.
        """
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                event: dict[str, Any] = await answer
        except TimeoutError:
            raise LaunchError(f"the agent did not {what} within {timeout:.0f} s") from None
        finally:
            del self._waiting[number]
        if event["event"] == "failed":
            raise LaunchError(str(event.get("text")))
        return event

    def take(self, event: dict[str, Any]) -> bool:
        """Give an event to whoever waits for it. False where nobody does."""
        number = HELLO if event.get("event") == "hello" else event.get("re") or -1
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            return False
        answer.set_result(event)
        return True

    def end(self, reason: str) -> None:
        """None comes any more: all that wait fail."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result({"event": "failed", "text": reason})
