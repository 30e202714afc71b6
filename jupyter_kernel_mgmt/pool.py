"""`KernelPool`: warm kernels of one type, lent to one holder after the other."""

import asyncio
import copy
import logging
import os
from collections.abc import AsyncGenerator, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from ._options import STARTUP_TIMEOUT, KernelOptions
from ._pool_stock import PATIENCE, PoolMetrics, Stock
from ._pooled_kernel import RETURN_TIMEOUT, PooledKernel, Unfit
from ._prompts import StdinHandler
from .discovery import KernelFinder, shared_finder
from .exceptions import ClientClosed, LaunchError, NoSuchKernel, NoSuchProvider, Unsupported
from .kernel import Kernel
from .launching import Encryption, EnvPolicy, Limits, Output, Transport
from .opening import DEFAULT_KERNEL_TYPE, launch
from .wire_trace import WireTrace

log = logging.getLogger(__name__)

_HOPELESS = (NoSuchKernel, NoSuchProvider, Unsupported)
"""Errors of a launch that trying again does not mend."""

_Waiter = asyncio.Future[PooledKernel]


class LaunchOptions(TypedDict, total=False):
    """The options of `launch` that a pool passes on; ``cwd`` and ``env`` are what its kernels begin with."""

    cwd: str | os.PathLike[str] | None
    env: Mapping[str, str] | None
    env_policy: EnvPolicy
    launch_params: Mapping[str, Any] | None
    extra_arguments: Sequence[str]
    limits: Limits | None
    prefix: Sequence[str]
    transport: Transport
    encryption: Encryption
    packer: str
    output: Output
    startup_timeout: float
    unresponsive_after: float | None
    stdin: StdinHandler | None
    finder: KernelFinder | None
    forkserver: bool
    trace: WireTrace | None


class KernelPool:
    """Keeps ``size`` kernels of a type warm, from the entering of its ``async with`` block on.

    Launches go on in the background: a kernel that is lent, dies or has been ready for ``max_age`` seconds
    is replaced (in the last case it serves until its replacement is there, if there is room for both). There
    are never more than ``limit`` kernels, lent and ending ones included; by default twice the ``size``. When
    all are lent, `acquire` waits; first come, first served.

    A kernel that ran a holder's code is ended when it comes back; ``max_uses`` lets it serve that many
    holders by choice, who find what those before them left in its memory. One whose holder executed nothing
    goes back into stock.

    Launches that fail are tried again, later each time. Those who wait are told after three in a row, and at
    once where there is no such kernel type or the provider cannot do what is asked. All other options are
    those of `launch`; ``stdin``, ``trace`` and ``unresponsive_after`` are for what holders get too. Raises
    `ValueError` for numbers that make no sense. Belongs to the loop in which it is entered.
    """

    def __init__(
        self,
        kernel_type: str = DEFAULT_KERNEL_TYPE,
        *,
        size: int,
        limit: int | None = None,
        max_age: float | None = None,
        max_uses: int = 1,
        **options: Unpack[LaunchOptions],
    ) -> None:
        self.kernel_type = kernel_type
        self._options = options
        self._kernel_options = KernelOptions(
            startup_timeout=min(options.get("startup_timeout", STARTUP_TIMEOUT), RETURN_TIMEOUT),
            unresponsive_after=options.get("unresponsive_after"),
            stdin=options.get("stdin"),
            trace=options.get("trace"),
        )
        self._stock: Stock[PooledKernel, _Waiter] = Stock(
            size=size, limit=limit, max_age=max_age, max_uses=max_uses, at_once=max(2, os.cpu_count() or 1)
        )
        self._tasks: dict[asyncio.Task[None], bool] = {}  # and whether closing the pool cuts it short
        self._looking: asyncio.TimerHandle | None = None
        self._filled: set[asyncio.Future[None]] = set()
        self._resources = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins to fill the stock, and does not wait for it: see `filled`. Cancelling leaves nothing."""
        if self._loop is not None or self._closing is not None:
            raise RuntimeError("a pool is entered once")
        self._loop = asyncio.get_running_loop()
        if self._options.get("finder") is None:
            self._options["finder"] = await self._resources.enter_async_context(shared_finder())
        self._look()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        now = self.metrics
        state = "closed" if self._closing else "not entered" if self._loop is None else f"{now.ready} ready"
        return f"<KernelPool {self.kernel_type} {state}, {now.lent} lent, {now.waiting} waiting>"

    @property
    def metrics(self) -> PoolMetrics:
        """What it is doing and what it has done, in numbers."""
        return self._stock.metrics

    @asynccontextmanager
    async def acquire(
        self,
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[Kernel, None]:
        """A warm kernel for the length of an ``async with`` block: checked, and prepared, in one round trip.

        It has this directory (by default the one it was launched with) and these variables besides its own.
        Python kernels and bash can change them; what was read when the process began is not read again. The
        kernel is not owned: `Kernel.shutdown` and `Kernel.restart` raise `NotOwned`. At the end of the
        block it is closed, whatever ran in it; if it died meanwhile its requests have raised `KernelDied`.

        ``timeout`` is how many seconds to wait for a kernel; after that `TimeoutError` is raised, with 0 at
        once where none is ready. Raises `LaunchError` when kernels cannot be launched, fail the check or
        cannot be given the directory; `NoSuchKernel` and `NoSuchProvider`; `Unsupported` where the kernel
        cannot change its directory or environment; `ClientClosed` when the pool is closed. Cancelling it
        loses neither a kernel nor anybody's place in the queue.
        """
        pooled = await self._fit(_directory(cwd), dict(env or {}), timeout)
        try:
            yield pooled.kernel
        finally:
            await self._take_back(pooled)

    async def filled(self) -> None:
        """Wait until as many kernels are ready as the pool is to keep. Raises as `acquire` does.

        Cancelling it is safe.
        """
        self._check_usable()
        while not self._stock.full:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._filled.add(waiter)
            try:
                await asyncio.wait([waiter])
            finally:
                self._filled.discard(waiter)
            waiter.result()

    async def aclose(self) -> None:
        """End all kernels, lent ones too, in parallel. May be called again.

        Who waits gets `ClientClosed`. Bounded in time. When cancelled, kernels are killed instead of asked.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="close-kernel-pool")
        try:
            await asyncio.wait([self._closing])
        except asyncio.CancelledError:
            self._closing.cancel()
            await asyncio.wait([self._closing])
            raise
        if not self._closing.cancelled():  # by another caller, who has hurried it
            self._closing.result()

    async def _close(self) -> None:
        try:
            if self._looking is not None:
                self._looking.cancel()
            self._tell(ClientClosed("the pool was closed"), [*self._stock.dismiss(), *self._filled])
            for pooled in self._stock.kernels():
                self._stock.end(pooled)
                self._end(pooled)
            for task in [task for task, cut_short in self._tasks.items() if cut_short]:
                task.cancel()
            await self._tasks_ended()
        except asyncio.CancelledError:
            for task in list(self._tasks):
                task.cancel()
            await self._tasks_ended()
            raise
        finally:
            await self._resources.aclose()

    async def _tasks_ended(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    # Handing out

    async def _fit(self, cwd: str | None, env: Mapping[str, str], timeout: float | None) -> PooledKernel:
        """The next kernel, prepared. It is on loan; where this raises or is cancelled, it is not."""
        errors: list[Unfit] = []
        while len(errors) < PATIENCE:
            pooled = await self._next(timeout, first=bool(errors))
            try:
                await pooled.prepare(cwd, env)
            except Unfit as error:
                errors.append(error)
                self._replace(pooled, error)
            except BaseException:
                self._start(self._disconnect(pooled), cut_short=False)
                raise
            else:
                self._stock.handed_out(pooled)
                self._look()
                return pooled
        raise LaunchError(f"{PATIENCE} kernels in a row were of no use: {errors[-1]}") from errors[-1]

    def _replace(self, pooled: PooledKernel, error: Unfit) -> None:
        if pooled in self._stock.lent:  # and the pool is not closed
            log.warning("A kernel of a pool is replaced: %s", error)
            self._stock.unfit(pooled)
            self._end(pooled)
            self._look()

    async def _next(self, timeout: float | None, *, first: bool) -> PooledKernel:
        self._check_usable()
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._stock.wait(waiter, first=first)
        self._look()
        try:
            if not waiter.done():
                await asyncio.wait([waiter], timeout=timeout)
        except BaseException:
            self._leave_queue(waiter)
            raise
        if not waiter.done():
            self._leave_queue(waiter)
            raise TimeoutError(f"no kernel was ready within {timeout:g} s: {self!r}")
        return waiter.result()

    def _leave_queue(self, waiter: _Waiter) -> None:
        """Nobody waits there any more; what was given to it goes to the next."""
        self._stock.withdraw(waiter)
        if waiter.done() and waiter.exception() is None:
            self._stock.put_back(waiter.result())
        self._look()

    async def _take_back(self, pooled: PooledKernel) -> None:
        """Disconnect the holder, which goes on beside it when this is cancelled."""
        disconnecting = asyncio.create_task(self._disconnect(pooled))
        self._own(disconnecting, cut_short=False)
        await asyncio.wait([disconnecting])

    async def _disconnect(self, pooled: PooledKernel) -> None:
        used = pooled.used
        try:
            await pooled.take_back()
        finally:
            if pooled in self._stock.lent:  # and the pool is not closed
                self._goes_back(pooled, used=used)

    def _goes_back(self, pooled: PooledKernel, *, used: bool) -> None:
        fit = pooled.alive and not (used and pooled.busy)
        if self._stock.goes_back(pooled, used=used, fit=fit):
            self._start(self._renew(pooled), cut_short=True)
        else:
            self._end(pooled)
        self._look()

    def _check_usable(self) -> None:
        if self._closing is not None:
            raise ClientClosed("the pool is closed")
        if self._loop is not asyncio.get_running_loop():
            raise RuntimeError("a pool is used in the loop in which it was entered")

    # What goes on in the background

    def _look(self) -> None:
        """Do what is due, now that something has changed."""
        if self._closing is not None or self._loop is None:
            return
        stock, now = self._stock, self._loop.time()
        for waiter, pooled in stock.assign():
            waiter.set_result(pooled)
        for pooled in stock.retire(now):
            self._end(pooled)
        for _ in range(stock.launches_due(now)):
            stock.launch()
            self._start(self._launch(), cut_short=True)
        if stock.full:
            self._tell(None, self._filled)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if (due := stock.look_again_at(now)) != float("inf"):
            self._looking = self._loop.call_at(due, self._look)

    async def _launch(self) -> None:
        pooled = PooledKernel(self._kernel_options, self._died)
        try:
            await pooled.launch(launch(self.kernel_type, on_event=pooled.heard, **self._options))
        except Exception as error:  # noqa: BLE001 - of somebody else's provider; it is told to those who wait
            self._launch_failed(error)
        except BaseException:
            self._stock.launch_given_up()
            raise
        else:
            self._stock.launched(pooled, self._now())
            if not pooled.alive:  # it died when it was hardly ready
                self._died(pooled)
        self._look()

    def _launch_failed(self, error: Exception) -> None:
        log.warning("A kernel of %r could not be launched: %s", self, error)
        told = self._stock.launch_failed(self._now(), hopeless=isinstance(error, _HOPELESS))
        if isinstance(error, _HOPELESS) or self._stock.failures >= PATIENCE:
            self._tell(error, [*told, *self._filled])

    async def _renew(self, pooled: PooledKernel) -> None:
        try:
            await pooled.renew()
        except Exception as error:  # noqa: BLE001 - whatever it is, there is another kernel
            log.warning("A kernel does not go back into its pool: %s", error)
            self._stock.end(pooled)
            self._end(pooled)
        except BaseException:
            await pooled.end()
            raise
        else:
            self._stock.taken_back(pooled)
            if not pooled.alive:
                self._died(pooled)
        self._look()

    def _died(self, pooled: PooledKernel) -> None:
        if self._stock.died(pooled, self._now()):
            log.warning("A kernel died in stock and is replaced: %r", pooled)
            self._end(pooled)
            self._look()

    def _end(self, pooled: PooledKernel) -> None:
        """End a kernel beside everything else; it counts until it has ended."""
        task = asyncio.create_task(pooled.end(), name="end-pooled-kernel")
        self._own(task, cut_short=False)
        task.add_done_callback(lambda _: self._ended(pooled))

    def _ended(self, pooled: PooledKernel) -> None:
        self._stock.ended(pooled)
        self._look()

    def _start(self, coroutine: Coroutine[Any, Any, None], *, cut_short: bool) -> None:
        self._own(asyncio.create_task(coroutine, name="kernel-pool"), cut_short=cut_short)

    def _own(self, task: asyncio.Task[None], *, cut_short: bool) -> None:
        self._tasks[task] = cut_short
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A kernel of a pool could not be looked after", exc_info=error)

    def _tell(self, error: Exception | None, waiters: Collection[asyncio.Future[Any]]) -> None:
        """Let them go on, each with an error of its own where there is one."""
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(_copy(error))

    def _now(self) -> float:
        assert self._loop is not None, "it was entered"
        return self._loop.time()


def _directory(cwd: str | os.PathLike[str] | None) -> str | None:
    """As a process of ours would understand it."""
    return None if cwd is None else str(Path(cwd).absolute())


def _copy(error: Exception) -> Exception:
    """The same error for one more who waits: raising one error in several places mixes up its traceback."""
    if not isinstance(error, (*_HOPELESS, LaunchError, ClientClosed)):
        text = f"{type(error).__name__}: {error}"
        wrapped = LaunchError(f"the kernel could not be launched: {text}")
        wrapped.__cause__ = error
        return wrapped
    copied = copy.copy(error)
    copied.__cause__ = error.__cause__
    return copied
