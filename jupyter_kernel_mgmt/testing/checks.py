"""Does a provider, or a manager, keep the promises of its base class? For the tests of those who write one.

What is promised is in the docstrings of `KernelProviderBase` and `KernelManagerBase`. Each check raises
`AssertionError` with a sentence that says what to do.
"""

import asyncio
import signal as signals
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from ..discovery import _iterate
from ..exceptions import NoSuchKernel, Unsupported
from ..kernel import Kernel
from ..kernelspec import KERNEL_NAME
from ..launching import ExitInfo, KernelTypeInfo, Launched, LaunchRequest
from ..managerbase import BlockingManagerBase, KernelManagerBase, missing_methods
from ..providerbase import REQUIRED, BlockingProviderBase, KernelProviderBase
from ._residue import Residue

T = TypeVar("T")

MANAGER_METHODS = ("is_alive", "wait", "signal", "aclose")
UNKNOWN_NAME = "no-such-kernel-type"
UNKNOWN_PARAMETER = "no_such_launch_parameter"

ManagerFactory = Callable[[], Awaitable[KernelManagerBase | BlockingManagerBase]]
"""Async callable: starts a new kernel, owned by us, and gives its manager."""


async def check_provider(
    provider: KernelProviderBase | BlockingProviderBase,
    *,
    kernel_name: str | None = None,
    launch_params: Mapping[str, Any] | None = None,
    takes_any_parameter: bool = False,
    timeout: float = 60.0,
) -> None:
    """Check a provider by finding, launching, managing and cancelling kernels of it; it stays open.

    ``kernel_name`` is the type to launch (by default the first that is found), with ``launch_params``;
    ``takes_any_parameter`` says that unknown ones are no mistake. No step may take longer than ``timeout``
    seconds. Starts about ten kernels, and leaves none when it is cancelled.

    Raises `AssertionError` for the first promise that is not kept.
    """
    adapted = _check_class(provider)
    names = await _check_search(adapted, timeout)
    name = kernel_name or next(iter(names), None)
    if name is None:
        raise AssertionError(
            "find_kernels() found nothing to launch: install a kernel type, or give kernel_name="
        )
    params = dict(launch_params or {})

    async def launch(request: LaunchRequest | None = None) -> Launched:
        request = request or LaunchRequest(launch_params=params)
        return await _within(timeout, adapted.launch(name, request), "launch()")

    async def new_manager() -> KernelManagerBase:
        launched = await launch()
        assert launched.manager is not None, "it was required before"
        try:
            if launched.channels is not None:
                await launched.channels.aclose(discard=True)
        except BaseException:
            await launched.manager.aclose()
            raise
        return launched.manager

    await _check_unknown_name(adapted, timeout)
    await _check_launched(launch, params, timeout)
    await _check_launched_again(launch, params, timeout)
    if not takes_any_parameter:
        await _check_unknown_parameter(launch, params)
    await check_manager(new_manager, timeout=timeout)
    await _check_cancelled_launch(lambda: adapted.launch(name, LaunchRequest(launch_params=params)), timeout)


async def check_manager(factory: ManagerFactory, *, timeout: float = 60.0) -> None:
    """Check the managers that ``factory`` makes, each of a new kernel of ours; three are made.

    ``factory`` is an async callable without arguments. No step may take longer than ``timeout`` seconds.

    Raises `AssertionError` for the first promise that is not kept.
    """
    async with _managed(factory, timeout) as manager:
        await _check_alive(manager, timeout)
        await _check_killed(manager, timeout)
        await _check_after_the_end(manager, timeout)
        await _within(timeout, manager.aclose(), "aclose() after the end")
        await _within(timeout, manager.aclose(), "a second aclose()")
        await _check_after_the_end(manager, timeout)
    async with _managed(factory, timeout) as manager:
        await _check_close(manager, timeout)
    async with _managed(factory, timeout) as manager:
        await _check_cancelled_close(manager, timeout)


# Providers


def _check_class(provider: KernelProviderBase | BlockingProviderBase) -> KernelProviderBase:
    kind = type(provider).__name__
    blocking = isinstance(provider, BlockingProviderBase)
    base = BlockingProviderBase if blocking else KernelProviderBase
    _require(isinstance(provider, base), f"derive {kind} from KernelProviderBase or BlockingProviderBase")
    missing = missing_methods(type(provider), base, REQUIRED)
    _require(not missing, f"give {kind} a method {' and '.join(missing)}")
    _require(
        _is_name(provider.id),
        f"give {kind} an id of letters, digits and '._-', the same as the name of its entry point; "
        f"it is {provider.id!r}",
    )
    return provider.as_async() if isinstance(provider, BlockingProviderBase) else provider


async def _check_search(provider: KernelProviderBase, timeout: float) -> dict[str, KernelTypeInfo]:
    first = await _within(timeout, _search(provider), "find_kernels()")
    again = await _within(timeout, _search(provider), "a second find_kernels()")
    _require(
        first.keys() == again.keys(),
        f"let find_kernels() find the same each time; it found {sorted(first)} and then {sorted(again)}",
    )
    await _within(timeout, _give_up_search(provider), "a find_kernels() that is given up after one item")
    return first


async def _search(provider: KernelProviderBase) -> dict[str, KernelTypeInfo]:
    found: dict[str, KernelTypeInfo] = {}
    async for item in _iterate(provider):
        pair: object = item
        _require(
            isinstance(pair, tuple) and len(pair) == 2,
            f"let find_kernels() yield pairs (name, KernelTypeInfo), not {item!r}",
        )
        name, info = item
        _require(_is_name(name), f"let find_kernels() yield names of letters, digits and '._-', not {name!r}")
        _require(name not in found, f"let find_kernels() yield each name once; {name!r} came twice")
        _require(
            isinstance(info, KernelTypeInfo),
            f"let find_kernels() yield a KernelTypeInfo beside {name!r}, not a {type(info).__name__}",
        )
        _require(info.display_name, f"give the kernel type {name!r} a display_name: users choose by it")
        found[name] = info
    return found


async def _give_up_search(provider: KernelProviderBase) -> None:
    search = _iterate(provider)
    async for _ in search:
        break
    await search.aclose()


async def _check_unknown_name(provider: KernelProviderBase, timeout: float) -> None:
    attempt = provider.launch(UNKNOWN_NAME, LaunchRequest())
    try:
        launched = await _within(timeout, attempt, "launch() of an unknown name")
    except NoSuchKernel:
        return
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(f"raise NoSuchKernel from launch() for an unknown name, not {kind}") from error
    await _close(launched)
    raise AssertionError("raise NoSuchKernel from launch() for an unknown name; it launched something")


async def _check_launched(
    launch: Callable[[LaunchRequest], Awaitable[Launched]], params: dict[str, Any], timeout: float
) -> None:
    """What came back belongs to the request, and a client can talk to it until it is closed."""
    request = LaunchRequest(launch_params=params)
    launched = await launch(request)
    try:
        _require(
            isinstance(launched, Launched),
            f"return a Launched from launch(), not a {type(launched).__name__}",
        )
        manager = launched.manager
        _require(manager is not None, "give Launched a manager: the kernel is ours to end")
        assert manager is not None, "it was just required"
        _require(
            manager.kernel_id == request.kernel_id,
            f"give the manager the kernel_id of the request; it has {manager.kernel_id!r}",
        )
    except BaseException:
        await _close(launched)
        raise
    async with await Kernel.from_launched(launched, startup_timeout=timeout) as kernel:
        assert kernel.kernel_id == request.kernel_id
    _require(not await manager.is_alive(), "end the kernel in the manager's aclose(): it outlived its Kernel")


async def _check_launched_again(
    launch: Callable[[LaunchRequest], Awaitable[Launched]], params: dict[str, Any], timeout: float
) -> None:
    """A restart: the same kernel_id, and the manager of the old process is closed after the new one came."""
    request = LaunchRequest(launch_params=params)
    launched = [await launch(request)]
    try:
        first = launched[0].manager
        assert first is not None, "it was required before"
        await _within(timeout, first.kill(), "kill()")
        await _within(timeout, first.wait(), "wait() after kill()")
        launched.append(await launch(replace(request, previous=launched[0])))
        await _close(launched.pop(0))
        second = launched[0].manager
        assert second is not None, "it was required before"
        _require(
            await _within(timeout, second.is_alive(), "is_alive()"),
            "let each launch have a process of its own, by another name than the kernel_id, which a "
            "restarted kernel keeps: closing the manager of the old process ended the new one",
        )
        _require(
            second.kernel_id == request.kernel_id,
            "give the manager of a restarted kernel the kernel_id of the request",
        )
    finally:
        for one in launched:
            await _close(one)


async def _check_unknown_parameter(
    launch: Callable[[LaunchRequest], Awaitable[Launched]], params: dict[str, Any]
) -> None:
    try:
        launched = await launch(LaunchRequest(launch_params={**params, UNKNOWN_PARAMETER: 1}))
    except Unsupported as error:
        _require(
            error.option == "launch_params",
            "name the field of the LaunchRequest in Unsupported: the option for a launch parameter is "
            f"'launch_params', not {error.option!r}",
        )
        return
    await _close(launched)
    raise AssertionError(
        "raise Unsupported('launch_params', …) for a launch parameter that nothing uses, or say "
        "takes_any_parameter=True: an option is never ignored in silence"
    )


async def _check_cancelled_launch(launch: Callable[[], Awaitable[Launched]], timeout: float) -> None:
    """Cancel launches early, later and just before their end; nothing of them stays."""
    before = Residue.now()
    for turns in (0, 1, 2, 5):
        await _cancel_launch(launch, turns, timeout)
    left = await before.wait_for_less(timeout)
    _require(not left, f"leave nothing behind when launch() is cancelled; there was still {left}")


async def _cancel_launch(launch: Callable[[], Awaitable[Launched]], turns: int, timeout: float) -> None:
    """Cancel a launch after some turns of the loop; one that had finished is closed."""

    async def launch_and_close() -> None:
        await _close(await launch())

    task = asyncio.create_task(launch_and_close())
    try:
        for _ in range(turns):
            await asyncio.sleep(0)
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=timeout)
    _require(task.done(), f"let launch() end when it is cancelled; it went on for {timeout:g} s")
    if not task.cancelled():
        task.result()


async def _close(launched: object) -> None:
    if isinstance(launched, Launched):
        try:
            if launched.channels is not None:
                await launched.channels.aclose(discard=True)
        finally:
            if launched.manager is not None:
                await launched.manager.aclose()


# Managers


@asynccontextmanager
async def _managed(factory: ManagerFactory, timeout: float) -> AsyncGenerator[KernelManagerBase, None]:
    made = await _within(timeout, factory(), "the factory")
    base = BlockingManagerBase if isinstance(made, BlockingManagerBase) else KernelManagerBase
    kind = type(made).__name__
    _require(isinstance(made, base), f"derive {kind} from KernelManagerBase or BlockingManagerBase")
    missing = missing_methods(type(made), base, MANAGER_METHODS)
    _require(not missing, f"give {kind} a method {' and '.join(missing)}")
    manager = made.as_async() if isinstance(made, BlockingManagerBase) else made
    try:
        yield manager
    finally:
        await manager.aclose()


async def _check_alive(manager: KernelManagerBase, timeout: float) -> None:
    kind = type(manager).__name__
    _require(manager.kernel_id, f"give {kind} the kernel_id of the launch request")
    alive = await _within(timeout, manager.is_alive(), "is_alive()")
    _require(alive is True, f"return True from is_alive() of a kernel that runs, not {alive!r}")
    tail = await _within(timeout, manager.output_tail(), "output_tail()")
    _require(isinstance(tail, str), f"return text from output_tail(), not a {type(tail).__name__}")
    given_up = asyncio.ensure_future(manager.wait())
    await asyncio.sleep(0)
    _require(not given_up.done(), "let wait() wait as long as the kernel runs")
    given_up.cancel()
    await _within(timeout, asyncio.wait([given_up]), "a wait() that is cancelled")
    alive = await _within(timeout, manager.is_alive(), "is_alive()")
    _require(alive is True, "leave the kernel alone when a wait() is cancelled")


async def _check_killed(manager: KernelManagerBase, timeout: float) -> None:
    """Every waiter hears of the end, also one beside another that was cancelled."""
    waiting = [asyncio.ensure_future(manager.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    try:
        await _within(timeout, manager.kill(), "kill()")
        first, second = await _within(timeout, asyncio.gather(*waiting[1:]), "wait() after kill()")
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    _require(isinstance(first, ExitInfo), f"return an ExitInfo from wait(), not a {type(first).__name__}")
    _require(first == second, f"give all callers of wait() the same answer; they got {first} and {second}")


async def _check_after_the_end(manager: KernelManagerBase, timeout: float) -> None:
    alive = await _within(timeout, manager.is_alive(), "is_alive() after the end")
    _require(alive is False, f"return False from is_alive() once wait() has answered, not {alive!r}")
    info = await _within(timeout, manager.wait(), "wait() after the end")
    _require(isinstance(info, ExitInfo), "answer wait() after the end too, and after aclose()")
    await _within(timeout, manager.output_tail(), "output_tail() after the end")
    for method in (manager.interrupt, manager.terminate, manager.kill):
        await _harmless(method(), f"{method.__name__}()", timeout)
    await _harmless(manager.signal(signals.SIGINT), "signal()", timeout)


async def _harmless(call: Awaitable[None], what: str, timeout: float) -> None:
    try:
        await _within(timeout, call, f"{what} after the end")
    except Unsupported:  # as it may always be
        return
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"do nothing in {what} when the kernel is gone; it raised {error!r}") from error


async def _check_close(manager: KernelManagerBase, timeout: float) -> None:
    waiting = asyncio.ensure_future(manager.wait())
    await asyncio.sleep(0)
    try:
        await _within(timeout, manager.aclose(), "aclose()")
        await asyncio.wait([waiting], timeout=timeout)
        _require(waiting.done(), "let wait() answer when aclose() ends the kernel")
        _require(
            not waiting.cancelled() and waiting.exception() is None,
            "let wait() answer with an ExitInfo when aclose() ends the kernel; it was cancelled or raised",
        )
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])
    await _check_after_the_end(manager, timeout)
    await _within(timeout, manager.aclose(), "a second aclose()")


async def _check_cancelled_close(manager: KernelManagerBase, timeout: float) -> None:
    closing = asyncio.ensure_future(manager.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await _within(timeout, asyncio.wait([closing]), "an aclose() that is cancelled")
    await _within(timeout, manager.wait(), "wait() after an aclose() that was cancelled")
    await _check_after_the_end(manager, timeout)


def _require(kept: object, what_to_do: str) -> None:
    """An assertion that also holds where Python runs without them."""
    if not kept:
        raise AssertionError(what_to_do)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and KERNEL_NAME.fullmatch(value) is not None


async def _within(timeout: float, awaitable: Awaitable[T], what: str) -> T:
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise AssertionError(f"make {what} end; it took more than {timeout:g} s") from error
