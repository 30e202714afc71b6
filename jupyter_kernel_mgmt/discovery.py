"""`KernelFinder`: finds kernel types through providers, and launches them by name."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from ._entry_points import LoadProvider, installed_providers
from ._threads import in_thread
from .exceptions import NoSuchKernel, NoSuchProvider
from .launching import KernelTypeInfo, Launched, LaunchRequest
from .managerbase import missing_methods
from .providerbase import REQUIRED, BlockingProviderBase, KernelProviderBase

log = logging.getLogger(__name__)

SEARCH_TIMEOUT = 5.0
"""Seconds that one provider has for finding its kernel types."""

NEAR_NAMES_TIMEOUT = 1.0
"""Seconds that finding near names may hold up the error about an unknown kernel type."""

CLOSE_TIMEOUT = 5.0
"""Seconds that providers have for closing."""

DEFAULT_PROVIDER = "spec"
"""The provider that a kernel type without a slash belongs to."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A provider that could not be loaded, or whose search failed or took too long."""

    provider: str
    text: str
    error: Exception | None = None

    def __str__(self) -> str:
        return f"provider {self.provider!r}: {self.text}"


class KernelFinder:
    """Holds providers, each loaded when it is first needed, and belongs to one loop.

    ``providers`` are instances of `KernelProviderBase` or `BlockingProviderBase`. ``search_timeout`` is
    how many seconds each of them may search. An async context manager; `aclose` closes the providers.

    Raises `TypeError` for a provider without an id or without a method it needs, `ValueError` for two with
    the same id.
    """

    def __init__(
        self,
        providers: Iterable[KernelProviderBase | BlockingProviderBase] = (),
        *,
        search_timeout: float = SEARCH_TIMEOUT,
    ) -> None:
        self.search_timeout = search_timeout
        self._slots = [_Slot(accepted.id, provider=accepted) for accepted in map(_accept, providers)]
        self._tasks: set[asyncio.Task[None]] = set()
        for provider_id, count in Counter(slot.id for slot in self._slots).items():
            if count > 1:
                raise ValueError(f"{count} providers have the id {provider_id!r}")

    @classmethod
    def from_entrypoints(cls, *, search_timeout: float = SEARCH_TIMEOUT) -> Self:
        """A finder for all installed providers: entry points of the group `ENTRY_POINT_GROUP`.

        Nothing is imported yet; the name of an entry point is the id of its provider.
        """
        finder = cls(search_timeout=search_timeout)
        finder._slots = [_Slot(name, load=load) for name, load in installed_providers().items()]
        return finder

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End searches that still run and close the providers, within `CLOSE_TIMEOUT`.

        Kernels that were launched are not ended. May be called again; cancelling it is safe.
        """
        for task in self._tasks:
            task.cancel()
        closing = [asyncio.create_task(slot.aclose(), name=f"close-{slot.id}") for slot in self._slots]
        ending: list[asyncio.Task[Any]] = [*closing, *self._tasks]
        try:
            # Not a gather: cancelling one ends what has not begun.
            await _ended(ending)
        except asyncio.CancelledError:
            for task in ending:
                task.cancel()
            await _ended(ending)
            raise
        finally:
            for task in ending:
                task.cancel()

    def find_kernels(self) -> "KernelSearch":
        """Search with all providers at once. Iterate over the result, and look at its ``.problems`` then."""
        search = KernelSearch(len(self._slots))
        for slot in self._slots:
            task = asyncio.create_task(self._search(slot, search), name=f"find-kernels-{slot.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return search

    async def launch(self, kernel_type: str, request: LaunchRequest) -> Launched:
        """Start a kernel of a type like ``"spec/python3"``; ``"python3"`` alone means the same.

        Raises `NoSuchKernel` (also a `KeyError`, with near names and the places searched),
        `NoSuchProvider`, `LaunchError` or `Unsupported`. Cancelling it leaves nothing behind.
        """
        provider_id, name = split_kernel_type(kernel_type)
        provider = await self._provider(provider_id, kernel_type)
        try:
            return await provider.launch(name, request)
        except NoSuchKernel as error:
            raise await self._no_such_kernel(kernel_type, error) from None

    async def _provider(self, provider_id: str, kernel_type: str) -> KernelProviderBase:
        for slot in self._slots:
            if slot.id == provider_id:
                try:
                    return await slot.get()
                except Exception as error:  # of somebody else's import
                    raise NoSuchProvider(f"provider {provider_id!r} cannot be loaded: {error}") from error
        ids = ", ".join(slot.id for slot in self._slots) or "none at all"
        raise NoSuchProvider(f"{kernel_type!r} needs a provider {provider_id!r}; there are: {ids}")

    async def _no_such_kernel(self, kernel_type: str, error: NoSuchKernel) -> NoSuchKernel:
        """The provider's error with the names of all providers."""
        known: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(NEAR_NAMES_TIMEOUT):
                async for found, _ in self.find_kernels():
                    known.append(found)
        return NoSuchKernel(kernel_type, known=known, searched=error.searched)

    async def _search(self, slot: "_Slot", search: "KernelSearch") -> None:
        limit = asyncio.timeout(self.search_timeout)
        try:
            async with limit:
                provider = await slot.get()
                async with aclosing(iterate_found(provider)) as found:
                    async for name, info in found:
                        search.add(f"{slot.id}/{name}", info)
        except TimeoutError as error:
            text = f"gave no answer within {self.search_timeout:g} s" if limit.expired() else str(error)
            search.report(Problem(slot.id, text, error))
        except Exception as error:  # of somebody else's provider
            log.warning("Provider %r failed", slot.id, exc_info=error)
            search.report(Problem(slot.id, f"{type(error).__name__}: {error}", error))
        finally:
            search.end_one()


class KernelSearch:
    """A search under way: an async iterator of ``(kernel_type, KernelTypeInfo)``, in the order of finding.

    ``problems`` are the providers that failed or were too slow, complete when the iteration has ended.
    Cancelling a step is safe; a search that nobody reads to its end stops by its time limits.
    """

    def __init__(self, providers: int) -> None:
        self.problems: list[Problem] = []
        self._running = providers
        self._found: asyncio.Queue[tuple[str, KernelTypeInfo] | None] = asyncio.Queue()
        if not providers:
            self._found.put_nowait(None)

    def __aiter__(self) -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        return self

    async def __anext__(self) -> tuple[str, KernelTypeInfo]:
        item = await self._found.get()
        if item is None:
            self._found.put_nowait(None)
            raise StopAsyncIteration
        return item

    def add(self, kernel_type: str, info: KernelTypeInfo) -> None:
        """A kernel type was found."""
        self._found.put_nowait((kernel_type, info))

    def report(self, problem: Problem) -> None:
        """A provider failed."""
        self.problems.append(problem)

    def end_one(self) -> None:
        """A provider has finished."""
        self._running -= 1
        if not self._running:
            self._found.put_nowait(None)


class _Slot:
    """The place of one provider, which may not be loaded yet."""

    def __init__(
        self,
        provider_id: str,
        *,
        provider: KernelProviderBase | None = None,
        load: LoadProvider | None = None,
    ) -> None:
        self.id = provider_id
        self.provider = provider
        self._load = load
        self._loading: asyncio.Task[KernelProviderBase] | None = None

    async def get(self) -> KernelProviderBase:
        """The provider; imported in a thread, since that may take long or hang."""
        if self.provider is None:
            if self._loading is None or self._loading.done():
                self._loading = asyncio.create_task(self._load_provider())
            return await asyncio.shield(self._loading)
        return self.provider

    async def aclose(self) -> None:
        """Close the provider if it was loaded; stop loading it."""
        try:
            if self._loading is not None and not self._loading.done():
                self._loading.cancel()
                await asyncio.wait([self._loading])
        finally:
            if self.provider is not None:
                await self.provider.aclose()

    async def _load_provider(self) -> KernelProviderBase:
        assert self._load is not None, "a slot has a provider or a way to load one"
        load = self._load
        provider = _accept(await in_thread(lambda: load()(), name=f"load-provider-{self.id}"))
        if provider.id != self.id:
            raise TypeError(f"its entry point is called {self.id!r} and its id is {provider.id!r}")
        self.provider = provider
        return provider


async def _ended(tasks: "list[asyncio.Task[Any]]") -> None:
    """Wait for tasks, but not for ever, and log what went wrong in them."""
    if not tasks:
        return
    done, late = await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
    if late:
        log.warning("Providers did not close within %s s", CLOSE_TIMEOUT)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("A provider could not be closed: %s", error, exc_info=error)


def split_kernel_type(kernel_type: str) -> tuple[str, str]:
    """Provider id and name: ``"spec/python3"`` and ``"python3"`` both give ``("spec", "python3")``."""
    provider_id, slash, name = kernel_type.partition("/")
    return (provider_id, name) if slash else (DEFAULT_PROVIDER, kernel_type)


def _accept(provider: KernelProviderBase | BlockingProviderBase) -> KernelProviderBase:
    """Check what a class must have, and adapt one that blocks. Raises `TypeError`, naming what is missing."""
    kind = type(provider)
    base = BlockingProviderBase if isinstance(provider, BlockingProviderBase) else KernelProviderBase
    if not isinstance(provider, base):
        raise TypeError(f"{kind.__name__} is neither a KernelProviderBase nor a BlockingProviderBase")
    missing = missing_methods(kind, base, REQUIRED) + ([] if provider.id else ["id"])
    if missing:
        raise TypeError(f"{kind.__name__} lacks {' and '.join(missing)}")
    return provider.as_async() if isinstance(provider, BlockingProviderBase) else provider


async def iterate_found(provider: KernelProviderBase) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
    """The kernel types of a provider, whether it finds them in an async generator or an ordinary one."""
    found = provider.find_kernels()
    if isinstance(found, AsyncIterator):
        try:
            async for item in found:
                yield item
        finally:
            if isinstance(found, AsyncGenerator):
                await found.aclose()
    else:
        for item in found:
            yield item


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
    *, finder: KernelFinder | None = None
) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
    """All kernel types that can be launched here, as ``(kernel_type, KernelTypeInfo)``, as they are found.

    Problems with providers are logged; to have them as values, use `KernelFinder.find_kernels`. Cancelling a
    step ends the iteration; searches that still run end by themselves, within their time limits.
    """
    if finder is not None:
        search = finder.find_kernels()
        async for item in search:
            yield item
        for problem in search.problems:
            log.warning("%s", problem)
        return
    async with shared_finder() as shared, aclosing(find_kernels(finder=shared)) as found:
        async for item in found:
            yield item
