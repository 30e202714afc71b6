"""Notebooks become what nbclient makes of them, but for what is said here with the reason."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from jupyter_kernel_mgmt.notebook import CellFailed, execute_notebook

from .._kinds import require
from .._world import World
from ._corpus import CORPUS, Example
from ._normalise import at, differing, normalised
from ._peer import Peer

Side = Literal["ours", "nbclient", "both"]


@dataclass(frozen=True)
class Difference:
    """Where the outcomes differ (as `differing` says it), why, and who is right.

    Where nbclient is right, this package has a fault or lacks something: mend it, and take the entry out.
    """

    right: Side
    reason: str
    places: tuple[str, ...]


KNOWN = {
    "lone_surrogates": [
        Difference(
            "ours",
            "ipykernel packs such text as bytes that are not UTF-8; we read what it wrote, and nbclient puts "
            "replacement characters in its place",
            (
                "notebook.cells[0].outputs[0].text",
                "notebook.cells[2].outputs[0].evalue",
                "notebook.cells[2].outputs[0].traceback[3]",
            ),
        ),
    ],
    "stale_outputs": [
        Difference(
            "ours",
            "what a notebook shows is of this run: cells that it did not get to show nothing",
            ("notebook.cells[2].execution_count", "notebook.cells[2].outputs"),
        ),
    ],
    "strange_json": [
        Difference(
            "ours",
            "the number is exact; jupyter_client reads with orjson where that is installed, which rounds it",
            ("notebook.cells[0].outputs[0].data.application/json.b",),
        ),
    ],
    "foreign_comms": [
        Difference(
            "ours",
            "a comm that is not of a widget has no place in the notebook; nbclient adds an empty table",
            ("notebook.metadata.widgets",),
        ),
    ],
    "magics": [
        Difference(
            "both",
            "the error is only printed, and we note no time of a reply, to know the cell when resuming",
            ("notebook.cells[6].metadata.execution",),
        ),
    ],
    "tracebacks": [
        Difference(
            "both",
            "the error is only printed, and we note no time of a reply, to know the cell when resuming",
            ("notebook.cells[3].metadata.execution",),
        ),
    ],
    "timeout": [
        Difference(
            "ours",
            "nbclient interrupts the cell and then takes it for one that failed with KeyboardInterrupt",
            ("failed.status",),
        ),
        Difference(
            "both",
            "we keep the time of a reply only for cells that ended by themselves, to know them when resuming",
            ("notebook.cells[1].metadata.execution",),
        ),
    ],
    "kernel_dies": [
        Difference(
            "ours",
            "the notebook itself says that the kernel died, not only the exception",
            ("notebook.cells[2].outputs",),
        ),
    ],
    "version_3": [
        Difference(
            "both",
            "nbformat says that this is never to be in a file, and takes it out where it writes one",
            ("notebook.metadata.orig_nbformat", "notebook.metadata.orig_nbformat_minor"),
        ),
    ],
}
"""By the name of the notebook. What is not in here must not differ, and what is in here must."""


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """nbclient, started once for all notebooks."""
    with Peer() as peer:
        yield peer


@pytest.fixture
def cwd(world: World) -> Path:
    """The directory that both run in."""
    directory = world.other / "work"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("example", CORPUS, ids=str)
async def test_a_notebook_becomes_what_nbclient_makes_of_it(example: Example, peer: Peer, cwd: Path) -> None:
    """Cells, outputs, counts, metadata and what failed are the same, or differ where the table says."""
    require(f"spec/{example.kernel or 'python3'}")
    for module in example.wants:
        pytest.importorskip(module)
    theirs, ours = await asyncio.gather(
        asyncio.to_thread(
            peer.run, example.notebook(), cwd, timeout=example.timeout, allow_errors=example.allow_errors
        ),
        _execute(example, cwd),
    )

    for outcome in (theirs, ours):
        outcome["notebook"] = normalised(outcome["notebook"])
    places = set(differing(theirs, ours))
    shown = [
        f"{place}\n  nbclient: {at(theirs, place)!r:.2000}\n  ours:     {at(ours, place)!r:.2000}"
        for place in sorted(places)
    ]
    known = {place for difference in KNOWN.get(example.name, []) for place in difference.places}
    assert places == known, "\n".join(shown)
    failed = ours["failed"]
    assert (failed and (failed["index"], failed["status"])) == example.fails


async def _execute(example: Example, cwd: Path) -> dict[str, Any]:
    failed = None
    try:
        notebook = await execute_notebook(
            example.notebook(), cwd=cwd, timeout=example.timeout, allow_errors=example.allow_errors
        )
    except CellFailed as error:
        notebook, failed = error.notebook, {"index": error.index, "status": error.status}
    return {"notebook": json.loads(json.dumps(notebook)), "failed": failed}
