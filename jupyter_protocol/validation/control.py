"""Contents on the control channel, without those of the debugger.

Source: Messaging in Jupyter, "Messages on the Control (ROUTER/DEALER) channel"; JEP 91.
"""

from .checks import BOOLEAN, TEXT
from .compound import TEXTS, Fields
from .rules import Rule, reply

CONTROL = {
    "shutdown_request": Rule("Kernel shutdown", Fields({"restart": BOOLEAN})),
    "shutdown_reply": Rule("Kernel shutdown", reply({"restart": BOOLEAN})),
    "interrupt_request": Rule("Kernel interrupt", Fields({})),
    "interrupt_reply": Rule("Kernel interrupt", reply({})),
    "create_subshell_request": Rule("Create subshell", Fields({})),
    "create_subshell_reply": Rule("Create subshell", reply({"subshell_id": TEXT})),
    "delete_subshell_request": Rule("Delete subshell", Fields({"subshell_id": TEXT})),
    "delete_subshell_reply": Rule("Delete subshell", reply({})),
    "list_subshell_request": Rule("List subshell", Fields({})),
    "list_subshell_reply": Rule("List subshell", reply({"subshell_id": TEXTS})),
}
