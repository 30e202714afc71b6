"""`FakeComms`: the comms of a `FakeKernel`, opened by either side."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_protocol import Message, messages

if TYPE_CHECKING:
    from .fake_kernel import FakeKernel


class FakeComm:
    """The kernel's half of one comm. ``received`` are the client's messages about it, in order."""

    def __init__(self, kernel: "FakeKernel", comm_id: str, target_name: str) -> None:
        self.comm_id = comm_id
        self.target_name = target_name
        self.received: list[Message] = []
        self.parent: Message | None = None
        self._kernel = kernel

    def __repr__(self) -> str:
        return f"<FakeComm {self.target_name} {self.comm_id}>"

    def send(self, data: dict[str, Any], **options: Any) -> None:
        """Tell the client's half something; options as of `jupyter_protocol.messages.comm_msg`."""
        options.setdefault("parent", self.parent)
        self._kernel.send("iopub", messages.comm_msg(self.comm_id, data, **options))

    def close(self, data: dict[str, Any] | None = None, **options: Any) -> None:
        """End both halves."""
        options.setdefault("parent", self.parent)
        self._kernel.comms.opened.pop(self.comm_id, None)
        self._kernel.send("iopub", messages.comm_close(self.comm_id, data, **options))


CommHandler = Callable[[FakeComm, Message], None]
"""Called with a comm and the client's message: ``comm_open`` at first, then others."""


class FakeComms:
    """The comms that are open, by id in ``opened``, and who answers for each target in ``targets``.

    As in ipykernel, a client that opens a comm to a target that is not there is sent a ``comm_close``.
    """

    def __init__(self, kernel: "FakeKernel") -> None:
        self.targets: dict[str, CommHandler] = {}
        self.opened: dict[str, FakeComm] = {}
        self._kernel = kernel

    def open(
        self,
        target_name: str,
        data: dict[str, Any] | None = None,
        *,
        parent: Message | None = None,
        **options: Any,
    ) -> FakeComm:
        """Open a comm to the client; options as of `jupyter_protocol.messages.comm_open`."""
        comm = self._add(uuid.uuid4().hex, target_name, parent)
        opening = messages.comm_open(comm.comm_id, target_name, data, parent=parent, **options)
        self._kernel.send("iopub", opening)
        return comm

    def handle(self, message: Message) -> None:
        """What the client sent: ``comm_open``, ``comm_msg`` or ``comm_close``. Unknown ids are ignored."""
        comm_id = message.content["comm_id"]
        if message.msg_type == "comm_open":
            target_name = message.content["target_name"]
            if target_name not in self.targets:
                self._kernel.send("iopub", messages.comm_close(comm_id, parent=message))
                return
            self._add(comm_id, target_name, message)
        comm = self.opened.get(comm_id)
        if comm is None:
            return
        comm.parent = message
        comm.received.append(message)
        if message.msg_type == "comm_close":
            del self.opened[comm_id]
        if handler := self.targets.get(comm.target_name):
            handler(comm, message)

    def info(self, target_name: str | None) -> dict[str, dict[str, Any]]:
        """What a ``comm_info_reply`` says of one target, or of all."""
        return {
            comm_id: {"target_name": comm.target_name}
            for comm_id, comm in self.opened.items()
            if target_name in (None, comm.target_name)
        }

    def _add(self, comm_id: str, target_name: str, parent: Message | None) -> FakeComm:
        comm = self.opened[comm_id] = FakeComm(self._kernel, comm_id, target_name)
        comm.parent = parent
        return comm
