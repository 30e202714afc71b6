"""`Ward`: what is known of a process that is looked after."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MARK = "JUPYTER_KERNEL_MARK"
"""The variable by whose value the descendants of a process are known, wherever they went."""

STARTING, RUNNING, ENDED = "starting", "running", "ended"


class Ward:
    """A process that is looked after: one of the owner's own (guarded), or one that was started here."""

    __slots__ = ("id", "guarded", "pid", "start", "mark", "files", "directories", "phase", "re")

    def __init__(
        self,
        id: str,
        *,
        guarded: bool = True,
        pid: int | None = None,
        start: int | None = None,
        mark: str | None = None,
        files: Iterable[str] = (),
        directories: Iterable[str] = (),
        phase: str = RUNNING,
        re: int | None = None,
    ) -> None:
        self.id = id
        self.guarded = guarded
        self.pid = pid
        self.start = start
        self.mark = mark
        self.files = list(files)
        self.directories = list(directories)
        self.phase = phase
        self.re = re

    def __repr__(self) -> str:
        return "<Ward {} {} pid={}>".format(self.id, "guarded" if self.guarded else self.phase, self.pid)
