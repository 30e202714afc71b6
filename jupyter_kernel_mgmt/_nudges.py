"""`Nudges`: a kernel that left requests unread is sent something that makes it look again.

Some kernels, xeus' among them, wait for the edge of ZMQ's descriptor and take one message each time: what
came in together with it is read when something more comes, which may be never.
"""

import asyncio
import time
from collections.abc import Callable

from ._router import MAIN_SHELL, Router
from ._under_way import UnderWay

NUDGE_AFTER = 1.0
"""Seconds without messages after which an idle kernel with unread requests is nudged; then twice as long."""

NUDGE_AGAIN = 0.1
"""Seconds after which a kernel that read on when it was nudged, and stopped again, is nudged again."""

NUDGE_RARELY = 60.0
"""Seconds between nudges, at most, of a kernel on which they have no effect."""


class Nudges:
    """Looks from time to time, as long as requests wait, and calls ``nudge`` where the kernel left them."""

    def __init__(self, under_way: UnderWay, nudge: Callable[[], None]) -> None:
        self._under_way = under_way
        self._nudge = nudge
        self._timer: asyncio.TimerHandle | None = None
        self._since = self._nudged_at = 0.0
        self._delay = NUDGE_AFTER

    def sent(self) -> None:
        """A request was sent: look whether it is read."""
        if self._timer is None:
            self._since = time.monotonic()
            self._delay = NUDGE_AFTER
            self._look_in(NUDGE_AFTER)

    def stop(self) -> None:
        """Look no longer, until `sent` is called."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        router = self._under_way.router
        if not _waiting(router):
            return
        arrival = self._under_way.last_arrival
        if self._nudged_at and arrival > self._nudged_at:
            self._nudged_at, self._delay = 0.0, NUDGE_AGAIN
        now = time.monotonic()
        rest = max(arrival, self._since) + self._delay - now
        if rest > 0:
            self._look_in(rest)
        elif left_unread(router):
            self._since = self._nudged_at = now
            self._delay = min(2 * self._delay, NUDGE_RARELY)
            self._nudge()
            self._look_in(NUDGE_AGAIN)
        else:
            self._look_in(NUDGE_AFTER)


def left_unread(router: Router) -> bool:
    """Whether requests wait on the main shell of a kernel that, to all we know, does nothing there.

    Of a kernel that does not tell its states, or may have been busy before we listened, nothing is known.
    """
    knows = router.says_idle and router.shell_answered
    busy = any(header.get("subshell_id") is None for header in router.active.values())
    return knows and not busy and _waiting(router)


def _waiting(router: Router) -> bool:
    requests = router.requests.values()
    return any(r.line == MAIN_SHELL and not r.started and r.reply is None for r in requests)
