"""`Kernel`: a client, a manager and a state, through all generations of one kernel."""

import asyncio
import logging
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from jupyter_protocol import ConnectionInfo, Message

from ._generation import Generation
from ._options import STARTUP_TIMEOUT, KernelOptions
from ._prompts import StdinHandler
from ._succession import Relaunch, Succession
from .client import KernelClient
from .events import EventLog, ExecutionStateChanged, KernelEvent, KernelExited, KernelState, StateChanged
from .exceptions import (
    ClientClosed,
    KernelDied,
    KernelRestarted,
    NotOwned,
    RestartFailed,
    Unsupported,
)
from .execution import Execution
from .launching import ExitInfo, Launched
from .managerbase import KernelManagerBase
from .requests import ExecuteOptions, KernelRequests
from .results import ExecutionResult, InterruptOutcome
from .subshells import Subshells
from .wire_trace import WireTrace

log = logging.getLogger(__name__)

T = TypeVar("T")


class Kernel(KernelRequests):
    """A kernel, from its launch or our connecting to it until `aclose`. Made by `launch` and `connect`.

    ``kernel_type`` and ``kernel_id`` are None for a kernel that somebody else started. ``client`` stays the
    same object through restarts, ``manager`` is that of the current process or None. ``owned`` says
    whether the kernel ends with this object. Belongs to the loop it was made in.
    """

    def __init__(
        self,
        options: KernelOptions,
        *,
        kernel_type: str | None = None,
        owned: bool,
        relaunch: Relaunch | None = None,
        events: EventLog | None = None,
        resources: AsyncExitStack | None = None,
    ) -> None:
        self.kernel_type = kernel_type
        self.owned = owned
        self.client = KernelClient(stdin=options.stdin)
        self.client.trace = options.trace
        self.client.on_execution_state = self._execution_state_changed
        self.client.on_replaced = self._process_replaced
        self._events = events or EventLog()
        self._resources = resources or AsyncExitStack()
        self._succession = Succession(
            self.client,
            options,
            owned=owned,
            relaunch=relaunch,
            on_exit=self._process_ended,
            on_event=self._events.emit,
        )
        self._state = KernelState.STARTING
        self._retired = False  # ended on purpose: not to be revived
        self._operation: asyncio.Task[Any] | None = None
        self._lock = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def from_launched(
        cls,
        launched: Launched,
        *,
        relaunch: Relaunch | None = None,
        startup_timeout: float = STARTUP_TIMEOUT,
        unresponsive_after: float | None = None,
        stdin: StdinHandler | None = None,
        trace: WireTrace | None = None,
    ) -> Self:
        """Take over a kernel that a finder, provider or launcher started, and wait until it is ready.

        ``relaunch`` is an async callable that starts the next process, given the `Launched` before it;
        without it, `restart` raises `Unsupported`. The other options are those of `launch`, and it raises as
        `launch` does; the kernel is ended then, and when this is cancelled.
        """
        options = KernelOptions(
            startup_timeout=startup_timeout, unresponsive_after=unresponsive_after, stdin=stdin, trace=trace
        )
        kernel = cls(options, owned=True, relaunch=relaunch)
        return await kernel.open(launched)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        name = self.kernel_type or "kernel"
        owned = "" if self.owned else " not owned"
        return f"<Kernel {name} {self.kernel_id} {self._state.value}{owned}>"

    def __del__(self) -> None:
        if self._state not in (KernelState.STARTING, KernelState.CLOSED):
            warnings.warn(f"{self!r} was never closed: await its aclose()", ResourceWarning, stacklevel=2)

    # What it is

    @property
    def _generation(self) -> Generation | None:
        return self._succession.current

    @property
    def kernel_id(self) -> str | None:
        """The identifier from the launch request."""
        return None if self.manager is None else self.manager.kernel_id

    @property
    def connection_info(self) -> ConnectionInfo | None:
        """Where its channels are; None where messages travel another way."""
        return None if self._generation is None else self._generation.launched.connection_info

    @property
    def connection_file(self) -> Path | None:
        """The connection file written for this kernel; `aclose` removes one of ours."""
        return None if self._generation is None else self._generation.launched.connection_file

    @property
    def manager(self) -> KernelManagerBase | None:
        """The manager of the current process."""
        return None if self._generation is None else self._generation.launched.manager

    @property
    def state(self) -> KernelState:
        """Starting, ready, restarting, dead or closed."""
        return self._state

    @property
    def execution_state(self) -> str:
        """``"busy"`` or ``"idle"``, as far as the kernel told us."""
        return self.client.execution_state

    def events(self) -> AsyncGenerator[KernelEvent, None]:
        """All that happened since the launch began, and what happens until `aclose`. Cancelling is safe."""
        return self._events.read()

    # What it does

    def _start(self, message: Message, options: ExecuteOptions) -> Execution:
        return self.client._start(message, options)

    async def _ask(self, message: Message, channel: str = "shell") -> Message:
        return await self.client._ask(message, channel)

    @property
    def _subshells(self) -> Subshells:
        return self.client._subshells

    async def interrupt(self) -> InterruptOutcome:
        """Interrupt what it runs, in the way the kernel wants, and tell truthfully what became of it.

        Works on kernels that are not owned too. Raises nothing for a dead one: the outcome is ``DIED``.
        Cancelling ends only the wait.
        """
        return await self.client.interrupt()

    async def wait(self) -> ExitInfo:
        """Wait for the end of the process that is current now. Cancelling is safe.

        Raises `Unsupported` where nobody watches the process: connected without a manager.
        """
        if self.manager is None:
            raise Unsupported("wait", "nobody here watches this kernel's process; connect with a manager")
        return await self.manager.wait()

    async def shutdown(self) -> ExitInfo | None:
        """End the kernel's process, politely at first; the state is then dead, and `restart` works.

        How it ended; None where it could not be ended, which is logged. Others who wait get `KernelDied`.
        Raises `NotOwned`. When cancelled, the process is killed.
        """
        self._require_ownership("shut down")
        return await self._run(self._shut_down)

    async def restart(self) -> None:
        """End the process if there is one and start another, with the same address, key and request.

        A manager that can restart does so in place (see `CanRestart`); else it is launched again.
        Others who wait get `KernelRestarted`. Raises `NotOwned`, `Unsupported` where nobody can relaunch,
        `RestartFailed` (then the state is dead), `ClientClosed` when closed meanwhile. When cancelled
        before the next process is ready, none is left and the state is dead.
        """
        self._require_ownership("restart")
        self._succession.check_relaunch()
        await self._run(self._restart)

    async def aclose(self) -> None:
        """End the kernel if it is owned, else only disconnect; release everything. May be called again.

        Bounded in time. When cancelled, an owned kernel is killed instead of asked.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        try:
            await asyncio.wait([self._closing])
        except asyncio.CancelledError:
            self._closing.cancel()
            await asyncio.wait([self._closing])
            raise
        if not self._closing.cancelled():  # by another caller, who has hurried it
            self._closing.result()

    # How: one operation at a time

    async def open(self, launched: Launched | None = None) -> Self:
        """Become ready: with a kernel that was launched, or by launching one. Once, before anything else.

        Raises as `launch` does. When it fails or is cancelled, it closes first.
        """
        self._events.emit(StateChanged(self._state, 1))
        try:
            await self._begin(launched)
        except BaseException:
            await self._release()
            raise
        return self

    async def _close(self) -> None:
        try:
            if self._operation is not None:
                self._operation.cancel()
                await asyncio.wait([self._operation])
            if self.owned and self._state is KernelState.READY and self._generation is not None:
                await self._generation.end(_closed, restart=False)
        finally:
            await self._release()

    async def _run(self, operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run an operation while no other runs. `aclose` may cut it short, and so may cancelling."""
        async with self._lock:
            if (
                self._operation is not None
            ):  # of a caller who was cancelled twice, and did not wait for its end
                await asyncio.wait([self._operation])
            if self._closing is not None:
                raise ClientClosed("the kernel is closed")
            task = self._operation = asyncio.create_task(operation())
            task.add_done_callback(self._operation_ended)
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait([task])
                raise
        if task.cancelled():
            raise ClientClosed("the kernel was closed meanwhile")
        result: T = task.result()
        return result

    def _operation_ended(self, task: asyncio.Task[Any]) -> None:
        if self._operation is task:
            self._operation = None
        if not task.cancelled():
            task.exception()  # taken note of, also where whoever waited for it was cancelled twice

    async def _shut_down(self) -> ExitInfo | None:
        self._retired = True
        assert self._generation is not None, "an open kernel has had a process"
        if self._state is KernelState.DEAD:
            return self._generation.exit_info
        try:
            info = await self._generation.end(_shut_down, restart=False)
        except BaseException:
            await self._generation.kill(_shut_down)
            raise
        finally:
            self._set_state(KernelState.DEAD)
        await self.client.detach(_shut_down, discard=True)
        return info

    async def _restart(self) -> None:
        self._retired = False
        was_ready = self._state is KernelState.READY
        self._set_state(KernelState.RESTARTING)
        try:
            if was_ready and self._generation is not None:
                if self._succession.restarts_in_place:
                    await self._generation.make_room(_restarted)
                else:
                    await self._generation.end(_restarted, restart=True)
            else:
                self.client.refuse(_restarted)
            await self._begin(None)
        except BaseException as error:
            self._set_state(KernelState.DEAD)
            if self._generation is not None:
                await self._generation.kill(_died)
            if isinstance(error, Exception):
                raise RestartFailed(f"the kernel could not be started again: {error}") from error
            raise

    async def _begin(self, launched: Launched | None) -> None:
        await self._succession.begin(launched, _restarted)
        self._set_state(KernelState.READY)

    async def _release(self) -> None:
        self._set_state(KernelState.CLOSED)
        self._events.close()
        try:
            if self._generation is not None:
                await self._generation.release(_closed)
        finally:
            try:
                await self.client.aclose()
            finally:
                await self._resources.aclose()

    async def _process_ended(self, generation: Generation, info: ExitInfo) -> None:
        self._events.emit(KernelExited(info, generation.number, generation.ending))
        if generation.ending or generation is not self._generation:
            return
        if self._state is KernelState.READY:
            self._set_state(KernelState.DEAD)

        def died(result: ExecutionResult | None) -> Exception:
            return KernelDied(info, result)

        self.client.refuse(died)
        await asyncio.sleep(0)  # closing sockets takes a millisecond, for which nobody shall wait
        await self.client.detach(died, discard=True)

    def _set_state(self, state: KernelState) -> None:
        if state is not self._state and self._state is not KernelState.CLOSED:
            self._state = state
            self._events.emit(StateChanged(state, self._succession.number))

    def _process_replaced(self) -> None:
        """Somebody else has restarted the kernel: its process is another one, which answers."""
        if self._state is KernelState.READY and self._generation is not None:
            self._set_state(KernelState.RESTARTING)
            self._generation.number += 1
            self._set_state(KernelState.READY)

    def _execution_state_changed(self, execution_state: str) -> None:
        self._events.emit(ExecutionStateChanged(execution_state))

    def _require_ownership(self, action: str) -> None:
        if not self.owned:
            raise NotOwned(f"this kernel is not ours to {action}: we connected to it, or a pool lent it")


def _closed(result: ExecutionResult | None) -> Exception:
    return ClientClosed("the kernel was closed", result=result)


def _shut_down(result: ExecutionResult | None) -> Exception:
    return KernelDied(ExitInfo(reason="it was shut down"), result)


def _died(result: ExecutionResult | None) -> Exception:
    return KernelDied(None, result)


def _restarted(result: ExecutionResult | None) -> Exception:
    return KernelRestarted(None, result)
