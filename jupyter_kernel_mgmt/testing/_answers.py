"""What a `FakeKernel` answers without running anything."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from jupyter_protocol import Message, messages

if TYPE_CHECKING:
    from .fake_kernel import FakeKernel

SUBSHELLS = "kernel subshells"
"""The name of the feature in ``supported_features`` (JEP 91)."""


def answer(kernel: "FakeKernel", channel: str, request: Message) -> Message | None:
    """The reply to a request; None where a kernel, this one or any, gives none."""
    kind, quirks = request.msg_type, kernel.quirks
    if kind == "kernel_info_request" and channel == "control" and not quirks.answers_kernel_info_on_control:
        return None
    if kind == "shutdown_request" and quirks.ignores_shutdown:
        return None
    make = _ANSWERS.get(kind)
    return None if make is None else make(kernel, request)


def _kernel_info(kernel: "FakeKernel", request: Message) -> Message:
    language = {"name": "fake", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"}
    return messages.kernel_info_reply(
        "fake",
        "1",
        language,
        debugger=kernel.debugger is not None,
        supported_features=kernel.quirks.supported_features,
        parent=request,
    )


def _complete(kernel: "FakeKernel", request: Message) -> Message:
    position = request.content["cursor_pos"]
    return messages.complete_reply([request.content["code"] + "…"], 0, position, parent=request)


def _comm_info(kernel: "FakeKernel", request: Message) -> Message:
    comms = kernel.comms.info(request.content.get("target_name"))
    return messages.comm_info_reply(comms, parent=request)


def _debug(kernel: "FakeKernel", request: Message) -> Message | None:
    if kernel.debugger is None:
        return None
    return messages.debug_reply(kernel.debugger(kernel, request.content), parent=request)


def _create_subshell(kernel: "FakeKernel", request: Message) -> Message | None:
    if not _answers_about_subshells(kernel):
        return None
    return messages.create_subshell_reply(kernel.create_subshell(), parent=request)


def _delete_subshell(kernel: "FakeKernel", request: Message) -> Message | None:
    if not _answers_about_subshells(kernel):
        return None
    subshell_id = request.content["subshell_id"]
    if not kernel.delete_subshell(subshell_id):
        # ipykernel names no exception here, unlike elsewhere
        content = {"status": "error", "evalue": f"Unknown subshell_id {subshell_id!r}"}
        return messages.new_reply("delete_subshell_reply", content, parent=request)
    return messages.delete_subshell_reply(parent=request)


def _list_subshell(kernel: "FakeKernel", request: Message) -> Message | None:
    if not _answers_about_subshells(kernel):
        return None
    return messages.list_subshell_reply(list(kernel.subshells), parent=request)


def _answers_about_subshells(kernel: "FakeKernel") -> bool:
    return SUBSHELLS in kernel.quirks.supported_features and kernel.quirks.answers_about_subshells


_ANSWERS: Mapping[str, Callable[["FakeKernel", Message], Message | None]] = {
    "kernel_info_request": _kernel_info,
    "complete_request": _complete,
    "inspect_request": lambda kernel, request: messages.inspect_reply(None, parent=request),
    "history_request": lambda kernel, request: messages.history_reply([], parent=request),
    "is_complete_request": lambda kernel, request: messages.is_complete_reply("complete", parent=request),
    "comm_info_request": _comm_info,
    "interrupt_request": lambda kernel, request: messages.interrupt_reply(parent=request),
    "shutdown_request": lambda kernel, request: messages.shutdown_reply(
        restart=bool(request.content.get("restart")), parent=request
    ),
    "debug_request": _debug,
    "create_subshell_request": _create_subshell,
    "delete_subshell_request": _delete_subshell,
    "list_subshell_request": _list_subshell,
}
"""By type; a request of another type gets busy and idle and no reply."""
