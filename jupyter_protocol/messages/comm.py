"""Messages of comms: pairs of objects, one in the kernel and one in a client; sent either way.

A client sends them on shell, a kernel on iopub. Source: Messaging in Jupyter, "Custom Messages".
"""

from typing import Unpack

from .message import Envelope, JSONDict, Message, make


def comm_open(
    comm_id: str,
    target_name: str,
    data: JSONDict | None = None,
    *,
    target_module: str | None = None,
    **envelope: Unpack[Envelope],
) -> Message:
    """Make the other half of a comm ("Opening a Comm")."""
    content = {"comm_id": comm_id, "target_name": target_name, "data": data or {}}
    if target_module is not None:
        content["target_module"] = target_module
    return make("comm_open", content, envelope)


def comm_msg(comm_id: str, data: JSONDict, **envelope: Unpack[Envelope]) -> Message:
    """Something for the other half ("Comm Messages")."""
    return make("comm_msg", {"comm_id": comm_id, "data": data}, envelope)


def comm_close(comm_id: str, data: JSONDict | None = None, **envelope: Unpack[Envelope]) -> Message:
    """End the other half ("Tearing Down Comms")."""
    return make("comm_close", {"comm_id": comm_id, "data": data or {}}, envelope)
