"""A notebook is run from its first cell to its last."""

import asyncio
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import from_dict
from nbformat.v4 import new_markdown_cell

from jupyter_kernel_mgmt import KernelDied, NoSuchKernel
from jupyter_kernel_mgmt.notebook import (
    CannotResume,
    CellFailed,
    CellFinished,
    CellOutput,
    CellStarted,
    NotebookEvent,
    NotebookFinished,
    NotebookRun,
    NotebookStarted,
    ParameterError,
    RunOptions,
    launching,
)
from jupyter_kernel_mgmt.notebook.run import _language

from ._scripted import KERNEL, Script, notebook, tagged, texts

GUARD = 20


@pytest.fixture
async def script() -> Any:
    script = Script()
    async with script.finder, asyncio.timeout(GUARD):
        yield script


def run_of(script: Script, source: Any, on_progress: Any = None, **options: Any) -> NotebookRun:
    return NotebookRun(
        source,
        kernels=launching(KERNEL, finder=script.finder),
        options=RunOptions(**options),
        on_progress=on_progress,
    )


async def test_each_cell_shows_what_its_code_wrote(script: Script) -> None:
    """In the order of the cells, numbered by the kernel; text is left alone and so is what was given."""
    given = notebook("print a\nvalue b", new_markdown_cell("text"), "print c")
    ran = await run_of(script, given).execute()
    assert texts(ran) == [["a", "b"], [], ["c"]]
    assert [cell.get("execution_count") for cell in ran.cells] == [1, None, 2]
    assert ran.metadata.language_info
    assert texts(given) == [[], [], []]
    assert set(ran.cells[0].metadata.execution) == {
        "iopub.status.busy",
        "iopub.execute_input",
        "iopub.status.idle",
        "shell.execute_reply",
    }
    nbformat.validate(ran)


async def test_the_kernel_ends_with_the_run(script: Script) -> None:
    await run_of(script, notebook("print a")).execute()
    assert not await script.provider.managers[0].is_alive()


async def test_a_failing_cell_ends_the_run_and_shows_its_error(script: Script, tmp_path: Path) -> None:
    """What was to follow is not run; the file has the rest, and so has the error."""
    output = tmp_path / "out.ipynb"
    with pytest.raises(CellFailed, match="cell 2 failed: ValueError: as it was told") as caught:
        await run_of(script, notebook("print a", "print b\nfail", "print c"), output=output).execute()
    assert (caught.value.index, caught.value.status) == (1, "error")
    assert caught.value.error is not None
    for left in (caught.value.notebook, nbformat.read(output, as_version=4)):
        assert texts(left) == [["a"], ["b", "ValueError"], []]


async def test_errors_may_be_allowed(script: Script) -> None:
    """For all cells, for tagged ones, or for those that a function picks."""
    cells = ["fail", "print a"]
    for given, allowed in (
        (notebook(*cells), True),
        (notebook(tagged("fail", "raises-exception"), "print a"), False),
        (notebook(*cells), lambda cell: cell["source"] == "fail"),
    ):
        assert texts(await run_of(script, given, allow_errors=allowed).execute()) == [["ValueError"], ["a"]]


async def test_skipped_cells_keep_what_they_show(script: Script) -> None:
    """Others lose what an earlier run left, even where this one ends before them."""
    before = nbformat.v4.new_output("stream", name="stdout", text="before")
    given = notebook(tagged("print a", "skip-execution"), "fail", "print b")
    for cell in given.cells:
        cell.outputs = [before]
    with pytest.raises(CellFailed) as caught:
        await run_of(script, given).execute()
    assert texts(caught.value.notebook) == [["before"], ["ValueError"], []]


async def test_a_cell_that_takes_too_long_is_interrupted(script: Script) -> None:
    """Each may have a limit of its own."""
    given = notebook("print a", "print b\nhang", "print c")
    with pytest.raises(CellFailed, match="cell 2 took too long") as caught:
        await run_of(script, given, timeout=lambda cell: 0.01 if "hang" in cell["source"] else None).execute()
    assert caught.value.status == "timeout"
    assert texts(caught.value.notebook)[:2] == [["a"], ["b", "KeyboardInterrupt"]]
    assert "shell.execute_reply" not in caught.value.notebook.cells[1].metadata.execution


async def test_the_running_cell_can_be_interrupted(script: Script) -> None:
    """It has failed then."""
    run = run_of(script, notebook("print a", "hang", "print b"))
    task = asyncio.create_task(run.execute())
    await script.hanging.wait()
    assert await run.interrupt() is not None
    with pytest.raises(CellFailed, match="cell 2 was interrupted"):
        await task


async def test_an_interrupt_while_no_cell_runs_keeps_the_next_from_beginning(script: Script) -> None:
    """Before the kernel is started, and between two cells."""
    run = run_of(script, notebook("print a"))
    assert await run.interrupt() is None
    with pytest.raises(CellFailed, match="cell 1 was interrupted"):
        await run.execute()
    assert script.provider.launches == []

    async def stop(event: NotebookEvent) -> None:
        if isinstance(event, CellFinished):
            assert await run.interrupt() is None

    run = run_of(script, notebook("print a", "print b"), stop)
    with pytest.raises(CellFailed, match="cell 2 was interrupted") as caught:
        await run.execute()
    assert texts(caught.value.notebook) == [["a"], []]
    assert script.ran == ["print a"]


async def test_the_death_of_the_kernel_is_told_in_the_notebook(script: Script, tmp_path: Path) -> None:
    """Finished cells are kept, and the cause is the error that says how it died."""
    output = tmp_path / "out.ipynb"
    with pytest.raises(CellFailed, match=r"cell 2 ended the kernel: .*exit code 7") as caught:
        await run_of(script, notebook("print a", "print b\ndie", "print c"), output=output).execute()
    assert isinstance(caught.value.__cause__, KernelDied)
    assert texts(nbformat.read(output, as_version=4)) == [["a"], ["b", "KernelDied"], []]


async def test_later_cells_change_displays_of_earlier_ones(script: Script, tmp_path: Path) -> None:
    """In the notebook and in the file."""
    output = tmp_path / "out.ipynb"
    cells = ["show x a", "show y b\nshow x c", "update y d"]
    ran = await run_of(script, notebook(*cells), output=output).execute()
    assert texts(ran) == [["c"], ["d", "c"], []]
    assert texts(nbformat.read(output, as_version=4)) == [["c"], ["d", "c"], []]


async def test_output_over_the_limit_is_left_out_and_told(script: Script) -> None:
    lines = "\n".join(f"print {number:04}" + "x" * 1000 for number in range(100))
    ran = await run_of(script, notebook(lines), output_limit=20_000).execute()
    assert "output messages were left out" in texts(ran)[0][-1]


async def test_progress_is_told_in_order(script: Script) -> None:
    """To a function, plain or async, that is awaited."""
    events: list[NotebookEvent] = []

    async def note(event: NotebookEvent) -> None:
        await asyncio.sleep(0)
        events.append(event)

    given = notebook("print a", new_markdown_cell("text"), tagged("fail", "raises-exception"))
    await NotebookRun(
        given, kernels=launching(KERNEL, finder=script.finder), name="mine", on_progress=note
    ).execute()
    assert [type(event) for event in events] == [
        *(NotebookStarted, CellStarted, CellOutput, CellFinished, CellStarted, CellOutput, CellFinished),
        NotebookFinished,
    ]
    assert {event.name for event in events} == {"mine"}
    start, end = events[0], events[-1]
    assert isinstance(start, NotebookStarted)
    assert (start.kernel_type, start.reason, start.cells, start.kept, start.total) == (
        *(KERNEL, "it was asked for"),
        *(2, 0, 3),
    )
    finished = [event for event in events if isinstance(event, CellFinished)]
    assert [(event.index, event.status, event.allowed) for event in finished] == [
        (0, "ok", False),
        (2, "error", True),
    ]
    assert isinstance(end, NotebookFinished)
    assert end.error is None


async def test_a_callback_that_fails_ends_the_run(script: Script, tmp_path: Path) -> None:
    """What had been run is saved."""

    def fail(event: NotebookEvent) -> None:
        if isinstance(event, CellStarted) and event.index == 1:
            raise RuntimeError("of the callback")

    output = tmp_path / "out.ipynb"
    with pytest.raises(RuntimeError, match="of the callback"):
        await run_of(script, notebook("print a", "print b"), fail, output=output).execute()
    assert texts(nbformat.read(output, as_version=4)) == [["a"], []]


async def test_cancelling_saves_what_was_written(script: Script, tmp_path: Path) -> None:
    """That of the running cell included; the kernel is gone."""
    output = tmp_path / "out.ipynb"
    task = asyncio.create_task(
        run_of(script, notebook("print a", "print b\nhang", "print c"), output=output).execute()
    )
    await script.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert texts(nbformat.read(output, as_version=4))[0] == ["a"]
    assert texts(nbformat.read(output, as_version=4))[2] == []
    assert not await script.provider.managers[0].is_alive()


async def test_a_run_goes_on_where_an_earlier_one_ended(script: Script, tmp_path: Path) -> None:
    """Finished cells keep their outputs, and run once more for the state that they make."""
    output = tmp_path / "out.ipynb"
    with pytest.raises(CellFailed):
        await run_of(script, notebook("print a", "print b", "die", "print c"), output=output).execute()
    script.ran.clear()
    given = notebook("print a", "print b", "die", "print c")
    given.cells[2].source = "print d"
    events: list[Any] = []
    ran = await run_of(script, given, events.append, output=output, resume="all").execute()
    assert texts(ran) == [["a"], ["b"], ["d"], ["c"]]
    assert script.ran == ["print a", "print b", "print d", "print c"]
    assert [(event.index, event.why) for event in events if isinstance(event, CellStarted)] == [
        *((0, "rebuild"), (1, "rebuild")),
        *((2, "run"), (3, "run")),
    ]
    assert [(event.kept, event.cells) for event in events if isinstance(event, NotebookStarted)] == [(2, 2)]


@pytest.mark.parametrize(("rebuild", "again"), [("none", []), (1, ["print b"])])
async def test_the_state_is_rebuilt_as_asked(
    rebuild: Any, again: list[str], script: Script, tmp_path: Path
) -> None:
    output = tmp_path / "out.ipynb"
    with pytest.raises(CellFailed):
        await run_of(script, notebook("print a", "print b", "die"), output=output).execute()
    script.ran.clear()
    given = notebook("print a", "print b", "print c")
    await run_of(script, given, output=output, resume=rebuild).execute()
    assert script.ran == [*again, "print c"]


async def test_a_state_that_cannot_be_rebuilt_is_told(script: Script, tmp_path: Path) -> None:
    """The cell that failed this time is named, and nothing that was kept is lost."""
    output = tmp_path / "out.ipynb"
    with pytest.raises(CellFailed):
        await run_of(script, notebook("print a", "print b", "die"), output=output).execute()
    script._print = script._fail  # type: ignore[assignment, method-assign]
    with pytest.raises(CannotResume, match="rebuilt: cell 1 ended with 'error' this time"):
        await run_of(script, notebook("print a", "print b", "value c"), output=output, resume="all").execute()
    assert texts(nbformat.read(output, as_version=4)) == [["a"], ["b"], []]


async def test_going_on_needs_an_output_and_starts_anew_without_one_there(
    script: Script, tmp_path: Path
) -> None:
    with pytest.raises(CannotResume, match="none is named"):
        await run_of(script, notebook("print a"), resume="all").execute()
    output = tmp_path / "out.ipynb"
    assert texts(await run_of(script, notebook("print a"), output=output, resume="all").execute()) == [["a"]]


async def test_the_kernel_has_the_directory_of_the_notebook(script: Script, tmp_path: Path) -> None:
    """Or the one that is given."""
    file = tmp_path / "a.ipynb"
    nbformat.write(notebook("print a"), file)
    await run_of(script, file).execute()
    await run_of(script, file, cwd=tmp_path.parent).execute()
    await run_of(script, notebook("print a")).execute()
    assert [request.cwd for request in script.provider.launches] == [tmp_path, tmp_path.parent, None]


async def test_a_kernel_that_does_not_start_leaves_the_output_alone(script: Script, tmp_path: Path) -> None:
    output = tmp_path / "out.ipynb"
    with pytest.raises(NoSuchKernel):
        await NotebookRun(
            notebook("print a"),
            kernels=launching("fake/none", finder=script.finder),
            options=RunOptions(output=output),
        ).execute()
    assert not output.exists()


async def test_resuming_takes_over_outputs_and_leaves_the_rest_as_it_is_now(
    script: Script, tmp_path: Path
) -> None:
    """A tag that was added since counts: the cell is not run again for the state."""
    output = tmp_path / "out.ipynb"
    with pytest.raises(CellFailed):
        await run_of(script, notebook("print a", "print b", "die"), output=output).execute()
    script.ran.clear()
    given = notebook(tagged("print a", "skip-execution"), "print b", "print c")
    ran = await run_of(script, given, output=output, resume="all").execute()
    assert script.ran == ["print b", "print c"]
    assert ran.cells[0].metadata.tags == ["skip-execution"]
    assert texts(ran)[1:] == [["b"], ["c"]]


def test_parameters_need_a_language() -> None:
    """The kernel's, or else the notebook's; the error says that there is none."""
    info, spec = {"language_info": {"name": "R"}}, {"kernelspec": {"language": "python"}}
    assert [_language(from_dict(given)) for given in ({**spec, **info}, spec)] == ["R", "python"]
    with pytest.raises(ParameterError, match="neither the kernel nor the notebook names a language"):
        _language(from_dict({"kernelspec": {"name": "x"}}))
