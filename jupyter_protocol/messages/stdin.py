"""Messages of the stdin channel: a kernel asks the client whose code it runs.

Source: Messaging in Jupyter, "Messages on the stdin (ROUTER/DEALER) channel".
"""

from typing import Unpack

from .message import Envelope, Message, make, new_reply


def input_request(prompt: str = "", *, password: bool = False, **envelope: Unpack[Envelope]) -> Message:
    """Ask for a line of text; made by the kernel, addressed to the sender of ``parent``."""
    return new_reply("input_request", {"prompt": prompt, "password": password}, **envelope)


def input_reply(value: str, **envelope: Unpack[Envelope]) -> Message:
    """The line; made by the client."""
    return make("input_reply", {"value": value, "status": "ok"}, envelope)
