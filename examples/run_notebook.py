"""Run a notebook with parameters, watch its progress, and keep what was run whatever happens."""

import asyncio
import tempfile
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt.notebook import CellFailed, CellFinished, NotebookEvent, execute_notebook

NOTEBOOK = new_notebook(
    cells=[
        new_code_cell("who = 'nobody'", metadata={"tags": ["parameters"]}),
        new_code_cell("print('hello', who)"),
        new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
        new_code_cell("open('missing')"),
        new_code_cell("print('never run')"),
    ]
)


def progress(event: NotebookEvent) -> None:
    if isinstance(event, CellFinished):
        print(f"cell {event.index + 1}: {event.status} after {event.seconds:.3f} s")


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory, "ran.ipynb")
        try:
            await execute_notebook(
                NOTEBOOK, output=output, parameters={"who": "Ada"}, timeout=60, on_progress=progress
            )
        except CellFailed as error:
            print(f"failed: {error}")
            print("kept:", error.notebook.cells[2].outputs[0].text.strip())
        print("saved:", "hello Ada" in output.read_text())  # noqa: ASYNC240


asyncio.run(main())
