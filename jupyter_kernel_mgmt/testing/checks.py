"""Does a provider keep the promises of `KernelProviderBase`? For the tests of those who write one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from ..discovery import iterate_found
from ..exceptions import NoSuchKernel, Unsupported
from ..kernel import Kernel
from ..launching import KernelTypeInfo, Launched, LaunchRequest
from ..managerbase import KernelManagerBase, missing_methods
from ..providerbase import REQUIRED, BlockingProviderBase, KernelProviderBase
from ._promises import is_name, require, within
from ._residue import Residue
from .manager_checks import check_manager

UNKNOWN_NAME = "no-such-kernel-type"
UNKNOWN_PARAMETER = "no_such_launch_parameter"


async def check_provider(
    provider: KernelProviderBase | BlockingProviderBase,
    *,
    kernel_name: str | None = None,
    launch_params: Mapping[str, Any] | None = None,
    takes_any_parameter: bool = False,
    timeout: float = 60.0,
) -> None:
    """Check a provider by finding, launching, managing and cancelling kernels of it; it stays open.

    ``kernel_name`` is the type to launch (by default the first that has no obstacle), with ``launch_params``;
    ``takes_any_parameter`` says that unknown ones are no mistake. No step may take longer than ``timeout``
    seconds. Starts about ten kernels, and leaves none when it is cancelled.

    Raises `AssertionError` for the first promise that is not kept.
    """
    adapted = _check_class(provider)
    names = await _check_search(adapted, timeout)
    name = kernel_name or next((name for name, info in names.items() if not info.obstacle), None)
    if name is None:
        raise AssertionError(
            "find_kernels() found nothing to launch: install a kernel type, or give kernel_name="
        )
    params = dict(launch_params or {})

    async def launch(request: LaunchRequest | None = None) -> Launched:
        request = request or LaunchRequest(launch_params=params)
        return await within(timeout, adapted.launch(name, request), "launch()")

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


def _check_class(provider: KernelProviderBase | BlockingProviderBase) -> KernelProviderBase:
    kind = type(provider).__name__
    blocking = isinstance(provider, BlockingProviderBase)
    base = BlockingProviderBase if blocking else KernelProviderBase
    require(isinstance(provider, base), f"derive {kind} from KernelProviderBase or BlockingProviderBase")
    missing = missing_methods(type(provider), base, REQUIRED)
    require(not missing, f"give {kind} a method {' and '.join(missing)}")
    require(
        is_name(provider.id),
        f"give {kind} an id of letters, digits and '._-', the same as the name of its entry point; "
        f"it is {provider.id!r}",
    )
    return provider.as_async() if isinstance(provider, BlockingProviderBase) else provider


async def _check_search(provider: KernelProviderBase, timeout: float) -> dict[str, KernelTypeInfo]:
    first = await within(timeout, _search(provider), "find_kernels()")
    again = await within(timeout, _search(provider), "a second find_kernels()")
    require(
        first.keys() == again.keys(),
        f"let find_kernels() find the same each time; it found {sorted(first)} and then {sorted(again)}",
    )
    await within(timeout, _give_up_search(provider), "a find_kernels() that is given up after one item")
    return first


async def _search(provider: KernelProviderBase) -> dict[str, KernelTypeInfo]:
    found: dict[str, KernelTypeInfo] = {}
    async for item in iterate_found(provider):
        pair: object = item
        require(
            isinstance(pair, tuple) and len(pair) == 2,
            f"let find_kernels() yield pairs (name, KernelTypeInfo), not {item!r}",
        )
        name, info = item
        require(is_name(name), f"let find_kernels() yield names of letters, digits and '._-', not {name!r}")
        require(name not in found, f"let find_kernels() yield each name once; {name!r} came twice")
        require(
            isinstance(info, KernelTypeInfo),
            f"let find_kernels() yield a KernelTypeInfo beside {name!r}, not a {type(info).__name__}",
        )
        require(info.display_name, f"give the kernel type {name!r} a display_name: users choose by it")
        found[name] = info
    return found


async def _give_up_search(provider: KernelProviderBase) -> None:
    search = iterate_found(provider)
    async for _ in search:
        break
    await search.aclose()


async def _check_unknown_name(provider: KernelProviderBase, timeout: float) -> None:
    attempt = provider.launch(UNKNOWN_NAME, LaunchRequest())
    try:
        launched = await within(timeout, attempt, "launch() of an unknown name")
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
        require(
            isinstance(launched, Launched),
            f"return a Launched from launch(), not a {type(launched).__name__}",
        )
        manager = launched.manager
        require(manager is not None, "give Launched a manager: the kernel is ours to end")
        assert manager is not None, "it was just required"
        require(
            manager.kernel_id == request.kernel_id,
            f"give the manager the kernel_id of the request; it has {manager.kernel_id!r}",
        )
    except BaseException:
        await _close(launched)
        raise
    async with await Kernel.from_launched(launched, startup_timeout=timeout) as kernel:
        assert kernel.kernel_id == request.kernel_id
    require(not await manager.is_alive(), "end the kernel in the manager's aclose(): it outlived its Kernel")


async def _check_launched_again(
    launch: Callable[[LaunchRequest], Awaitable[Launched]], params: dict[str, Any], timeout: float
) -> None:
    """A restart: the same kernel_id, and the manager of the old process is closed after the new one came."""
    request = LaunchRequest(launch_params=params)
    launched = [await launch(request)]
    try:
        first = launched[0].manager
        assert first is not None, "it was required before"
        await within(timeout, first.kill(), "kill()")
        await within(timeout, first.wait(), "wait() after kill()")
        launched.append(await launch(replace(request, previous=launched[0])))
        await _close(launched.pop(0))
        second = launched[0].manager
        assert second is not None, "it was required before"
        require(
            await within(timeout, second.is_alive(), "is_alive()"),
            "let each launch have a process of its own, by another name than the kernel_id, which a "
            "restarted kernel keeps: closing the manager of the old process ended the new one",
        )
        require(
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
        require(
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
    require(not left, f"leave nothing behind when launch() is cancelled; there was still {left}")


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
    require(task.done(), f"let launch() end when it is cancelled; it went on for {timeout:g} s")
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
