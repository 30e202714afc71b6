"""`Keeper`: what goes on in a pool beside its holders: kernels are launched, taken back, renewed, ended."""

import asyncio
import copy
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from ._options import KernelOptions
from ._pool_stock import PATIENCE, Stock
from ._pooled_kernel import PooledKernel, Unfit
from .events import OnEvent
from .exceptions import ClientClosed, LaunchError, NoSuchKernel, NoSuchProvider, Unsupported
from .opening import Opening

log = logging.getLogger(__name__)

_HOPELESS = (NoSuchKernel, NoSuchProvider, Unsupported)
"""Errors of a launch that trying again does not mend."""

Waiter = asyncio.Future[PooledKernel]
"""Somebody who waits for a kernel."""


class Keeper:
    """Does what the ``stock`` says is due, in tasks of its own; belongs to the running loop.

    ``open_kernel`` launches a kernel of that type, whose events go to the handler it is given. ``filled`` are
    those who wait until the stock is full.
    """

    def __init__(
        self,
        stock: Stock[PooledKernel, Waiter],
        kernel_type: str,
        open_kernel: Callable[[OnEvent], Opening],
        options: KernelOptions,
    ) -> None:
        self.filled: set[asyncio.Future[None]] = set()
        self._stock = stock
        self._kernel_type = kernel_type
        self._open_kernel = open_kernel
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[None], bool] = {}  # and whether closing the pool cuts it short
        self._looking: asyncio.TimerHandle | None = None
        self._closed = False

    def look(self) -> None:
        """Do what is due, now that something has changed."""
        if self._closed:
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
            self._tell(None, self.filled)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if (due := stock.look_again_at(now)) != float("inf"):
            self._looking = self._loop.call_at(due, self.look)

    def replace(self, pooled: PooledKernel, error: Unfit) -> None:
        """End a kernel that was lent and is of no use."""
        if pooled in self._stock.lent:  # and the pool is not closed
            log.warning("A kernel of a pool is replaced: %s", error)
            self._stock.unfit(pooled)
            self._end(pooled)
            self.look()

    async def take_back(self, pooled: PooledKernel) -> None:
        """Disconnect a kernel's holder, which goes on beside when this is cancelled."""
        disconnecting = asyncio.create_task(self._disconnect(pooled))
        self._own(disconnecting, cut_short=False)
        await asyncio.wait([disconnecting])

    def begin_to_take_back(self, pooled: PooledKernel) -> None:
        """The same, without waiting."""
        self._start(self._disconnect(pooled), cut_short=False)

    async def close(self) -> None:
        """End all kernels, lent ones too; who waits gets `ClientClosed`. When cancelled, they are killed."""
        self._closed = True
        try:
            if self._looking is not None:
                self._looking.cancel()
            self._tell(ClientClosed("the pool was closed"), [*self._stock.dismiss(), *self.filled])
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

    async def _tasks_ended(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

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
        self.look()

    async def _launch(self) -> None:
        pooled = PooledKernel(self._options, self._died)
        try:
            await pooled.launch(self._open_kernel(pooled.heard))
        except Exception as error:  # noqa: BLE001 - of somebody else's provider; it is told to those who wait
            self._launch_failed(error)
        except BaseException:
            self._stock.launch_given_up()
            raise
        else:
            self._stock.launched(pooled, self._loop.time())
            if not pooled.alive:  # it died when it was hardly ready
                self._died(pooled)
        self.look()

    def _launch_failed(self, error: Exception) -> None:
        log.warning("A kernel of the pool of %s could not be launched: %s", self._kernel_type, error)
        told = self._stock.launch_failed(self._loop.time(), hopeless=isinstance(error, _HOPELESS))
        if isinstance(error, _HOPELESS) or self._stock.failures >= PATIENCE:
            self._tell(error, [*told, *self.filled])

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
        self.look()

    def _died(self, pooled: PooledKernel) -> None:
        if self._stock.died(pooled, self._loop.time()):
            log.warning("A kernel died in stock and is replaced: %r", pooled)
            self._end(pooled)
            self.look()

    def _end(self, pooled: PooledKernel) -> None:
        """End a kernel beside everything else; it counts until it has ended."""
        task = asyncio.create_task(pooled.end(), name="end-pooled-kernel")
        self._own(task, cut_short=False)
        task.add_done_callback(lambda _: self._ended(pooled))

    def _ended(self, pooled: PooledKernel) -> None:
        self._stock.ended(pooled)
        self.look()

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
