"""Notebooks become what nbclient makes of them, but for what is said here with the reason."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt.notebook import CellFailed, execute_notebook

from .._kinds import require
from .._world import World
from ._corpus import CORPUS, Example
from ._normalise import at, differing, normalised
from ._peer import Peer


@dataclass(frozen=True)
class Difference:
    """Where the outcomes differ (as `differing` says it), and why that is right."""

    reason: str
    places: frozenset[str]


def _differs(reason: str, *places: str) -> Difference:
    return Difference(reason, frozenset(places))


KNOWN: dict[str, Difference] = {}
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
    known = KNOWN.get(example.name)
    assert places == (known.places if known else set()), "\n".join(shown)
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
