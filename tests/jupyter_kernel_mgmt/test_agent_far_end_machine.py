"""The state machine, in a world that a test makes up; `test_agent_far_end_runner` has the real one."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent.far_end.machine import Machine, done
from jupyter_kernel_mgmt.agent.far_end.ward import RUNNING, STARTING, Ward

from ._agent_scenarios import BAD_LINES, SCENARIOS, told

GOING = "the owner is going"


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

    def do_launch(self, ward: Ward, command: dict[str, Any]) -> None:
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
            if self.machine.wards[id].phase == RUNNING:
                self.perform(self.machine.exited([id]))

    def do_signal(self, ward: Ward, number: int, re: int | None) -> None:
        self.perform(done({"id": ward.id, "re": re}))
        self.end(ward.id, -number)

    def do_sweep(self, wards: list[Ward], everything: bool) -> None:
        for ward in wards:
            if not ward.guarded and ward.phase == RUNNING:
                self.end(ward.id, -9)
            elif not ward.guarded:
                self.codes.setdefault(ward.id, -9)

    def do_reap(self, ward: Ward) -> None:
        self.perform(self.machine.reaped(ward.id, self.codes[ward.id], {}))

    def do_remove(self, files: list[str], directories: list[str]) -> None:
        self.removed |= {*files, *directories}

    def do_discard(self) -> None:
        pass

    def do_quit(self) -> None:
        self.quits += 1


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_decides(name: str) -> None:
    steps, expected = SCENARIOS[name]
    world = MadeUp()
    for step in steps:
        if not isinstance(step, str):
            world.send(step)
    assert sorted(map(told, world.events), key=repr) == sorted(expected, key=repr)


def test_what_makes_no_sense_is_refused_in_words() -> None:
    """Each line gets one answer, and nothing is done."""
    for line in BAD_LINES:
        world = MadeUp()
        world.send(line)
        (event,) = world.events
        assert (event["event"], world.done, world.machine.wards) == ("failed", ["send"], {}), line[:80]
        assert 0 < len(event["text"]) < 300


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
            for ward in [w for w in wards if not w.guarded and w.phase == RUNNING][:1]:
                world.end(ward.id, -11)
        else:
            for ward in [w for w in wards if not w.guarded and w.phase == STARTING][:1]:
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
