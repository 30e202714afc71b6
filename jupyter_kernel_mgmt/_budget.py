"""`OutputBudget`: the memory that the outputs of all executions under way share. Pure."""

from typing import Protocol


class Holder(Protocol):
    """What holds output: an `OutputLog`."""

    size: int

    def drop_one(self) -> bool:
        """Give up one message from the middle; False where there is none left."""
        ...


class OutputBudget:
    """Bytes that all holders keep together at most; whoever holds most makes room. ``limit`` None: no bound.

    A holder that leaves takes what it holds with it: it counts no longer, since its memory then belongs to
    whoever keeps the result.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.used = 0
        self._holders: dict[int, Holder] = {}

    @property
    def exceeded(self) -> bool:
        """Whether more is held than may be."""
        return self.limit is not None and self.used > self.limit

    def join(self, holder: Holder) -> None:
        """Count what it holds, which it adds to ``used``, from now on."""
        self._holders[id(holder)] = holder

    def leave(self, holder: Holder) -> None:
        """Count what it holds no longer. May be called again."""
        if self._holders.pop(id(holder), None) is not None:
            self.used -= holder.size

    def enforce(self) -> None:
        """Make those that hold most drop from their middle until the rest fits, as far as possible."""
        while self.exceeded:
            largest = max(self._holders.values(), key=lambda holder: holder.size)
            if not largest.drop_one():
                return
