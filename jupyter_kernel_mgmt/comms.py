"""Comms: pairs of objects, one in the kernel and one here, that send each other messages, with buffers.

Either side may open one; `Comm` is our half.

Source: Messaging in Jupyter, "Custom Messages".
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jupyter_protocol import ChannelClosed, Message, messages

if TYPE_CHECKING:
    from ._comms import Comms

COMM_LIMIT = 10_000
"""Messages that wait in a `Comm` for a reader that lags behind."""

COMM_BYTES = 64 * 1024 * 1024
"""Bytes that those messages may have together; the newest message is kept, however large."""

Buffer = bytes | bytearray | memoryview
MakeError = Callable[[None], Exception]
"""Makes the error for whoever waits for a comm of a kernel that is gone, or uses it."""


class Comm:
    """Our half of a comm, made by `KernelClient.open_comm` or handed to a handler of `KernelClient.on_comm`.

    Iterating gives the kernel's ``comm_msg`` messages, from the opening on, with data in
    ``message.content["data"]`` and ``message.buffers`` as received, not copied. It ends when the comm was
    closed by either side, and after the messages that came before raises `KernelDied`, `KernelRestarted`
    or `ClientClosed` where the other half went away without a word. Cancelling a read is safe: the message
    stays for the next one. Several readers share the messages.

    At most `COMM_LIMIT` messages and `COMM_BYTES` bytes wait for a reader that lags behind; then the
    oldest are dropped and counted in ``dropped``. ``close_message`` is the kernel's ``comm_close``, once
    it came. Leaving an ``async with`` block closes the comm.
    """

    def __init__(self, comm_id: str, target_name: str, registry: "Comms") -> None:
        self.comm_id = comm_id
        self.target_name = target_name
        self.dropped = 0
        self.close_message: Message | None = None
        self._registry = registry
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0
        self._arrival: asyncio.Future[None] | None = None
        self._closed = False
        self._make_error: MakeError | None = None

    def __repr__(self) -> str:
        state = "lost" if self._make_error else "closed" if self._closed else "open"
        return f"<Comm {self.target_name} {self.comm_id} {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether either side closed it, or the kernel or the client is gone."""
        return self._closed

    def send(
        self,
        data: dict[str, Any],
        *,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Buffer] | None = None,
    ) -> None:
        """Send data to the kernel's half, in order and without blocking.

        Raises `KernelDied`, `KernelRestarted` or `ClientClosed` where the other half is gone,
        `jupyter_protocol.ChannelClosed` when the comm is closed, and `InvalidMessage` for what cannot be
        packed. Source: "Comm Messages".
        """
        if self._make_error is not None:
            raise self._make_error(None)
        if self._closed:
            raise ChannelClosed(f"{self!r} cannot be sent on")
        message = messages.comm_msg(self.comm_id, data, metadata=metadata, buffers=buffers)
        self._registry.send(message)

    def close(self, data: dict[str, Any] | None = None) -> None:
        """Tell the kernel's half, with data if it wants some, and end. May be called again.

        Where the kernel is gone there is nobody to be told, and nothing is raised. Raises
        `InvalidMessage` for data that cannot be packed; the comm is open then. Source: "Tearing Down
        Comms".
        """
        if not self._closed:
            self._registry.try_to_send(messages.comm_close(self.comm_id, data))
            self._registry.forget(self)
            self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while not self._waiting:
            if self._make_error is not None:
                raise self._make_error(None)
            if self._closed:
                raise StopAsyncIteration
            if self._arrival is None:
                self._arrival = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._arrival])
        message = self._waiting.popleft()
        self._waiting_bytes -= message.size
        return message

    # What the registry calls, in the order of arrival:

    def put(self, message: Message) -> None:
        """A message of the kernel's for our half."""
        self._waiting.append(message)
        self._waiting_bytes += message.size
        while len(self._waiting) > 1 and (
            len(self._waiting) > COMM_LIMIT or self._waiting_bytes > COMM_BYTES
        ):
            self._waiting_bytes -= self._waiting.popleft().size
            self.dropped += 1
        self._wake()

    def end(self, close_message: Message | None = None) -> None:
        """It was closed, by the kernel where there is a message."""
        self._closed = True
        self.close_message = close_message
        self._wake()

    def fail(self, make_error: MakeError) -> None:
        """The other half is gone."""
        self._make_error = make_error
        self.end()

    def _wake(self) -> None:
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None


CommHandler = Callable[[Comm, Message], Awaitable[None] | None]
"""Called with a comm that the kernel opened, and the ``comm_open`` message. May be async."""
