"""Keeping up with what changes: when each provider is searched again."""

import asyncio
import time
from collections.abc import Sequence

from .searching import Searcher
from .slots import Slot

INTERVAL = 0.5
"""Seconds between looks at the times of what providers watch."""

UNWATCHED_INTERVAL = 30.0
"""Seconds between searches of a provider that watches nothing."""


async def keep_fresh(
    slots: Sequence[Slot], searcher: Searcher, interval: float, unwatched_interval: float
) -> None:
    """Search with each provider whenever it may find something else; for ever. Cancelling ends it all."""
    async with asyncio.TaskGroup() as group:
        for slot in slots:  # apart, so that one that hangs holds up no other
            group.create_task(
                _keep_one_fresh(slot, searcher, interval, unwatched_interval), name=f"refresh-{slot.id}"
            )


async def _keep_one_fresh(slot: Slot, searcher: Searcher, interval: float, unwatched_interval: float) -> None:
    try:
        while True:
            search = searcher.new_search(1)
            await searcher.search(slot, search, look=True)
            slot.kept_fresh = not search.problems  # else those who ask would not hear of them
            await asyncio.sleep(interval if slot.is_watched else unwatched_interval)
            is_silent = slot.silent_until > time.monotonic()  # and would be asked at once
            if not slot.is_watched and slot.known is not None and not is_silent:
                await searcher.refresh(slot)
    finally:
        slot.kept_fresh = False
