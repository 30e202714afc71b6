"""What ends processes and removes their files: all that belongs to a ward, wherever it went."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

assert sys.platform != "win32"

from .processes import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .processes import Process
    from .ward import Ward

SWEEP_LIMIT = 0.5
"""Seconds for the end of what is left of one kernel; what SIGKILL does not end by then it ends later."""
CLOSE_LIMIT = 1.2
"""Seconds for the end of everything, once the owner is gone."""


def victims(
    table: list[Process], wards: Iterable[Ward], roots: Iterable[int] = (), spare: Iterable[int] = ()
) -> set[int]:
    """Who has to be killed so that nothing is left of some wards, nor of what descends from ``roots``.

    A ward's process and group, whoever carries its mark, and all their descendants. A number that belongs
    to somebody else by now is not touched. Zombies are not listed: there is nothing left to kill.
    """
    living = {process.pid: process for process in table}
    marks, groups, chosen = set(), set(), set()
    for ward in wards:
        if ward.mark:
            marks.add(ward.mark)
        if ward.pid is None:
            continue
        leader = living.get(ward.pid)
        if leader is None:
            groups.add(ward.pid)  # while a group has members, its number is given to nobody
        elif ward.start is None or ward.start == leader.start:
            groups.add(ward.pid)
            chosen.add(ward.pid)
    chosen |= {p.pid for p in table if p.group in groups or (p.mark is not None and p.mark in marks)}
    children: dict[int, list[int]] = {}
    for process in table:
        children.setdefault(process.parent, []).append(process.pid)
    chosen -= set(spare)
    for pid in spare:
        children = {parent: [c for c in found if c != pid] for parent, found in children.items()}
    todo = [*chosen, *roots]
    while todo:
        new = set(children.get(todo.pop(), ())) - chosen
        chosen |= new
        todo += new
    return {pid for pid in chosen if pid in living and living[pid].state not in "ZX"} - set(roots)


def sweep(
    wards: list[Ward], *, roots: Iterable[int] = (), spare: Iterable[int] = (), limit: float = SWEEP_LIMIT
) -> set[int]:
    """Kill until nothing is left of these wards, or the limit (seconds) is over; returns what was left."""
    deadline = time.monotonic() + limit
    marks = any(ward.mark for ward in wards)
    since = min([ward.start or 0 for ward in wards if ward.mark], default=0)  # marks are inherited
    roots, spare = list(roots), list(spare)
    while True:
        table = processes(marks=marks, since=since)
        found = victims(table, wards, roots, spare)
        if not found or time.monotonic() >= deadline:
            return found
        for group in {p.group for p in table if p.pid in found} & {ward.pid for ward in wards}:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)  # all at once: who forks has no time to get away
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def remove(files: Iterable[str], directories: Iterable[str]) -> None:
    """Remove what is there. Links are removed and never followed."""
    for path in files:
        with contextlib.suppress(OSError):
            os.unlink(path)
    for path in directories:
        with contextlib.suppress(OSError, RecursionError):
            _remove_tree(path)


def _remove_tree(path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)
        return
    with os.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                _remove_tree(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(path)
