"""`Machine`: what is decided about the owner's commands and the ends of processes. Plain."""

from __future__ import annotations

import json

from .commands import LINE_LIMIT, check, is_name, is_number
from .ward import ENDED, RUNNING, STARTING, Ward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Machine:
    """All decisions. Each method takes what happened and returns the actions to take, in this order.

    Actions are tuples: ``("send", event)``, ``("prepare", command)``, ``("launch", ward, command)``,
    ``("signal", ward, number, re)``, ``("sweep", wards, everything)``, ``("reap", ward)``,
    ``("remove", files, directories)``, ``("discard",)`` (a descriptor), ``("quit",)``. After a launch comes
    `started` or `not_started`, after a reap `reaped`, after a preparation `prepared`.
    """

    def __init__(self) -> None:
        self.wards: dict[str, Ward] = {}
        self.leaving: str | None = None
        self.closing: str | None = None
        self.ready = False

    def line(self, line: bytes | None) -> list[tuple[Any, ...]]:
        """One line from the owner; None for one that was too long."""
        if line is None:
            return [failed(None, None, f"a line had more than {LINE_LIMIT} bytes")]
        try:
            command = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            return [failed(None, None, f"a line is not JSON: {type(error).__name__}")]
        problem = check(command)
        if problem is None:
            decide: Callable[[dict[str, Any]], list[tuple[Any, ...]]] = getattr(self, "_" + command["do"])
            actions = decide({name: value for name, value in command.items() if value is not None})
        else:
            command = command if isinstance(command, dict) else {}
            re, id = command.get("re"), command.get("id")
            actions = [failed(re if is_number(re) else None, id if is_name(id) else None, problem)]
        if command.get("output") == "descriptor" and not any(action[0] == "launch" for action in actions):
            actions.append(("discard",))  # or the next command would take the one that came with this
        return actions

    def _guard(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        ward = self.wards.get(command["id"])
        if ward is not None and not ward.guarded:
            return [_refused(command, "was started here")]
        given = {k: v for k, v in command.items() if k not in ("do", "re", "id")}
        if "pid" in given:
            given.setdefault("start", None)  # what was known of another process is not true of this one
        names = ("pid", "start", "mark", "files", "directories")
        known = {} if ward is None else {name: getattr(ward, name) for name in names}
        self.wards[command["id"]] = Ward(command["id"], **{**known, **given})
        return done(command)

    def _release(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        ward = self.wards.get(command["id"])
        if ward is None:
            return done(command)
        if not ward.guarded:
            return [_refused(command, "was started here; it can be ended")]
        del self.wards[ward.id]
        return done(command)

    def _end(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        ward = self.wards.get(command["id"])
        if ward is None:
            return done(command)
        actions: list[tuple[Any, ...]] = [("sweep", [ward], False)]
        if ward.guarded:
            del self.wards[ward.id]
            actions.append(("remove", ward.files, ward.directories))
        return actions + done(command)

    def _signal(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        ward = self.wards.get(command["id"])
        if ward is None or ward.phase == ENDED:
            return done(command)  # it has ended, and the owner hears of it or has heard
        if ward.phase == STARTING or ward.pid is None:
            return [_refused(command, "has not started")]
        return [("signal", ward, command["number"], command.get("re"))]

    def _start(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        if self.leaving is not None:
            return [_refused(command, "is not started: " + self.leaving)]
        if command["id"] in self.wards:
            return [_refused(command, "is taken")]
        ward = Ward(
            command["id"],
            guarded=False,
            mark=command.get("mark"),
            files=command.get("files", ()),
            directories=command.get("directories", ()),
            phase=STARTING,
            re=command.get("re"),
        )
        self.wards[ward.id] = ward
        return [("launch", ward, command)]

    def _fork(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        if not self.ready:
            return [_refused(command, "is not forked: nothing was prepared")]
        return self._start(command)

    def _prepare(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        if self.leaving is not None:
            return [_refused(command, self.leaving)]
        if self.wards:  # imports may hang, and then those would not be looked after
            return [_refused(command, "kernels are looked after; prepare before them")]
        return [("prepare", command)]

    def _close(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self.owner_gone("it was closed", re=command.get("re"))

    def prepared(self, re: int | None, facts: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The imports were made; ``facts`` are for the owner."""
        self.ready = True
        return [("send", {"event": "prepared", "re": re, **facts})]

    def started(self, id: str, pid: int, start: int | None) -> list[tuple[Any, ...]]:
        """A launched process runs its program."""
        ward = self.wards[id]
        ward.phase, ward.pid, ward.start = RUNNING, pid, start
        return [("send", {"event": "started", "re": ward.re, "id": id, "pid": pid, "start": start})]

    def not_started(self, id: str, error: dict[str, Any]) -> list[tuple[Any, ...]]:
        """A launched process could not be made, or could not become what was asked for."""
        ward = self.wards.pop(id)
        return [
            ("remove", ward.files, ward.directories),
            ("send", {"event": "failed", "re": ward.re, "id": id, **error}),
        ]

    def exited(self, ids: list[str]) -> list[tuple[Any, ...]]:
        """Processes that were started here have ended, and are zombies."""
        wards = [self.wards[id] for id in ids if self.wards[id].phase != ENDED]
        for ward in wards:
            ward.phase = ENDED
        if not wards:
            return []
        # Before the leader is reaped, since then its group's number may become somebody else's. With the
        # last one goes all that has nobody else left.
        last = all(ward.phase == ENDED for ward in self.wards.values())
        actions: list[tuple[Any, ...]] = [("sweep", wards, last)]
        return actions + [("reap", ward) for ward in wards]

    def reaped(self, id: str, code: int | None, facts: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The end of a process that was started here: its code, and ``facts`` about its output."""
        ward = self.wards.pop(id)
        event = {"event": "exited", "id": id, "pid": ward.pid, "code": code, **facts}
        return [("remove", ward.files, ward.directories), ("send", event)]

    def owner_ended(self, reason: str) -> None:
        """From here on nothing is started, but what is still unread of the owner's words counts."""
        self.leaving = self.leaving or reason

    def owner_gone(self, reason: str, re: int | None = None) -> list[tuple[Any, ...]]:
        """Nobody needs us any more: end everything. The second time nothing happens."""
        if self.closing is not None:
            return []
        self.leaving = self.closing = reason
        wards = list(self.wards.values())
        actions: list[tuple[Any, ...]] = [("sweep", wards, True)]
        for ward in wards:
            if ward.guarded:
                del self.wards[ward.id]
                actions.append(("remove", ward.files, ward.directories))
            elif ward.phase == STARTING:
                del self.wards[ward.id]
                gone = {"event": "failed", "re": ward.re, "id": ward.id, "text": reason}
                actions += [("remove", ward.files, ward.directories), ("send", gone)]
            else:
                ward.phase = ENDED
                actions.append(("reap", ward))
        return [*actions, ("send", {"event": "closed", "re": re}), ("quit",)]


def failed(re: int | None, id: str | None, text: str) -> tuple[Any, ...]:
    """An answer, or where there was no question a complaint."""
    return ("send", {"event": "failed", "re": re, "id": id, "text": text})


def _refused(command: dict[str, Any], text: str) -> tuple[Any, ...]:
    id = command.get("id")
    return failed(command.get("re"), id, text if id is None else f"{id!r} {text}")


def done(command: dict[str, Any]) -> list[tuple[Any, ...]]:
    """An answer, if one is wanted."""
    if "re" not in command:
        return []
    return [("send", {"event": "done", "re": command["re"], "id": command.get("id")})]
