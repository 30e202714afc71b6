"""`Comms`: the comms of one client, and what is to happen when the kernel opens one.

Source: Messaging in Jupyter, "Custom Messages".
"""

import inspect
import logging
import uuid
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from jupyter_protocol import ChannelClosed, Message, messages

from ._tasks import TaskSet
from .comms import Buffer, Comm, CommHandler, MakeError
from .exceptions import KernelDied, KernelError

log = logging.getLogger(__name__)


class Sender(Protocol):
    """What comms need of a client."""

    def send(self, channel: str, message: Message) -> None:
        """Send a message without blocking; raises when the kernel or the client is gone."""
        ...


class Comms:
    """Knows the comms that are open, and owns the tasks of async handlers.

    `start` before the first message over new channels and `fail` when they are given up; `received` for
    every message in between; `aclose` at the end. Handlers stay.
    """

    def __init__(self, client: Sender) -> None:
        self._client = client
        self._comms: dict[str, Comm] = {}
        self._handlers: dict[str, CommHandler] = {}
        self._tasks = TaskSet()
        self._refusal: MakeError | None = None
        self._session: str | None = None

    def open(
        self,
        target_name: str,
        data: dict[str, Any] | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Buffer] | None = None,
        comm_id: str | None = None,
    ) -> Comm:
        """Open a comm to a target in the kernel, without waiting: the kernel does not confirm it.

        A kernel that does not know the target closes the comm; one without comms stays silent. Raises as
        `Comm.send` does, and `ValueError` for a ``comm_id`` that is in use here. Source: "Opening a Comm".
        """
        comm = Comm(uuid.uuid4().hex if comm_id is None else comm_id, target_name, self)
        if comm.comm_id in self._comms:
            raise ValueError(f"there is a comm {comm.comm_id!r} already")
        self.send(messages.comm_open(comm.comm_id, target_name, data, metadata=metadata, buffers=buffers))
        self._comms[comm.comm_id] = comm
        return comm

    def on_open(self, target_name: str, handler: CommHandler | None) -> None:
        """Call ``handler(comm, open_message)`` for each comm that the kernel opens to this target.

        It is called for every ``comm_open`` that is seen, whichever client made the kernel open it. An
        async handler runs in a task that the client owns: it lives on when the kernel dies (its comm raises
        then) and is cancelled and awaited when the client is closed. What a handler raises is logged, and
        its comm is closed. A second handler takes the place of the first; None removes it.
        """
        if handler is None:
            self._handlers.pop(target_name, None)
        else:
            self._handlers[target_name] = handler

    def send(self, message: Message) -> None:
        """Send a message to the kernel. Raises as the client does."""
        self._client.send("shell", message)

    def try_to_send(self, message: Message) -> None:
        """Send a message unless the kernel is gone."""
        try:
            self.send(message)
        except (KernelError, ChannelClosed) as error:
            log.debug("%r came too late: %s", message, error)

    def forget(self, comm: Comm) -> None:
        """Take no more messages for a comm."""
        self._comms.pop(comm.comm_id, None)

    # What the client calls

    def start(self) -> None:
        """There is a kernel to talk to from here on."""
        self._refusal = None

    def fail(self, make_error: MakeError) -> None:
        """Fail all comms and take no more messages until `start`. Tasks of handlers run on."""
        self._refusal = make_error
        comms, self._comms = self._comms, {}
        for comm in comms.values():
            comm.fail(make_error)

    async def aclose(self) -> None:
        """Cancel the handlers that run and wait for them, for two seconds at most. Cancelling it is safe."""
        await self._tasks.aclose()

    def received(self, channel: str, message: Message) -> None:
        """Let a message take its effect on the comm it belongs to. Comms that are not ours are ignored."""
        if channel != "iopub":
            # What is sent to one client alone names the session of that client as its cause.
            self._session = message.parent_header.get("session") or self._session
        elif message.msg_type.startswith("comm_") and self._refusal is None:
            comm_id = message.content.get("comm_id")
            if isinstance(comm_id, str):
                self._apply(message, comm_id)

    def _apply(self, message: Message, comm_id: str) -> None:
        comm = self._comms.get(comm_id)
        if message.msg_type == "comm_open":
            self._opened(message, comm_id)
        elif comm is not None and message.msg_type == "comm_msg":
            comm.put(message)
        elif comm is not None and message.msg_type == "comm_close":
            self.forget(comm)
            comm.end(message)

    def _opened(self, message: Message, comm_id: str) -> None:
        target_name = message.content.get("target_name")
        handler = self._handlers.get(target_name) if isinstance(target_name, str) else None
        if comm_id in self._comms:
            log.warning("The kernel opened a comm that is open: %r", message)
        elif handler is not None:
            comm = self._comms[comm_id] = Comm(comm_id, str(target_name), self)
            self._call(handler, comm, message)
        elif (
            self._handlers
            and self._session is not None
            and message.parent_header.get("session") == self._session
        ):
            # "it should immediately reply with a comm_close message" (Opening a Comm). Every client of the
            # kernel sees the comm_open: only the one whose request caused it may speak for its target, and
            # one that has nothing to do with comms leaves them to others.
            log.debug("Nobody here knows the target of %r", message)
            self.try_to_send(messages.comm_close(comm_id))

    def _call(self, handler: CommHandler, comm: Comm, message: Message) -> None:
        try:
            result = handler(comm, message)
        except Exception:  # the application's code
            log.exception("A comm handler failed for %r", comm)
            comm.close()
            return
        if inspect.isawaitable(result):
            self._tasks.start(self._finish(result, comm), name=f"comm-{comm.target_name}")

    async def _finish(self, running: Awaitable[None], comm: Comm) -> None:
        try:
            await running
        except (KernelDied, ChannelClosed) as error:  # what it used is gone, and it leaves it at that
            log.debug("The handler of %r ended: %s", comm, error)
            comm.close()
        except Exception:  # the application's code
            log.exception("A comm handler failed for %r", comm)
            comm.close()
