"""Contents on the stdin channel.

Source: Messaging in Jupyter, "Messages on the stdin (ROUTER/DEALER) channel".
"""

from .checks import BOOLEAN, TEXT
from .compound import Fields
from .rules import Rule, reply

_SECTION = "Messages on the stdin (ROUTER/DEALER) channel"

STDIN = {
    "input_request": Rule(_SECTION, Fields({"prompt": TEXT, "password": BOOLEAN})),
    # A reply without a status: its section shows a value and no more, and jupyter_client sends no more.
    "input_reply": Rule(_SECTION, reply({"value": TEXT}, missing="ok")),
}
