"""Does a manager keep the promises of `KernelManagerBase`? For the tests of those who write one."""

import asyncio
import signal as signals
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from ..exceptions import Unsupported
from ..launching import ExitInfo
from ..managerbase import BlockingManagerBase, KernelManagerBase, missing_methods
from ._promises import require, within

METHODS = ("is_alive", "wait", "signal", "aclose")

ManagerFactory = Callable[[], Awaitable[KernelManagerBase | BlockingManagerBase]]
"""Async callable: starts a new kernel, owned by us, and gives its manager."""


async def check_manager(factory: ManagerFactory, *, timeout: float = 60.0) -> None:
    """Check the managers that ``factory`` makes, each of a new kernel of ours; three are made.

    ``factory`` is an async callable without arguments. No step may take longer than ``timeout`` seconds.
    When it is cancelled, the manager that it has is closed first.

    Raises `AssertionError` for the first promise that is not kept.
    """
    async with _managed(factory, timeout) as manager:
        await _check_alive(manager, timeout)
        await _check_killed(manager, timeout)
        await _check_after_the_end(manager, timeout)
        await within(timeout, manager.aclose(), "aclose() after the end")
        await within(timeout, manager.aclose(), "a second aclose()")
        await _check_after_the_end(manager, timeout)
    async with _managed(factory, timeout) as manager:
        await _check_close(manager, timeout)
    async with _managed(factory, timeout) as manager:
        await _check_cancelled_close(manager, timeout)


@asynccontextmanager
async def _managed(factory: ManagerFactory, timeout: float) -> AsyncGenerator[KernelManagerBase, None]:
    made = await within(timeout, factory(), "the factory")
    base = BlockingManagerBase if isinstance(made, BlockingManagerBase) else KernelManagerBase
    kind = type(made).__name__
    require(isinstance(made, base), f"derive {kind} from KernelManagerBase or BlockingManagerBase")
    missing = missing_methods(type(made), base, METHODS)
    require(not missing, f"give {kind} a method {' and '.join(missing)}")
    manager = made.as_async() if isinstance(made, BlockingManagerBase) else made
    try:
        yield manager
    finally:
        await manager.aclose()


async def _check_alive(manager: KernelManagerBase, timeout: float) -> None:
    kind = type(manager).__name__
    require(manager.kernel_id, f"give {kind} the kernel_id of the launch request")
    alive = await within(timeout, manager.is_alive(), "is_alive()")
    require(alive is True, f"return True from is_alive() of a kernel that runs, not {alive!r}")
    tail = await within(timeout, manager.output_tail(), "output_tail()")
    require(isinstance(tail, str), f"return text from output_tail(), not a {type(tail).__name__}")
    given_up = asyncio.ensure_future(manager.wait())
    await asyncio.sleep(0)
    require(not given_up.done(), "let wait() wait as long as the kernel runs")
    given_up.cancel()
    await within(timeout, asyncio.wait([given_up]), "a wait() that is cancelled")
    alive = await within(timeout, manager.is_alive(), "is_alive()")
    require(alive is True, "leave the kernel alone when a wait() is cancelled")


async def _check_killed(manager: KernelManagerBase, timeout: float) -> None:
    """Every waiter hears of the end, also one beside another that was cancelled."""
    waiting = [asyncio.ensure_future(manager.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    try:
        await within(timeout, manager.kill(), "kill()")
        first, second = await within(timeout, asyncio.gather(*waiting[1:]), "wait() after kill()")
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    require(isinstance(first, ExitInfo), f"return an ExitInfo from wait(), not a {type(first).__name__}")
    require(first == second, f"give all callers of wait() the same answer; they got {first} and {second}")


async def _check_after_the_end(manager: KernelManagerBase, timeout: float) -> None:
    alive = await within(timeout, manager.is_alive(), "is_alive() after the end")
    require(alive is False, f"return False from is_alive() once wait() has answered, not {alive!r}")
    info = await within(timeout, manager.wait(), "wait() after the end")
    require(isinstance(info, ExitInfo), "answer wait() after the end too, and after aclose()")
    await within(timeout, manager.output_tail(), "output_tail() after the end")
    for method in (manager.interrupt, manager.terminate, manager.kill):
        await _harmless(method(), f"{method.__name__}()", timeout)
    await _harmless(manager.signal(signals.SIGINT), "signal()", timeout)


async def _harmless(call: Awaitable[None], what: str, timeout: float) -> None:
    try:
        await within(timeout, call, f"{what} after the end")
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
        await within(timeout, manager.aclose(), "aclose()")
        await asyncio.wait([waiting], timeout=timeout)
        require(waiting.done(), "let wait() answer when aclose() ends the kernel")
        require(
            not waiting.cancelled() and waiting.exception() is None,
            "let wait() answer with an ExitInfo when aclose() ends the kernel; it was cancelled or raised",
        )
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])
    await _check_after_the_end(manager, timeout)
    await within(timeout, manager.aclose(), "a second aclose()")


async def _check_cancelled_close(manager: KernelManagerBase, timeout: float) -> None:
    closing = asyncio.ensure_future(manager.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await within(timeout, asyncio.wait([closing]), "an aclose() that is cancelled")
    await within(timeout, manager.wait(), "wait() after an aclose() that was cancelled")
    await _check_after_the_end(manager, timeout)
