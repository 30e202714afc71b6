"""Messages of the control channel: about the kernel as a whole, answered while it runs code.

Source: Messaging in Jupyter, "Messages on the control (ROUTER/DEALER) channel"; JEP 47, JEP 91.
"""

from collections.abc import Sequence
from typing import Unpack

from .message import Envelope, Frame, JSONDict, Message, make, new_message, new_reply


def shutdown_request(*, restart: bool = False, **envelope: Unpack[Envelope]) -> Message:
    """Ask the kernel to end; ``restart`` says that another will take its place ("Kernel shutdown")."""
    return make("shutdown_request", {"restart": restart}, envelope)


def shutdown_reply(*, restart: bool = False, **envelope: Unpack[Envelope]) -> Message:
    """The kernel is about to end ("Kernel shutdown")."""
    return new_reply("shutdown_reply", {"status": "ok", "restart": restart}, **envelope)


def interrupt_request(**envelope: Unpack[Envelope]) -> Message:
    """Ask the kernel to stop what runs, where its interrupt_mode is "message" ("Kernel interrupt")."""
    return make("interrupt_request", {}, envelope)


def interrupt_reply(**envelope: Unpack[Envelope]) -> Message:
    """The interrupt was taken note of ("Kernel interrupt")."""
    return new_reply("interrupt_reply", {"status": "ok"}, **envelope)


def debug_request(content: JSONDict, **envelope: Unpack[Envelope]) -> Message:
    """A request of the Debug Adapter Protocol ("Debug request", JEP 47)."""
    return make("debug_request", content, envelope)


def debug_reply(content: JSONDict, **envelope: Unpack[Envelope]) -> Message:
    """A response of the Debug Adapter Protocol ("Debug request", JEP 47)."""
    return new_reply("debug_reply", content, **envelope)


def create_subshell_request(**envelope: Unpack[Envelope]) -> Message:
    """Ask for a new subshell, where the kernel has the feature "kernel subshells" (JEP 91)."""
    return make("create_subshell_request", {}, envelope)


def create_subshell_reply(
    subshell_id: str,
    *,
    parent: Message | None = None,
    metadata: JSONDict | None = None,
    buffers: Sequence[Frame] | None = None,
) -> Message:
    """The identifier of the new subshell (JEP 91)."""
    content = {"status": "ok", "subshell_id": subshell_id}
    return new_reply("create_subshell_reply", content, parent=parent, metadata=metadata, buffers=buffers)


def delete_subshell_request(
    subshell_id: str,
    *,
    parent: Message | None = None,
    metadata: JSONDict | None = None,
    buffers: Sequence[Frame] | None = None,
) -> Message:
    """Ask to end a subshell (JEP 91)."""
    content = {"subshell_id": subshell_id}
    return new_message("delete_subshell_request", content, parent=parent, metadata=metadata, buffers=buffers)


def delete_subshell_reply(**envelope: Unpack[Envelope]) -> Message:
    """The subshell ended (JEP 91)."""
    return new_reply("delete_subshell_reply", {"status": "ok"}, **envelope)


def list_subshell_request(**envelope: Unpack[Envelope]) -> Message:
    """Ask which subshells there are (JEP 91)."""
    return make("list_subshell_request", {}, envelope)


def list_subshell_reply(subshell_ids: Sequence[str], **envelope: Unpack[Envelope]) -> Message:
    """The identifiers of all subshells (JEP 91)."""
    return new_reply("list_subshell_reply", {"status": "ok", "subshell_id": list(subshell_ids)}, **envelope)
