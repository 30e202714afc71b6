"""`Progress`: how far a launch is, on stderr."""

import sys
from types import TracebackType
from typing import Self

from rich.status import Status

from ..events import KernelEvent, LaunchProgress
from .program import say
from .terminal import console, one_line


class Progress:
    """Shows the steps of a launch: on a terminal in one line that goes away, else as a line each.

    A context manager, to be left when the launch has ended; ``heard`` is for ``launch(on_event=…)``.
    """

    def __init__(self, kernel_type: str) -> None:
        self._kernel_type = kernel_type
        self._status: Status | None = None
        self._on = False

    def __enter__(self) -> Self:
        self._on = True
        text = f"starting {self._kernel_type}"
        if sys.stderr.isatty():
            self._status = Status(one_line(text), console=console(sys.stderr), spinner="line")
            self._status.start()
        else:
            say(text)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on = False
        if self._status is not None:
            self._status.stop()

    def heard(self, event: KernelEvent) -> None:
        """Show it, if it is a step of the launch."""
        if not self._on or not isinstance(event, LaunchProgress):
            return
        part = "" if event.fraction is None else f" ({event.fraction:.0%})"
        text = one_line(f"{self._kernel_type}: {event.text}{part}")
        if self._status is not None:
            self._status.update(text)
        else:
            say(text)
