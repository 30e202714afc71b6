"""`Activations`: what activating each environment changes, computed once for each state of its files."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ..._threads import in_thread
from ...exceptions import LaunchError
from ...subproc.environment import changed
from .activation import Changes, activation, activation_scripts, variable_files
from .environment import Environment
from .pixi import manifests, project_activation
from .scripts import changes_of_scripts

_Times = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Computed:
    """What came of it, and all that it depends on."""

    environment: Environment
    variables: Mapping[str, str]
    times: _Times
    changes: Changes


@dataclass(frozen=True, slots=True)
class _Read:
    """What the files say, and the scripts that there are."""

    times: _Times
    changes: Changes
    scripts: tuple[Path, ...]


class Activations:
    """Kept in memory, by prefix. Belongs to one loop; nothing is left to close."""

    def __init__(self) -> None:
        self._computed: dict[Path, _Computed] = {}
        self._locks: dict[Path, asyncio.Lock] = {}

    async def changes(
        self, environment: Environment, variables: Mapping[str, str], *, timeout: float
    ) -> Changes:
        """What activating changes in these variables. Those who ask at the same time share the work.

        A shell runs only where packages of conda have scripts. That and waiting for others take ``timeout``
        seconds at most. Raises `LaunchError` where these fail. Cancelling leaves nothing behind; who else
        waits begins anew.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        async with self._turn(environment, timeout):
            read = await in_thread(lambda: _read(environment, variables), name="read-activation")
            known = self._computed.get(environment.prefix)
            if known is not None and known == _Computed(environment, variables, read.times, known.changes):
                return known.changes
            changes = dict(read.changes)
            if read.scripts:
                active = changed(variables, changes)
                changes |= await changes_of_scripts(read.scripts, active, timeout=max(end - loop.time(), 0))
            self._computed[environment.prefix] = _Computed(environment, dict(variables), read.times, changes)
            return changes

    @asynccontextmanager
    async def _turn(self, environment: Environment, timeout: float) -> AsyncIterator[None]:
        """One after the other, by prefix. Whose turn comes at once need not have time for it."""
        lock = self._locks.setdefault(environment.prefix, asyncio.Lock())
        try:
            async with asyncio.timeout(timeout):
                await lock.acquire()  # at once where nobody has it, and nobody waits: then no time passes
        except TimeoutError:
            text = f"another launch that activates {environment.prefix} did not end within {timeout:.1f} s"
            raise LaunchError(text) from None
        try:
            yield
        finally:
            lock.release()

    def forget(self) -> None:
        """Compute all anew."""
        self._computed.clear()


def _read(environment: Environment, variables: Mapping[str, str]) -> _Read:
    files: list[Path] = []
    scripts: list[Path] = []
    if environment.is_conda:
        scripts = [] if sys.platform == "win32" else activation_scripts(environment.prefix)
        files = variable_files(environment.prefix)
    if environment.kind == "pixi" and environment.project is not None:
        files += manifests(environment.project)
    # The times first: what changes while it is read is read again.
    times = _times(files)
    changes = activation(environment, variables)
    if environment.kind == "pixi" and environment.project is not None:
        added = project_activation(environment.project, environment.prefix.name)
        active = changed(variables, changes)
        changes |= {name: Template(value).safe_substitute(active) for name, value in added.variables.items()}
        scripts += [] if sys.platform == "win32" else added.scripts
    return _Read((*times, *_times(scripts)), changes, tuple(scripts))


def _times(files: list[Path]) -> _Times:
    found = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        found.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(found)
