"""`run_notebooks`: many notebooks, their progress on the terminal, Ctrl-C and SIGTERM."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_protocol import ProtocolError

from ..discovery import KernelFinder
from ..exceptions import KernelError
from ..notebook import NotebookRun, Outcome, ParameterError, RunOptions, launching, run_all
from ..notebook.resuming import Rebuild
from .exit_codes import ExitCode, for_error
from .notebook_view import NotebookView
from .running import Signalled, on_signals


@dataclass(frozen=True, slots=True)
class Job:
    """A notebook and where it is written."""

    source: str
    output: Path


async def run_notebooks(
    jobs_to_run: Sequence[Job],
    *,
    jobs: int,
    kernel_type: str | None,
    parameters: dict[str, Any],
    timeout: float | None,
    allow_errors: bool,
    cwd: str | os.PathLike[str] | None,
    live: bool,
    resume: Rebuild | None,
) -> int:
    """Run them, tell what became of each, and return the exit code: that of the first that failed.

    Cancelling ends all kernels; what was run is saved.
    """
    async with KernelFinder.from_entrypoints() as finder:
        with NotebookView(len(jobs_to_run), live=live) as view:
            kernels = launching(kernel_type, finder=finder, forkserver=len(jobs_to_run) > 1)
            runs = [
                NotebookRun(
                    job.source,
                    kernels=kernels,
                    options=RunOptions(
                        cwd=None if cwd is None else Path(cwd),
                        timeout=timeout,
                        allow_errors=allow_errors,
                        parameters=parameters,
                        output=job.output,
                        resume=resume,
                    ),
                    on_progress=view.heard,
                )
                for job in jobs_to_run
            ]
            outcomes = await _Interruptible(runs, view).run(jobs)
        view.summarise([(outcome, job.output) for outcome, job in zip(outcomes, jobs_to_run, strict=True)])
    return next((code for code in map(exit_code, outcomes) if code), ExitCode.OK)


def exit_code(outcome: Outcome) -> int:
    """The code for one notebook. Raises `BrokenPipeError` where nobody reads what it writes."""
    if outcome.error is None:
        return ExitCode.OK
    if isinstance(outcome.error, BrokenPipeError):
        raise outcome.error
    ours = isinstance(outcome.error, KernelError | ProtocolError | ParameterError)
    return for_error(outcome.error) if ours else ExitCode.BUG


class _Interruptible:
    """Runs that the first Ctrl-C interrupts and the second one ends."""

    def __init__(self, runs: Sequence[NotebookRun], view: NotebookView) -> None:
        self._runs = runs
        self._view = view
        self._interrupts: list[asyncio.Task[Any]] = []
        self._ended = False

    async def run(self, limit: int) -> list[Outcome]:
        """All of them. Raises `Signalled` at the second Ctrl-C."""
        running = asyncio.create_task(run_all(self._runs, limit=limit))

        def interrupt(signum: int) -> None:
            if self._interrupts:
                self._ended = True
                running.cancel()
            else:
                self._view.tell("interrupting the running cells; Ctrl-C again stops")
                self._interrupts = [asyncio.create_task(run.interrupt()) for run in self._runs]

        try:
            with on_signals((signal.SIGINT,), interrupt):
                return await running
        except asyncio.CancelledError:
            if self._ended:
                raise Signalled(signal.SIGINT) from None
            raise
        finally:
            for task in (running, *self._interrupts):
                task.cancel()
            await asyncio.gather(running, *self._interrupts, return_exceptions=True)
