"""What `check_provider` asks of those that have kernels running: they are found and taken up again."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from ..exceptions import LaunchError, Unsupported
from ..launching import Launched, LaunchRequest, RunningKernel
from ..managerbase import KernelManagerBase
from ..opening import connect
from ..providerbase import KernelProviderBase
from ._launch_checks import close_launched
from ._promises import overrides, require, within


async def check_adopting(
    provider: KernelProviderBase, name: str, params: dict[str, Any], timeout: float
) -> None:
    """Launch a kernel, find it running, adopt it, let it go, adopt it again and end it.

    Nothing is asked of a provider that has neither ``find_running`` nor ``adopt`` of its own.
    """
    finds, adopts = (overrides(provider, method) for method in ("find_running", "adopt"))
    if not finds and not adopts:
        return
    require(adopts, "give the provider a method adopt: what find_running() yields is to be adopted")
    launched = await within(timeout, provider.launch(name, LaunchRequest(launch_params=params)), "launch()")
    launched.kernel_type = f"{provider.id}/{name}"  # as a finder does
    try:
        async with connect(launched, startup_timeout=timeout):
            pass  # until it is ready
        records = [_record(launched)]
        if finds:
            records.append((await _found(provider, launched, timeout)).record)
        for record in records:
            await _check_let_go(provider, launched, record, timeout)
        await _check_taken_over(provider, launched, records[0], timeout)
    finally:
        await close_launched(launched)
    await _check_dead(provider, records, finds=finds, timeout=timeout)
    for garbage in ({}, {"no": "record"}, dict.fromkeys(records[0])):
        await _check_refused(provider, garbage, ValueError, "what is no record", timeout)


def _record(launched: Launched) -> Mapping[str, Any]:
    try:
        record = launched.to_dict()
    except Unsupported as error:
        raise AssertionError(
            f"give the manager a to_dict() with what adopt() needs to find its process again: {error}"
        ) from error
    return _through_json(record, "Launched.to_dict()")


def _through_json(record: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """As after a way through a file."""
    try:
        read: Mapping[str, Any] = json.loads(json.dumps(record))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"make {what} of JSON values only: {error}") from error
    require(read == dict(record), f"make {what} of values that JSON gives back as they were, so no tuples")
    return read


async def _found(provider: KernelProviderBase, launched: Launched, timeout: float) -> RunningKernel:
    running = await within(timeout, _running(provider), "find_running()")
    for kernel in running:
        require(
            isinstance(kernel, RunningKernel),
            f"let find_running() yield RunningKernel, not a {type(kernel).__name__}",
        )
        _through_json(kernel.record, "the record of a RunningKernel")
    mine = [kernel for kernel in running if kernel.kernel_id == _manager(launched).kernel_id]
    require(mine, "let find_running() yield every kernel that was launched and runs, by its kernel_id")
    require(len(mine) == 1, f"let find_running() yield each kernel once; it came {len(mine)} times")
    require(
        mine[0].kernel_type == launched.kernel_type,
        f"give a RunningKernel the kernel_type with the provider's id, {launched.kernel_type!r}, "
        f"not {mine[0].kernel_type!r}",
    )
    return mine[0]


async def _running(provider: KernelProviderBase) -> list[RunningKernel]:
    found = provider.find_running()
    if isinstance(found, AsyncIterator):
        return [kernel async for kernel in found]
    return list(found)


async def _check_let_go(
    provider: KernelProviderBase, launched: Launched, record: Mapping[str, Any], timeout: float
) -> None:
    """Who adopts it can use it, and may leave it again."""
    async with AsyncExitStack() as stack:
        adopted = await _adopt(provider, launched, record, stack, timeout)
        manager = _manager(adopted)
        alive = await within(timeout, manager.is_alive(), "is_alive() of an adopted kernel")
        require(alive is True, "return True from is_alive() of an adopted kernel that runs")
        async with connect(adopted, startup_timeout=timeout) as kernel:
            await within(timeout, kernel.execute(""), "an execution in an adopted kernel")
    alive = await within(timeout, _manager(launched).is_alive(), "is_alive()")
    require(alive is True, "let an adopted kernel go on in its manager's aclose(): it was ended")
    await within(timeout, manager.aclose(), "a second aclose() of an adopted kernel's manager")


async def _check_taken_over(
    provider: KernelProviderBase, launched: Launched, record: Mapping[str, Any], timeout: float
) -> None:
    """Who adopts it may end it, and hears of its end."""
    async with AsyncExitStack() as stack:
        manager = _manager(await _adopt(provider, launched, record, stack, timeout))
        await within(timeout, manager.kill(), "kill() of an adopted kernel")
        await within(timeout, manager.wait(), "wait() after kill() of an adopted kernel")
        alive = await within(timeout, manager.is_alive(), "is_alive() of an adopted kernel that has ended")
        require(alive is False, "return False from is_alive() of an adopted kernel that has ended")
    await within(timeout, _manager(launched).wait(), "wait() of the first manager, after the other's kill(),")


async def _adopt(
    provider: KernelProviderBase,
    launched: Launched,
    record: Mapping[str, Any],
    stack: AsyncExitStack,
    timeout: float,
) -> Launched:
    """Adopt it; the stack closes what came of it."""
    try:
        adopted = await within(timeout, provider.adopt(record), "adopt()")
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"let adopt() take up a kernel that runs; it raised {error!r}") from error
    stack.push_async_callback(close_launched, adopted)
    require(isinstance(adopted, Launched), f"return a Launched from adopt(), not a {type(adopted).__name__}")
    require(adopted.manager is not None, "give what adopt() returns a manager, like a new one's")
    wanted, got = _manager(launched).kernel_id, _manager(adopted).kernel_id
    require(got == wanted, f"give an adopted kernel the kernel_id it has, {wanted!r}, not {got!r}")
    require(
        adopted.interrupt_mode == launched.interrupt_mode,
        f"keep the interrupt_mode in adopt(): it was {launched.interrupt_mode!r}",
    )
    return adopted


async def _check_dead(
    provider: KernelProviderBase, records: list[Mapping[str, Any]], *, finds: bool, timeout: float
) -> None:
    for record in records:
        await _check_refused(provider, record, LaunchError, "a kernel that is gone", timeout)
    if finds:
        gone = records[0]["kernel_id"]
        running = await within(timeout, _running(provider), "find_running()")
        require(
            all(kernel.kernel_id != gone for kernel in running),
            "leave out of find_running() what has ended",
        )


async def _check_refused(
    provider: KernelProviderBase,
    record: Mapping[str, Any],
    error_type: type[Exception],
    what: str,
    timeout: float,
) -> None:
    wanted = f"raise {error_type.__name__} from adopt() for {what}"
    try:
        adopted = await within(timeout, provider.adopt(record), f"adopt() of {what}")
    except error_type:
        return
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{wanted}; it raised {error!r}") from error
    await close_launched(adopted)
    raise AssertionError(f"{wanted}; it returned {type(adopted).__name__}")


def _manager(launched: Launched) -> KernelManagerBase:
    assert launched.manager is not None, "it was required before"
    return launched.manager
