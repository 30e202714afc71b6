"""Messages of the iopub channel: what a kernel tells all clients.

Source: Messaging in Jupyter, "Messages on the IOPub (PUB/SUB) channel"; JEP 47, JEP 65.
"""

from collections.abc import Sequence
from typing import Literal, Unpack

from .message import Envelope, JSONDict, Message, make


def status(execution_state: Literal["busy", "idle", "starting"], **envelope: Unpack[Envelope]) -> Message:
    """The kernel began or finished handling ``parent``, or starts ("Kernel status")."""
    return make("status", {"execution_state": execution_state}, envelope)


def stream(name: Literal["stdout", "stderr"], text: str, **envelope: Unpack[Envelope]) -> Message:
    """Text that code wrote ("Streams")."""
    return make("stream", {"name": name, "text": text}, envelope)


def display_data(
    data: JSONDict,
    *,
    data_metadata: JSONDict | None = None,
    transient: JSONDict | None = None,
    **envelope: Unpack[Envelope],
) -> Message:
    """A MIME bundle to show; ``transient`` may hold a ``display_id`` ("Display data")."""
    return make("display_data", _display(data, data_metadata, transient), envelope)


def update_display_data(
    data: JSONDict, display_id: str, *, data_metadata: JSONDict | None = None, **envelope: Unpack[Envelope]
) -> Message:
    """Replace what was shown under a ``display_id`` ("Update display data")."""
    content = _display(data, data_metadata, {"display_id": display_id})
    return make("update_display_data", content, envelope)


def execute_input(code: str, execution_count: int, **envelope: Unpack[Envelope]) -> Message:
    """The code that is about to run, for the other clients ("Code inputs")."""
    return make("execute_input", {"code": code, "execution_count": execution_count}, envelope)


def execute_result(
    execution_count: int,
    data: JSONDict,
    *,
    data_metadata: JSONDict | None = None,
    transient: JSONDict | None = None,
    **envelope: Unpack[Envelope],
) -> Message:
    """The value of the code as a MIME bundle ("Execution results")."""
    content = {"execution_count": execution_count, **_display(data, data_metadata, transient)}
    return make("execute_result", content, envelope)


def error(ename: str, evalue: str, traceback: Sequence[str] = (), **envelope: Unpack[Envelope]) -> Message:
    """The code failed ("Execution errors")."""
    content = {"ename": ename, "evalue": evalue, "traceback": list(traceback)}
    return make("error", content, envelope)


def clear_output(*, wait: bool = False, **envelope: Unpack[Envelope]) -> Message:
    """Remove what ``parent`` showed; ``wait`` until something takes its place ("Clear output")."""
    return make("clear_output", {"wait": wait}, envelope)


def debug_event(content: JSONDict, **envelope: Unpack[Envelope]) -> Message:
    """An event of the Debug Adapter Protocol ("Debug event", JEP 47)."""
    return make("debug_event", content, envelope)


def iopub_welcome(subscription: str, **envelope: Unpack[Envelope]) -> Message:
    """A subscription works; the parent header is empty (JEP 65)."""
    return make("iopub_welcome", {"subscription": subscription}, envelope)


def _display(data: JSONDict, data_metadata: JSONDict | None, transient: JSONDict | None) -> JSONDict:
    return {"data": data, "metadata": data_metadata or {}, "transient": transient or {}}
