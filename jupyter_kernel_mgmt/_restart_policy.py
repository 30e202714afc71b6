"""`RestartPolicy`: whether a kernel is started again, and when. Pure: told what is seen and what time it is.

Three rules. A restart answers for one generation, the one that was seen broken, and is called off when that
one has come back, was shut down, or somebody else starts the next. Restarts wait for each other, longer each
time. And there are no more than ``limit`` in any ``window``, in which only the time counts that the kernel
was well: else slow starts and long waits would make a kernel that never works look like one that seldom
breaks.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from random import Random

from .events import RestartGaveUp, RestartScheduled

Decision = RestartScheduled | RestartGaveUp


class Condition(Enum):
    """How a kernel is: well; being started by somebody; to be started again; or ended on purpose."""

    WELL = "well"
    UNDER_WAY = "under way"
    BROKEN = "broken"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before a restart: ``initial`` seconds, ``factor`` times more each time.

    Never more than ``maximum`` seconds. ``jitter`` is the share, from 0 to 1, of which chance takes away as
    much as it likes, so that many kernels that die together do not come back together; a ``seed`` makes
    chance repeatable. Raises `ValueError` for what makes no sense.
    """

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.5
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, least, most in (
            ("initial", 0.0, math.inf),
            ("factor", 1.0, math.inf),
            ("maximum", 0.0, math.inf),
            ("jitter", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not (least <= value <= most and math.isfinite(value)):
                raise ValueError(f"{name} must be a number from {least:g} to {most:g}, not {value!r}")

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds before an attempt, from 1 on; ``chance`` is from 0 to 1."""
        try:
            full = min(self.initial * self.factor ** (attempt - 1), self.maximum)
        except OverflowError:
            full = self.maximum
        return full * (1 - self.jitter * chance)


class RestartPolicy:
    """``plan`` is the restart that was decided on, and is ``due`` at that time; None most of the time.

    Times are seconds of any clock that does not go back. Raises `ValueError` for a ``limit`` below 0 (of
    restarts in the window) or a ``window`` that is not more than 0 seconds.
    """

    def __init__(self, *, limit: int, window: float, backoff: Backoff) -> None:
        if limit < 0:
            raise ValueError(f"restart_limit must be at least 0, not {limit!r}")
        if not window > 0:
            raise ValueError(f"window must be more than 0 seconds, not {window!r}")
        self.plan: RestartScheduled | None = None
        self.due = math.inf
        self._limit = limit
        self._window = window
        self._backoff = backoff
        self._random = Random(backoff.seed)  # noqa: S311 - it spreads restarts, and keeps no secret
        self._restarts: deque[float] = deque()
        self._well = 0.0
        self._well_since: float | None = None
        self._given_up: int | None = None

    @property
    def restarts(self) -> int:
        """How many restarts there were in the window, as of the last look."""
        return len(self._restarts)

    def look(self, condition: Condition, generation: int, now: float) -> Decision | None:
        """Take in how the kernel is; a decision where there is a new one, for everybody to hear."""
        self._count_time(condition, now)
        if condition is Condition.BROKEN:
            return self._answer_for(generation, now)
        if condition is Condition.WELL and self._given_up not in (None, generation):
            self._restarts.clear()  # somebody starts afresh, and so does the count
        if condition is not Condition.UNDER_WAY:
            self._given_up = None
        return self.call_off("it was shut down" if condition is Condition.OVER else None)

    def begin(self) -> None:
        """The plan is being carried out: it counts, whatever comes of it."""
        assert self.plan is not None, "only a plan is carried out"
        self._restarts.append(self._well)
        self._drop_plan()

    def call_off(self, reason: str | None) -> RestartGaveUp | None:
        """Drop the plan, if there is one; the decision is told where there is a reason that nobody sees."""
        plan = self.plan
        self._drop_plan()
        if plan is None or reason is None:
            return None
        return RestartGaveUp(plan.generation, self.restarts, reason)

    def _answer_for(self, generation: int, now: float) -> Decision | None:
        if generation == self._given_up or (self.plan is not None and self.plan.generation == generation):
            return None
        self._drop_plan()
        if self.restarts >= self._limit:
            self._given_up = generation
            return RestartGaveUp(generation, self.restarts, f"{self.restarts} restarts did not help")
        attempt = self.restarts + 1
        delay = self._backoff.delay(attempt, self._random.random())
        self.plan, self.due = RestartScheduled(generation, attempt, delay), now + delay
        return self.plan

    def _drop_plan(self) -> None:
        self.plan, self.due = None, math.inf

    def _count_time(self, condition: Condition, now: float) -> None:
        if self._well_since is not None:
            self._well += now - self._well_since
        self._well_since = now if condition is Condition.WELL else None
        while self._restarts and self._well - self._restarts[0] >= self._window:
            self._restarts.popleft()
