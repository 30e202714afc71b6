"""Contents on the shell channel, and of ``kernel_info`` on control too.

Source: Messaging in Jupyter, "Messages on the shell (ROUTER/DEALER) channel".
"""

from collections.abc import Iterator

from ..connection import CHANNELS
from ..messages.message import Message
from .checks import ABSENT, ANYTHING, BOOLEAN, COUNT, INTEGER, TEXT, Check, OneOf
from .compound import OBJECT, TEXTS, By, Either, Fields, ListOf, ObjectOf, Optional, Row
from .display import DATA
from .faults import Fault
from .header import VERSION
from .rules import FAILURE, Rule, by_status, reply


def _within_code(message: Message) -> Iterator[Fault]:
    """From 5.2 on ``cursor_pos`` counts code points; what it counts in older messages nobody knows."""
    since_5_2 = message.header.get("version", "5.5").split(".")[:2] not in (["5", "0"], ["5", "1"])
    if since_5_2 and message.content["cursor_pos"] > len(message.content["code"]):
        yield Fault(("content", ".cursor_pos"), "a place within the code, in code points", "another integer")


_HISTORY: dict[str, Check] = {
    "output": BOOLEAN,
    "raw": BOOLEAN,
    **dict.fromkeys(("session", "start", "stop", "n"), Optional(INTEGER)),
    "pattern": Optional(TEXT),
    "unique": Optional(BOOLEAN),
}
_EXPRESSION = By(
    "status",
    {"error": Fields(FAILURE, "Execute")},
    otherwise=Fields({"status": Optional(TEXT), **DATA}, "Execute"),
)
_COMPLETENESS = ("complete", "incomplete", "invalid", "unknown")
_LANGUAGE = Fields(
    {
        **dict.fromkeys(("name", "version", "mimetype", "file_extension"), TEXT),
        **dict.fromkeys(("pygments_lexer", "nbconvert_exporter"), Optional(TEXT)),
        "codemirror_mode": Optional(Either((TEXT, OBJECT))),
    }
)
_CURSOR: dict[str, Check] = {"code": TEXT, "cursor_pos": COUNT}

SHELL = {
    "execute_request": Rule(
        "Execute",
        Fields(
            {
                "code": TEXT,
                "silent": Optional(BOOLEAN),  # "The default is False"
                "store_history": Optional(BOOLEAN),  # "The default is True if silent is False"
                "user_expressions": ObjectOf({".*": TEXT}),
                "allow_stdin": BOOLEAN,
                "stop_on_error": BOOLEAN,
            }
        ),
    ),
    "execute_reply": Rule(
        "Execution results",
        reply(
            {
                "user_expressions": ObjectOf({".*": _EXPRESSION}),
                "payload": Optional(ListOf(Fields({"source": TEXT}, "Payloads (DEPRECATED)"))),
            },
            always={"execution_count": COUNT},
        ),
    ),
    "inspect_request": Rule(
        "Introspection",
        Fields({**_CURSOR, "detail_level": Optional(OneOf((0, 1)))}),  # "the default (0)"
        also=_within_code,
    ),
    "inspect_reply": Rule("Introspection", reply({"found": BOOLEAN, **DATA})),
    "complete_request": Rule("Completion", Fields(_CURSOR), also=_within_code),
    "complete_reply": Rule(
        "Completion",
        reply({"matches": TEXTS, "cursor_start": COUNT, "cursor_end": COUNT, "metadata": OBJECT}),
    ),
    "history_request": Rule(
        "History",
        By(
            "hist_access_type",
            {
                "range": Fields({**_HISTORY, **dict.fromkeys(("session", "start", "stop"), INTEGER)}),
                "tail": Fields({**_HISTORY, "n": INTEGER}),
                "search": Fields({**_HISTORY, "n": INTEGER, "pattern": TEXT}),
            },
        ),
    ),
    "history_reply": Rule(
        "History",
        reply({"history": ListOf(Row((INTEGER, INTEGER, Either((TEXT, Row((TEXT, ANYTHING)))))))}),
    ),
    "is_complete_request": Rule("Code completeness", Fields({"code": TEXT})),
    "is_complete_reply": Rule(
        "Code completeness",
        by_status(
            {
                status: {
                    "indent": TEXT if status == "incomplete" else ABSENT
                }  # elsewhere it "does not exist"
                for status in _COMPLETENESS
            }
        ),
    ),
    "connect_request": Rule("Connect", Fields({})),
    "connect_reply": Rule("Connect", reply({f"{channel}_port": Optional(INTEGER) for channel in CHANNELS})),
    "comm_info_request": Rule("Comm info", Fields({"target_name": Optional(TEXT)})),
    "comm_info_reply": Rule("Comm info", reply({"comms": ObjectOf({".*": Fields({"target_name": TEXT})})})),
    "kernel_info_request": Rule("Kernel info", Fields({})),
    "kernel_info_reply": Rule(
        "Kernel info",
        reply(
            {
                "protocol_version": VERSION,
                "implementation": TEXT,
                "implementation_version": TEXT,
                "language_info": _LANGUAGE,
                "banner": TEXT,
                "debugger": Optional(BOOLEAN),  # "Default is False", and deprecated since 5.5
                "help_links": Optional(ListOf(Fields({"text": TEXT, "url": TEXT}))),
                "supported_features": Optional(TEXTS),
            }
        ),
    ),
}
