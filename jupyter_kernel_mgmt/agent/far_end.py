"""The far end of an agent: starts, forks, watches, signals and ends processes for an owner.

Standard library only, one file, Python 3.8 and newer, POSIX. It is run by path or sent as text and exec'd,
and imports nothing of the package it comes with. The protocol is described in the package's docstring.

From top to bottom: what is said (`Lines`, `check`), what is decided (`Machine`, `victims`: plain, no
process and no descriptor), what is seen of other processes (`processes`), what a new child does to itself
(`become`), and the loop that joins them (`Runner`).
"""

# pathlib would cost a third of the start:
# ruff: noqa: PTH106, PTH108, PTH110, PTH114, PTH208
from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import select
import signal
import socket
import stat
import sys
import time

assert sys.platform != "win32", "processes without groups and signals need another program"

TYPE_CHECKING = False  # importing typing would cost a fifth of the start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

VERSION = 1
MARK = "JUPYTER_KERNEL_MARK"
LINE_LIMIT = 4 * 1024 * 1024
"""Bytes of one command: environments of megabytes exist."""
BACKLOG_LIMIT = 1024 * 1024
"""Bytes unread by the owner from which on its commands wait, and streamed output is dropped and counted."""
TAIL_SIZE = 64 * 1024
SWEEP_LIMIT = 0.5
"""Seconds for the end of what is left of one kernel; what SIGKILL does not end by then it ends later."""
CLOSE_LIMIT = 1.2
"""Seconds for the end of everything, once the owner is gone."""
PREPARE_LIMIT = 60
"""Seconds for imports, if the owner does not say; then SIGALRM ends the agent, however they hang."""
CHUNK = 64 * 1024


# What is said


class Lines:
    """Cuts what arrives into lines, in bounded memory; None stands for a line that was too long."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that end in this data."""
        found: list[bytes | None] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            found.append(None if self._skipping else bytes(self._rest))
            self._rest.clear()
            self._skipping = False
        self._add(rest)
        return found

    def idle(self) -> bool:
        """Whether no line has begun."""
        return not self._rest and not self._skipping

    def _add(self, piece: bytes) -> None:
        if len(self._rest) + len(piece) > self.limit:
            self._skipping = True
            self._rest.clear()
        if not self._skipping:
            self._rest += piece


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and _encodes(value)


def _encodes(value: str) -> bool:
    try:
        os.fsencode(value)
    except UnicodeError:
        return False
    return True


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _name(value: Any) -> bool:
    return _text(value) and 0 < len(value) <= 200


def _paths(value: Any) -> bool:
    """Absolute, and not so near the root that a mistake would be a disaster."""
    return _texts(value) and all(p.startswith("/") and os.path.normpath(p).count("/") > 1 for p in value)


def _variables(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _text(k) and k and "=" not in k and (v is None or _text(v)) for k, v in value.items()
    )


LIMITS = ("memory", "cpu_time", "open_files", "nice")


def _limits(value: Any) -> bool:
    return isinstance(value, dict) and all(
        k in LIMITS and (v is None or _number(v) or (k == "nice" and isinstance(v, int)))
        for k, v in value.items()
    )


_PROCESS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "argv": (lambda v: _texts(v) and bool(v) and bool(v[0]), "a list of strings"),
    "cwd": (lambda v: _text(v) and v.startswith("/"), "an absolute path"),
    "env": (_variables, "an object of strings, null to remove"),
    "inherit": (lambda v: isinstance(v, bool) or _texts(v), "a boolean or a list of names"),
    "limits": (_limits, "an object of numbers named " + ", ".join(LIMITS)),
    "mark": (_name, "a string of 1 to 200 characters"),
    "files": (_paths, "a list of absolute paths"),
    "directories": (_paths, "a list of absolute paths"),
    "output": (lambda v: v in ("tail", "stream", "descriptor", "none"), "tail, stream, descriptor or none"),
    "tail": (lambda v: _number(v) and v <= 2**20, "a number of bytes, at most 2**20"),
}
_ID: dict[str, tuple[Callable[[Any], bool], str]] = {"id": (_name, "a string of 1 to 200 characters")}
_COMMANDS: dict[str, dict[str, tuple[Callable[[Any], bool], str]]] = {
    "guard": {
        **_ID,
        **{name: _PROCESS[name] for name in ("mark", "files", "directories")},
        "pid": (lambda v: _number(v) and v > 1, "a process id above 1"),
        "start": (_number, "a number"),
    },
    "release": _ID,
    "end": _ID,
    "signal": {**_ID, "number": (lambda v: _number(v) and v <= 64, "the number of a signal")},
    "start": {**_ID, **_PROCESS},
    "fork": {
        **_ID,
        **_PROCESS,
        "entry": (lambda v: _text(v) and ":" in v, "module:function"),
    },
    "prepare": {
        "modules": (_texts, "a list of names"),
        "code": (lambda v: isinstance(v, str), "Python code"),
        "timeout": (lambda v: _number(v) and 0 < v <= 3600, "seconds, 1 to 3600"),
    },
    "close": {},
}
_REQUIRED = {"start": ("id", "argv"), "fork": ("id", "argv", "entry"), "signal": ("id", "number")}
for _verb in ("guard", "release", "end"):
    _REQUIRED[_verb] = ("id",)


def check(command: Any) -> str | None:
    """What is wrong with a command, or None."""
    if not isinstance(command, dict):
        return "a command is a JSON object"
    verb = command.get("do")
    if not isinstance(verb, str) or verb not in _COMMANDS:
        return "'do' is not one of " + ", ".join(_COMMANDS)
    if "re" in command and not _number(command["re"]):
        return "'re' must be a number"
    fields = _COMMANDS[verb]
    for name in _REQUIRED.get(verb, ()):
        if name not in command:
            return f"{verb} needs {name!r}"
    for name, value in command.items():
        if name in ("do", "re") or value is None:
            continue
        if name not in fields:
            return f"{verb} does not know {ascii(name)[:100]}"
        fits, wanted = fields[name]
        if not fits(value):
            return f"{name!r} must be {wanted}"
    if any(command.get(name, 0) is None for name in _REQUIRED.get(verb, ())):
        return "{} needs all of {}".format(verb, ", ".join(_REQUIRED[verb]))
    return None


# What is decided

STARTING, RUNNING, ENDED = "starting", "running", "ended"


class Ward:
    """A process that is looked after: one of the owner's own (guarded), or one that was started here."""

    __slots__ = ("id", "guarded", "pid", "start", "mark", "files", "directories", "phase", "re")

    def __init__(
        self,
        id: str,
        *,
        guarded: bool = True,
        pid: int | None = None,
        start: int | None = None,
        mark: str | None = None,
        files: Iterable[str] = (),
        directories: Iterable[str] = (),
        phase: str = RUNNING,
        re: int | None = None,
    ) -> None:
        self.id = id
        self.guarded = guarded
        self.pid = pid
        self.start = start
        self.mark = mark
        self.files = list(files)
        self.directories = list(directories)
        self.phase = phase
        self.re = re

    def __repr__(self) -> str:
        return "<Ward {} {} pid={}>".format(self.id, "guarded" if self.guarded else self.phase, self.pid)


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
            return [_failed(None, None, f"a line had more than {LINE_LIMIT} bytes")]
        try:
            command = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            return [_failed(None, None, f"a line is not JSON: {type(error).__name__}")]
        problem = check(command)
        if problem is None:
            decide: Callable[[dict[str, Any]], list[tuple[Any, ...]]] = getattr(self, "_" + command["do"])
            actions = decide({name: value for name, value in command.items() if value is not None})
        else:
            command = command if isinstance(command, dict) else {}
            re, id = command.get("re"), command.get("id")
            actions = [_failed(re if _number(re) else None, id if _name(id) else None, problem)]
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
        return _done(command)

    def _release(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        ward = self.wards.get(command["id"])
        if ward is None:
            return _done(command)
        if not ward.guarded:
            return [_refused(command, "was started here; it can be ended")]
        del self.wards[ward.id]
        return _done(command)

    def _end(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        ward = self.wards.get(command["id"])
        if ward is None:
            return _done(command)
        actions: list[tuple[Any, ...]] = [("sweep", [ward], False)]
        if ward.guarded:
            del self.wards[ward.id]
            actions.append(("remove", ward.files, ward.directories))
        return actions + _done(command)

    def _signal(self, command: dict[str, Any]) -> list[tuple[Any, ...]]:
        ward = self.wards.get(command["id"])
        if ward is None or ward.phase == ENDED:
            return _done(command)  # it has ended, and the owner hears of it or has heard
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


def _failed(re: int | None, id: str | None, text: str) -> tuple[Any, ...]:
    return ("send", {"event": "failed", "re": re, "id": id, "text": text})


def _refused(command: dict[str, Any], text: str) -> tuple[Any, ...]:
    id = command.get("id")
    return _failed(command.get("re"), id, text if id is None else f"{id!r} {text}")


def _done(command: dict[str, Any]) -> list[tuple[Any, ...]]:
    """An answer, if one is wanted."""
    if "re" not in command:
        return []
    return [("send", {"event": "done", "re": command["re"], "id": command.get("id")})]


class Process:
    """A process of this machine, as of one moment. ``start`` tells it from others that had its number."""

    __slots__ = ("pid", "parent", "group", "start", "state", "mark")

    def __init__(
        self, pid: int, parent: int, group: int, start: int | None, state: str, mark: str | None = None
    ) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.start = start
        self.state = state
        self.mark = mark


def victims(
    table: list[Process], wards: Iterable[Ward], roots: Iterable[int] = (), spare: Iterable[int] = ()
) -> set[int]:
    """Who has to be killed so that nothing is left of some wards, nor of what descends from ``roots``.

    A ward's process and group, whoever carries its mark, and all their descendants. A number that belongs
    to somebody else by now is not touched. Zombies are not listed: there is nothing left to kill.
    """
    living = {process.pid: process for process in table}
    marks, groups, chosen = set(), set(), set()
    for ward in wards:
        if ward.mark:
            marks.add(ward.mark)
        if ward.pid is None:
            continue
        leader = living.get(ward.pid)
        if leader is None:
            groups.add(ward.pid)  # while a group has members, its number is given to nobody
        elif ward.start is None or ward.start == leader.start:
            groups.add(ward.pid)
            chosen.add(ward.pid)
    chosen |= {p.pid for p in table if p.group in groups or (p.mark is not None and p.mark in marks)}
    children: dict[int, list[int]] = {}
    for process in table:
        children.setdefault(process.parent, []).append(process.pid)
    chosen -= set(spare)
    for pid in spare:
        children = {parent: [c for c in found if c != pid] for parent, found in children.items()}
    todo = [*chosen, *roots]
    while todo:
        new = set(children.get(todo.pop(), ())) - chosen
        chosen |= new
        todo += new
    return {pid for pid in chosen if pid in living and living[pid].state not in "ZX"} - set(roots)


# What is seen of other processes, and done to them


def processes(*, marks: bool, since: int = 0) -> list[Process]:
    """All processes of this machine, with the marks, if wanted, of those that began at that time or later."""
    if not os.path.exists("/proc/self/stat"):
        return _processes_by_ps()
    table = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = look_at(int(name))
            if process is not None:
                if marks and process.state not in "ZX" and (process.start or 0) >= since:
                    process.mark = _mark(process.pid)
                table.append(process)
    return table


def look_at(pid: int) -> Process | None:
    """One process; None where it is gone, or no /proc. Source: proc(5), "/proc/pid/stat"."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()  # the name before it may contain anything
    if len(fields) < 20:
        return None
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[19]), fields[0].decode())


def _mark(pid: int) -> str | None:
    try:
        text = b"\0" + _read(f"/proc/{pid}/environ")
    except OSError:  # ended, or somebody else's
        return None
    _, found, rest = text.partition(b"\0" + MARK.encode() + b"=")
    return rest.partition(b"\0")[0].decode("utf-8", "replace") if found else None


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces: list[bytes] = []
        while True:
            piece = os.read(fd, CHUNK)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
    finally:
        os.close(fd)


def _processes_by_ps() -> list[Process]:
    import subprocess

    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,state="]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    table = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        pid, parent, group, state = line.split()[:4]
        table.append(Process(int(pid), int(parent), int(group), None, state[0]))
    return table


def sweep(
    wards: list[Ward], *, roots: Iterable[int] = (), spare: Iterable[int] = (), limit: float = SWEEP_LIMIT
) -> set[int]:
    """Kill until nothing is left of these wards, or the limit (seconds) is over; returns what was left."""
    deadline = time.monotonic() + limit
    marks = any(ward.mark for ward in wards)
    since = min([ward.start or 0 for ward in wards if ward.mark], default=0)  # marks are inherited
    roots, spare = list(roots), list(spare)
    while True:
        table = processes(marks=marks, since=since)
        found = victims(table, wards, roots, spare)
        if not found or time.monotonic() >= deadline:
            return found
        for group in {p.group for p in table if p.pid in found} & {ward.pid for ward in wards}:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)  # all at once: who forks has no time to get away
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def remove(files: Iterable[str], directories: Iterable[str]) -> None:
    """Remove what is there. Links are removed and never followed."""
    for path in files:
        with contextlib.suppress(OSError):
            os.unlink(path)
    for path in directories:
        with contextlib.suppress(OSError, RecursionError):
            _remove_tree(path)


def _remove_tree(path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)
        return
    with os.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                _remove_tree(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(path)


# What a new child does to itself


class Forked(BaseException):
    """Raised in a forked child, up through the agent's frames, so that none of them is left below it."""

    def __init__(self, entry: Callable[[], Any], argv: list[str]) -> None:
        super().__init__()
        self.entry = entry
        self.argv = argv


class _Refused(Exception):
    """A child cannot become what was asked for; the text says why."""


def become(command: dict[str, Any], env: dict[str, str], output: int, status: int, veil: Veil) -> NoReturn:
    """In the child: become what a command asks for. Errors are told through ``status``, which exec closes."""
    try:
        os.setsid()
        _reset_signals()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        for fd in (1, 2):
            os.dup2(null if output < 0 else output, fd)
        close_all(keep=status)
        _limit(command.get("limits", {}))
        _enter(command.get("cwd"))
        if command["do"] == "start":
            _execute(command["argv"], env)
        veil.put_on(command.get("mark") or "")
        os.environ.clear()
        os.environ.update(env)
        if "TZ" in env:
            time.tzset()
        entry = _entry(command["entry"])
        os.close(status)
    except _Refused as error:
        cause = error.__cause__
        number = cause.errno if isinstance(cause, OSError) else None
        _tell(status, {"text": str(error), "errno": number})
    except BaseException as error:  # noqa: BLE001 - whatever it is, this process must not become a second agent
        _tell(status, {"text": f"{type(error).__name__}: {error}", "errno": None})
    raise Forked(entry, command["argv"])


def _tell(status: int, error: dict[str, Any]) -> NoReturn:
    try:
        os.write(status, json.dumps(error).encode()[: select.PIPE_BUF])
    finally:
        os._exit(127)


def _reset_signals() -> None:
    """As Python has them when it starts. The agent's handlers must not outlive the fork."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number in (signal.SIGKILL, signal.SIGSTOP):
            continue
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _python_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def close_all(keep: int) -> None:
    """Close every descriptor but 0, 1, 2 and one more."""
    try:
        found = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        found = list(range(3, 4096))
    for fd in found:
        if fd > 2 and fd != keep:
            with contextlib.suppress(OSError):
                os.close(fd)


def _limit(limits: dict[str, int | None]) -> None:
    if not limits:
        return
    import resource

    kinds = (
        ("memory", resource.RLIMIT_AS, 0),
        # A second after SIGXCPU, which a program may handle, comes SIGKILL.
        ("cpu_time", resource.RLIMIT_CPU, 1),
        ("open_files", resource.RLIMIT_NOFILE, 0),
    )
    for name, kind, grace in kinds:
        value = limits.get(name)
        if value is None:
            continue
        try:
            hard = resource.getrlimit(kind)[1]
            most = value + grace if hard == resource.RLIM_INFINITY else min(hard, value + grace)
            resource.setrlimit(kind, (value, most))
        except (OSError, ValueError, OverflowError) as error:
            raise _Refused(f"the limit {name}={value} cannot be set: {error}") from error
    nice = limits.get("nice")
    if nice is not None:
        try:
            os.nice(nice)
        except OSError as error:
            raise _Refused(f"the limit nice={nice} cannot be set: {error.strerror}") from error


def _enter(cwd: str | None) -> None:
    if cwd is None:
        return
    try:
        os.chdir(cwd)
    except OSError as error:
        raise _Refused(f"the working directory {cwd} cannot be entered: {error.strerror}") from error


def _execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - what it was asked for
    except OSError as error:
        raise _Refused(f"the executable {argv[0]!r} cannot be run: {error.strerror}") from error


def _entry(name: str) -> Callable[[], Any]:
    import importlib

    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise _Refused(f"{name!r} cannot be called")
    return found  # type: ignore[no-any-return]


class Veil:
    """The place of our mark in the environment block that /proc shows, to be overwritten in forked children.

    /proc/PID/environ shows what a program was exec'd with, so that a forked child, and its forked children,
    would carry the agent's mark. The owner leaves room for others by giving the agent a long one.
    """

    def __init__(self) -> None:
        self._address, self._size = 0, 0
        room = len(os.environ.get(MARK, ""))
        if room < 64 or not os.path.exists("/proc/self/environ"):
            return
        try:
            import ctypes

            getenv = ctypes.CDLL(None).getenv
            getenv.argtypes, getenv.restype = [ctypes.c_char_p], ctypes.c_void_p
            self._address, self._size = getenv(MARK.encode()) or 0, room
        except (ImportError, OSError, AttributeError):
            return

    def put_on(self, mark: str) -> None:
        """Show this mark instead, if there is room for it."""
        text = os.fsencode(mark)
        if self._address and len(text) <= self._size:
            import ctypes

            ctypes.memmove(self._address, text.ljust(self._size, b"\0"), self._size)


def adopt_orphans() -> bool:
    """Become the parent of our descendants whose parents end, where Linux allows it."""
    if sys.platform != "linux":
        return False
    try:
        import ctypes

        return bool(ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0)  # PR_SET_CHILD_SUBREAPER
    except (ImportError, OSError, AttributeError):
        return False


def run_forked(entry: Callable[[], Any], argv: list[str]) -> NoReturn:
    """In a forked child: run the program, then end as an interpreter does."""
    import atexit
    import threading
    import traceback

    _python_signals()
    sys.argv = list(argv)
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = [sys.executable, *argv]
    agent = sys.modules["__main__"]
    sys.modules["__main__"] = type(sys)("__main__")
    sys.modules["__main__"].__dict__["__builtins__"] = agent.__dict__.get("__builtins__")
    random = sys.modules.get("numpy.random")
    if random is not None:  # the standard library's reseeds itself after a fork
        with contextlib.suppress(Exception):
            random.seed()
    code: Any = 0
    interrupted = False
    try:
        entry()
    except SystemExit as error:
        code = error.code
    except BaseException as error:  # noqa: BLE001 - as the interpreter does with what nobody handles
        interrupted = isinstance(error, KeyboardInterrupt)
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
    if code is not None and not isinstance(code, int):
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{code}\n")
        code = 1
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
    except BaseException:  # noqa: BLE001 - likewise
        traceback.print_exc()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((code or 0) & 0xFF)


# The loop


class Output:
    """The output of one process that is drained here, and the end of it that is kept."""

    def __init__(self, id: str, fd: int, *, size: int, streamed: bool) -> None:
        self.id = id
        self.fd = fd
        self.streamed = streamed
        self.dropped = 0
        self._size = size
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        """Keep the end of it."""
        self._kept += data
        if len(self._kept) > 2 * self._size:
            del self._kept[: len(self._kept) - self._size]

    def tail(self) -> str:
        """The end as text; what is not UTF-8 is replaced."""
        end = self._kept[-self._size :] if self._size else b""
        return bytes(end).decode("utf-8", "replace")


class Owner:
    """The process whose end is ours: its pidfd, or else its number and start, looked at now and then."""

    def __init__(self, pid: int, start: int | None) -> None:
        self.pid = pid
        self._start = start
        self.fd = -1
        opened = getattr(os, "pidfd_open", None)  # Python 3.9, Linux 5.3
        if opened is not None:
            with contextlib.suppress(OSError):
                self.fd = opened(pid)

    def gone(self) -> bool:
        """Whether it has ended, asked of the operating system now."""
        if not os.path.exists("/proc/self/stat"):
            return os.getppid() != self.pid
        process = look_at(self.pid)
        if process is None or process.state in "ZX":
            return True
        return self._start is not None and process.start != self._start


class Runner:
    """Reads commands and watches processes, and does what the machine decides."""

    def __init__(self, source: int, sink: int, owner: Owner | None) -> None:
        self.machine = Machine()
        self._pid = os.getpid()
        self._owner = owner
        self._source = source
        self._sink = sink
        self._socket: socket.socket | None = None
        if stat.S_ISSOCK(os.fstat(source).st_mode):
            self._socket = socket.socket(fileno=source)
        self._lines = Lines()
        self._descriptors: list[int] = []
        self._unsent = bytearray()
        self._reading = True
        self._done = False
        self._poll = select.poll()
        self._outputs: dict[int, Output] = {}
        self._ended_outputs: dict[str, Output] = {}
        self._launching: dict[int, tuple[str, int]] = {}
        self._handlers: dict[int, Callable[[], None]] = {}
        self._veil: Veil | None = None
        self._orphans = False

    def run(self) -> None:
        """Serve until the owner is gone."""
        for fd in {self._source, self._sink}:
            os.set_blocking(fd, False)
        wake = self._catch_signals()
        self._handlers = {self._source: self._read, wake: self._woken}
        self._poll.register(self._source, select.POLLIN)
        self._poll.register(wake, select.POLLIN)
        self._wake = wake
        interval = None
        if self._owner is not None:
            if self._owner.fd >= 0:
                self._handlers[self._owner.fd] = self._owner_ended
                self._poll.register(self._owner.fd, select.POLLIN)
            else:
                interval = 500.0
        self._perform([("send", self._hello())])
        if self._owner is not None and self._owner.gone():
            self._owner_ended()
        while not self._done:
            ready = self._poll.poll(interval)
            for fd, events in ready:
                if fd == self._sink and self._unsent:
                    self._flush()
                if events & ~select.POLLOUT and fd in self._handlers and not self._done:
                    self._handlers[fd]()
            if interval is not None and self._owner is not None and self._owner.gone():
                self._owner_ended()
            self._balance()

    def _hello(self) -> dict[str, Any]:
        return {
            "event": "hello",
            "version": VERSION,
            "pid": self._pid,
            "python": ".".join(map(str, sys.version_info[:3])),
            "executable": sys.executable,
            "pidfd": self._owner is not None and self._owner.fd >= 0,
            "descriptors": self._socket is not None and self._socket.family == socket.AF_UNIX,
        }

    def _catch_signals(self) -> int:
        """Handlers that do nothing rather than SIG_IGN, which programs that we start would inherit."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGTSTP"):
            signal.signal(getattr(signal, name), _nothing)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        return read_end

    # The owner

    def _read(self) -> None:
        """Take what the owner sent, one piece of it."""
        try:
            data = self._receive()
        except BlockingIOError:
            return
        except OSError as error:
            self._perform(self.machine.owner_gone(f"the owner cannot be read: {error.strerror}"))
            return
        if not data:
            self._perform(self.machine.owner_gone("the owner closed the connection"))
            return
        for line in self._lines.feed(data):
            if not self._done:
                self._perform(self.machine.line(line))
        if self._lines.idle():  # whose they were did not make sense
            while self._descriptors:
                os.close(self._descriptors.pop())

    def _receive(self) -> bytes:
        if self._socket is None:
            return os.read(self._source, CHUNK)
        data, ancillary, _, _ = self._socket.recvmsg(CHUNK, socket.CMSG_SPACE(4 * 32))
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                for at in range(0, len(payload) // 4 * 4, 4):
                    fd = int.from_bytes(payload[at : at + 4], sys.byteorder)
                    os.set_inheritable(fd, False)
                    self._descriptors.append(fd)
        return data

    def _owner_ended(self) -> None:
        """Its end, while others may hold its connection. What it said last still counts."""
        reason = "the owner has ended"
        self.machine.owner_ended(reason)
        for _ in range(1000):
            try:
                data = self._receive()
            except OSError:
                break
            if not data:
                break
            for line in self._lines.feed(data):
                self._perform(self.machine.line(line))
        self._perform(self.machine.owner_gone(reason))

    def _send(self, event: dict[str, Any]) -> None:
        self._unsent += json.dumps(event).encode("ascii") + b"\n"
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._sink, self._unsent[: 4 * CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()
            if self.machine.closing is None:
                self._perform(self.machine.owner_gone("the owner does not listen"))
        # When there is more it is sent as soon as poll() says so; see _balance().

    def _balance(self) -> None:
        """Wait for the right things: nothing is read from an owner who does not listen."""
        if self._done:
            return
        self._reading = len(self._unsent) < BACKLOG_LIMIT
        for fd, events in (
            (self._source, select.POLLIN if self._reading else 0),
            (self._sink, select.POLLOUT if self._unsent else 0),
        ):
            if self._source == self._sink:
                events = (select.POLLIN if self._reading else 0) | (select.POLLOUT if self._unsent else 0)
            if events:
                self._poll.register(fd, events)
            else:
                with contextlib.suppress(KeyError):
                    self._poll.unregister(fd)

    # What the machine decided

    def _perform(self, actions: list[tuple[Any, ...]]) -> None:
        for action in actions:
            getattr(self, "_do_" + action[0])(*action[1:])

    def _do_send(self, event: dict[str, Any]) -> None:
        self._send(event)

    def _do_discard(self) -> None:
        if self._descriptors:
            os.close(self._descriptors.pop(0))

    def _do_prepare(self, command: dict[str, Any]) -> None:
        self._look_after_descendants()
        before = set(os.listdir("/dev/fd"))
        problems = {}
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(command.get("timeout", PREPARE_LIMIT))
        for name in command.get("modules", ()):
            try:
                __import__(name)
            except BaseException as error:  # noqa: BLE001 - somebody else's code, whatever it raises
                problems[name] = f"{type(error).__name__}: {error}"
        if command.get("code"):
            try:
                exec(compile(command["code"], "<prepare>", "exec"), {"__name__": "prepare"})  # noqa: S102
            except BaseException as error:  # noqa: BLE001 - the owner's code, likewise
                problems["code"] = f"{type(error).__name__}: {error}"
        signal.alarm(0)
        import gc

        gc.collect()
        gc.freeze()  # so that children do not copy pages only to count references
        opened = len(set(os.listdir("/dev/fd")) - before)
        facts = {"problems": problems, "threads": threads(), "descriptors": opened}
        self._perform(self.machine.prepared(command.get("re"), facts))

    def _do_launch(self, ward: Ward, command: dict[str, Any]) -> None:
        self._look_after_descendants()
        mode = command.get("output", "tail")
        opened: list[int] = []
        ours = theirs = -1
        try:
            if mode == "descriptor":
                if not self._descriptors:
                    raise _Refused("no descriptor came with the command")
                theirs = self._descriptors.pop(0)
                opened.append(theirs)
            elif mode != "none":
                ours, theirs = os.pipe()
                opened += [ours, theirs]
            if command["do"] == "fork" and threads() != 1:
                raise _Refused(f"a process with {threads()} threads cannot be forked safely")
            read_status, write_status = os.pipe()
            opened += [read_status, write_status]
            env = environment(command)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()  # or the child would write it once more
            pid = os.fork()
        except (OSError, _Refused) as error:
            for fd in opened:
                os.close(fd)
            text = str(error) if isinstance(error, _Refused) else f"no process can be made: {error}"
            number = error.errno if isinstance(error, OSError) else None
            self._perform(self.machine.not_started(ward.id, {"text": text, "errno": number}))
            return
        if pid == 0:
            if self._socket is not None:
                self._socket.detach()  # its number will be somebody else's
            assert self._veil is not None
            become(command, env, theirs, write_status, self._veil)
        os.close(write_status)
        if theirs >= 0:
            os.close(theirs)
        ward.pid = pid
        if ours >= 0:
            os.set_blocking(ours, False)
            output = Output(ward.id, ours, size=command.get("tail", TAIL_SIZE), streamed=mode == "stream")
            self._outputs[ours] = output
            self._watch(ours, lambda: self._drain(output))
        self._launching[read_status] = (ward.id, pid)
        self._watch(read_status, lambda: self._launched(read_status))

    def _launched(self, status: int) -> None:
        """The child became what it should, which closed its end, or says why not."""
        error = b""
        with contextlib.suppress(OSError):
            error = os.read(status, select.PIPE_BUF)
        self._forget(status)
        id, pid = self._launching.pop(status)
        if not error:
            process = look_at(pid)
            self._perform(self.machine.started(id, pid, process.start if process else None))
            self._children()  # it may have ended already
            return
        with contextlib.suppress(OSError):
            os.waitpid(pid, 0)
        self._close_output(id)
        try:
            facts = json.loads(error.decode())
        except ValueError:
            facts = {"text": "the process ended before it began", "errno": None}
        self._perform(self.machine.not_started(id, facts))

    def _do_signal(self, ward: Ward, number: int, re: int | None) -> None:
        assert ward.pid is not None
        try:
            process = look_at(ward.pid)
            if process is None or ward.start is None or process.start == ward.start:
                os.killpg(ward.pid, number)
        except ProcessLookupError:
            pass
        except OSError as error:
            text = f"signal {number} was not delivered to {ward.id!r}: {error.strerror}"
            self._perform([_failed(re, ward.id, text)])
            return
        self._perform(_done({"id": ward.id} if re is None else {"id": ward.id, "re": re}))

    def _do_sweep(self, wards: list[Ward], everything: object) -> None:
        # Only our own descendants: when the owner's kernels are looked after, those are not.
        roots = [self._pid] if everything and self._orphans else []
        limit = CLOSE_LIMIT if self.machine.closing is not None else SWEEP_LIMIT
        if wards or roots:
            sweep(wards, roots=roots, spare=[self._pid], limit=limit)

    def _do_reap(self, ward: Ward) -> None:
        assert ward.pid is not None
        output = self._close_output(ward.id)
        code = reap(ward.pid, wait=0.0 if self.machine.closing is None else 0.2)
        facts = {"output": output.tail() if output else "", "dropped": output.dropped if output else 0}
        self._perform(self.machine.reaped(ward.id, code, facts))

    def _do_remove(self, files: list[str], directories: list[str]) -> None:
        remove(files, directories)

    def _do_quit(self) -> None:
        self._done = True
        deadline = time.monotonic() + 0.2
        while self._unsent and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                select.select([], [self._sink], [], 0.05)
            self._flush()

    # Processes

    def _look_after_descendants(self) -> None:
        if self._veil is None:
            self._veil = Veil()
            self._orphans = adopt_orphans()

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, CHUNK)
        self._children()

    def _children(self) -> None:
        """Notice who has ended: those we started, and orphans, who only have to be reaped."""
        mine = [ward for ward in self.machine.wards.values() if not ward.guarded and ward.pid]
        ended = [ward.id for ward in mine if ward.phase == RUNNING and ward.pid and has_ended(ward.pid)]
        self._perform(self.machine.exited(ended))
        if self._orphans:
            known = {ward.pid for ward in self.machine.wards.values() if not ward.guarded}
            known |= {pid for _, pid in self._launching.values()}
            for pid in children():
                if pid not in known:
                    with contextlib.suppress(OSError):
                        os.waitpid(pid, os.WNOHANG)

    def _drain(self, output: Output) -> bool:
        """Take one piece of output. False when there is none right now."""
        try:
            data = os.read(output.fd, CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._forget(output.fd)
            del self._outputs[output.fd]
            output.fd = -1
            self._ended_outputs[output.id] = output
            return False
        output.add(data)
        if output.streamed:
            if len(self._unsent) > BACKLOG_LIMIT:
                output.dropped += len(data)
            else:
                text = base64.b64encode(data).decode("ascii")
                self._send({"event": "output", "id": output.id, "data": text})
        return True

    def _close_output(self, id: str) -> Output | None:
        """Take what is left, without waiting for those who hold the other end."""
        for output in list(self._outputs.values()):
            if output.id == id:
                for _ in range(64):
                    if not self._drain(output):
                        break
                if output.fd >= 0:
                    self._forget(output.fd)
                    del self._outputs[output.fd]
                self._ended_outputs.pop(id, None)
                return output
        return self._ended_outputs.pop(id, None)

    def _watch(self, fd: int, handler: Callable[[], Any]) -> None:
        self._handlers[fd] = handler
        self._poll.register(fd, select.POLLIN)

    def _forget(self, fd: int) -> None:
        del self._handlers[fd]
        self._poll.unregister(fd)
        os.close(fd)


def _nothing(number: int, frame: object) -> None:
    """Handles a signal by waking the loop, which the wake-up descriptor does."""


def environment(command: dict[str, Any]) -> dict[str, str]:
    """The environment of a new process: ours, or some of it, and what the command sets and removes."""
    inherit = command.get("inherit", True)
    wanted = os.environ if inherit is True else inherit or ()
    env = {name: value for name, value in os.environ.items() if name in wanted}
    env.pop(MARK, None)
    for name, value in command.get("env", {}).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    if command.get("mark"):
        env[MARK] = command["mark"]
    env["JPY_PARENT_PID"] = str(os.getpid())
    return env


def threads() -> int:
    """How many threads this process has, those of C libraries included where that can be seen."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def children() -> list[int]:
    """Our children, those adopted included; zombies too."""
    me = os.getpid()
    try:
        return [int(pid) for pid in _read(f"/proc/self/task/{me}/children").split()]
    except OSError:  # not every Linux has the list
        return [process.pid for process in processes(marks=False) if process.parent == me]


def has_ended(pid: int) -> bool:
    """Whether a child has ended; it stays a zombie where the system allows to look without reaping."""
    try:
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        return any(p.pid == pid and p.state in "ZX" for p in processes(marks=False))
    except ChildProcessError:
        return True


def reap(pid: int, *, wait: float) -> int | None:
    """Reap a child: its exit code, negative for a signal; None where it has not ended in time (seconds)."""
    deadline = time.monotonic() + wait
    while True:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return None
        if found:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.002)


def main(arguments: list[str]) -> None:
    """``[pid of the owner, its start]``, both only on the owner's own machine; talks over 0 and 1."""
    source, sink = os.dup(0), os.dup(1)
    if os.path.sameopenfile(source, sink) and stat.S_ISSOCK(os.fstat(source).st_mode):
        os.close(sink)
        sink = source
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what imported modules print is told with the agent's own errors
    os.close(null)
    numbers = [int(argument) for argument in arguments]
    owner = Owner(numbers[0], numbers[1] if len(numbers) > 1 else None) if numbers else None
    entry: Callable[[], Any] | None = None
    argv: list[str] = []
    try:
        Runner(source, sink, owner).run()
    except Forked as child:
        entry, argv = child.entry, child.argv
    if entry is None:
        os._exit(0)
    run_forked(entry, argv)


if __name__ == "__main__":
    if sys.path and not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
        del sys.path[0]  # this file's directory, or the working directory: neither is for imports
    main(sys.argv[1:])
