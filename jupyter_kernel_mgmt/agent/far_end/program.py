"""The program: serves who started it, until that one is gone."""

from __future__ import annotations

import os
import stat
import sys

assert sys.platform != "win32"

from .forks import Forked, run_forked
from .owner import Connection, Owner
from .runner import Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def main(arguments: list[str]) -> None:
    """``[pid of the owner, its start]``, both only on the owner's own machine; talks over 0 and 1."""
    source, sink = os.dup(0), os.dup(1)
    if os.path.sameopenfile(source, sink) and stat.S_ISSOCK(os.fstat(source).st_mode):
        os.close(sink)
        sink = source
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what imported modules print is told with the agent's own errors
    os.close(null)
    numbers = [int(argument) for argument in arguments]
    owner = Owner(numbers[0], numbers[1] if len(numbers) > 1 else None) if numbers else None
    entry: Callable[[], Any] | None = None
    argv: list[str] = []
    try:
        Runner(Connection(source, sink), owner).run()
    except Forked as child:
        entry, argv = child.entry, child.argv
    if entry is None:
        os._exit(0)
    run_forked(entry, argv)
