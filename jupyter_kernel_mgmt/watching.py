"""What a kernel tells, as methods of `KernelClient`: its state, every message, comms, and the trace."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ._comms import Comms
from ._handlers import STREAM_LIMIT, Handler, Handlers, MessageStream
from ._line import Line
from ._under_way import UnderWay
from .comms import Comm, CommHandler
from .wire_trace import Tracer, WireTrace


class KernelWatching:
    """Sees what arrives. Its parts are the client's, which makes and closes them."""

    _line: Line
    _under_way: UnderWay
    _handlers: Handlers
    _comms: Comms

    @property
    def execution_state(self) -> str:
        """``"busy"`` while the kernel handles anybody's request, else ``"idle"``, as far as it told us."""
        return "busy" if self._under_way.router.active else "idle"

    @property
    def executing(self) -> bool:
        """Whether the kernel runs code, anybody's, as far as it told us."""
        return bool(self._under_way.running())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a message makes a condition true; it is looked at after handlers saw each message.

        Raises as requests do when no more messages can come. Cancelling it is safe.
        """
        self._line.check()
        await self._under_way.until(condition)

    def add_handler(self, handler: Handler, channels: Iterable[str] | None = None) -> None:
        """Call ``handler(channel, message)`` for every message received, or for those of some channels.

        Handlers are called in the order they were added, after requests took note of the message. What one
        raises is logged.
        """
        self._handlers.add(handler, channels)

    def remove_handler(self, handler: Handler) -> None:
        """Call it no longer. An unknown handler is ignored."""
        self._handlers.remove(handler)

    def messages(self, channels: Iterable[str] = ("iopub",), *, limit: int = STREAM_LIMIT) -> MessageStream:
        """All messages of some channels: an async context manager and iterator of ``(channel, message)``."""
        return self._handlers.stream(channels, limit)

    def open_comm(
        self,
        target_name: str,
        data: dict[str, Any] | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[bytes | bytearray | memoryview] | None = None,
        comm_id: str | None = None,
    ) -> Comm:
        """Open a comm to a target in the kernel; see `Comm`. Does not wait: kernels do not confirm it.

        A kernel that does not know the target closes the comm. Raises as requests do, and `ValueError` for a
        ``comm_id`` that is in use. Source: Messaging in Jupyter, "Opening a Comm".
        """
        return self._comms.open(target_name, data, metadata=metadata, buffers=buffers, comm_id=comm_id)

    def on_comm(self, target_name: str, handler: CommHandler | None) -> None:
        """Call ``handler(comm, open_message)``, sync or async, for each comm the kernel opens to a target.

        None removes the handler. See `Comms.on_open` for the life of async handlers.
        """
        self._comms.on_open(target_name, handler)

    @property
    def trace(self) -> WireTrace | None:
        """Called with a `TraceEntry`, without secrets, for every message that passes; see `log_trace`."""
        return None if self._line.tracer is None else self._line.tracer.trace

    @trace.setter
    def trace(self, trace: WireTrace | None) -> None:
        self._line.tracer = None if trace is None else Tracer(trace)

    async def settle(self) -> None:
        """Wait until what a kernel sent before its end has arrived: until nothing more comes.

        Takes a few milliseconds, and at most a second. Cancelling it is safe.
        """
        await self._under_way.settle()
