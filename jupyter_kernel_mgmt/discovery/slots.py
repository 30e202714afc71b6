"""`Slot`: the place of one provider in a finder, and what that has found before."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .._threads import in_thread
from ..exceptions import NoSuchProvider
from ..launching import KernelTypeInfo
from ..managerbase import missing_methods
from ..original import adapt, is_original
from ..providerbase import REQUIRED, BlockingProviderBase, KernelProviderBase
from .entry_points import LoadProvider
from .looks import Looks
from .times import Times

AnyProvider = KernelProviderBase | BlockingProviderBase

Configure = Callable[[KernelProviderBase], None]
"""Gives a provider its options; raises what is wrong with them."""

RETRY_AFTER = 30.0
"""Seconds for which a provider that gave no answer in time is not asked again; twice as long each time."""

RETRY_AFTER_AT_MOST = 3600.0
"""One that blocks may hold a thread for each time that it was asked."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A search that has begun: its ``number``, the time of `time.time_ns`, and how the process was."""

    number: int
    at: int
    process: int


class Slot:
    """A provider, loaded when it is first needed.

    ``known`` is what its last complete search found, None before; ``is_watched`` whether it can be told from
    files that this has changed, and ``kept_fresh`` whether somebody looks at them all the time;
    ``silent_until`` the time of `time.monotonic` until which it is not asked again, since it did not answer.
    """

    def __init__(
        self,
        provider_id: str,
        *,
        provider: KernelProviderBase | None = None,
        load: LoadProvider | None = None,
        configure: Configure | None = None,
    ) -> None:
        self.id = provider_id
        self.provider = provider
        self.known: dict[str, KernelTypeInfo] | None = None
        self.is_watched = False
        self.kept_fresh = False
        self.silent_until = 0.0
        self._retry_after = RETRY_AFTER
        self._load = load
        self._configure = configure
        self._times: Times | None = None
        self._process: int | None = None
        self._begun = 0
        self._kept = 0
        self._forgotten = 0
        self._loading: asyncio.Task[KernelProviderBase] | None = None

    async def get(self) -> KernelProviderBase:
        """The provider; imported in a thread, since that may take long or hang."""
        if self.provider is None:
            if self._loading is None or self._loading.done():
                self._loading = asyncio.create_task(self._load_provider(), name=f"load-provider-{self.id}")
                self._loading.add_done_callback(_look_at_error)  # those who waited may have given up
            return await asyncio.shield(self._loading)
        return self.provider

    async def loaded(self) -> KernelProviderBase:
        """The provider, for those who cannot do without. Raises `NoSuchProvider`, which says why not."""
        try:
            return await self.get()
        except Exception as error:  # of somebody else's import
            raise NoSuchProvider(f"provider {self.id!r} cannot be loaded: {error}") from error

    async def remembered(self, looks: Looks, *, look: bool = False) -> dict[str, KernelTypeInfo] | None:
        """What was found before, if nothing has changed since on which it depends.

        That is what the provider watches, and this process's directory and variables.
        While it is ``kept_fresh``, that is looked at in the background, and here only with ``look``.
        """
        times, known = self._times, self.known
        if times is None or known is None or self._process != _process():
            return None
        if self.kept_fresh and not look:
            return known
        return known if await looks.unchanged(times, name=f"look-{self.id}") else None

    def begin(self) -> Begun:
        """A search begins now."""
        self._begun += 1
        return Begun(self._begun, time.time_ns(), _process())

    async def remember(
        self, found: dict[str, KernelTypeInfo], begun: Begun
    ) -> dict[str, KernelTypeInfo] | None:
        """Keep the result of a search.

        Returns what was known until then. The result of one that began after it stays; one that began before
        a `refresh` is only there to compare with.
        """
        provider = await self.get()

        def look() -> tuple[bool, Times | None]:
            watched = provider.watched()
            if isinstance(watched, str | bytes):
                raise TypeError(f"it watches {watched!r}, where paths are due")
            return watched is not None, None if watched is None else Times.of(watched, begun.at)

        is_watched, times = await in_thread(look, name=f"watch-{self.id}")
        self.silent_until, self._retry_after = 0.0, RETRY_AFTER
        if begun.number < self._kept:
            return found
        before = self.known
        self.is_watched, self.known, self._kept = is_watched, found, begun.number
        self._times, self._process = times if begun.number > self._forgotten else None, begun.process
        return before

    async def look_near(self, directory: Path) -> None:
        """Have it find what belongs to this directory's project too."""
        if (await self.get()).look_near(directory):
            self._forget()

    async def refresh(self) -> None:
        """Forget what it would answer from, and ask again; ``known`` stays, to compare with."""
        self._forget()
        self.silent_until = 0.0  # it has not answered yet: the next silence is as long as it would have been
        if self.provider is not None:
            try:
                await self.provider.refresh()
            finally:
                self._forget()  # a search meanwhile may have been answered from what the provider kept

    def gave_no_answer(self) -> None:
        """Do not ask again for a while."""
        self.silent_until = time.monotonic() + self._retry_after
        self._retry_after = min(self._retry_after * 2, RETRY_AFTER_AT_MOST)

    async def aclose(self) -> None:
        """Close the provider if it was loaded; stop loading it."""
        try:
            if self._loading is not None and not self._loading.done():
                self._loading.cancel()
                await asyncio.wait([self._loading])
        finally:
            if self.provider is not None:
                await self.provider.aclose()

    def _forget(self) -> None:
        self._times, self._forgotten = None, self._begun

    async def _load_provider(self) -> KernelProviderBase:
        assert self._load is not None, "a slot has a provider or a way to load one"
        load = self._load
        provider = accept(await in_thread(lambda: load()(), name=f"load-provider-{self.id}"))
        if provider.id != self.id:
            raise TypeError(f"its entry point is called {self.id!r} and its id is {provider.id!r}")
        if self._configure is not None:
            self._configure(provider)
        self.provider = provider
        return provider


def _look_at_error(task: "asyncio.Task[KernelProviderBase]") -> None:
    if not task.cancelled():
        task.exception()


def _process() -> int:
    """A number for the current directory and the variables: where providers look depends on them."""
    try:
        directory = os.getcwd()  # noqa: PTH109 - asked at each look
    except OSError:  # it was removed
        directory = ""
    # A copy would hold secrets. A thread may take one away meanwhile.
    return hash((directory, frozenset((name, os.environ.get(name)) for name in list(os.environ))))


def accept(provider: AnyProvider) -> KernelProviderBase:
    """Check what a class must have, and adapt one that blocks, or is in the original shape.

    Raises `TypeError`, naming what is missing.
    """
    kind = type(provider)
    if is_original(provider):
        return adapt(provider)
    base = BlockingProviderBase if isinstance(provider, BlockingProviderBase) else KernelProviderBase
    if not isinstance(provider, base):
        raise TypeError(f"{kind.__name__} is neither a KernelProviderBase nor a BlockingProviderBase")
    missing = missing_methods(kind, base, REQUIRED) + ([] if provider.id else ["id"])
    if missing:
        raise TypeError(f"{kind.__name__} lacks {' and '.join(missing)}")
    return provider.as_async() if isinstance(provider, BlockingProviderBase) else provider
