"""`RestartNotice`: somebody else restarted the kernel; what the old process took along fails.

Source: Messaging in Jupyter, "General Message Format": a kernel's session id changes when it restarts.
"""

import logging
from collections.abc import Awaitable, Callable

from jupyter_protocol import Message, messages

from ._replacement import KernelSession, Origin, lost_requests
from ._router import Request
from ._tasks import TaskSet
from ._under_way import UnderWay
from .exceptions import KernelError, KernelRestarted
from .results import ExecutionResult

log = logging.getLogger(__name__)

Ask = Callable[[Message, str], Awaitable[Message]]
"""Sends a message on a channel and waits for the reply."""


class RestartNotice:
    """Looks at every message before it takes its effect."""

    def __init__(self, under_way: UnderWay, tasks: TaskSet, ask: Ask) -> None:
        self._under_way = under_way
        self._tasks = tasks
        self._ask = ask
        self._session = KernelSession()

    def start(self) -> None:
        """The next message is the first of another connection."""
        self._session = KernelSession()

    def look(self, message: Message) -> Origin:
        """Tell who sent a message; where that is another process, fail requests with `KernelRestarted`.

        Those that are surely lost fail at once. Where that is not known yet, the kernel is asked.
        """
        origin = self._session.origin(message)
        if origin is Origin.NEW:
            log.info("Another process has taken the kernel's place")
            lost, unclear = lost_requests(self._under_way.router.requests.values(), message.parent_id)
            self._under_way.replaced()
            self._under_way.fail(restarted, lost)
            requests = [self._under_way.router.requests[msg_id] for msg_id in unclear]
            for channel in dict.fromkeys(request.channel for request in requests):
                waiting = [request for request in requests if request.channel == channel]
                self._tasks.start(self._find_out(channel, waiting), name="after-a-restart")
        return origin

    async def _find_out(self, channel: str, unclear: list[Request]) -> None:
        """A channel keeps its order: what is not begun before the answer to a later request is lost."""
        try:
            await self._ask(messages.kernel_info_request(), channel)
        except KernelError as error:
            log.debug("What became of requests on %s cannot be found out: %s", channel, error)
            return
        self._under_way.fail(restarted, [r.msg_id for r in unclear if not r.started and not r.forgotten])


def restarted(result: ExecutionResult | None) -> Exception:
    """The error for those who wait."""
    return KernelRestarted(None, result)
