"""What a terminal shows of a kernel's messages: output, values as plain text, errors."""

import sys
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TextIO

from jupyter_protocol import Message

from .._outputs import as_text
from ..results import ErrorInfo
from .terminal import suited


class Piece(NamedTuple):
    """Text for one of the two streams; ``formatted`` is what may hold colours of the kernel's making."""

    stream: Literal["stdout", "stderr"]
    text: str
    formatted: bool = False


def shown(message: Message) -> Piece | None:
    """What to show of a message on iopub, if anything. Richer forms than text/plain are left out."""
    content = message.content
    match message.msg_type:
        case "stream":
            name: Literal["stdout", "stderr"] = "stderr" if content.get("name") == "stderr" else "stdout"
            return Piece(name, as_text(content.get("text")))
        case "execute_result" | "display_data" | "update_display_data":
            return _of_bundle(content.get("data"))
        case "error":
            return Piece("stderr", error_text(content), formatted=True)
        case _:
            return None


def error_text(content: Mapping[str, Any]) -> str:
    """An error as the kernel tells it: its traceback, or else its name and value."""
    lines = content.get("traceback")
    if isinstance(lines, (list, tuple)) and lines:
        return "\n".join(map(str, lines)).rstrip("\n") + "\n"
    return f"{content.get('ename', 'error')}: {content.get('evalue', '')}\n"


def of_error(error: ErrorInfo) -> Piece:
    """The same for an error that came in a reply alone."""
    content = {"ename": error.ename, "evalue": error.evalue, "traceback": error.traceback}
    return Piece("stderr", error_text(content), formatted=True)


def _of_bundle(data: object) -> Piece | None:
    if not isinstance(data, Mapping) or not data:
        return None
    if "text/plain" in data:
        return Piece("stdout", as_text(data["text/plain"]).rstrip("\n") + "\n", formatted=True)
    return Piece("stdout", f"<{', '.join(map(str, data))}>\n")


def write(piece: Piece) -> None:
    """Write it now, without colours where these are not wanted. Raises `BrokenPipeError`."""
    stream: TextIO = sys.stderr if piece.stream == "stderr" else sys.stdout
    text = suited(piece.text, stream) if piece.formatted else piece.text
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))  # nothing it cannot hold
    stream.flush()
