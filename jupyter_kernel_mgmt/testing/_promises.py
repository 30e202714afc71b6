"""What the conformance checks share: each raises `AssertionError` with a sentence that says what to do."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ..kernelspec.places import KERNEL_NAME
from ..managerbase import missing_methods
from ..providerbase import BlockingProviderBase, KernelProviderBase, ThreadedProvider

T = TypeVar("T")


def require(kept: object, what_to_do: str) -> None:
    """An assertion that also holds where Python runs without them."""
    if not kept:
        raise AssertionError(what_to_do)


def is_name(value: object) -> bool:
    """Whether this may be the name of a kernel type or the id of a provider."""
    return isinstance(value, str) and KERNEL_NAME.fullmatch(value) is not None


def overrides(provider: KernelProviderBase, method: str) -> bool:
    """Whether a provider, or the blocking one that it runs in threads, has a method of its own."""
    if isinstance(provider, ThreadedProvider):
        return not missing_methods(type(provider.blocking), BlockingProviderBase, (method,))
    return not missing_methods(type(provider), KernelProviderBase, (method,))


async def within(timeout: float, awaitable: Awaitable[T], what: str) -> T:
    """What comes of something that promised to end; its own `TimeoutError` passes."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise AssertionError(f"make {what} end; it took more than {timeout:g} s") from error
