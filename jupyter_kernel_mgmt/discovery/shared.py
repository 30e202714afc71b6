"""The finder of a loop, for those who have none of their own."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

from ..launching import KernelTypeInfo
from .finder import KernelFinder

log = logging.getLogger(__name__)

_shared: "WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[KernelFinder, int]]" = WeakKeyDictionary()


@asynccontextmanager
async def shared_finder() -> AsyncGenerator[KernelFinder, None]:
    """The finder of this loop for those who have none: made for the first, closed after the last."""
    loop = asyncio.get_running_loop()
    finder, users = _shared.get(loop) or (KernelFinder.from_entrypoints(), 0)
    _shared[loop] = (finder, users + 1)
    try:
        yield finder
    finally:
        finder, users = _shared[loop]
        if users > 1:
            _shared[loop] = (finder, users - 1)
        else:
            del _shared[loop]
            await finder.aclose()


async def find_kernels(
    *, finder: KernelFinder | None = None, near: Path | None = None
) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
    """All kernel types there are here, as ``(kernel_type, KernelTypeInfo)``, as they are found.

    ``near`` is an absolute directory, in whose project to look too.

    Problems with providers are logged; to have them as values, use `KernelFinder.find_kernels`. Cancelling a
    step ends the iteration; searches that still run end by themselves, within their time limits.
    """
    if finder is not None:
        search = finder.find_kernels(near=near)
        async for item in search:
            yield item
        for problem in search.problems:
            log.warning("%s", problem)
        return
    async with shared_finder() as shared, aclosing(find_kernels(finder=shared, near=near)) as found:
        async for item in found:
            yield item
