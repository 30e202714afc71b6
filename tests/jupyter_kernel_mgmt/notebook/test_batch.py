"""Many notebooks at once."""

import asyncio
from typing import Any

import pytest

from jupyter_kernel_mgmt.notebook import (
    CellFailed,
    CellFinished,
    CellStarted,
    NotebookRun,
    launching,
    run_all,
)

from ._scripted import KERNEL, Script, notebook, texts

GUARD = 20


async def test_no_more_than_the_limit_run_at_a_time_and_errors_end_no_other() -> None:
    """Outcomes are in the order of the runs."""
    script = Script()
    running: set[str] = set()
    most = 0

    def note(event: Any) -> None:
        nonlocal most
        if isinstance(event, CellStarted):
            running.add(event.name)
            most = max(most, len(running))
        elif isinstance(event, CellFinished):
            running.discard(event.name)

    async with script.finder, asyncio.timeout(GUARD):
        runs = [
            NotebookRun(
                notebook("fail" if number == 2 else f"print {number}"),
                kernels=launching(KERNEL, finder=script.finder),
                name=str(number),
                on_progress=note,
            )
            for number in range(6)
        ]
        outcomes = await run_all(runs, limit=2)
    assert [outcome.run for outcome in outcomes] == runs
    assert isinstance(outcomes.pop(2).error, CellFailed)
    assert [texts(outcome.notebook) for outcome in outcomes if outcome.notebook] == [[[t]] for t in "01345"]
    assert most == 2


async def test_cancelling_ends_all() -> None:
    script = Script()
    async with script.finder, asyncio.timeout(GUARD):
        runs = [
            NotebookRun(notebook("hang"), kernels=launching(KERNEL, finder=script.finder)) for _ in range(3)
        ]
        task = asyncio.create_task(run_all(runs, limit=2))
        await script.hanging.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any([await manager.is_alive() for manager in script.provider.managers])


async def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="limit must be 1 or more"):
        await run_all([], limit=0)
