"""Contents on the iopub channel.

Source: Messaging in Jupyter, "Messages on the IOPub (XPUB/SUB) channel".
"""

from .checks import BOOLEAN, COUNT, TEXT, OneOf
from .compound import Fields, Optional
from .display import DATA, TRANSIENT
from .rules import FAILURE, Rule

IOPUB = {
    "iopub_welcome": Rule("Welcome message", Fields({"subscription": TEXT})),
    "stream": Rule("Streams", Fields({"name": OneOf(("stdout", "stderr")), "text": TEXT})),
    "display_data": Rule("Display Data", Fields({**DATA, "transient": Optional(TRANSIENT)})),
    "update_display_data": Rule(
        "Update Display Data", Fields({**DATA, "transient": Fields({"display_id": TEXT})})
    ),
    "execute_input": Rule("Code inputs", Fields({"code": TEXT, "execution_count": COUNT})),
    "execute_result": Rule(
        "Execution results",
        Fields({"execution_count": COUNT, **DATA, "transient": Optional(TRANSIENT)}),
    ),
    "error": Rule("Execution errors", Fields(FAILURE)),
    "status": Rule("Kernel status", Fields({"execution_state": OneOf(("busy", "idle", "starting"))})),
    "clear_output": Rule("Clear output", Fields({"wait": BOOLEAN})),
}
