"""Right messages of every type and shape, as the constructors make them; and changed copies of messages."""

import copy
from collections.abc import Callable
from typing import Any

from jupyter_protocol import Message, Session, messages

CLIENT, KERNEL = Session("k", session_id="client"), Session("k", session_id="kernel")

Place = tuple[str | int, ...]
"""Names and indexes that lead to a value: ``("content", "data", "text/plain")``."""


def travelled(message: Message, sender: Session = CLIENT) -> Message:
    """The message as the other end has it."""
    frames = [bytes(frame) for frame in sender.serialize(message)]
    return Session(b"k", packer=sender.packer).deserialize(frames)


def request(msg_type: str) -> Message:
    """A request that has reached the kernel."""
    return travelled(messages.new_message(msg_type, {}))


def changed(message: Message, place: Place, value: object) -> Message:
    """A copy with another value at a place."""
    return _edited(message, place, lambda holder, name: holder.__setitem__(name, value))


def without(message: Message, place: Place) -> Message:
    """A copy without the field at a place."""
    return _edited(message, place, lambda holder, name: holder.__delitem__(name))


def _edited(message: Message, place: Place, edit: Callable[[Any, str | int], None]) -> Message:
    copied = copy.deepcopy(message)
    part, *steps = place
    if not steps:
        edit(_Attributes(copied), part)
        return copied
    holder: Any = getattr(copied, str(part))
    for step in steps[:-1]:
        holder = holder[step]
    edit(holder, steps[-1])
    return copied


class _Attributes:
    """The four parts of a message as the fields of an object."""

    def __init__(self, message: Message) -> None:
        self.message = message

    def __setitem__(self, name: str | int, value: object) -> None:
        setattr(self.message, str(name), value)


def _answer(make: Callable[..., Message], *arguments: Any, **options: Any) -> Message:
    asked = request(make.__name__.replace("_reply", "_request"))
    return make(*arguments, parent=asked, **options)


LANGUAGE = {"name": "l", "version": "1", "mimetype": "text/x-l", "file_extension": ".l"}
FULL_LANGUAGE = {
    **LANGUAGE,
    "pygments_lexer": "l",
    "codemirror_mode": {"name": "l"},
    "nbconvert_exporter": "l",
}
BUNDLE = {"text/plain": "4", "application/json": [1], "image/svg+xml": "<svg/>"}
DATA_METADATA = {"image/svg+xml": {"width": 1}, "isolated": True}
FAILURE = {"status": "error", "ename": "E", "evalue": "v", "traceback": ["t"]}
PORTS = {
    f"{channel}_port": number for number, channel in enumerate(("shell", "iopub", "stdin", "hb"), start=1)
}
ARGUMENTS = {
    "dumpCell": {"code": "1"},
    "debugInfo": None,
    "inspectVariables": None,
    "richInspectVariables": {"variableName": "a", "frameId": 1},
    "copyToGlobals": {"srcVariableName": "a", "srcFrameId": 1, "dstVariableName": "b"},
    "setBreakpoints": {"source": {"path": "/a"}},
}
BODIES: dict[str, Any] = {
    "dumpCell": {"sourcePath": "/a"},
    "debugInfo": {
        "isStarted": True,
        "hashMethod": "Murmur2",
        "hashSeed": "1",
        "tmpFilePrefix": "/a",
        "tmpFileSuffix": ".py",
        "breakpoints": [{"source": "/a", "breakpoints": [{"line": 1}]}],
        "stoppedThreads": [1],
        "richRendering": True,
        "exceptionPaths": ["E"],
        "copyToGlobals": True,
    },
    "inspectVariables": {"variables": [{"name": "a", "variablesReference": 0, "value": "1", "type": "int"}]},
    "richInspectVariables": {"data": BUNDLE, "metadata": {}},
    "setExpression": {"value": "1"},
}


def _debug_request(command: str) -> Message:
    content = {"seq": 1, "type": "request", "command": command}
    arguments = ARGUMENTS[command]
    return messages.debug_request(content if arguments is None else {**content, "arguments": arguments})


def _debug_reply(command: str, **fields: Any) -> Message:
    response = {"seq": 2, "type": "response", "request_seq": 1, "success": True, "command": command}
    return _answer(messages.debug_reply, {**response, **fields})


def _custom(msg_type: str) -> Message:
    return messages.new_message(msg_type, {"anything": [None, {"a": 1}]})


EXAMPLES: dict[str, Message] = {
    # shell
    "execute_request": messages.execute_request("1", user_expressions={"a": "b"}, subshell_id="s"),
    "execute_reply": _answer(
        messages.execute_reply,
        3,
        user_expressions={
            "good": {"status": "ok", "data": BUNDLE, "metadata": DATA_METADATA},
            "bad": FAILURE,
        },
        payload=[{"source": "page", "data": {"text/plain": "a"}, "start": 0}],
    ),
    "execute_reply, aborted": _answer(messages.execute_reply, 3, status="aborted"),
    "execute_reply, error": messages.error_reply(
        request("execute_request"), "E", "v", ["t"], execution_count=3
    ),
    "inspect_request": messages.inspect_request("ab", cursor_pos=1, detail_level=1),
    "inspect_reply": _answer(messages.inspect_reply, BUNDLE, data_metadata=DATA_METADATA),
    "inspect_reply, nothing": _answer(messages.inspect_reply, None),
    "complete_request": messages.complete_request("é😀"),
    "complete_reply": _answer(messages.complete_reply, ["a"], 0, 1, match_metadata={"a": 1}),
    "complete_reply, error": messages.error_reply(request("complete_request"), "E", "v"),
    "history_request": messages.history_request(n=3),
    "history_request, range": messages.history_request(hist_access_type="range", session=0, start=1, stop=2),
    "history_request, search": messages.history_request(hist_access_type="search", pattern="a*", n=1),
    "history_reply": _answer(messages.history_reply, [(0, 1, "a"), [0, 2, ["b", "2"]], (0, 3, ("c", None))]),
    "is_complete_request": messages.is_complete_request("a"),
    "is_complete_reply": _answer(messages.is_complete_reply, "complete"),
    "is_complete_reply, incomplete": _answer(messages.is_complete_reply, "incomplete", indent="  "),
    "is_complete_reply, error": messages.error_reply(request("is_complete_request"), "E", "v", ["t"]),
    "connect_request": messages.connect_request(),
    "connect_reply": _answer(messages.connect_reply, PORTS),
    "comm_info_request": messages.comm_info_request(),
    "comm_info_request, target": messages.comm_info_request(target_name="t"),
    "comm_info_reply": _answer(messages.comm_info_reply, {"c": {"target_name": "t"}}),
    "kernel_info_request": messages.kernel_info_request(),
    "kernel_info_reply": _answer(messages.kernel_info_reply, "k", "1", LANGUAGE),
    "kernel_info_reply, full": _answer(
        messages.kernel_info_reply,
        "k",
        "1",
        FULL_LANGUAGE,
        banner="k",
        help_links=[{"text": "a", "url": "b"}],
        supported_features=["debugger"],
    ),
    # control
    "shutdown_request": messages.shutdown_request(restart=True),
    "shutdown_reply": _answer(messages.shutdown_reply, restart=True),
    "interrupt_request": messages.interrupt_request(),
    "interrupt_reply": _answer(messages.interrupt_reply),
    **{f"debug_request, {command}": _debug_request(command) for command in ARGUMENTS},
    **{f"debug_reply, {command}": _debug_reply(command, body=body) for command, body in BODIES.items()},
    "debug_reply, failed": _debug_reply("debugInfo", success=False, message="no"),
    "debug_reply, error": messages.error_reply(request("debug_request"), "E", "v", ["t"]),
    "create_subshell_request": messages.create_subshell_request(),
    "create_subshell_reply": _answer(messages.create_subshell_reply, "s"),
    "delete_subshell_request": messages.delete_subshell_request("s"),
    "delete_subshell_reply": _answer(messages.delete_subshell_reply),
    "list_subshell_request": messages.list_subshell_request(),
    "list_subshell_reply": _answer(messages.list_subshell_reply, ["s"]),
    # iopub
    "stream": messages.stream("stdout", "a", parent=request("execute_request")),
    "display_data": messages.display_data(BUNDLE, data_metadata=DATA_METADATA, transient={"display_id": "d"}),
    "update_display_data": messages.update_display_data(BUNDLE, "d", data_metadata=DATA_METADATA),
    "execute_input": messages.execute_input("a", 1),
    "execute_result": messages.execute_result(1, BUNDLE, transient={"display_id": "d"}),
    "error": messages.error("E", "v", ["t"]),
    "status": messages.status("starting"),
    "clear_output": messages.clear_output(wait=True),
    "debug_event": messages.debug_event({"seq": 3, "type": "event", "event": "stopped", "body": {}}),
    "iopub_welcome": messages.iopub_welcome(""),
    # stdin
    "input_request": messages.input_request("?", password=True, parent=request("execute_request")),
    "input_reply": _answer(messages.input_reply, "v"),
    # either way
    "comm_open": messages.comm_open("c", "t", {"a": 1}, target_module="m"),
    "comm_msg": messages.comm_msg("c", {"a": 1}, metadata={"m": 1}, buffers=[b"b"]),
    "comm_close": messages.comm_close("c"),
    # handshake, in the dialect of ark
    "handshake_request": messages.new_message("handshake_request", {**PORTS, "control_port": 65535}),
    "handshake_reply": messages.new_reply(
        "handshake_reply", {"status": "ok"}, parent=request("handshake_request")
    ),
    # unknown to the specification
    "custom": _custom("wuz.up/doc"),
    "custom_reply": messages.new_reply("custom_reply", {"a": 1}, parent=request("whatever")),
}
"""By their type, and after a comma what is special about them."""

REGISTRATION = {"kernel_id": "k", **{name: str(port) for name, port in PORTS.items()}, "control_port": "5"}
"""What a kernel sends in the standard dialect of the handshake."""


def msg_type(example: str) -> str:
    """The type in the name of an example."""
    return example.partition(",")[0]
