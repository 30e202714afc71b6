"""`KernelFinder`: finds kernel types through providers, and launches them by name."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..exceptions import BadConfiguration, LaunchError, NoSuchKernel, NoSuchProvider
from ..launching import Launched, LaunchRequest, RunningKernel, not_launched
from ..matching import Match, match_notebook
from ..matching.nearness import normal
from ..providerbase import BlockingProviderBase, KernelProviderBase
from .arrangement import Arrangement
from .changes import Changes
from .configuration import Configuration
from .configuring import as_configuration, as_problem, configure, misspelt_providers
from .entry_points import installed_providers
from .names import split_kernel_type
from .refreshing import INTERVAL, UNWATCHED_INTERVAL, keep_fresh
from .search import KernelSearch, Problem, as_exceptions, iterate
from .searching import Searcher
from .slots import Slot, accept

log = logging.getLogger(__name__)

SEARCH_TIMEOUT = 5.0
"""Seconds that one provider has for finding its kernel types."""

NEAR_NAMES_TIMEOUT = 1.0
"""Seconds that finding near names may hold up the error about an unknown kernel type."""

CLOSE_TIMEOUT = 5.0
"""Seconds that providers have for closing."""

CANCEL_TIMEOUT = 1.0
"""Seconds that those have for ending which are cancelled since they took longer."""


class KernelFinder:
    """Holds providers, each loaded when it is first needed, and belongs to one loop.

    ``providers`` are instances of `KernelProviderBase` or `BlockingProviderBase`; those written for the first
    version of this package still work, with a `DeprecationWarning`. ``config`` is a `Configuration`, what
    could be in its file, or a traitlets ``Config`` with a section for each provider's class.
    ``search_timeout`` is how many seconds each provider may search (by default what is configured, or
    `SEARCH_TIMEOUT`). An async context manager; `aclose` closes the providers.

    Raises `TypeError` for a provider without an id or without a method it needs, `ValueError` for two with
    the same id, `BadConfiguration` for options that cannot be meant.
    """

    def __init__(
        self,
        providers: Iterable[KernelProviderBase | BlockingProviderBase] = (),
        *,
        config: Configuration | Mapping[str, Any] | None = None,
        search_timeout: float | None = None,
    ) -> None:
        self._config = as_configuration(config)
        options = self._config.finder
        if search_timeout is not None and not search_timeout > 0:
            raise ValueError(f"search_timeout must be a number of seconds above 0, not {search_timeout!r}")
        self.search_timeout = search_timeout or options.search_timeout or SEARCH_TIMEOUT
        self._arrangement = Arrangement(hide=options.hide, order=options.order, rename=options.rename)
        self._searcher = Searcher(self._arrangement, self.search_timeout)
        self._problems: tuple[Problem, ...] = ()
        self._slots = []
        for provider in providers:
            accepted = accept(provider)
            configure(accepted, self._config)
            self._slots.append(Slot(accepted.id, provider=accepted))
        self._tasks: set[asyncio.Task[None]] = set()
        self._refresh: asyncio.Task[None] | None = None
        self._closed = False
        for provider_id, count in Counter(slot.id for slot in self._slots).items():
            if count > 1:
                raise ValueError(f"{count} providers have the id {provider_id!r}")

    @classmethod
    def from_entrypoints(
        cls,
        *,
        config: Configuration | Mapping[str, Any] | None = None,
        search_timeout: float | None = None,
    ) -> Self:
        """A finder for all installed providers: entry points of the group `ENTRY_POINT_GROUP`.

        No provider is imported yet; the name of an entry point is the id of its provider. Without ``config``
        the files of Jupyter's configuration path are read. Where they are wrong, nothing in them counts, and
        that is one of the problems of each search; so is the id of a provider that seems misspelt.
        """
        problems: tuple[Problem, ...] = ()
        if config is None:
            try:
                config = Configuration.load()
            except BadConfiguration as error:
                log.warning("The configuration is not used: %s", error)
                problems = (as_problem(error, "the configuration is not used: "),)
        finder, installed = cls(config=config, search_timeout=search_timeout), installed_providers()
        wrong = [as_problem(error) for error in misspelt_providers(finder._config, installed)]
        finder._problems = (*problems, *wrong)
        finder._slots = [
            Slot(name, load=load, configure=lambda provider: configure(provider, finder._config))
            for name, load in installed.items()
        ]
        return finder

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End searches that still run and close the providers, within `CLOSE_TIMEOUT` and `CANCEL_TIMEOUT`.

        Kernels that were launched are not ended. May be called again; cancelling it is safe.
        """
        self._closed = True
        self._searcher.close()
        for task in self._tasks:
            task.cancel()
        closing = [asyncio.create_task(slot.aclose(), name=f"close-{slot.id}") for slot in self._slots]
        ending: list[asyncio.Task[Any]] = [*closing, *self._tasks]
        try:
            # Not a gather: cancelling one ends what has not begun.
            late = await _ended(ending)
        except asyncio.CancelledError:
            for task in ending:
                task.cancel()
            await _ended(ending)
            raise
        else:
            for task in late:
                task.cancel()
            await _ended(late, CANCEL_TIMEOUT)
        finally:
            for task in ending:
                task.cancel()

    def find_kernels(self, *, near: Path | None = None) -> KernelSearch:
        """Search with all providers at once. Iterate over the result, and look at its ``.problems`` then.

        ``near`` is an absolute directory: environments of the project that it is in are found too, and can be
        launched by this finder from then on (`KernelProviderBase.look_near`).

        What a provider found before is given again while nothing has changed of what it watches
        (`KernelProviderBase.watched`), nor this process's directory and variables. One that did not answer in
        time is not asked again for half a minute, and twice as long each time, up to an hour.

        Raises `RuntimeError` when the finder is closed, `ValueError` for a relative ``near``.
        """
        self._check_open()
        if near is not None:
            if not near.is_absolute():
                raise ValueError(f"near must be an absolute directory, not {str(near)!r}")
            near = normal(near)  # what is above "a/.." is not what is above it on the disk
        slots = self._shown_slots()
        search = self._searcher.new_search(len(slots), self._problems)
        for slot in slots:
            task = self._start(self._searcher.search(slot, search, near=near), f"find-kernels-{slot.id}")
            task.add_done_callback(lambda _: search.end_one())  # also if it never begins
        return search

    async def refresh(self) -> None:
        """Have every provider forget what it found, so that the next search looks anew.

        Cancelling it is safe. What goes wrong is logged, and shows again in the next search.
        """
        tasks = [self._start(self._searcher.refresh(slot), f"refresh-{slot.id}") for slot in self._slots]
        if tasks:
            await asyncio.wait(tasks)

    def start_refresh(
        self, interval: float = INTERVAL, *, unwatched_interval: float = UNWATCHED_INTERVAL
    ) -> None:
        """Keep what is found up to date in the background, and tell `changes`, until `aclose`.

        Every ``interval`` seconds is looked at the times of what each provider watches, and searched where
        something has changed; a provider that watches nothing is asked every ``unwatched_interval`` seconds.
        Meanwhile `find_kernels` answers at once with what was found last by one that watches something,
        unless its last search failed.

        May be called again, for other intervals. Raises `RuntimeError` when the finder is closed.
        """
        self._check_open()
        keeping = self._keep_fresh(self._refresh, interval, unwatched_interval)
        self._refresh = self._start(keeping, "refresh-kernel-types")

    def changes(self) -> Changes:
        """A stream of what is added, removed and changed from now on, as searches find it (`start_refresh`).

        Each provider's first complete search is what the next one is compared with, and makes no changes. A
        provider that fails takes nothing away.
        """
        return self._searcher.changes()

    async def launch(self, kernel_type: str, request: LaunchRequest) -> Launched:
        """Start a kernel of a type like ``"spec/python3"``; ``"python3"`` alone means the same.

        Raises `NoSuchKernel` (also a `KeyError`, with near names and the places searched),
        `NoSuchProvider`, `LaunchError` or `Unsupported`. Cancelling it leaves nothing behind.
        """
        provider_id, name = split_kernel_type(kernel_type)
        provider = await self._provider(provider_id, kernel_type)
        try:
            launched = await provider.launch(name, request)
        except NoSuchKernel as error:
            raise await self._no_such_kernel(kernel_type, error) from None
        if wrong := not_launched(launched):
            raise LaunchError(f"provider {provider_id!r} is broken: {wrong}")
        launched.kernel_type = f"{provider_id}/{name}"
        return launched

    async def match_notebook(self, metadata: Mapping[str, Any], *, path: Path | None = None) -> list[Match]:
        """The kernel types that fit a notebook's metadata, best first, each with its reason.

        ``path`` is the notebook's file, absolute: its project's own environment is near it, and found. See
        `jupyter_kernel_mgmt.matching.match_notebook`, and `best` for whether the first is clear. Cancelling
        it is safe.
        """
        # Nothing is near a relative path.
        near = path.parent if path is not None and path.is_absolute() else None
        search = self.find_kernels(near=near)
        return match_notebook(metadata, await search.ordered(), path=path)

    async def resources(self, kernel_type: str) -> Sequence[str]:
        """The names of the files that belong to a kernel type.

        Raises `NoSuchKernel` or `NoSuchProvider`. Cancelling it is safe.
        """
        provider_id, name = split_kernel_type(kernel_type)
        return await (await self._provider(provider_id, kernel_type)).resources(name)

    async def resource(self, kernel_type: str, filename: str) -> bytes:
        """The content of one of these files, wherever it is.

        Raises `NoSuchKernel`, `NoSuchProvider` or `NoSuchResource`. Cancelling it is safe.
        """
        provider_id, name = split_kernel_type(kernel_type)
        return await (await self._provider(provider_id, kernel_type)).resource(name, filename)

    async def find_running(self) -> AsyncGenerator[RunningKernel, None]:
        """The kernels that providers have running already, one provider after the other.

        Problems with providers are logged. Cancelling a step ends the iteration.
        """
        for slot in self._slots:
            try:
                with as_exceptions():
                    async with asyncio.timeout(self.search_timeout):
                        provider = await slot.get()
                        found = [_of_finder(kernel) async for kernel in iterate(provider.find_running())]
            except Exception:  # of somebody else's provider
                log.warning("Provider %r could not say what is running", slot.id, exc_info=True)
                continue
            for kernel in found:
                yield kernel

    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        """Take up a kernel that runs, from what `Launched.to_dict` or `find_running` gave.

        Give the result to `connect`, whose `Kernel` lets it go on. Raises `LaunchError` for a kernel that is
        gone, `NoSuchProvider`, `Unsupported`, and `ValueError` for what is no record. Cancelling it is safe.
        """
        if not isinstance(record, Mapping):
            raise ValueError(f"a record is a mapping, not {record!r}")
        kernel_type = record.get("kernel_type")
        if not isinstance(kernel_type, str) or not kernel_type:
            raise ValueError("the record names no kernel_type: it is of no kernel that a finder launched")
        provider_id, _ = split_kernel_type(kernel_type)
        launched = await (await self._provider(provider_id, kernel_type)).adopt(record)
        launched.kernel_type = kernel_type
        return launched

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the finder is closed")

    def _shown_slots(self) -> list[Slot]:
        return [slot for slot in self._slots if not self._arrangement.hides_all_of(slot.id)]

    async def _keep_fresh(
        self, former: "asyncio.Task[None] | None", interval: float, unwatched_interval: float
    ) -> None:
        """In the place of a task that did so."""
        if former is not None:
            former.cancel()
            await asyncio.wait([former])
        await keep_fresh(self._shown_slots(), self._searcher, interval, unwatched_interval)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _provider(self, provider_id: str, kernel_type: str) -> KernelProviderBase:
        for slot in self._slots:
            if slot.id == provider_id:
                return await slot.loaded()
        ids = ", ".join(slot.id for slot in self._slots) or "none at all"
        raise NoSuchProvider(f"{kernel_type!r} needs a provider {provider_id!r}; there are: {ids}")

    async def _no_such_kernel(self, kernel_type: str, error: NoSuchKernel) -> NoSuchKernel:
        """The provider's error with the names of all providers."""
        known: list[str] = []
        with suppress(TimeoutError, RuntimeError):  # the finder may be closed, and a kernel of it go on
            async with asyncio.timeout(NEAR_NAMES_TIMEOUT):
                async for found, _ in self.find_kernels():
                    known.append(found)
        return NoSuchKernel(kernel_type, known=known, searched=error.searched)


def _of_finder(kernel: RunningKernel) -> RunningKernel:
    """With its type in the record, which the finder needs to adopt it."""
    return replace(kernel, record={**kernel.record, "kernel_type": kernel.kernel_type})


async def _ended(
    tasks: "Collection[asyncio.Task[Any]]", seconds: float | None = None
) -> "set[asyncio.Task[Any]]":
    """Wait for tasks, but not for ever, and log what went wrong in them; returns those that are late."""
    if not tasks:
        return set()
    seconds = CLOSE_TIMEOUT if seconds is None else seconds
    done, late = await asyncio.wait(tasks, timeout=seconds)
    if late:
        log.warning("Providers did not close within %s s", seconds)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("A provider could not be closed: %s", error, exc_info=error)
    return late
