"""`OriginalManager`: a manager of the first version as one of today."""

import asyncio
import inspect
import logging
import signal as signals
import subprocess
from collections.abc import Callable
from typing import Any

from .. import managerabc
from ..exceptions import Unsupported
from ..launching import ExitInfo
from ..managerbase import KILL, BlockingManagerBase, KernelManagerBase
from .calling import call, call_now

log = logging.getLogger(__name__)

WAIT_INTERVAL = 0.1
"""Seconds between questions to a manager that cannot wait for the end of its kernel."""

STEP_TIMEOUT = 5.0
"""Seconds that each of ``kill`` and ``cleanup`` has when a manager is closed."""

END_TIMEOUT = 2.0
"""Seconds after ``kill`` in which ``wait`` has to tell of the end, when a manager is closed."""

UNTOLD = "its manager does not tell how it ended"
UNSEEN = "its manager was closed, and did not tell of its end"


def manager_of(old: object, kernel_id: str) -> KernelManagerBase | None:
    """The manager of today for what a launch gave: adapted where it is in the original shape.

    Raises `TypeError`, naming what is missing, for what could neither tell of the end nor bring it about.
    """
    if old is None or isinstance(old, KernelManagerBase):
        return old
    if isinstance(old, BlockingManagerBase):
        return old.as_async()
    if own(old, "wait") is None and own(old, "is_alive") is None:
        raise TypeError(f"{type(old).__name__} has neither wait() nor is_alive()")
    if own(old, "kill") is None and own(old, "signal") is None:
        raise TypeError(f"{type(old).__name__} has neither kill() nor signal()")
    return OriginalManager(old, kernel_id)


class OriginalManager(KernelManagerBase):
    """Calls coroutine functions of the old manager on the loop and its ordinary methods in daemon threads.

    Cancelling a call of an ordinary method stops the wait; the call itself runs on. ``old`` is the manager.
    ``kernel_id`` is that of the request, whatever the old one has. ``relaunch`` is not used: restarting
    launches anew.
    """

    def __init__(self, old: object, kernel_id: str) -> None:
        self.old = old
        self.kernel_id = kernel_id
        self._info: ExitInfo | None = None
        self._waiting: asyncio.Task[ExitInfo] | None = None
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<OriginalManager of {type(self.old).__name__}>"

    async def is_alive(self) -> bool:
        """As the old one says; one without ``is_alive`` has a kernel until its ``wait`` has answered."""
        if self._info is None and (method := own(self.old, "is_alive")) is not None:
            return bool(await call(method, name="kernel-is-alive")) and self._info is None
        return self._info is None

    async def wait(self) -> ExitInfo:
        """As the old one, called once for all who wait.

        One that has no ``wait``, or whose ``wait`` returns or times out while the kernel is alive, is asked
        again every `WAIT_INTERVAL` seconds: it has nothing better.
        """
        if self._info is not None:
            return self._info
        return await asyncio.shield(self._wait_task())

    async def signal(self, number: int) -> None:
        await self._act("signal", number)

    async def interrupt(self) -> None:
        await self._act_or_signal("interrupt", signals.SIGINT)

    async def terminate(self) -> None:
        await self._act_or_signal("terminate", signals.SIGTERM)

    async def kill(self) -> None:
        await self._act_or_signal("kill", KILL)

    async def aclose(self) -> None:
        """End the kernel with the old ``kill`` and release the rest with its ``cleanup``, each bounded."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="original-kernel-close")
        try:
            await asyncio.wait([self._closing])
        except asyncio.CancelledError:
            await asyncio.wait([self._closing])
            raise
        finally:
            self._closing.cancel()  # only where even the clean-up was cancelled
            await asyncio.wait([self._closing])

    def _wait_task(self) -> "asyncio.Task[ExitInfo]":
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.create_task(self._wait(), name="original-kernel-wait")
            self._waiting.add_done_callback(_look_at)
        return self._waiting

    async def _wait(self) -> ExitInfo:
        try:
            while (info := await self._ask_for_the_end()) is None:  # noqa: ASYNC110 - nothing tells us of it
                await asyncio.sleep(WAIT_INTERVAL)
        except asyncio.CancelledError:
            if self._info is None:
                raise
        else:
            self._info = self._info or info
        return self._info

    async def _ask_for_the_end(self) -> ExitInfo | None:
        """How the kernel ended, or None as long as it may be alive."""
        method = own(self.old, "wait")
        answer: object = None
        if method is not None:
            try:
                answer = await call(method, *_no_timeout(method), name="kernel-wait")
            except (TimeoutError, subprocess.TimeoutExpired):
                return None
            except Exception:
                if await self._may_be_there():
                    raise
                return ExitInfo(reason=UNTOLD)
        info = exit_info(answer)
        if info is None and answer is None and not (self._can_tell() and await self.is_alive()):
            return ExitInfo(reason=UNTOLD)
        return info

    def _can_tell(self) -> bool:
        return own(self.old, "is_alive") is not None

    async def _may_be_there(self) -> bool:
        """Whether what failed did not fail because the kernel is gone."""
        return not self._can_tell() or await self.is_alive()

    async def _act_or_signal(self, name: str, number: int) -> None:
        if own(self.old, name) is None:
            await self.signal(number)
        else:
            await self._act(name)

    async def _act(self, name: str, *args: Any) -> None:
        """Call a method, which does nothing, whatever it raises, when the kernel is gone."""
        if self._info is not None:
            return
        method = own(self.old, name)
        lacking = Unsupported(name, f"{type(self.old).__name__} has no {name}()")
        if method is None:
            raise lacking
        try:
            await call(method, *args, name=f"kernel-{name}")
        except NotImplementedError as error:
            raise lacking from error
        except Exception as error:
            if await self._may_be_there():
                raise
            log.debug("%s() of a kernel that is gone: %s", name, error)

    async def _close(self) -> None:
        if self._info is None:
            waiting = self._wait_task()
            await self._step("kill")
            await asyncio.wait([waiting], timeout=END_TIMEOUT)
        await self._step("cleanup")
        if self._info is None:
            self._info = ExitInfo(reason=UNSEEN)
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait([self._waiting])

    async def _step(self, name: str) -> None:
        try:
            async with asyncio.timeout(STEP_TIMEOUT):
                if name == "kill":
                    await self.kill()
                elif (method := own(self.old, name)) is not None:
                    await call(method, name=f"kernel-{name}")
        except TimeoutError:
            log.warning("%s() of %r did not end within %s s", name, self, STEP_TIMEOUT)
        except Exception:  # of somebody else's manager
            log.exception("%s() of %r failed", name, self)


def end_now(old: object, loop: asyncio.AbstractEventLoop) -> None:
    """End in this thread what a launch started that nobody waits for any more: ``kill``, then ``cleanup``.

    What of it is asynchronous runs on the loop, if that still runs.
    """
    if isinstance(old, BlockingManagerBase):
        old.aclose()
        return
    if isinstance(old, KernelManagerBase) or inspect.iscoroutinefunction(own(old, "kill")):
        manager = manager_of(old, "")
        if manager is not None and not loop.is_closed():
            asyncio.run_coroutine_threadsafe(manager.aclose(), loop)
        return
    for name in ("kill", "cleanup"):
        if (method := own(old, name)) is not None:
            try:
                call_now(method, loop=loop)
            except Exception:  # of somebody else's manager
                log.exception("%s() of a %s failed", name, type(old).__name__)


def exit_info(answer: object) -> ExitInfo | None:
    """What the ``wait`` of an old manager said: True (still alive) and None (nothing) give None.

    A number is the exit code; False says only that the kernel has ended.
    """
    if isinstance(answer, ExitInfo):
        return answer
    if answer is None or answer is True:
        return None
    if isinstance(answer, int) and answer is not False:
        return ExitInfo(int(answer))
    return ExitInfo(reason=UNTOLD)


def own(old: object, name: str) -> Callable[..., Any] | None:
    """A method of an old manager; None where it has none, or only what `managerabc` has."""
    method = getattr(old, name, None)
    if not callable(method):
        return None
    inherited = getattr(type(old), name, None) is getattr(managerabc.KernelManagerABC, name, method)
    return None if inherited else method


def _no_timeout(method: Callable[..., Any]) -> tuple[None, ...]:
    """The arguments with which a ``wait`` waits without a limit: None for its ``timeout``, if it has one."""
    try:
        return (None,) if inspect.signature(method).parameters else ()
    except (TypeError, ValueError):
        return ()


def _look_at(task: "asyncio.Task[ExitInfo]") -> None:
    """So that nobody is told of an error that nobody waited for."""
    if not task.cancelled():
        task.exception()
