"""From the output messages of an execution to what a notebook shows. Pure.

Source: nbformat 4, "Code cell outputs"; Messaging in Jupyter, "Messages on the IOPub channel".
"""

from collections.abc import Iterable
from typing import Any

from jupyter_protocol import Message

Output = dict[str, Any]


def fold(messages: Iterable[Message]) -> list[Output]:
    """The outputs, as nbformat 4 dicts, after all messages took their effect.

    Neighbouring text of one stream is joined; ``clear_output`` empties the list, at once or with the next
    output; ``update_display_data`` replaces what was shown under its display id in this execution.
    """
    outputs: list[Output] = []
    displays: dict[str, list[Output]] = {}
    clear_with_next = False
    for message in messages:
        content = message.content
        if message.msg_type == "clear_output":
            if content.get("wait"):
                clear_with_next = True
            else:
                outputs.clear()
            continue
        if message.msg_type == "update_display_data":
            for shown in displays.get(_display_id(content), []):
                shown |= {"data": content.get("data", {}), "metadata": content.get("metadata", {})}
            continue
        if clear_with_next:
            outputs.clear()
            clear_with_next = False
        if _joins(outputs, message):
            outputs[-1]["text"] += content.get("text", "")
            continue
        output = _output(message)
        outputs.append(output)
        if display_id := _display_id(content):
            displays.setdefault(display_id, []).append(output)
    return outputs


def _joins(outputs: list[Output], message: Message) -> bool:
    return (
        message.msg_type == "stream"
        and bool(outputs)
        and outputs[-1]["output_type"] == "stream"
        and outputs[-1]["name"] == message.content.get("name", "stdout")
    )


def _output(message: Message) -> Output:
    content = message.content
    output: Output = {"output_type": message.msg_type}
    if message.msg_type == "stream":
        return output | {"name": content.get("name", "stdout"), "text": content.get("text", "")}
    if message.msg_type == "error":
        return output | {
            "ename": content.get("ename", ""),
            "evalue": content.get("evalue", ""),
            "traceback": content.get("traceback", []),
        }
    output |= {"data": content.get("data", {}), "metadata": content.get("metadata", {})}
    if message.msg_type == "execute_result":
        output["execution_count"] = content.get("execution_count")
    return output


def _display_id(content: dict[str, Any]) -> str:
    transient = content.get("transient")
    display_id = transient.get("display_id") if isinstance(transient, dict) else None
    return display_id if isinstance(display_id, str) else ""
