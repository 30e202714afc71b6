"""`Stock`: which kernels a pool has, who waits for one, and what is to be done. Pure: it is told all.

Three rules. Whoever waits first is served first, and whoever leaves the queue leaves nothing behind. What is
launched makes the kernels in stock, with those for people who wait, as many as wanted, and all kernels
together, lent and ending ones too, no more than the limit. And launches that fail wait for each other, longer
each time; one that worked is held against its type all the same when its kernel dies soon.
"""

import math
from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from ._restart_policy import Backoff

K = TypeVar("K")
W = TypeVar("W")

PATIENCE = 3
"""Launches in a row that may fail before those who wait for a kernel are told."""

SETTLED = 10.0
"""Seconds that a kernel must have lived for its death to say nothing about the next launch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMetrics:
    """What a pool is doing, and what it has done.

    Now: kernels ``ready`` in stock, ``starting`` (those that come back included), ``lent`` and ``ending``;
    tasks ``waiting`` for one. Since the beginning: kernels ``launched``; ``handed_out`` to a holder;
    ``taken_back`` into stock; ``outlived`` (replaced at ``max_age``); launches that ``failed``; kernels that
    ``died`` in stock; and those found ``unfit`` when they were to be handed out.
    """

    ready: int
    starting: int
    lent: int
    ending: int
    waiting: int
    launched: int
    handed_out: int
    taken_back: int
    outlived: int
    failed: int
    died: int
    unfit: int


@dataclass(slots=True)
class _Facts:
    """What is remembered of a kernel: since when it is ready, its holders, the failures before it."""

    born: float
    failures: int
    uses: int = 0


class Stock(Generic[K, W]):
    """Kernels (``K``) in stock, on loan and ending, launches under way, and a queue of who waits (``W``).

    Options are those of `KernelPool`; times are seconds of any clock that does not go back. Raises
    `ValueError` for numbers that make no sense.
    """

    def __init__(
        self, *, size: int, limit: int | None, max_age: float | None, max_uses: int, at_once: int
    ) -> None:
        self.limit = 2 * size if limit is None else limit
        for name, value in (("size", size), ("max_uses", max_uses)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if self.limit < size:
            raise ValueError(f"limit must be at least the size, {size}, not {limit!r}")
        if max_age is not None and not max_age > 0:
            raise ValueError(f"max_age must be more than 0 seconds, not {max_age!r}")
        self.size = size
        self.ready: deque[K] = deque()
        self.lent: set[K] = set()
        self.ending: set[K] = set()
        self.failures = 0
        self._waiting: deque[W] = deque()
        self._facts: dict[K, _Facts] = {}
        self._launching = 0
        self._checking: set[K] = set()
        self._returning: set[K] = set()
        self._max_age = math.inf if max_age is None else max_age
        self._max_uses = max_uses
        self._at_once = at_once
        self._backoff = Backoff(initial=0.1, maximum=10.0)
        self._random = Random()  # noqa: S311 - it spreads launches, and keeps no secret
        self._not_before = -math.inf
        self._counts = dict.fromkeys(
            ("launched", "handed_out", "taken_back", "outlived", "failed", "died", "unfit"), 0
        )

    @property
    def metrics(self) -> PoolMetrics:
        """The numbers, as of now."""
        return PoolMetrics(
            ready=len(self.ready),
            starting=self._launching + len(self._returning),
            lent=len(self.lent),
            ending=len(self.ending),
            waiting=len(self._waiting),
            **self._counts,
        )

    @property
    def full(self) -> bool:
        """Whether as many kernels are ready as the pool is to keep."""
        return len(self.ready) >= self.size

    # Launches

    def launch(self) -> None:
        """A launch begins."""
        self._launching += 1

    def launched(self, kernel: K, now: float) -> None:
        """A launch has ended with a kernel that is ready."""
        self._launching -= 1
        self._counts["launched"] += 1
        self._facts[kernel] = _Facts(now, self.failures)
        self.failures = 0
        self._not_before = -math.inf
        self.ready.append(kernel)

    def launch_failed(self, now: float, *, hopeless: bool) -> list[W]:
        """A launch has failed. Who is to be told: all who wait, after too many or where it is hopeless."""
        self._launching -= 1
        self._counts["failed"] += 1
        self._back_off(self.failures + 1, now)
        if not hopeless and self.failures < PATIENCE:
            return []
        return self.dismiss()

    def launch_given_up(self) -> None:
        """A launch was cancelled."""
        self._launching -= 1

    def launches_due(self, now: float) -> int:
        """How many launches are to begin. After a failure one at a time."""
        if now < self._not_before or (self.failures and self._launching):
            return 0
        wanted = self._wanted(now)
        room = self.limit - self._total()
        return max(0, min(wanted, room, self._at_once - self._launching, 1 if self.failures else wanted))

    def look_again_at(self, now: float) -> float:
        """When something becomes due by itself; infinity if nothing does."""
        ages = [self._stale_at(kernel) for kernel in self.ready if not self._stale(kernel, now)]
        return min([*ages, self._not_before if self._not_before > now else math.inf])

    # Who waits, and the kernels on loan

    def wait(self, waiter: W, *, first: bool = False) -> None:
        """Somebody wants a kernel; ``first`` for one who had been given one that was of no use."""
        if first:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)

    def withdraw(self, waiter: W) -> None:
        """Somebody does not wait any longer."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def dismiss(self) -> list[W]:
        """Nobody waits any longer: those who did."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def assign(self) -> list[tuple[W, K]]:
        """Who gets which kernel, now on loan: first come, first served, the oldest kernel first."""
        pairs = []
        while self._waiting and self.ready:
            kernel = self.ready.popleft()
            self.lent.add(kernel)
            self._checking.add(kernel)
            pairs.append((self._waiting.popleft(), kernel))
        return pairs

    def put_back(self, kernel: K) -> None:
        """A kernel on loan reached nobody: it is ready, and the next to be lent."""
        if kernel in self.lent:
            self.lent.remove(kernel)
            self._checking.discard(kernel)
            self.ready.appendleft(kernel)

    def handed_out(self, kernel: K) -> None:
        """A kernel on loan was fit and is its holder's. Only now is its replacement wanted: it can wait."""
        self._checking.discard(kernel)
        self._counts["handed_out"] += 1

    def unfit(self, kernel: K) -> None:
        """A kernel on loan was of no use, and is to be ended."""
        self._counts["unfit"] += 1
        self.end(kernel)

    def goes_back(self, kernel: K, *, used: bool, fit: bool) -> bool:
        """A holder is done with a kernel. Whether it is to become ready again, or else to be ended."""
        facts = self._facts[kernel]
        facts.uses += used
        if not fit or facts.uses >= self._max_uses:
            self.end(kernel)
            return False
        self.lent.remove(kernel)
        self._checking.discard(kernel)
        self._returning.add(kernel)
        return True

    def taken_back(self, kernel: K) -> None:
        """A kernel that came back is ready again."""
        self._returning.remove(kernel)
        self._counts["taken_back"] += 1
        self.ready.append(kernel)

    # Kernels that go

    def died(self, kernel: K, now: float) -> bool:
        """A kernel has died. Whether it was in stock, and is to be ended: a holder finds it out himself."""
        if kernel not in self.ready:
            return False
        facts = self._facts[kernel]
        self._counts["died"] += 1
        if now - facts.born < SETTLED:
            self._back_off(max(self.failures, facts.failures) + 1, now)
        self.end(kernel)
        return True

    def retire(self, now: float) -> list[K]:
        """Kernels that are too old, and are to be ended.

        Each serves until it is replaced, unless there is no room for its replacement beside it.
        """
        stale = [kernel for kernel in self.ready if self._stale(kernel, now)]
        spare = len(self.ready) - self.size
        no_room = self.limit - self._total() + len(self.ending) <= 0
        if stale and spare <= 0 and no_room and self._wanted(now) > 0 and now >= self._not_before:
            spare = 1
        retired = stale[: max(0, spare)]
        for kernel in retired:
            self._counts["outlived"] += 1
            self.end(kernel)
        return retired

    def end(self, kernel: K) -> None:
        """A kernel is being ended, wherever it was."""
        if kernel in self.ready:
            self.ready.remove(kernel)
        self.lent.discard(kernel)
        self._checking.discard(kernel)
        self._returning.discard(kernel)
        self.ending.add(kernel)

    def ended(self, kernel: K) -> None:
        """Nothing is left of a kernel."""
        self.ending.discard(kernel)
        self._facts.pop(kernel, None)

    def kernels(self) -> list[K]:
        """All that there are and that nobody ends yet."""
        return [*self.ready, *self.lent, *self._returning]

    def _total(self) -> int:
        return self._launching + len(self._facts)

    def _wanted(self, now: float) -> int:
        """How many kernels are missing, whether or not there is room for them."""
        fresh = sum(not self._stale(kernel, now) for kernel in self.ready)
        coming = self._launching + len(self._returning) + len(self._checking)
        return self.size + len(self._waiting) - fresh - coming

    def _stale(self, kernel: K, now: float) -> bool:
        return now >= self._stale_at(kernel)

    def _stale_at(self, kernel: K) -> float:
        return self._facts[kernel].born + self._max_age

    def _back_off(self, failures: int, now: float) -> None:
        self.failures = failures
        self._not_before = now + self._backoff.delay(failures, self._random.random())
