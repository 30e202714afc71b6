"""`Searcher`: asks one provider, from memory where nothing has changed, and tells what has."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from weakref import WeakSet

from ..launching import KernelTypeInfo
from .arrangement import Arrangement
from .changes import Changes, differences
from .looks import Looks
from .search import KernelSearch, Problem, as_exceptions, iterate_found
from .slots import Slot

log = logging.getLogger(__name__)


class Searcher:
    """``arrangement`` says what of it is told of changes; ``timeout`` how many seconds one provider has."""

    def __init__(self, arrangement: Arrangement, timeout: float) -> None:
        self._arrangement = arrangement
        self._timeout = timeout
        self._changes: WeakSet[Changes] = WeakSet()  # what nobody reads any more must not fill up
        self._logged: dict[str, str] = {}
        self._looks = Looks()
        self._closed = False

    def new_search(self, providers: int, problems: Iterable[Problem] = ()) -> KernelSearch:
        """A search that this many providers are going to take part in."""
        return KernelSearch(providers, self._arrangement, problems)

    def changes(self) -> Changes:
        """What changes from now on."""
        changes = Changes(self._changes.discard)
        self._changes.add(changes)
        if self._closed:
            changes.close()
        return changes

    def close(self) -> None:
        """End the streams of changes, and those to come at once."""
        self._closed = True
        for changes in list(self._changes):
            changes.close()

    async def refresh(self, slot: Slot) -> None:
        """Have a provider forget what it found; what goes wrong is logged."""
        try:
            with as_exceptions():
                async with asyncio.timeout(self._timeout):
                    await slot.refresh()
        except Exception:  # of somebody else's provider
            log.warning("Provider %r could not be refreshed", slot.id, exc_info=True)

    async def search(
        self, slot: Slot, search: KernelSearch, *, near: Path | None = None, look: bool = False
    ) -> None:
        """Ask a provider and add what it finds; what goes wrong is reported there. Cancelling is safe.

        ``near`` is a directory in whose project to look too, ``look`` whether something has changed even
        where that is done in the background.
        """
        try:
            left = slot.silent_until - time.monotonic()
            if left > 0:
                text = f"gave no answer within {self._timeout:g} s, and is asked again in {left:.0f} s"
                search.report(Problem(slot.id, text))
            else:
                with as_exceptions():
                    await self._search_in_time(slot, search, near, look=look)
        except Exception as error:  # of somebody else's provider
            text = f"{type(error).__name__}: {error}"
            if self._logged.get(slot.id) != text:  # once, though it may be searched again all the time
                log.warning("Provider %r failed", slot.id, exc_info=error)
            self._logged[slot.id] = text
            search.report(Problem(slot.id, text, error))
        else:
            self._logged.pop(slot.id, None)

    async def _search_in_time(
        self, slot: Slot, search: KernelSearch, near: Path | None, *, look: bool
    ) -> None:
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                if near is not None:
                    await slot.look_near(near)
                await self._find(slot, search, look=look)
        except TimeoutError as error:
            if not limit.expired():
                raise
            slot.gave_no_answer()
            search.report(Problem(slot.id, f"gave no answer within {self._timeout:g} s", error))

    async def _find(self, slot: Slot, search: KernelSearch, *, look: bool) -> None:
        known = await slot.remembered(self._looks, look=look)
        if known is not None:
            for name, info in known.items():
                search.add(f"{slot.id}/{name}", info)
            return
        begun, found = slot.begin(), dict[str, KernelTypeInfo]()
        async with aclosing(iterate_found(await slot.get())) as items:
            async for name, info in items:
                _check(name, info)
                found[name] = info
                search.add(f"{slot.id}/{name}", info)
        before = await slot.remember(found, begun)
        if before is not None and self._changes:
            for change in differences(self._arranged(slot, before), self._arranged(slot, found)):
                for changes in self._changes:
                    changes.add(change)

    def _arranged(self, slot: Slot, found: Mapping[str, KernelTypeInfo]) -> dict[str, KernelTypeInfo]:
        named = ((f"{slot.id}/{name}", info) for name, info in found.items())
        shown = ((kernel_type, self._arrangement.shown(kernel_type, info)) for kernel_type, info in named)
        return {kernel_type: info for kernel_type, info in shown if info is not None}


def _check(name: object, info: object) -> None:
    """Raises `TypeError` for what is not a name and a `KernelTypeInfo`."""
    if not isinstance(name, str) or not isinstance(info, KernelTypeInfo):
        what = type(info).__name__
        raise TypeError(f"it found {name!r} with a {what}, where a name and a KernelTypeInfo are due")
