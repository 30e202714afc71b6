"""What `check_provider` and `check_launcher` both ask of launches."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ..exceptions import Unsupported
from ..kernel import Kernel
from ..launching import Launched, LaunchRequest, not_launched
from ..managerbase import KernelManagerBase
from ._heeding_checks import check_heeded
from ._promises import require, within
from ._residue import Residue
from .manager_checks import check_manager

UNKNOWN_PARAMETER = "no_such_launch_parameter"

Launch = Callable[[LaunchRequest], Awaitable[Launched]]


async def check_launches(
    launch: Launch, params: dict[str, Any], *, takes_any_parameter: bool, timeout: float
) -> None:
    """Launch, restart, manage and cancel; about ten kernels are started, and none is left."""

    async def bounded(request: LaunchRequest) -> Launched:
        return await within(timeout, launch(request), "launch()")

    async def new_manager() -> KernelManagerBase:
        launched = await bounded(LaunchRequest(launch_params=params))
        assert launched.manager is not None, "it was required before"
        try:
            if launched.channels is not None:
                await launched.channels.aclose(discard=True)
        except BaseException:
            await launched.manager.aclose()
            raise
        return launched.manager

    language = await _check_launched(bounded, params, timeout)
    if language == "python":  # what is asked of the kernel itself, in its language
        await check_heeded(bounded, params, timeout)
    await _check_launched_again(bounded, params, timeout)
    if not takes_any_parameter:
        await _check_unknown_parameter(bounded, params)
    await check_manager(new_manager, timeout=timeout)
    await _check_cancelled_launch(lambda: launch(LaunchRequest(launch_params=params)), timeout)


async def _check_launched(launch: Launch, params: dict[str, Any], timeout: float) -> str:
    """What came back belongs to the request, and a client can talk to it until it is closed.

    Returns the kernel's language.
    """
    request = LaunchRequest(launch_params=params)
    launched = await launch(request)
    try:
        wrong = not_launched(launched)
        require(not wrong, wrong)
        manager = launched.manager
        require(manager is not None, "give Launched a manager: the kernel is ours to end")
        assert manager is not None, "it was just required"
        require(
            manager.kernel_id == request.kernel_id,
            f"give the manager the kernel_id of the request; it has {manager.kernel_id!r}",
        )
    except BaseException:
        await close_launched(launched)
        raise
    async with await Kernel.from_launched(launched, startup_timeout=timeout) as kernel:
        assert kernel.kernel_id == request.kernel_id
        info = (await kernel.client.kernel_info()).content
    require(not await manager.is_alive(), "end the kernel in the manager's aclose(): it outlived its Kernel")
    return str(info.get("language_info", {}).get("name", ""))


async def _check_launched_again(launch: Launch, params: dict[str, Any], timeout: float) -> None:
    """A restart: the same kernel_id, and the manager of the old process is closed after the new one came."""
    request = LaunchRequest(launch_params=params)
    launched = [await launch(request)]
    try:
        first = launched[0].manager
        assert first is not None, "it was required before"
        await within(timeout, first.kill(), "kill()")
        await within(timeout, first.wait(), "wait() after kill()")
        launched.append(await launch(replace(request, previous=launched[0])))
        await close_launched(launched.pop(0))
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
            await close_launched(one)


async def _check_unknown_parameter(launch: Launch, params: dict[str, Any]) -> None:
    try:
        launched = await launch(LaunchRequest(launch_params={**params, UNKNOWN_PARAMETER: 1}))
    except Unsupported as error:
        require(
            error.option == "launch_params",
            "name the field of the LaunchRequest in Unsupported: the option for a launch parameter is "
            f"'launch_params', not {error.option!r}",
        )
        return
    await close_launched(launched)
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

    async def launch_andclose_launched() -> None:
        await close_launched(await launch())

    task = asyncio.create_task(launch_andclose_launched())
    try:
        for _ in range(turns):
            await asyncio.sleep(0)
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=timeout)
    require(task.done(), f"let launch() end when it is cancelled; it went on for {timeout:g} s")
    if not task.cancelled():
        task.result()


async def close_launched(launched: object) -> None:
    """End a kernel that was launched, whatever state it is in; nothing where that is no `Launched`."""
    if isinstance(launched, Launched):
        try:
            if launched.channels is not None:
                await launched.channels.aclose(discard=True)
        finally:
            if launched.manager is not None:
                await launched.manager.aclose()
