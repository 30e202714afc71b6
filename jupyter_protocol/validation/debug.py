"""Contents of the debugger's messages: those of the Debug Adapter Protocol, and what Jupyter adds to it.

Of the protocol's own commands and events only the frame is looked at, not arguments and bodies.

Source: Messaging in Jupyter, "Debug request" and "Debug event"; JEP 47; Debug Adapter Protocol 1.39,
"Base Protocol".
"""

from collections.abc import Mapping

from .checks import BOOLEAN, INTEGER, TEXT, Check, OneOf
from .compound import TEXTS, By, Fields, ListOf, Optional
from .display import DATA
from .rules import ABORTED, Rule, reply

ARGUMENTS: Mapping[str, Check] = {
    "dumpCell": Fields({"code": TEXT}, "dumpCell"),
    "richInspectVariables": Fields(
        {"variableName": TEXT, "frameId": Optional(INTEGER)}, "richInspectVariables"
    ),
    "copyToGlobals": Fields(
        {"srcVariableName": TEXT, "srcFrameId": INTEGER, "dstVariableName": TEXT}, "copyToGlobals"
    ),
}
"""Of the commands that Jupyter adds and that have any."""

_VARIABLE = Fields({"name": TEXT, "variablesReference": INTEGER, "value": TEXT, "type": TEXT})
BODIES: Mapping[str, Check] = {
    "dumpCell": Fields({"sourcePath": TEXT}, "dumpCell"),
    "debugInfo": Fields(
        {
            "isStarted": BOOLEAN,
            **dict.fromkeys(("hashMethod", "hashSeed", "tmpFilePrefix", "tmpFileSuffix"), TEXT),
            "breakpoints": ListOf(Fields({"source": TEXT, "breakpoints": ListOf(Fields({"line": INTEGER}))})),
            "stoppedThreads": ListOf(INTEGER),
            "richRendering": BOOLEAN,
            "exceptionPaths": TEXTS,
            "copyToGlobals": BOOLEAN,
        },
        "debugInfo",
    ),
    "inspectVariables": Fields({"variables": ListOf(_VARIABLE)}, "inspectVariables"),
    "richInspectVariables": Fields(DATA, "richInspectVariables"),
}
"""Of the successful responses to the commands that Jupyter adds. That to copyToGlobals calls itself
setExpression, as one of the protocol's own does."""

_FRAME: Mapping[str, Check] = {"seq": INTEGER}
_REQUEST: Mapping[str, Check] = {**_FRAME, "type": OneOf(("request",)), "command": TEXT}
_RESPONSE: Mapping[str, Check] = {
    **_FRAME,
    "type": OneOf(("response",)),
    "request_seq": INTEGER,
    "success": BOOLEAN,
    "command": TEXT,
    "message": Optional(TEXT),
}
_EVENT: Mapping[str, Check] = {**_FRAME, "type": OneOf(("event",)), "event": TEXT}

_SUCCESS = By(
    "command",
    {command: Fields({**_RESPONSE, "body": body}) for command, body in BODIES.items()},
    otherwise=Fields(_RESPONSE),
)
_STATUSES = reply(_RESPONSE).cases

DEBUG = {
    "debug_request": Rule(
        "Debug request",
        By(
            "command",
            {command: Fields({**_REQUEST, "arguments": check}) for command, check in ARGUMENTS.items()},
            otherwise=Fields(_REQUEST),
        ),
    ),
    # The protocol's responses have `success` and no status; but any request may fail as any other.
    "debug_reply": Rule(
        "Debug request",
        By(
            "status",
            {status: _STATUSES[status] for status in ("error", *ABORTED)},
            otherwise=By("success", {True: _SUCCESS}, otherwise=Fields(_RESPONSE)),
        ),
    ),
    "debug_event": Rule("Debug event", Fields(_EVENT)),
}
