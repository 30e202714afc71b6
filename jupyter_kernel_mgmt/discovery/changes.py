"""`Changes`: a stream of kernel types that come, go and change."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..launching import KernelTypeInfo


@dataclass(frozen=True, slots=True)
class KernelTypeChange:
    """A kernel type was added, removed or changed; ``info`` is of the new state, or the last one."""

    kind: Literal["added", "removed", "changed"]
    kernel_type: str
    info: KernelTypeInfo


def differences(
    before: Mapping[str, KernelTypeInfo], after: Mapping[str, KernelTypeInfo]
) -> Iterator[KernelTypeChange]:
    """What has to happen to one set of kernel types to make it the other. Pure."""
    for name, info in before.items():
        if name not in after:
            yield KernelTypeChange("removed", name, info)
    for name, info in after.items():
        if name not in before:
            yield KernelTypeChange("added", name, info)
        elif before[name] != info:
            yield KernelTypeChange("changed", name, info)


class Changes:
    """Changes from the moment this was made: an async iterator, which ends with its finder or `close`.

    Cancelling a step is safe. Each reader needs one of its own.
    """

    def __init__(self, forget: Callable[["Changes"], None]) -> None:
        self._arrived: asyncio.Queue[KernelTypeChange | None] = asyncio.Queue()
        self._forget = forget

    def __aiter__(self) -> AsyncIterator[KernelTypeChange]:
        return self

    async def __anext__(self) -> KernelTypeChange:
        change = await self._arrived.get()
        if change is None:
            self._arrived.put_nowait(None)
            raise StopAsyncIteration
        return change

    def add(self, change: KernelTypeChange) -> None:
        """Something has changed."""
        self._arrived.put_nowait(change)

    def close(self) -> None:
        """End the stream, after what has arrived already."""
        self._forget(self)
        self._arrived.put_nowait(None)
