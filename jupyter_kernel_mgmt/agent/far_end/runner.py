"""`Runner`: tells the machine what happens, and does what it decides."""

from __future__ import annotations

import base64
import contextlib
import os
import sys

assert sys.platform != "win32"

from .becoming import Refused
from .children import adopt_orphans, children, has_ended, reap
from .forks import Veil, prepare
from .launching import launch
from .loop import Loop
from .machine import Machine, done, failed
from .outputs import TAIL_SIZE, Output, Outputs
from .processes import look_at
from .sweeping import CLOSE_LIMIT, SWEEP_LIMIT, remove, sweep
from .ward import RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .launching import Launch
    from .owner import Connection, Owner
    from .ward import Ward

VERSION = 1
"""Of the protocol."""
LOOK_INTERVAL = 500.0
"""Milliseconds after which an owner without a pidfd is looked at again."""
LAST_EVENTS = 0.2
"""Seconds that an owner has to read them."""


class Runner:
    """Serves one owner, from hello until it is gone."""

    def __init__(self, connection: Connection, owner: Owner | None) -> None:
        self.machine = Machine()
        self._pid = os.getpid()
        self._connection = connection
        self._owner = owner
        self._loop = Loop()
        self._outputs = Outputs(self._loop, self._pass_on)
        self._launching: set[int] = set()
        self._veil: Veil | None = None
        self._orphans = False

    def run(self) -> None:
        """Serve until the owner is gone. Raises `Forked` in children."""
        self._connection.open()
        self._loop.catch_signals(self._children)
        self._loop.watch(self._connection.source, self._read)
        self._loop.when_writable(self._connection.sink, self._flush)
        interval = None
        if self._owner is not None:
            if self._owner.fd >= 0:
                self._loop.watch(self._owner.fd, self._owner_ended)
            else:
                interval = LOOK_INTERVAL
        self._do_send(self._hello())
        if self._owner is not None and self._owner.gone():
            self._owner_ended()
        while not self._loop.stopped:
            self._loop.turn(interval)
            if interval is not None and self._owner is not None and self._owner.gone():
                self._owner_ended()
            if not self._loop.stopped:
                for fd, events in self._connection.wanted().items():
                    self._loop.want(fd, events)

    def _hello(self) -> dict[str, Any]:
        return {
            "event": "hello",
            "version": VERSION,
            "pid": self._pid,
            "python": ".".join(map(str, sys.version_info[:3])),
            "executable": sys.executable,
            "pidfd": self._owner is not None and self._owner.fd >= 0,
            "descriptors": self._connection.brings_descriptors(),
        }

    # The owner

    def _read(self) -> None:
        """Take what the owner sent, one piece of it."""
        try:
            lines = self._connection.read()
        except BlockingIOError:
            return
        except EOFError:
            self._perform(self.machine.owner_gone("the owner closed the connection"))
            return
        except OSError as error:
            self._perform(self.machine.owner_gone(f"the owner cannot be read: {error.strerror}"))
            return
        for line in lines:
            if not self._loop.stopped:
                self._perform(self.machine.line(line))
        self._connection.tidy()

    def _owner_ended(self) -> None:
        """Its end, while others may hold its connection. What it said last still counts."""
        reason = "the owner has ended"
        self.machine.owner_ended(reason)
        for _ in range(1000):
            try:
                lines = self._connection.read()
            except (OSError, EOFError):
                break
            for line in lines:
                self._perform(self.machine.line(line))
        self._perform(self.machine.owner_gone(reason))

    def _flush(self) -> None:
        if not self._connection.flush():
            self._unheard()

    def _unheard(self) -> None:
        if self.machine.closing is None:
            self._perform(self.machine.owner_gone("the owner does not listen"))

    # What the machine decided

    def _perform(self, actions: list[tuple[Any, ...]]) -> None:
        for action in actions:
            getattr(self, "_do_" + action[0])(*action[1:])

    def _do_send(self, event: dict[str, Any]) -> None:
        if not self._connection.send(event):
            self._unheard()

    def _do_discard(self) -> None:
        self._connection.discard()

    def _do_prepare(self, command: dict[str, Any]) -> None:
        self._look_after_descendants()
        self._perform(self.machine.prepared(command.get("re"), prepare(command)))

    def _do_launch(self, ward: Ward, command: dict[str, Any]) -> None:
        try:
            launched = launch(command, self._connection, self._look_after_descendants())
        except Refused as error:
            self._perform(self.machine.not_started(ward.id, error.facts()))
            return
        ward.pid = launched.pid
        if launched.output >= 0:
            size, streamed = command.get("tail", TAIL_SIZE), command.get("output") == "stream"
            self._outputs.open(Output(ward.id, launched.output, size=size, streamed=streamed))
        self._launching.add(launched.pid)
        self._loop.watch(launched.status, lambda: self._launched(ward.id, launched))

    def _launched(self, id: str, launched: Launch) -> None:
        """The child became what it should, or says why not."""
        problem = launched.problem()
        self._loop.forget(launched.status)
        self._launching.remove(launched.pid)
        if problem is None:
            process = look_at(launched.pid)
            self._perform(self.machine.started(id, launched.pid, process.start if process else None))
            self._children()  # it may have ended already
            return
        with contextlib.suppress(OSError):
            os.waitpid(launched.pid, 0)
        self._outputs.close(id)
        self._perform(self.machine.not_started(id, problem))

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
            self._perform([failed(re, ward.id, text)])
            return
        self._perform(done({"id": ward.id} if re is None else {"id": ward.id, "re": re}))

    def _do_sweep(self, wards: list[Ward], everything: object) -> None:
        # Only our own descendants: when the owner's kernels are looked after, those are not.
        roots = [self._pid] if everything and self._orphans else []
        limit = CLOSE_LIMIT if self.machine.closing is not None else SWEEP_LIMIT
        if wards or roots:
            sweep(wards, roots=roots, spare=[self._pid], limit=limit)

    def _do_reap(self, ward: Ward) -> None:
        assert ward.pid is not None
        output = self._outputs.close(ward.id)
        code = reap(ward.pid, wait=0.0 if self.machine.closing is None else 0.2)
        facts = {"output": output.tail() if output else "", "dropped": output.dropped if output else 0}
        self._perform(self.machine.reaped(ward.id, code, facts))

    def _do_remove(self, files: list[str], directories: list[str]) -> None:
        remove(files, directories)

    def _do_quit(self) -> None:
        self._loop.stopped = True
        self._connection.finish(LAST_EVENTS)

    # Processes

    def _look_after_descendants(self) -> Veil:
        if self._veil is None:
            self._veil = Veil()
            self._orphans = adopt_orphans()
        return self._veil

    def _children(self) -> None:
        """Notice who has ended: those we started, and orphans, who only have to be reaped."""
        mine = [ward for ward in self.machine.wards.values() if not ward.guarded and ward.pid]
        ended = [ward.id for ward in mine if ward.phase == RUNNING and ward.pid and has_ended(ward.pid)]
        self._perform(self.machine.exited(ended))
        if self._orphans:
            known = {ward.pid for ward in self.machine.wards.values() if not ward.guarded}
            known |= self._launching
            for pid in children():
                if pid not in known:
                    with contextlib.suppress(OSError):
                        os.waitpid(pid, os.WNOHANG)

    def _pass_on(self, output: Output, data: bytes) -> None:
        if self._connection.full():
            output.dropped += len(data)
        else:
            text = base64.b64encode(data).decode("ascii")
            self._do_send({"event": "output", "id": output.id, "data": text})
