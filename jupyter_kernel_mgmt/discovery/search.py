"""`KernelSearch`: one search under way, and what went wrong in it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ..launching import KernelTypeInfo
from ..providerbase import KernelProviderBase
from .arrangement import Arrangement

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """A provider that could not be loaded, or whose search failed or took too long.

    ``provider`` is empty where it is the configuration of the finder that is wrong.
    """

    provider: str
    text: str
    error: Exception | None = None

    @property
    def where(self) -> str:
        """Whose problem it is, in words."""
        return f"provider {self.provider!r}" if self.provider else "configuration"

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.provider else self.text


class KernelSearch:
    """A search under way: an async iterator of ``(kernel_type, KernelTypeInfo)``, in the order of finding.

    What is hidden by configuration is left out, and display names are those that are configured.
    ``problems`` are the providers that failed or were too slow, complete when the iteration has ended.
    Cancelling a step is safe; a search that nobody reads to its end stops by its time limits.
    """

    def __init__(self, providers: int, arrangement: Arrangement, problems: Iterable[Problem] = ()) -> None:
        self.problems = list(problems)
        self._arrangement = arrangement
        self._running = providers
        self._found: deque[tuple[str, KernelTypeInfo]] = deque()
        self._changed = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        return self

    async def __anext__(self) -> tuple[str, KernelTypeInfo]:
        while not self._found:
            if not self._running:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._found.popleft()

    async def ordered(self) -> dict[str, KernelTypeInfo]:
        """All that is left to find, when it is found: in the order that is configured, else by name."""
        return self._arrangement.ordered([item async for item in self])

    def add(self, kernel_type: str, info: KernelTypeInfo) -> None:
        """A kernel type was found."""
        shown = self._arrangement.shown(kernel_type, info)
        if shown is not None:
            self._found.append((kernel_type, shown))
            self._changed.set()

    def report(self, problem: Problem) -> None:
        """A provider failed."""
        self.problems.append(problem)

    def end_one(self) -> None:
        """A provider has finished."""
        self._running -= 1
        self._changed.set()


@contextmanager
def as_exceptions() -> Iterator[None]:
    """What somebody else's code raises as an `Exception`, also a cancellation that nobody here asked for."""
    try:
        yield
    except (Exception, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise RuntimeError(f"it raised {error!r}, which is no Exception") from error


def iterate_found(provider: KernelProviderBase) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
    """The kernel types of a provider, whether it finds them in an async generator or an ordinary one."""
    return iterate(provider.find_kernels())


async def iterate(found: AsyncIterator[T] | Iterable[T]) -> AsyncGenerator[T, None]:
    """The items of an async iterator, or of an ordinary iterable."""
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
