"""What an agent is asked for and says, whether the world is made up or not."""

import sys
from typing import Any

PROGRAMS = {
    "exit 3": [sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"],
    "sleep": [sys.executable, "-I", "-S", "-c", "import time; time.sleep(1000)"],
    "missing": ["/nowhere/to/be/found"],
}
"""What is started: for a made-up world a name, for the real one a command."""


START = {"do": "start", "id": "k", "re": 1}


SCENARIOS: dict[str, tuple[list[Any], list[tuple[Any, ...]]]] = {
    "a process that ends tells its code": (
        [{**START, "argv": ["exit 3"]}],
        [("started", 1, "k"), ("exited", "k", 3)],
    ),
    "a command that is not there is refused, and its name is free again": (
        [{**START, "argv": ["missing"]}, "failed k", {**START, "argv": ["exit 3"], "re": 2}],
        [("failed", 1, "k"), ("started", 2, "k"), ("exited", "k", 3)],
    ),
    "a signal is delivered": (
        [{**START, "argv": ["sleep"]}, "started k", {"do": "signal", "id": "k", "number": 15, "re": 2}],
        [("started", 1, "k"), ("done", 2, "k"), ("exited", "k", -15)],
    ),
    "the end of one is the end of one": (
        [
            {**START, "argv": ["sleep"]},
            {**START, "argv": ["sleep"], "id": "l", "re": 2},
            "started k",
            "started l",
            {"do": "end", "id": "k", "re": 3},
        ],
        [("started", 1, "k"), ("started", 2, "l"), ("done", 3, "k"), ("exited", "k", -9)],
    ),
    "who is not known needs no signal and no end": (
        [{"do": "signal", "id": "x", "number": 9, "re": 1}, {"do": "end", "id": "x", "re": 2}],
        [("done", 1, "x"), ("done", 2, "x")],
    ),
    "one name is one process": (
        [
            {**START, "argv": ["sleep"]},
            "started k",
            {**START, "argv": ["sleep"], "re": 2},
            {"do": "end", "id": "k"},
        ],
        [("started", 1, "k"), ("failed", 2, "k"), ("exited", "k", -9)],
    ),
    "nothing is forked that was not prepared": (
        [{"do": "fork", "id": "k", "re": 1, "entry": "os:getpid", "argv": ["x"]}],
        [("failed", 1, "k")],
    ),
    "nothing is imported beside living kernels": (
        [{**START, "argv": ["sleep"]}, "started k", {"do": "prepare", "re": 2}, {"do": "end", "id": "k"}],
        [("started", 1, "k"), ("failed", 2, None), ("exited", "k", -9)],
    ),
    "closing ends everything, and then says so": (
        [{**START, "argv": ["sleep"]}, "started k", {"do": "close", "re": 2}],
        [("started", 1, "k"), ("exited", "k", -9), ("closed", 2)],
    ),
    "what is guarded can be released, and what was started cannot": (
        [
            {"do": "guard", "id": "g", "mark": "m", "re": 1},
            {"do": "release", "id": "g", "re": 2},
            {"do": "release", "id": "g", "re": 3},
            {**START, "argv": ["sleep"], "re": 4},
            "started k",
            {"do": "release", "id": "k", "re": 5},
            {"do": "guard", "id": "k", "re": 6},
            {"do": "end", "id": "k"},
        ],
        [
            *(("done", number, "g") for number in (1, 2, 3)),
            ("started", 4, "k"),
            ("failed", 5, "k"),
            ("failed", 6, "k"),
            ("exited", "k", -9),
        ],
    ),
}


BAD_LINES = [
    b"",
    b"x",
    b"[]",
    b"17",
    b"null",
    b"\xff\xfe",
    b'{"do": 3}',
    b'{"do": "fly"}',
    b'{"do": "start"}',
    b'{"do": "start", "id": null, "argv": ["x"]}',
    b'{"do": "start", "id": "", "argv": ["x"]}',
    b'{"do": "start", "id": "k", "argv": []}',
    b'{"do": "start", "id": "k", "argv": [""]}',
    b'{"do": "start", "id": "k", "argv": [7]}',
    b'{"do": "start", "id": "k", "argv": ["a\\u0000b"]}',
    b'{"do": "start", "id": "k", "argv": ["\\ud800"]}',
    b'{"do": "start", "id": "k", "argv": ["x"], "colour": 1}',
    b'{"do": "start", "id": "k", "argv": ["x"], "cwd": "here"}',
    b'{"do": "start", "id": "k", "argv": ["x"], "env": {"A=B": "c"}}',
    b'{"do": "start", "id": "k", "argv": ["x"], "env": {"": "c"}}',
    b'{"do": "start", "id": "k", "argv": ["x"], "env": ["c"]}',
    b'{"do": "start", "id": "k", "argv": ["x"], "limits": {"luck": 3}}',
    b'{"do": "start", "id": "k", "argv": ["x"], "limits": {"memory": -3}}',
    b'{"do": "start", "id": "k", "argv": ["x"], "output": "loud"}',
    b'{"do": "start", "id": "k", "argv": ["x"], "tail": 1e99}',
    b'{"do": "guard", "id": "k", "pid": 1}',
    b'{"do": "guard", "id": "k", "pid": true}',
    b'{"do": "guard", "id": "k", "files": ["relative"]}',
    b'{"do": "guard", "id": "k", "directories": ["/"]}',
    b'{"do": "guard", "id": "k", "directories": ["/home"]}',
    b'{"do": "guard", "id": "k", "directories": ["/home/../etc"]}',
    b'{"do": "signal", "id": "k", "number": 65}',
    b'{"do": "signal", "id": "k", "number": -9}',
    b'{"do": "fork", "id": "k", "argv": ["x"], "entry": "os"}',
    b'{"do": "prepare", "timeout": 0}',
    b'{"do": "close", "re": "now"}',
    b"[" * 100_000,
    b"9" * 10_000,
]


def told(event: dict[str, Any]) -> tuple[Any, ...]:
    """What a scenario says of an event."""
    if event["event"] == "exited":
        return ("exited", event["id"], event["code"])
    if event["event"] in ("closed", "prepared"):
        return (event["event"], event["re"])
    return (event["event"], event["re"], event["id"])
