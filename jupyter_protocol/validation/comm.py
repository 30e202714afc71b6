"""Contents of comm messages, on shell and iopub.

Source: Messaging in Jupyter, "Custom Messages".
"""

from .checks import TEXT
from .compound import OBJECT, Fields
from .rules import Rule

COMM = {
    "comm_open": Rule("Opening a Comm", Fields({"comm_id": TEXT, "target_name": TEXT, "data": OBJECT})),
    "comm_msg": Rule("Comm Messages", Fields({"comm_id": TEXT, "data": OBJECT})),
    "comm_close": Rule("Tearing Down Comms", Fields({"comm_id": TEXT, "data": OBJECT})),
}
