"""What happened to a kernel, as one stream, whoever caused it."""

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter

from .launching import ExitInfo

log = logging.getLogger(__name__)

HISTORY = 1000
"""How many events are kept for those who begin to read later, busy and idle apart."""

BUSY_HISTORY = 100
"""How many changes between busy and idle are kept, so that these many do not push out the others."""


class KernelState(Enum):
    """Where a kernel is in its life. ``dead`` can be left by a restart, ``closed`` never."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    DEAD = "dead"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LaunchProgress:
    """How far a launch is, or why a kernel is not ready yet; ``fraction`` from 0 to 1, or None."""

    text: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A kernel's state is now ``state``. ``generation`` counts its processes, from 1."""

    state: KernelState
    generation: int


@dataclass(frozen=True, slots=True)
class ExecutionStateChanged:
    """The kernel began (``"busy"``) or ended (``"idle"``) handling requests, anybody's."""

    execution_state: str


@dataclass(frozen=True, slots=True)
class KernelExited:
    """The process of a generation ended, on purpose (``expected``) or not."""

    exit_info: ExitInfo
    generation: int
    expected: bool


@dataclass(frozen=True, slots=True)
class Unresponsive:
    """A process is there, and has given no sign of life for ``silence`` seconds (``unresponsive_after``)."""

    silence: float
    generation: int


@dataclass(frozen=True, slots=True)
class Responsive:
    """A kernel that was `Unresponsive` is so no more."""

    generation: int


@dataclass(frozen=True, slots=True)
class RestartScheduled:
    """A restarter saw that ``generation`` ended, and starts the next one in ``delay`` seconds.

    ``attempt`` counts from 1, anew once the kernel has been well for the restarter's window.
    """

    generation: int
    attempt: int
    delay: float


@dataclass(frozen=True, slots=True)
class RestartGaveUp:
    """A restarter leaves ``generation`` as it is, after ``attempts`` restarts, for a ``reason`` in words."""

    generation: int
    attempts: int
    reason: str


KernelEvent = (
    LaunchProgress
    | StateChanged
    | ExecutionStateChanged
    | KernelExited
    | Unresponsive
    | Responsive
    | RestartScheduled
    | RestartGaveUp
)
OnEvent = Callable[[KernelEvent], None]
_Numbered = tuple[int, KernelEvent]


class EventLog:
    """Keeps the latest events and tells them to any number of readers. Belongs to one loop."""

    def __init__(self, on_event: OnEvent | None = None) -> None:
        self._on_event = on_event
        self._kept: deque[_Numbered] = deque(maxlen=HISTORY)
        self._kept_busy: deque[_Numbered] = deque(maxlen=BUSY_HISTORY)
        self._count = 0
        self._closed = False
        self._changed: asyncio.Future[None] | None = None

    def emit(self, event: KernelEvent) -> None:
        """Add an event; ignored after `close`."""
        if self._closed:
            return
        kept = self._kept_busy if isinstance(event, ExecutionStateChanged) else self._kept
        kept.append((self._count, event))
        self._count += 1
        self._wake()
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:  # a callback of the application's
                log.exception("on_event failed for %r", event)

    def close(self) -> None:
        """End all readers once they have read everything."""
        self._closed = True
        self._wake()

    async def read(self) -> AsyncGenerator[KernelEvent, None]:
        """The kept events, then new ones, until the log is closed.

        A reader that is slower than the history is long misses the oldest ones. Cancelling is safe.
        """
        position = 0
        while True:
            if (following := self._first_from(position)) is not None:
                number, event = following
                position = number + 1
                yield event
            elif self._closed:
                return
            else:
                if self._changed is None:
                    self._changed = asyncio.get_running_loop().create_future()
                await asyncio.shield(self._changed)

    def _first_from(self, position: int) -> _Numbered | None:
        """The first event kept with that number or a higher one."""
        following = []
        for kept in (self._kept, self._kept_busy):
            place = bisect_left(kept, position, key=itemgetter(0))
            if place < len(kept):
                following.append(kept[place])
        return min(following, key=itemgetter(0), default=None)

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None
