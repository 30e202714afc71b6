"""The table in examples/kernels.md says what the kernels really do.

``UPDATE_TABLES=1 python -m pytest tests/integration/test_kernel_table.py`` writes it anew, for the kernels
that are installed. They are looked at over bare sockets, without the client that makes up for their habits.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from ._kernel_facts import VERSION, measure
from ._kinds import KINDS, in_long_form, is_installed

DOCUMENT = Path(__file__).parents[2] / "examples" / "kernels.md"
BEGIN, END = "<!-- the table: written by tests/integration/test_kernel_table.py -->", "<!-- its end -->"


@pytest.mark.skipif(sys.platform != "linux", reason="the table says what kernels do on Linux")
async def test_the_table_of_kernels_says_what_they_do(world):
    """What is measured, for all installed kernels at once, is what the document says of them."""
    in_long_form()
    installed = [kind for kind in KINDS if kind.title and is_installed(kind.kernel_type)]
    if not installed:
        pytest.skip("no kernel of the table is installed; see tests/install_kernels.py")
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {kind.title: group.create_task(measure(kind, world.other)) for kind in installed}
    finally:
        for left in world.temporary.glob("Rtmp*"):  # R's own, where it had to be killed
            shutil.rmtree(left)
    measured = {title: task.result() for title, task in tasks.items()}
    written = _read(DOCUMENT)
    if os.environ.get("UPDATE_TABLES"):
        _write(DOCUMENT, {**written, **measured})
        return
    different = {
        f"{title}: {row}": (written.get(title, {}).get(row), value)
        for title, facts in measured.items()
        for row, value in facts.items()
        if row != VERSION and written.get(title, {}).get(row) != value
    }
    assert not different, "(written, measured); to write the table anew, set UPDATE_TABLES=1"


# The document


def _read(path: Path) -> dict[str, dict[str, str]]:
    """The table, a dict of rows for each kernel."""
    inside = path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in inside.strip().splitlines()]
    titles = rows[0][1:] if rows else []
    return {title: {row[0]: row[n] for row in rows[2:]} for n, title in enumerate(titles, start=1)}


def _write(path: Path, table: dict[str, dict[str, str]]) -> None:
    order = [kind.title for kind in KINDS if kind.title in table]
    rows = list(dict.fromkeys(row for title in order for row in table[title]))
    lines = (
        ["", *order],
        ["---"] * (len(order) + 1),
        *([r, *(table[t].get(r, "") for t in order)] for r in rows),
    )
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
