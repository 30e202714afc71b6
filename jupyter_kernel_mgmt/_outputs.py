"""From the output messages of an execution to what a notebook shows. Pure.

Source: nbformat 4, "Code cell outputs"; Messaging in Jupyter, "Messages on the IOPub channel".
"""

from collections.abc import Iterable
from typing import Any

from jupyter_protocol import Message

Output = dict[str, Any]


Displays = dict[str, list[Output]]
"""The outputs that show something under a display id."""


def fold(messages: Iterable[Message]) -> tuple[list[Output], Displays]:
    """The outputs, as nbformat 4 dicts, after all messages took their effect, and those with a display id.

    Neighbouring text of one stream is joined; ``clear_output`` empties the list, at once or with the next
    output; ``update_display_data`` replaces what was shown under its display id.
    """
    outputs: list[Output] = []
    displays: Displays = {}
    clear_with_next = False
    for message in messages:
        content = message.content
        if message.msg_type == "clear_output":
            if content.get("wait"):
                clear_with_next = True
            else:
                outputs.clear()
                displays.clear()
            continue
        if message.msg_type == "update_display_data":
            update(displays, message)
            continue
        if clear_with_next:
            outputs.clear()
            displays.clear()
            clear_with_next = False
        output = _output(message)
        if _joins(outputs, output):
            outputs[-1]["text"].append(output["text"])
            continue
        if output["output_type"] == "stream":
            output["text"] = [output["text"]]  # in pieces: adding text to text would copy all of it each time
        outputs.append(output)
        if shown := display_id(content):
            displays.setdefault(shown, []).append(output)
    for output in outputs:
        if output["output_type"] == "stream":
            output["text"] = "".join(output["text"])
    return outputs, displays


def update(displays: Displays, message: Message) -> None:
    """Let an ``update_display_data`` change what is shown under its display id, if anything is."""
    for shown in displays.get(display_id(message.content), []):
        content = message.content
        shown |= {"data": _dict(content.get("data")), "metadata": _dict(content.get("metadata"))}


def _joins(outputs: list[Output], output: Output) -> bool:
    return (
        output["output_type"] == "stream"
        and bool(outputs)
        and outputs[-1]["output_type"] == "stream"
        and outputs[-1]["name"] == output["name"]
    )


def _output(message: Message) -> Output:
    """The message as an output; what has the wrong type is put right, since kernels misbehave."""
    content = message.content
    output: Output = {"output_type": message.msg_type}
    if message.msg_type == "stream":
        return output | {"name": as_text(content.get("name", "stdout")), "text": as_text(content.get("text"))}
    if message.msg_type == "error":
        return output | {
            "ename": as_text(content.get("ename")),
            "evalue": as_text(content.get("evalue")),
            "traceback": _lines(content.get("traceback")),
        }
    output |= {"data": _dict(content.get("data")), "metadata": _dict(content.get("metadata"))}
    if message.msg_type == "execute_result":
        output["execution_count"] = content.get("execution_count")
    return output


def as_text(value: object) -> str:
    """Text, also where it comes as a list of lines as notebooks have it; anything else has none."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""


def _lines(value: object) -> list[str]:
    if isinstance(value, list):
        return list(map(as_text, value))
    return [] if value is None else [as_text(value)]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def display_id(content: dict[str, Any]) -> str:
    """The display id that a message's content names; empty where there is none."""
    transient = content.get("transient")
    named = transient.get("display_id") if isinstance(transient, dict) else None
    return named if isinstance(named, str) else ""
