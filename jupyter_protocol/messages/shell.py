"""Messages of the shell channel: requests for the kernel's language, and their replies.

Source: Messaging in Jupyter, "Messages on the shell (ROUTER/DEALER) channel".
"""

from collections.abc import Sequence
from typing import Any, Literal, Unpack

from .message import Envelope, Frame, JSONDict, Message, make, new_reply

HISTORY_LENGTH = 10
"""How many entries are asked for; the specification wants a number."""


def execute_request(
    code: str,
    *,
    silent: bool = False,
    store_history: bool = True,
    user_expressions: dict[str, str] | None = None,
    allow_stdin: bool = False,
    stop_on_error: bool = True,
    **envelope: Unpack[Envelope],
) -> Message:
    """Run code. ``user_expressions`` maps names to expressions evaluated after it ("Execute")."""
    content = {
        "code": code,
        "silent": silent,
        "store_history": store_history,
        "user_expressions": {} if user_expressions is None else user_expressions,
        "allow_stdin": allow_stdin,
        "stop_on_error": stop_on_error,
    }
    return make("execute_request", content, envelope)


def execute_reply(
    execution_count: int,
    *,
    status: Literal["ok", "aborted"] = "ok",
    user_expressions: JSONDict | None = None,
    payload: Sequence[JSONDict] = (),
    **envelope: Unpack[Envelope],
) -> Message:
    """The code ran, or was not run ("aborted"); for failures see `error_reply` ("Execution results")."""
    content: JSONDict = {"status": status, "execution_count": execution_count}
    if status == "ok":
        content |= {"user_expressions": user_expressions or {}, "payload": list(payload)}
    return new_reply("execute_reply", content, **envelope)


def error_reply(
    parent: Message,
    ename: str,
    evalue: str,
    traceback: Sequence[str] = (),
    *,
    execution_count: int | None = None,
    metadata: JSONDict | None = None,
    buffers: Sequence[Frame] | None = None,
) -> Message:
    """The failing reply to any request; its type follows from ``parent`` ("Request-Reply").

    Raises `ValueError` for an ``execute_request`` without ``execution_count``, which each reply to it has.
    """
    content: JSONDict = {"status": "error", "ename": ename, "evalue": evalue, "traceback": list(traceback)}
    if execution_count is not None:
        content["execution_count"] = execution_count
    elif parent.msg_type == "execute_request":
        raise ValueError("execution_count is missing: a failed execution has one too")
    msg_type = parent.msg_type.removesuffix("_request") + "_reply"
    return new_reply(msg_type, content, parent=parent, metadata=metadata, buffers=buffers)


def inspect_request(
    code: str, *, cursor_pos: int | None = None, detail_level: Literal[0, 1] = 0, **envelope: Unpack[Envelope]
) -> Message:
    """Ask about the object at ``cursor_pos``, counted in code points; None is the end ("Introspection")."""
    content = {"code": code, "cursor_pos": _cursor(code, cursor_pos), "detail_level": detail_level}
    return make("inspect_request", content, envelope)


def inspect_reply(
    data: JSONDict | None, *, data_metadata: JSONDict | None = None, **envelope: Unpack[Envelope]
) -> Message:
    """What was found, as a MIME bundle; None for nothing ("Introspection")."""
    content = {
        "status": "ok",
        "found": data is not None,
        "data": data or {},
        "metadata": data_metadata or {},
    }
    return new_reply("inspect_reply", content, **envelope)


def complete_request(code: str, *, cursor_pos: int | None = None, **envelope: Unpack[Envelope]) -> Message:
    """Ask for completions at ``cursor_pos``, counted in code points; None is the end ("Completion")."""
    content = {"code": code, "cursor_pos": _cursor(code, cursor_pos)}
    return make("complete_request", content, envelope)


def complete_reply(
    matches: Sequence[str],
    cursor_start: int,
    cursor_end: int,
    *,
    match_metadata: JSONDict | None = None,
    **envelope: Unpack[Envelope],
) -> Message:
    """Texts that may replace the code from ``cursor_start`` to ``cursor_end`` ("Completion")."""
    content = {
        "status": "ok",
        "matches": list(matches),
        "cursor_start": cursor_start,
        "cursor_end": cursor_end,
        "metadata": match_metadata or {},
    }
    return new_reply("complete_reply", content, **envelope)


def history_request(
    *,
    hist_access_type: Literal["range", "tail", "search"] = "tail",
    output: bool = False,
    raw: bool = True,
    session: int | None = None,
    start: int | None = None,
    stop: int | None = None,
    n: int | None = None,
    pattern: str | None = None,
    unique: bool = False,
    **envelope: Unpack[Envelope],
) -> Message:
    """Ask for input history ("History").

    ``session, start, stop`` go with "range", ``n`` (10 unless given) with "tail", both ``n`` and
    ``pattern`` with "search". Raises `ValueError`, naming them, for those that are missing.
    """
    if n is None and hist_access_type != "range":
        n = HISTORY_LENGTH
    needed: dict[str, object] = {}
    if hist_access_type == "range":
        needed = {"session": session, "start": start, "stop": stop}
    elif hist_access_type == "search":
        needed = {"pattern": pattern}
    if missing := [name for name, value in needed.items() if value is None]:
        raise ValueError(f"{', '.join(missing)} missing, by which {hist_access_type!r} selects")
    content: JSONDict = {"output": output, "raw": raw, "hist_access_type": hist_access_type}
    optional = {"session": session, "start": start, "stop": stop, "n": n, "pattern": pattern}
    content |= {name: value for name, value in optional.items() if value is not None}
    if hist_access_type == "search":
        content["unique"] = unique
    return make("history_request", content, envelope)


def history_reply(history: Sequence[Sequence[Any]], **envelope: Unpack[Envelope]) -> Message:
    """``(session, line_number, input)`` for each entry, or input and output as a pair ("History")."""
    return new_reply("history_reply", {"status": "ok", "history": list(history)}, **envelope)


def is_complete_request(code: str, **envelope: Unpack[Envelope]) -> Message:
    """Ask whether a console should run the code or wait for more ("Code completeness")."""
    return make("is_complete_request", {"code": code}, envelope)


def is_complete_reply(
    status: Literal["complete", "incomplete", "invalid", "unknown"],
    *,
    indent: str = "",
    **envelope: Unpack[Envelope],
) -> Message:
    """The answer, and with "incomplete" what to begin the next line with ("Code completeness")."""
    content = {"status": status} | ({"indent": indent} if status == "incomplete" else {})
    return new_reply("is_complete_reply", content, **envelope)


def connect_request(**envelope: Unpack[Envelope]) -> Message:
    """Ask for the kernel's ports; deprecated since 5.1 ("Connect")."""
    return make("connect_request", {}, envelope)


def connect_reply(ports: dict[str, int], **envelope: Unpack[Envelope]) -> Message:
    """``shell_port`` and so on; deprecated since 5.1 ("Connect")."""
    return new_reply("connect_reply", {"status": "ok", **ports}, **envelope)


def comm_info_request(*, target_name: str | None = None, **envelope: Unpack[Envelope]) -> Message:
    """Ask for the open comms, of one target or of all ("Comm info")."""
    content = {} if target_name is None else {"target_name": target_name}
    return make("comm_info_request", content, envelope)


def comm_info_reply(comms: dict[str, JSONDict], **envelope: Unpack[Envelope]) -> Message:
    """``{comm_id: {"target_name": …}}`` ("Comm info")."""
    return new_reply("comm_info_reply", {"status": "ok", "comms": comms}, **envelope)


def kernel_info_request(**envelope: Unpack[Envelope]) -> Message:
    """Ask who the kernel is; may be sent on control too ("Kernel info", JEP 80)."""
    return make("kernel_info_request", {}, envelope)


def kernel_info_reply(
    implementation: str,
    implementation_version: str,
    language_info: JSONDict,
    *,
    banner: str = "",
    protocol_version: str = "5.5",
    debugger: bool = False,
    help_links: Sequence[dict[str, str]] = (),
    supported_features: Sequence[str] = (),
    **envelope: Unpack[Envelope],
) -> Message:
    """Who the kernel is ("Kernel info").

    ``language_info`` has at least name, version, mimetype and file_extension.
    """
    content = {
        "status": "ok",
        "protocol_version": protocol_version,
        "implementation": implementation,
        "implementation_version": implementation_version,
        "language_info": language_info,
        "banner": banner,
        "debugger": debugger,
        "help_links": list(help_links),
        "supported_features": list(supported_features),
    }
    return new_reply("kernel_info_reply", content, **envelope)


def _cursor(code: str, cursor_pos: int | None) -> int:
    return len(code) if cursor_pos is None else cursor_pos
