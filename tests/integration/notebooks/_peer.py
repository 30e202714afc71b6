"""nbclient in a process of its own, since it leaves descriptors and handlers behind where it has run.

As a program it reads requests and writes answers, one line of JSON each; `Peer` is the other end of it.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest


class Peer:
    """Runs notebooks with nbclient. One at a time, in any thread; blocks. A context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, notebook: dict[str, Any], cwd: Path, *, timeout: int | None, allow_errors: bool
    ) -> dict[str, Any]:
        """The notebook as nbclient leaves it and, as ``failed``, the cell's index and what was wrong."""
        request = {
            "notebook": notebook,
            "cwd": str(cwd),
            "options": {"timeout": timeout, "allow_errors": allow_errors},
            "environment": dict(os.environ),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] | None = json.loads(self._process.stdout.readline())
        if answer is None:
            pytest.skip("nbclient has hung three times")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # it ends with its input


PATIENCE = 20.0
"""Seconds after which nbclient is taken to hang, and begins anew.

It sends on its shell socket for Output widgets while it waits there for the reply, and now and then does not
see that the reply has come (https://github.com/jupyter/nbclient/issues/312).
"""


async def _execute_patiently(request: dict[str, Any]) -> dict[str, Any] | None:
    for _ in range(3):
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await _execute(request)
    return None


async def _execute(request: dict[str, Any]) -> dict[str, Any]:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    words = {CellExecutionError: "error", CellTimeoutError: "timeout", DeadKernelError: "died"}
    running = -1

    def note(cell: object, cell_index: int) -> None:
        nonlocal running
        running = cell_index

    notebook = nbformat.reads(json.dumps(request["notebook"]), as_version=4)
    client = NotebookClient(
        notebook,
        resources={"metadata": {"path": request["cwd"]}},
        on_cell_execute=note,
        # Without it a cell that takes too long is left as it was, and the kernel is shot.
        interrupt_on_timeout=True,
        **request["options"],
    )
    failed = None
    try:
        await client.async_execute()
    except tuple(words) as error:
        if asyncio.current_task().cancelling():  # which nbclient takes for the kernel's death
            raise asyncio.CancelledError from error
        failed = {"index": running, "status": words[type(error)]}
    return {"notebook": notebook, "failed": failed}


def main() -> None:
    """Answer until there are no more requests."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")  # kernels inherit 1, and not this one
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.clear()
        os.environ.update(request["environment"])
        tempfile.tempdir = None
        answers.write(json.dumps(asyncio.run(_execute_patiently(request))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
