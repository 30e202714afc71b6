"""`NotebookView`: how far notebooks are, on stderr, and what became of each."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from jupyter_protocol import Message

from ..notebook import (
    CellFailed,
    CellFinished,
    CellOutput,
    CellStarted,
    NotebookEvent,
    NotebookFinished,
    NotebookStarted,
    Outcome,
)
from .shown import Piece, shown, write
from .terminal import console, has_colour, one_line, plain

NAME_WIDTH = 28


class NotebookView:
    """Shows a bar for each notebook that runs on a terminal, else a line for each cell that has ended.

    A context manager, to be left before the summary. With ``live`` what cells write is shown as it comes.
    """

    def __init__(self, notebooks: int, *, live: bool) -> None:
        self._several = notebooks > 1
        self._live = live
        self._console: Console = console(sys.stderr)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._cells: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None, style="dim", complete_style="bold", finished_style="bold"),
                MofNCompleteColumn(),
                TextColumn("{task.fields[what]}", markup=False),
                TimeElapsedColumn(),
                console=self._console,
                expand=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def tell(self, text: str) -> None:
        """A line for whoever watches."""
        self._console.print(Text(one_line(text)))

    def heard(self, event: NotebookEvent) -> None:
        """Show what happened."""
        match event:
            case NotebookStarted():
                self._started(event)
            case CellStarted():
                self._update(event.name, what=self._doing(event))
            case CellOutput(message=Message() as message) if self._live:
                self._show(message)
            case CellFinished():
                self._finished(event)
            case NotebookFinished():
                self._ended(event)

    def summarise(self, outcomes: Sequence[tuple[Outcome, Path]]) -> None:
        """What became of each: on stdout where it was written, on stderr what went wrong."""
        for outcome, output in outcomes:
            if outcome.error is None:
                write(Piece("stdout", f"{output}\n"))
                continue
            name = one_line(outcome.run.name)
            self._console.print(Text(f"{name}: {one_line(str(outcome.error))}", style="bold red"))
            if isinstance(outcome.error, CellFailed):
                self._show_failure(outcome.error)
                self._console.print(Text(f"{name}: what was run is in {one_line(str(output))}", style="dim"))

    def _started(self, event: NotebookStarted) -> None:
        self._cells[event.name] = (0, event.cells)
        kept = f", {event.kept} of {event.total} cells kept" if event.kept else ""
        self.tell(f"{_short(event.name)}: {event.kernel_type} ({event.reason}){kept}")
        if self._bars is not None:
            self._tasks[event.name] = self._bars.add_task(_short(event.name), total=event.cells, what="")

    def _doing(self, event: CellStarted) -> str:
        return f"cell {event.index + 1}" if event.why == "run" else f"rebuilding, cell {event.index + 1}"

    def _finished(self, event: CellFinished) -> None:
        if event.why != "run":
            return
        done, cells = self._cells[event.name]
        self._cells[event.name] = (done + 1, cells)
        self._update(event.name, advance=1)
        if self._bars is None:
            allowed = ", allowed" if event.allowed and event.status != "ok" else ""
            self.tell(
                f"{_short(event.name)}: cell {event.index + 1} ({done + 1} of {cells}): "
                f"{event.status}{allowed}, {event.seconds:.2f} s"
            )

    def _ended(self, event: NotebookFinished) -> None:
        how = _how(event.error)
        self._update(event.name, what=how)
        task = self._tasks.get(event.name)
        if self._bars is not None and task is not None:
            self._bars.stop_task(task)
        if self._bars is None:
            self.tell(f"{_short(event.name)}: {how} after {event.seconds:.2f} s")

    def _update(self, name: str, *, what: str | None = None, advance: int = 0) -> None:
        if self._bars is None or name not in self._tasks:
            return
        if what is None:
            self._bars.update(self._tasks[name], advance=advance)
        else:
            self._bars.update(self._tasks[name], advance=advance, what=what)

    def _show(self, message: Message) -> None:
        piece = shown(message)
        if piece is None:
            return
        if self._bars is None:
            write(piece)
        else:  # above the bars
            text = Text.from_ansi(piece.text) if has_colour(sys.stderr) else Text(plain(piece.text))
            self._bars.console.print(text, end="" if piece.text.endswith("\n") else "\n")

    def _show_failure(self, error: CellFailed) -> None:
        lines = [] if error.error is None else list(error.error.traceback)
        text = "\n".join(lines)
        if text:
            self._console.print(Text.from_ansi(text) if has_colour(sys.stderr) else Text(plain(text)))


def _how(error: BaseException | None) -> str:
    if error is None:
        return "done"
    return "failed" if isinstance(error, Exception) else "stopped"


def _short(name: str) -> str:
    """The file's name, cut in its middle where it is long."""
    name = one_line(Path(name).name)
    return name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH // 2 - 1]}…{name[-NAME_WIDTH // 2 :]}"
