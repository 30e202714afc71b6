"""Notebooks whose cells are words for a fake kernel."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt import KernelFinder
from jupyter_kernel_mgmt.launching import ExitInfo
from jupyter_kernel_mgmt.testing import FakeProvider, FakeRun

KERNEL = "fake/kernel"


class Script:
    """It knows ``print x``, ``value x``, ``show id x``, ``update id x``, ``fail``, ``hang``, ``die``.

    ``ran`` are the sources that were run; ``hanging`` is set while one hangs.
    """

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.hanging = asyncio.Event()
        self.provider = FakeProvider(self._behave)
        self.finder = KernelFinder([self.provider])

    async def _behave(self, run: FakeRun) -> None:
        self.ran.append(run.code)
        for line in run.code.splitlines():
            word, *rest = line.split()
            await getattr(self, f"_{word}")(run, *rest)

    async def _print(self, run: FakeRun, text: str) -> None:
        run.write(text)

    async def _value(self, run: FakeRun, text: str) -> None:
        run.result(text)

    async def _show(self, run: FakeRun, display_id: str, text: str) -> None:
        run.display({"text/plain": text}, display_id=display_id)

    async def _update(self, run: FakeRun, display_id: str, text: str) -> None:
        run.update_display({"text/plain": text}, display_id)

    async def _fail(self, run: FakeRun) -> None:
        raise ValueError("as it was told")

    async def _hang(self, run: FakeRun) -> None:
        self.hanging.set()
        await asyncio.Event().wait()

    async def _die(self, run: FakeRun) -> None:
        self.provider.managers[-1].die(ExitInfo(7))
        await asyncio.Event().wait()


def notebook(*sources: str | dict[str, Any], **metadata: Any) -> NotebookNode:
    """A notebook of code cells, given as source or as a cell."""
    cells = [new_code_cell(source) if isinstance(source, str) else source for source in sources]
    return new_notebook(cells=cells, metadata=metadata)


def tagged(source: str, *tags: str) -> NotebookNode:
    return new_code_cell(source, metadata={"tags": list(tags)})


def texts(notebook: NotebookNode) -> list[list[str]]:
    """What each cell shows, shortened to its text."""
    return [[_text(output) for output in cell.get("outputs", ())] for cell in notebook.cells]


def _text(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return str(output["ename"])
    return str(output["data"]["text/plain"])


Run = Callable[..., Awaitable[NotebookNode]]
