"""A client and a kernel that says anything in any order, while everything else happens too.

A state machine plays the kernel and the application, keeps its own, simpler account of what must come of each
request, and compares. The loop's time is virtual: it passes only where the machine lets it.
"""

import asyncio
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from jupyter_kernel_mgmt import ClientClosed, KernelDied, KernelRestarted, NoReply
from jupyter_kernel_mgmt.requests import DEFAULT_OUTPUT_LIMIT
from jupyter_kernel_mgmt.results import ExecutionResult
from jupyter_protocol import Message, messages

from ._interleaving_account import Account, died
from ._interleaving_model import REPLIES, Sent, seen_as
from ._interleaving_output import OUTPUTS

LONG = 100.0
"""Seconds after which every clock and every grace has run out."""

ASTRAY = ("astray", "ok")
"""A reply on the wrong channel."""

ANYTHING = ("busy", "idle", "input", "garbage", "prompt", ASTRAY, *OUTPUTS, *(("reply", s) for s in REPLIES))
USUAL = ("busy", "input", "stream", "display_data", "show a", ("reply", "ok"), ("reply", "error"), "idle")
RECENT = st.sampled_from([0, 0, 0, 1, 1, 2, 5])
"""Which request, counted from the latest."""

LAST = 5
"""One more than the requests of which another process may speak first."""

LIMITS = st.sampled_from([DEFAULT_OUTPUT_LIMIT, None, 0, 5_000, 9_000, 12_000])
BUDGETS = st.sampled_from([DEFAULT_OUTPUT_LIMIT, None, 9_000, 20_000])
"""Bytes; an output takes between two and six thousand."""

UPDATES = st.lists(st.sampled_from(["update a", "update b", "stream"]), min_size=3, max_size=7)
MUCH = st.lists(st.sampled_from(OUTPUTS), min_size=4, max_size=9) | UPDATES.map(["show a", "show b"].__add__)
"""More than there may be room for."""

HURRY = st.sampled_from([False, False, False, True])
EXAMPLES = 5000 if os.environ.get("LONG_TESTS") else 300


class Interleavings(Account):
    """One client through all that can happen to it."""

    @initialize(budget=BUDGETS)
    def begin(self, budget: int | None) -> None:
        self.run(self.open(budget))

    # The application

    @precondition(lambda self: self.attached)
    @rule(
        timeout=st.sampled_from([None, 0.5, 3.0]),
        queue_timeout=st.sampled_from([None, 0.5, 3.0]),
        interrupt_on_cancel=st.booleans(),
        output_limit=LIMITS,
        subshell_id=st.sampled_from([None, None, None, "one", "two"]),
        obedient=st.booleans(),
        read=st.booleans(),
    )
    def execute(self, obedient: bool, read: bool, subshell_id: str | None, **options: Any) -> None:
        async def work() -> None:
            untold = self.replied and not self.says_status
            execution = self.client.execute("x", subshell_id=subshell_id, **options)
            sent = Sent(await self.expect(), "shell", options, self.generation)
            sent.execution, sent.obedient = execution, obedient
            sent.waits.append(asyncio.create_task(self._result(sent)))
            if read:
                self._start_reading(sent)
            if untold and options["timeout"] is not None:
                sent.due = self.loop.time() + options["timeout"]
            self.sent.append(sent)

        self.run(work())

    @precondition(lambda self: self.attached)
    @rule(what=st.sampled_from(["kernel_info", "comm_info", "history", "kernel_info on control", "debug"]))
    def ask(self, what: str) -> None:
        async def work() -> None:
            await self.loop.settle()
            answer = asyncio.create_task(self._answer(what))
            channel = "control" if what in ("kernel_info on control", "debug") else "shell"
            sent = Sent(await self.expect(), channel, {}, self.generation)
            sent.answer = answer
            self.sent.append(sent)

        self.run(work())

    async def _answer(self, what: str) -> Message:
        try:
            if what == "debug":
                return await self.client.debug({"command": "threads"})
            if what == "kernel_info on control":
                return await self.client._ask(messages.kernel_info_request(), "control")
            answer: Message = await getattr(self.client, what)()
            return answer
        except asyncio.CancelledError:
            sent = next(sent for sent in self.sent if sent.answer is asyncio.current_task())
            sent.live = False
            sent.end(asyncio.CancelledError)
            raise

    @precondition(lambda self: self.sent)
    @rule(which=RECENT, read=st.booleans())
    def wait_for(self, which: int, read: bool) -> None:
        """One more that waits for a result, or reads the output from its beginning."""
        sent = self._pick(which)

        async def work() -> None:
            if sent.execution is not None and read:
                self._start_reading(sent)
            elif sent.execution is not None:
                sent.waits.append(asyncio.create_task(self._result(sent)))

        self.run(work())

    def _start_reading(self, sent: Sent) -> None:
        seen: list[str | int] = []
        sent.reads.append((asyncio.create_task(self._read(sent, seen)), seen))

    async def _result(self, sent: Sent) -> ExecutionResult:
        assert sent.execution is not None
        try:
            return await sent.execution
        except asyncio.CancelledError:
            self._note_cancelled(sent)
            raise

    async def _read(self, sent: Sent, seen: list[str | int]) -> None:
        assert sent.execution is not None
        try:
            async for message in sent.execution:
                seen.append(seen_as(message))
        except asyncio.CancelledError:
            self._note_cancelled(sent)
            raise

    def _note_cancelled(self, sent: Sent) -> None:
        if sent.fate is None and sent.options["interrupt_on_cancel"]:
            sent.asked = True
            if not sent.started:
                sent.given_up = True
                sent.due = None
                sent.end({"interrupted"})

    @precondition(lambda self: self.sent)
    @rule(which=RECENT, all_at_once=st.booleans(), hurry=HURRY)
    def cancel(self, which: int, all_at_once: bool, hurry: bool) -> None:
        """Tasks that wait for a request are cancelled, one or all."""
        sent = self._pick(which)

        async def work() -> None:
            if sent.answer is not None:
                sent.cancelled = sent.answer.cancel() or sent.cancelled
                return
            waits = [task for task in (*sent.waits, *(task for task, _ in sent.reads)) if not task.done()]
            for task in waits if all_at_once else waits[:1]:
                task.cancel()

        self.run(work(), hurry=hurry)

    @precondition(lambda self: self.sent)
    @rule(which=RECENT, times=st.integers(1, 2), hurry=HURRY)
    def interrupt(self, which: int, times: int, hurry: bool) -> None:
        sent = self._pick(which)

        async def work() -> None:
            if sent.execution is not None:
                sent.asked = True
                for _ in range(times):
                    self.interrupting.append(asyncio.create_task(sent.execution.interrupt()))

        self.run(work(), hurry=hurry)

    @rule(seconds=st.sampled_from([0.1, 0.6, 4.0, LONG]))
    def time_passes(self, seconds: float) -> None:
        async def work() -> None:
            await self.loop.settle()
            self.passing = True
            await asyncio.sleep(seconds)

        self.run(work())
        self.passing = False
        now = self.loop.time()
        for sent in self.sent:
            if sent.fate is not None:
                continue
            coming = sent.coming(now) if sent.execution is not None else NoReply if sent.idle else None
            if coming is None:
                continue
            if sent.done():
                self.ended_by_time(sent, coming)
            elif seconds == LONG:
                self.problems.append(f"{sent.msg_id} should have ended by now")
        if seconds == LONG:
            for sent in self.sent:
                if sent.live and (sent.reply != () or sent.idle):
                    self.gone(sent)

    # The kernel

    def running(self) -> list[Sent]:
        """Code that may put out something."""
        alive = [sent for sent in self.sent if sent.fate is None and not sent.lost]
        return [sent for sent in alive if sent.execution is not None]

    def _pick(self, which: int) -> Sent:
        """Mostly one of the latest."""
        return self.sent[-1 - which % len(self.sent)]

    @precondition(lambda self: self.attached and self.sent)
    @rule(
        which=RECENT,
        words=st.lists(st.sampled_from(USUAL) | st.sampled_from(ANYTHING), max_size=4),
        hurry=HURRY,
    )
    def kernel_says(self, which: int, words: list[Any], hurry: bool) -> None:
        """Anything about a request, at any time."""
        self._say_all(self._pick(which), words, hurry=hurry)

    @precondition(lambda self: self.attached and self.sent)
    @rule(which=RECENT, outputs=st.lists(st.sampled_from(OUTPUTS), max_size=4), hurry=HURRY)
    def kernel_begins(self, which: int, outputs: list[str], hurry: bool) -> None:
        """As it should."""
        self._say_all(self._pick(which), ["busy", "input", *outputs], hurry=hurry)

    @precondition(lambda self: self.attached and self.running())
    @rule(which=RECENT, outputs=MUCH, hurry=HURRY)
    def kernel_prints(self, which: int, outputs: list[str], hurry: bool) -> None:
        running = self.running()
        self._say_all(running[-1 - which % len(running)], outputs, hurry=hurry)

    @precondition(lambda self: self.attached and self.running())
    @rule(
        which=RECENT,
        before=st.lists(st.sampled_from(OUTPUTS), max_size=5),
        between=st.lists(st.sampled_from(OUTPUTS), max_size=5),
        end=st.sampled_from([[], [("reply", "ok"), "idle"], ["idle"]]),
        then=st.sampled_from(["nothing", "time passes", "time passes", "a restart", "a new kernel"]),
        by=st.integers(0, 3),
    )
    def display_is_updated(
        self, which: int, before: list[str], between: list[str], end: list[Any], then: str, by: int
    ) -> None:
        """Perhaps after its code has ended, by somebody's later code, or by that of another process."""
        running = self.running()
        if then == "time passes":
            running = [sent for sent in running if sent.options["timeout"] is not None] or running
        shows = running[-1 - which % len(running)]
        self._say_all(shows, [*before, "show a", *between, *end], hurry=False)
        if then == "time passes":
            shows.obedient = False
            self.time_passes(LONG)
        elif then == "a restart":
            self.somebody_restarts(LAST, "stream", [])
        elif then == "a new kernel":
            self.all_ends("it dies", again=True)
        if by:
            self._say_all(self._pick(by), ["update a"], hurry=False)
        else:
            self.kernel_says_to_others("update a")

    @precondition(lambda self: self.attached)
    @rule(
        subshells=st.permutations([None, "one", "two"]),
        how=st.sampled_from(["interrupt", "time", "cancel"]),
        which=st.integers(0, 1),
        hurry=HURRY,
    )
    def code_runs_beside_code(self, subshells: list[Any], how: str, which: int, hurry: bool) -> None:
        """One of the two is to end: an interrupt would hit both."""
        options = {"timeout": 0.5 if how == "time" else None, "queue_timeout": None, "output_limit": 12_000}
        for subshell_id in subshells[:2]:
            self.execute(True, False, subshell_id, interrupt_on_cancel=how == "cancel", **options)
            self.kernel_begins(0, ["stream"], hurry)
        if how == "interrupt":
            self.interrupt(which, 1, hurry)
        elif how == "cancel":
            self.cancel(which, True, hurry)
        self.time_passes(0.6)

    @precondition(lambda self: self.attached and self.sent)
    @rule(
        which=RECENT,
        outputs=st.lists(st.sampled_from(OUTPUTS), max_size=2),
        status=st.sampled_from(REPLIES),
        order=st.integers(0, 2),
        astray=st.booleans(),
        hurry=HURRY,
    )
    def kernel_ends(
        self, which: int, outputs: list[str], status: Any, order: int, astray: bool, hurry: bool
    ) -> None:
        """As it should be, with the reply early, in its place or late; also on a channel where it is none."""
        words: list[Any] = [*outputs, "idle"]
        words.insert((0, len(outputs), len(words))[order], ("reply", status))
        if astray:
            words.insert(0, ASTRAY)
        self._say_all(self._pick(which), words, hurry=hurry)

    @precondition(lambda self: self.attached and self.sent)
    @rule(lacking=st.sampled_from([None, None, "busy", "idle", "reply"]), hurry=HURRY)
    def kernel_catches_up(self, lacking: str | None, hurry: bool) -> None:
        """All that was sent is handled in order, perhaps by a kernel that never says one thing."""
        words: dict[str, Any] = {"busy": "busy", "out": "stream", "reply": ("reply", "ok"), "idle": "idle"}

        async def work() -> None:
            for sent in [sent for sent in self.sent if sent.live and not sent.lost]:
                for word in [words[key] for key in words if key != lacking]:
                    self.say(sent, word)

        self.run(work(), hurry=hurry)

    def _say_all(self, sent: Sent, words: list[Any], *, hurry: bool) -> None:
        async def work() -> None:
            if sent.generation == self.generation and not sent.lost:
                for word in words:
                    self.say(sent, word)

        self.run(work(), hurry=hurry)

    @precondition(lambda self: self.attached and self.sent)
    @rule(what=st.sampled_from(["busy", "idle", "stream", "reply", "orphan", "update a", "update b"]))
    def kernel_says_to_others(self, what: str) -> None:
        """What concerns nobody here, unless it updates what is shown here."""

        async def work() -> None:
            self.say_to_others(what)

        self.run(work())

    # Ends

    @precondition(lambda self: self.attached and self.sent)
    @rule(
        which=st.integers(0, LAST),
        what=st.sampled_from(USUAL),
        leftovers=st.lists(st.sampled_from((*USUAL, "update a")), max_size=2),
    )
    def somebody_restarts(self, which: int, what: Any, leftovers: list[Any]) -> None:
        """Another process speaks, of a request of ours or not; messages of the old one come late."""
        current = [sent for sent in self.sent if sent.generation == self.generation and not sent.lost]
        evidence = current[which] if which < min(LAST, len(current)) else None
        # The first message of all tells nothing about a restart, so one of the old process has to have come.
        self.run(self._hear_strangers())
        if evidence is not None and (evidence.started or not evidence.live):
            evidence = None
        # Each channel keeps its order, and the new process handles this one: those behind it are to come.
        after = [] if evidence is None else current[current.index(evidence) :]
        spared = [sent for sent in after if sent.channel == after[0].channel]

        def note(message: Message) -> None:
            for sent in current:
                if sent not in spared:
                    sent.live, sent.lost = False, True
                    sent.end(KernelRestarted)
            self.active.clear()
            self.says_status = self.replied = False
            self.another_process()

        async def work() -> None:
            old = self.new_session()
            if evidence is None:
                message = messages.stream("stdout", "new")
                self.meanings[message.msg_id] = note
                self.channels.kernel.send("iopub", message)
            else:
                self.say(evidence, what, note)
            new, self.channels.kernel.session = self.channels.kernel.session, old
            for word in leftovers:
                for sent in current[:2]:
                    self.say(sent, word, stale=True)
            self.channels.kernel.session = new

        self.run(work())

    async def _hear_strangers(self) -> None:
        self.channels.kernel.send("iopub", messages.stream("stdout", "old"))

    @precondition(lambda self: self.attached)
    @rule(how=st.sampled_from(["it dies", "lost", "lost", "it dies", "closed"]), again=st.booleans())
    def all_ends(self, how: str, again: bool) -> None:
        """The kernel dies, or the connection is lost; there may be another."""

        async def work() -> None:
            if how == "it dies":
                self.client.refuse(died)
                await self.loop.settle()
                self.all_end(KernelDied)
            elif how == "lost":
                self.channels.kernel.close(OSError("lost"))
                await self.loop.settle()
                self.all_end(ClientClosed)
            else:
                self.all_end(KernelDied)
            await self.client.detach(died, discard=how == "it dies")
            await self.loop.settle()
            with pytest.raises(KernelDied):
                self.client.execute("nobody is there")
            if again:
                self.attach()
            self.attached = again

        self.run(work())

    @precondition(lambda self: not self.attached)
    @rule()
    def new_channels(self) -> None:
        async def work() -> None:
            self.attach()

        self.run(work())

    @invariant()
    def each_is_as_it_must_be(self) -> None:
        assert self.problems == [], self.problems
        if self.settled:
            self.compare()

    def teardown(self) -> None:
        try:
            if self.generation:
                self.run(self.finish())
                self.each_is_as_it_must_be()
        finally:
            self.patch.undo()
            self.loop.close()


def test_whatever_order_things_happen_in_each_request_ends_as_it_must() -> None:
    """Once, truthfully, with its own output within the limits, and leaving nothing behind."""
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
