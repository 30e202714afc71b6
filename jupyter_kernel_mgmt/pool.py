"""`KernelPool`: warm kernels of one type, lent to one holder after the other."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from ._options import STARTUP_TIMEOUT, KernelOptions, LaunchOptions
from ._pool_keeper import Keeper, Waiter
from ._pool_stock import PATIENCE, PoolMetrics, Stock
from ._pooled_kernel import RETURN_TIMEOUT, PooledKernel, Unfit
from .discovery import shared_finder
from .exceptions import ClientClosed, LaunchError
from .kernel import Kernel
from .opening import DEFAULT_KERNEL_TYPE, launch


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
        self._stock: Stock[PooledKernel, Waiter] = Stock(
            size=size, limit=limit, max_age=max_age, max_uses=max_uses, at_once=max(2, os.cpu_count() or 1)
        )
        self._resources = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: Keeper | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins to fill the stock, and does not wait for it: see `filled`. Cancelling leaves nothing."""
        if self._loop is not None or self._closing is not None:
            raise RuntimeError("a pool is entered once")
        self._loop = asyncio.get_running_loop()
        if self._options.get("finder") is None:
            self._options["finder"] = await self._resources.enter_async_context(shared_finder())
        self._keeper = Keeper(
            self._stock,
            self.kernel_type,
            lambda on_event: launch(self.kernel_type, on_event=on_event, **self._options),
            self._kernel_options,
        )
        self._keeper.look()
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
        keeper = self._usable()
        pooled = await self._fit(keeper, _directory(cwd), dict(env or {}), timeout)
        try:
            yield pooled.kernel
        finally:
            await keeper.take_back(pooled)

    async def filled(self) -> None:
        """Wait until as many kernels are ready as the pool is to keep. Raises as `acquire` does.

        Cancelling it is safe.
        """
        keeper = self._usable()
        while not self._stock.full:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            keeper.filled.add(waiter)
            try:
                await asyncio.wait([waiter])
            finally:
                keeper.filled.discard(waiter)
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
            if self._keeper is not None:
                await self._keeper.close()
        finally:
            await self._resources.aclose()

    # Handing out

    async def _fit(
        self, keeper: Keeper, cwd: str | None, env: Mapping[str, str], timeout: float | None
    ) -> PooledKernel:
        """The next kernel, prepared. It is on loan; where this raises or is cancelled, it is not."""
        errors: list[Unfit] = []
        while len(errors) < PATIENCE:
            pooled = await self._next(timeout, first=bool(errors))
            try:
                await pooled.prepare(cwd, env)
            except Unfit as error:
                errors.append(error)
                keeper.replace(pooled, error)
            except BaseException:
                keeper.begin_to_take_back(pooled)
                raise
            else:
                self._stock.handed_out(pooled)
                keeper.look()
                return pooled
        raise LaunchError(f"{PATIENCE} kernels in a row were of no use: {errors[-1]}") from errors[-1]

    async def _next(self, timeout: float | None, *, first: bool) -> PooledKernel:
        keeper = self._usable()
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._stock.wait(waiter, first=first)
        keeper.look()
        try:
            if not waiter.done():
                await asyncio.wait([waiter], timeout=timeout)
        except BaseException:
            self._leave_queue(keeper, waiter)
            raise
        if not waiter.done():
            self._leave_queue(keeper, waiter)
            raise TimeoutError(f"no kernel was ready within {timeout:g} s: {self!r}")
        return waiter.result()

    def _leave_queue(self, keeper: Keeper, waiter: Waiter) -> None:
        """Nobody waits there any more; what was given to it goes to the next."""
        self._stock.withdraw(waiter)
        if waiter.done() and waiter.exception() is None:
            self._stock.put_back(waiter.result())
        keeper.look()

    def _usable(self) -> Keeper:
        if self._closing is not None:
            raise ClientClosed("the pool is closed")
        if self._keeper is None or self._loop is not asyncio.get_running_loop():
            raise RuntimeError("a pool is used in the loop in which it was entered")
        return self._keeper


def _directory(cwd: str | os.PathLike[str] | None) -> str | None:
    """As a process of ours would understand it."""
    return None if cwd is None else str(Path(cwd).absolute())
