"""The agent's state machine: alone, in a world that a test makes up, and once more with real processes."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent import far_end
from jupyter_kernel_mgmt.agent.far_end import Machine

GUARD = 20.0
GOING = "the owner is going"

PROGRAMS = {
    "exit 3": [sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"],
    "sleep": [sys.executable, "-I", "-S", "-c", "import time; time.sleep(1000)"],
    "missing": ["/nowhere/to/be/found"],
}
"""What is started: for the made-up world a name, for the real one a command."""


class MadeUp:
    """Does what a machine decides, in a world without processes."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.events: list[dict[str, Any]] = []
        self.done: list[str] = []
        self.removed: set[str] = set()
        self.programs: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self.pids = iter(range(100, 10**6))
        self.quits = 0

    def send(self, command: dict[str, Any] | bytes) -> None:
        line = command if isinstance(command, bytes) else json.dumps(command).encode()
        self.perform(self.machine.line(line))

    def perform(self, actions: list[tuple[Any, ...]]) -> None:
        for name, *arguments in actions:
            self.done.append(name)
            getattr(self, f"do_{name}")(*arguments)

    def do_send(self, event: dict[str, Any]) -> None:
        self.events.append(json.loads(json.dumps(event)))

    def do_prepare(self, command: dict[str, Any]) -> None:
        self.perform(self.machine.prepared(command.get("re"), {"problems": {}}))

    def do_launch(self, ward: far_end.Ward, command: dict[str, Any]) -> None:
        program = self.programs[ward.id] = " ".join(command["argv"])
        if program == "missing":
            self.perform(self.machine.not_started(ward.id, {"text": "not found"}))
            return
        if program == "slow":
            return
        self.perform(self.machine.started(ward.id, next(self.pids), 1))
        if program == "exit 3":
            self.end(ward.id, 3)

    def end(self, id: str, code: int) -> None:
        if id not in self.codes:
            self.codes[id] = code
            if self.machine.wards[id].phase == far_end.RUNNING:
                self.perform(self.machine.exited([id]))

    def do_signal(self, ward: far_end.Ward, number: int, re: int | None) -> None:
        self.perform(far_end._done({"id": ward.id, "re": re}))
        self.end(ward.id, -number)

    def do_sweep(self, wards: list[far_end.Ward], everything: bool) -> None:
        for ward in wards:
            if not ward.guarded and ward.phase == far_end.RUNNING:
                self.end(ward.id, -9)
            elif not ward.guarded:
                self.codes.setdefault(ward.id, -9)

    def do_reap(self, ward: far_end.Ward) -> None:
        self.perform(self.machine.reaped(ward.id, self.codes[ward.id], {}))

    def do_remove(self, files: list[str], directories: list[str]) -> None:
        self.removed |= {*files, *directories}

    def do_discard(self) -> None:
        pass

    def do_quit(self) -> None:
        self.quits += 1


class Real:
    """The same with the program itself, over pipes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", far_end.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.events: list[dict[str, Any]] = []
        self.rest = b""
        self.wait(lambda event: event["event"] == "hello")
        self.events.clear()

    def send(self, command: dict[str, Any] | bytes) -> None:
        assert self.process.stdin is not None
        if isinstance(command, dict) and command.get("argv", [""])[0] in PROGRAMS:
            command = {**command, "argv": PROGRAMS[command["argv"][0]]}
        line = command if isinstance(command, bytes) else json.dumps(command).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        assert self.process.stdout is not None
        deadline = time.monotonic() + GUARD
        while not any(map(wanted, self.events)):
            assert select.select([self.process.stdout], [], [], deadline - time.monotonic())[0], self.events
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, self.events
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.events += map(json.loads, lines)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(GUARD) == 0
        self.process.stdout.close()


@pytest.fixture
def real() -> Iterator[Real]:
    far = Real()
    yield far
    far.close()


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


def told(event: dict[str, Any]) -> tuple[Any, ...]:
    """What a scenario says of an event."""
    if event["event"] == "exited":
        return ("exited", event["id"], event["code"])
    if event["event"] in ("closed", "prepared"):
        return (event["event"], event["re"])
    return (event["event"], event["re"], event["id"])


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_decides(name: str) -> None:
    steps, expected = SCENARIOS[name]
    world = MadeUp()
    for step in steps:
        if not isinstance(step, str):
            world.send(step)
    assert sorted(map(told, world.events), key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_program_does_what_it_decides(real: Real, name: str) -> None:
    """The same, with processes; what concerns one of them comes in the same order."""
    steps, expected = SCENARIOS[name]
    for step in steps:
        if isinstance(step, str):
            real.wait(lambda event, step=step: [event["event"], event["id"]] == step.split())  # type: ignore[misc]
        else:
            real.send(step)
    for wanted in expected:
        real.wait(lambda event, wanted=wanted: told(event) == wanted)  # type: ignore[misc]
    assert sorted(map(told, real.events), key=repr) == sorted(expected, key=repr)
    for id in ("k", "l"):
        assert [e for e in map(told, real.events) if id in e] == [e for e in expected if id in e]


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


def test_what_makes_no_sense_is_refused_in_words() -> None:
    """Each line gets one answer, and nothing is done."""
    for line in BAD_LINES:
        world = MadeUp()
        world.send(line)
        (event,) = world.events
        assert (event["event"], world.done, world.machine.wards) == ("failed", ["send"], {}), line[:80]
        assert 0 < len(event["text"]) < 300


def test_the_program_survives_what_makes_no_sense(real: Real) -> None:
    """And more than a line may have; then it does what it is asked for."""
    for line in [*BAD_LINES, b"x" * (far_end.LINE_LIMIT + 1)]:
        real.send(line)
    real.send({**START, "argv": ["exit 3"], "re": 77})
    real.wait(lambda event: event["event"] == "exited")
    failures = [event for event in real.events if event["event"] == "failed"]
    assert len(failures) == len(BAD_LINES) + 1
    assert not any("Traceback" in event["text"] for event in failures)


def test_a_refused_descriptor_is_let_go() -> None:
    """Or the next process would write to it."""
    world = MadeUp()
    for line in (
        {"do": "start", "id": "", "argv": ["x"], "output": "descriptor"},
        {"do": "fork", "id": "k", "argv": ["x"], "entry": "a:b", "output": "descriptor"},
    ):
        world.done.clear()
        world.send(line)
        assert world.done == ["send", "discard"]


def test_what_is_known_before_the_start_is_kept() -> None:
    """First mark and files, then the process."""
    world = MadeUp()
    world.send({"do": "guard", "id": "g", "mark": "m", "files": ["/tmp/x/f"], "directories": ["/tmp/x/d"]})
    world.send({"do": "guard", "id": "g", "pid": 77, "start": 5})
    assert world.events == []
    ward = world.machine.wards["g"]
    assert (ward.mark, ward.files, ward.directories) == ("m", ["/tmp/x/f"], ["/tmp/x/d"])
    assert (ward.pid, ward.start) == (77, 5)


def test_files_are_gone_before_the_end_is_told() -> None:
    """And the rest of the family is dead before its leader's number is free."""
    world = MadeUp()
    world.send({"do": "start", "id": "k", "argv": ["exit 3"], "files": ["/tmp/x/f"]})
    assert world.done == ["launch", "send", "sweep", "reap", "remove", "send"]
    assert world.removed == {"/tmp/x/f"}


def test_the_owner_ends_while_a_process_is_being_started() -> None:
    """It is swept away, and said to have failed."""
    world = MadeUp()
    world.send({"do": "start", "id": "k", "argv": ["slow"], "re": 1, "files": ["/tmp/x/f"]})
    world.perform(world.machine.owner_gone("the owner has ended"))
    assert [event["event"] for event in world.events] == ["failed", "closed"]
    assert (world.removed, world.quits, world.machine.wards) == ({"/tmp/x/f"}, 1, {})


def test_last_words_count_and_nothing_new_begins() -> None:
    """An owner that was killed just after it asked for a guard."""
    world = MadeUp()
    world.machine.owner_ended(GOING)
    world.send({"do": "guard", "id": "g", "pid": 77, "files": ["/tmp/x/f"]})
    world.send({"do": "start", "id": "k", "argv": ["sleep"], "re": 1})
    world.perform(world.machine.owner_gone(GOING))
    assert [event["event"] for event in world.events] == ["failed", "closed"]
    assert (world.removed, world.quits) == ({"/tmp/x/f"}, 1)
    world.perform(world.machine.owner_gone("once more"))
    assert world.quits == 1


ids = st.sampled_from(["a", "b", "c"])
commands = st.one_of(
    st.builds(lambda id: {"do": "guard", "id": id, "mark": "m", "files": [f"/tmp/g/{id}"]}, ids),
    st.builds(lambda id: {"do": "release", "id": id}, ids),
    st.builds(lambda id: {"do": "end", "id": id}, ids),
    st.builds(lambda id: {"do": "signal", "id": id, "number": 2}, ids),
    st.builds(
        lambda id, program, verb: {
            "do": verb,
            "id": id,
            "argv": [program],
            "files": [f"/tmp/s/{id}"],
            **({"entry": "a:b"} if verb == "fork" else {}),
        },
        ids,
        st.sampled_from(["sleep", "exit 3", "missing", "slow"]),
        st.sampled_from(["start", "fork"]),
    ),
    st.just({"do": "prepare"}),
    st.sampled_from(["started", "not started", "dies", "owner ends"]),
)


@given(st.lists(commands, max_size=30))
def test_whatever_happens_each_question_has_one_answer_and_nothing_stays(steps: list[Any]) -> None:
    world = MadeUp()
    asked = []
    for number, step in enumerate(steps):
        wards = list(world.machine.wards.values())
        if isinstance(step, dict):
            asked.append(number)
            world.send({**step, "re": number})
        elif step == "owner ends":
            world.machine.owner_ended(GOING)
        elif step == "dies":
            for ward in [w for w in wards if not w.guarded and w.phase == far_end.RUNNING][:1]:
                world.end(ward.id, -11)
        else:
            for ward in [w for w in wards if not w.guarded and w.phase == far_end.STARTING][:1]:
                if step == "started" and ward.id not in world.codes:
                    world.perform(world.machine.started(ward.id, next(world.pids), 1))
                else:
                    world.perform(world.machine.not_started(ward.id, {"text": "died"}))
        for id in [*world.codes]:  # a name may be used again once its process is gone
            if id not in world.machine.wards:
                del world.codes[id]
    files = {file for ward in world.machine.wards.values() for file in ward.files}
    world.perform(world.machine.owner_gone(GOING))

    answers = [event["re"] for event in world.events if event.get("re") is not None]
    assert sorted(answers) == asked
    started = [event["id"] for event in world.events if event["event"] == "started"]
    exited = [event["id"] for event in world.events if event["event"] == "exited"]
    assert sorted(started) == sorted(exited)
    assert files <= world.removed
    assert (world.machine.wards, world.quits) == ({}, 1)
    assert world.events[-1]["event"] == "closed"


@given(st.binary(max_size=200), st.integers(1, 20), st.integers(1, 20))
def test_lines_are_the_same_however_they_arrive(data: bytes, size: int, limit: int) -> None:
    """In pieces of any size; what is too long is None, once."""
    lines = far_end.Lines(limit)
    found = [line for at in range(0, len(data), size) for line in lines.feed(data[at : at + size])]
    assert found == [line if len(line) <= limit else None for line in data.split(b"\n")[:-1]]
