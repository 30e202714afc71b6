"""Many notebooks on one loop, some at a time."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from nbformat import NotebookNode

from .run import NotebookRun


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: the notebook, or the error that ended it, whose ``.notebook`` may have a part."""

    run: NotebookRun
    notebook: NotebookNode | None = None
    error: Exception | None = None


async def run_all(runs: Iterable[NotebookRun], *, limit: int = 4) -> list[Outcome]:
    """Execute all runs, at most ``limit`` at a time, in their order; what one raises ends no other.

    Give each run a name of its own, and look at their events for what happens meanwhile. Cancelling it
    cancels the runs that are under way, which save what they have. Raises `ValueError` for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, not {limit}")
    room = asyncio.Semaphore(limit)

    async def execute(run: NotebookRun) -> Outcome:
        async with room:
            try:
                return Outcome(run, notebook=await run.execute())
            except Exception as error:  # noqa: BLE001 - of a kernel, a file or a hook: the others go on
                return Outcome(run, error=error)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(execute(run), name=f"notebook-{run.name}") for run in runs]
    return [task.result() for task in tasks]
