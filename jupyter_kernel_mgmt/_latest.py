"""`Latest`: of results that come from several threads in any order, that of whichever began last."""

from itertools import count
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """``value`` is None before the first result. What began earlier and ends later changes nothing."""

    def __init__(self) -> None:
        self.value: T | None = None
        self._numbers = count(1)
        self._number = 0
        self._lock = Lock()

    def begin(self) -> int:
        """The number of an attempt that begins now."""
        return next(self._numbers)

    def end(self, number: int, value: T) -> None:
        """What came of it."""
        with self._lock:
            if number > self._number:
                self._number, self.value = number, value
