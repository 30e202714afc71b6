"""`PooledKernel`: one kernel of a pool, from its launch through its holders to its end."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from jupyter_protocol import Message, ProtocolError

from ._lent_channels import LentChannels
from ._options import KernelOptions
from ._pool_preparing import PREPARING, Preparing
from .events import KernelEvent, KernelExited, KernelState
from .exceptions import KernelError, LaunchError, Unsupported
from .kernel import Kernel
from .launching import Launched
from .opening import Opening
from .results import ExecutionResult

log = logging.getLogger(__name__)

CHECK_TIMEOUT = 5.0
"""Seconds that a warm kernel has to answer when it is handed out."""

RETURN_TIMEOUT = 10.0
"""Seconds that a kernel has to become ready for the next holder."""


class Unfit(Exception):
    """The kernel cannot be handed out: it died, or does not answer. Never raised to applications."""


class PooledKernel:
    """A kernel that its pool owns, and before it ``kernel``, which each holder gets anew and does not own.

    Both talk through the same channels. ``on_died`` is called when its process ends by itself.
    ``options`` are for what holders get.
    """

    def __init__(self, options: KernelOptions, on_died: Callable[["PooledKernel"], None]) -> None:
        self._options = options
        self._on_died = on_died
        self._owned: Kernel | None = None
        self._lent: Kernel | None = None
        self._channels: LentChannels | None = None
        self._preparing: Preparing | None = None
        self._language = "unknown"

    def __repr__(self) -> str:
        return f"<PooledKernel {self._owned!r}>"

    @property
    def kernel(self) -> Kernel:
        """What a holder gets."""
        assert self._lent is not None, "it is ready when it is handed out"
        return self._lent

    @property
    def used(self) -> bool:
        """Whether the holder did anything that may have left a trace in the kernel."""
        return self._channels is not None and self._channels.used

    @property
    def alive(self) -> bool:
        """Whether its process is there, as far as was heard."""
        return self._owned is not None and self._owned.state is KernelState.READY

    @property
    def busy(self) -> bool:
        """Whether it runs code, anybody's."""
        return self._owned is not None and self._owned.client.executing

    def heard(self, event: KernelEvent) -> None:
        """What happens to the kernel, for ``on_event`` of its launch."""
        if isinstance(event, KernelExited) and not event.expected:
            self._on_died(self)

    async def launch(self, opening: Opening) -> None:
        """Have it launched, and make it ready for a holder.

        Raises as `launch` does; nothing is left then, nor when this is cancelled.
        """
        self._owned = await opening
        try:
            await self.renew()
        except BaseException:
            await self.end()
            raise

    async def renew(self) -> None:
        """Make it ready for the next holder. Raises `KernelError`; the caller ends it then."""
        owned = self._owned
        assert owned is not None, "it was launched"
        if owned.client._line.channels is None:
            raise LaunchError(f"{owned!r} has died already")
        channels = self._channels = LentChannels(owned.client)
        self._lent = Kernel(self._options, kernel_type=owned.kernel_type, owned=False)
        await self._lent.open(_lent(owned, channels))
        if self._preparing is None:
            info = (await self._lent.kernel_info()).content.get("language_info", {})
            self._language = str(info.get("name", self._language))
            self._preparing = PREPARING.get(self._language.lower())
            await self.prepare(None, {}, timeout=RETURN_TIMEOUT)  # slower, and notes how it was

    async def prepare(self, cwd: str | None, env: Mapping[str, str], *, timeout: float | None = None) -> None:
        """See whether it is well, and give it directory and environment, in one round trip.

        Raises `Unsupported` where it cannot change them and `LaunchError` where the directory is none (it
        is as it was then), `Unfit` where it is of no use. Cancelled, it can be made ready again.
        """
        assert self._channels is not None, "it is ready when it is handed out"
        try:
            async with asyncio.timeout(timeout or CHECK_TIMEOUT):
                result = await self._check(cwd, env)
        except (TimeoutError, KernelError, ProtocolError) as error:
            if isinstance(error, Unsupported):
                raise
            raise Unfit(f"{self._owned!r} does not answer {error}".rstrip()) from error
        finally:
            self._channels.used = False
        if isinstance(result, ExecutionResult) and result.status != "ok":
            raise LaunchError(f"the kernel cannot be prepared with cwd={cwd!r}: {_reason(result)}")

    async def _check(self, cwd: str | None, env: Mapping[str, str]) -> ExecutionResult | Message:
        if self._preparing is not None:
            code = self._preparing(cwd, env)
            return await self.kernel.client.execute(code, silent=True, store_history=False)
        for option, value in (("cwd", cwd), ("env", env)):
            if value:
                reason = f"a kernel for {self._language!r} cannot change it once it runs; give it to the pool"
                raise Unsupported(option, reason)
        return await self.kernel.kernel_info()

    async def take_back(self) -> None:
        """Nothing of the holder is connected any more: requests, subshells, handlers, comms."""
        if self._lent is not None:
            await self._lent.aclose()

    async def end(self) -> None:
        """End it, politely; killed when this is cancelled. Nothing is left then. May be called again."""
        try:
            await self.take_back()
        except asyncio.CancelledError:
            if self._owned is not None and self._owned.manager is not None:
                await self._owned.manager.kill()
            raise
        finally:
            if self._owned is not None:
                await self._owned.aclose()


def _lent(owned: Kernel, channels: LentChannels) -> Launched:
    """What a kernel that is owned was launched with, to be reached through these channels."""
    assert owned._generation is not None, "it was launched"
    launched = owned._generation.launched
    lent = Launched(
        channels=channels,
        manager=launched.manager,
        interrupt_mode=launched.interrupt_mode,
        connection_file=launched.connection_file,
        command=launched.command,
    )
    lent.connection_info = launched.connection_info  # so that holders can tell others where it is
    return lent


def _reason(result: ExecutionResult) -> str:
    error = result.error
    return f"its code was {result.status}" if error is None else f"{error.ename}: {error.evalue}".strip(": ")
