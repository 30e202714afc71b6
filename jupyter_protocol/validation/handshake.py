"""Contents of the handshake's messages, in the dialect of ark; and what is sent instead in the standard one.

Source: JEP 66; Messaging in Jupyter, "Kernel startup handshake".
"""

from ..connection import CHANNELS
from .checks import TEXT, Matching, OneOf, Within
from .compound import Fields
from .rules import Rule

_DOCUMENT, _SECTION = "JEP 66", "Kernel Handshaking pattern"
_PORTS = tuple(f"{channel}_port" for channel in CHANNELS)

HANDSHAKE = {
    "handshake_request": Rule(_SECTION, Fields(dict.fromkeys(_PORTS, Within(1, 65535))), document=_DOCUMENT),
    # Unlike other replies it says no more when it says no.
    "handshake_reply": Rule(_SECTION, Fields({"status": OneOf(("ok", "error"))}), document=_DOCUMENT),
}

_PORT_AS_TEXT = Matching(
    "a port as text",
    r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]",
)
REGISTRATION = Rule(
    "Kernel startup handshake", Fields({"kernel_id": TEXT, **dict.fromkeys(_PORTS, _PORT_AS_TEXT)})
)
"""The one signed frame that a kernel sends in the standard dialect."""
