"""A client and a kernel that says anything in any order, while everything else happens too.

A state machine plays the kernel and the application, keeps its own, simpler account of what must come of each
request, and compares. The loop's time is virtual: it passes only where the machine lets it.
"""

import asyncio
import os
import selectors
from collections.abc import Callable, Coroutine
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jupyter_kernel_mgmt import (
    ClientClosed,
    Execution,
    InterruptOutcome,
    KernelClient,
    KernelDied,
    KernelRestarted,
    NoReply,
    _under_way,
)
from jupyter_kernel_mgmt.results import ExecutionResult
from jupyter_kernel_mgmt.testing import MemoryChannels
from jupyter_protocol import Message, Session, messages

_KEY = "both ends are here"

LONG = 100.0
"""Seconds after which every clock and every grace has run out."""

OUTPUTS = ("stream", "display_data", "execute_result", "error")
REPLIES = ("ok", "error", "aborted", "abort", None, 7)
ANYTHING = ("busy", "idle", "input", "clear", "garbage", "prompt", *OUTPUTS, *(("reply", s) for s in REPLIES))
USUAL = ("busy", "input", "stream", "display_data", ("reply", "ok"), ("reply", "error"), "idle")
RECENT = st.sampled_from([0, 0, 0, 1, 1, 2, 5])
"""Which request, counted from the latest."""

HURRY = st.sampled_from([False, False, False, True])
EXAMPLES = 5000 if os.environ.get("LONG_TESTS") else 300


# A loop whose time is virtual


class _Selector(selectors.DefaultSelector):
    """Never sleeps; counts what it should have slept."""

    slept = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self.slept += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes, at once, where otherwise nothing would happen."""

    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        return 1000.0 + self.clock.slept

    async def settle(self) -> None:
        """Let everything happen that can happen now."""
        while True:
            await asyncio.sleep(0)
            if not self._ready:  # type: ignore[attr-defined]
                return


# What must come of a request


class Sent:
    """A request, what the kernel has said about it, and what must therefore become of it.

    ``fate`` is None as long as it has to wait, else the statuses or the error with which it may have ended.
    """

    def __init__(self, message: Message, options: dict[str, Any], generation: int) -> None:
        self.message = message
        self.options = options
        self.generation = generation
        self.execution: Execution | None = None
        self.answer: asyncio.Task[Message] | None = None
        self.waits: list[asyncio.Task[Any]] = []
        self.reads: list[tuple[asyncio.Task[Any], list[str]]] = []
        self.obedient = False
        self.busy = self.begun = self.idle = False
        self.reply: Any = ()
        self.live = True
        self.cancelled = False
        self.lost = False
        self.given_up = False
        self.asked = False
        self.marked = False
        self.due: float | None = None
        self.deaf_until = 0.0
        self.read: list[str] = []
        self.shown: list[str] = []
        self.fate: set[str] | type[Exception] | None = None

    @property
    def started(self) -> bool:
        return self.busy or self.begun

    @property
    def ended(self) -> bool:
        return self.idle or self.reply != () or not self.live

    def end(self, fate: set[str] | type[Exception]) -> None:
        if self.fate is None:
            self.fate = fate

    def statuses(self, now: float) -> set[str]:
        """What its own reply, or the lack of one, makes of it."""
        status = (
            "error"
            if self.reply == ()
            else {None: "ok", "abort": "aborted", 7: "error"}.get(self.reply, self.reply)
        )
        if self.marked and status != "ok":
            status = "interrupted"
        return {status, "timeout"} if self.due is not None and now >= self.due else {status}

    def coming(self, now: float) -> set[str] | None:
        """What will come of it if nothing is heard any more; None: it waits on."""
        if self.reply != () or self.idle:
            return self.statuses(now)
        if self.due is not None:
            return {"timeout"}
        return {"timeout"} if not self.started and self.options.get("queue_timeout") is not None else None


class Interleavings(RuleBasedStateMachine):
    """One client through all that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(lambda loop, context: self.problems.append(str(context)))
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(_under_way, "time", SimpleNamespace(monotonic=self.loop.time))
        self.sent: list[Sent] = []
        self.interrupting: list[asyncio.Task[InterruptOutcome]] = []
        self.prompts: list[tuple[str, Sent, bool]] = []
        self.answers: list[str] = []
        self.tokens = self.generation = 0
        self.attached = self._expecting = False
        self.settled = True
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, None], *, hurry: bool = False) -> None:
        """Do something, and all that follows at once; in a hurry, that may come while the next is done."""

        async def and_settle() -> None:
            await work
            self.settled = not hurry
            if not hurry:
                await self.loop.settle()

        self.loop.run_until_complete(and_settle())

    async def _open(self) -> None:
        async def stdin(prompt: str, password: bool) -> str:
            await (asyncio.sleep(0) if _answerable(prompt) else asyncio.Event().wait())
            return f"re {prompt}"

        self.client = KernelClient(stdin=stdin)
        self._attach()

    def _attach(self) -> None:
        self.channels = MemoryChannels(session=Session(_KEY), kernel_session=Session(_KEY))
        self.channels.kernel.on_message = self._kernel_received
        self.channels.kernel.on_closed = lambda error: None
        self.client.attach(self.channels)
        self.channels.on_message = self._client_receives
        self.meanings: dict[str, Callable[[], None]] = {}
        self.client.interrupter = self._interrupted
        self.active: dict[str, None] = {}  # in the order in which they became busy; the first one runs
        self.says_status = self.replied = False
        self.generation += 1
        self.attached = True

    def _client_receives(self, channel: str, message: Message) -> None:
        """Keep account just before the client does."""
        self.meanings.get(message.msg_id, _nothing)()
        self.client._received(channel, message)

    def _kernel_received(self, channel: str, message: Message) -> None:
        if message.msg_type == "input_reply":
            self.answers.append(message.content["value"])
            return
        self.received = message
        if not self._expecting:
            # The client's own question, after a restart that it did not make.
            reply = messages.kernel_info_reply("", "", {}, parent=message)
            self.meanings[reply.msg_id] = self._note_reply
            self.channels.kernel.send("shell", reply)

    def _note_reply(self) -> None:
        self.replied = True

    # The application

    @precondition(lambda self: self.attached)
    @rule(
        timeout=st.sampled_from([None, 0.5, 3.0]),
        queue_timeout=st.sampled_from([None, 0.5, 3.0]),
        interrupt_on_cancel=st.booleans(),
        obedient=st.booleans(),
        read=st.booleans(),
    )
    def execute(self, obedient: bool, read: bool, **options: Any) -> None:
        async def work() -> None:
            untold = self.replied and not self.says_status
            self._expecting = True
            execution = self.client.execute("x", **options)
            await self.loop.settle()
            self._expecting = False
            sent = Sent(self.received, options, self.generation)
            sent.execution, sent.obedient = execution, obedient
            sent.waits.append(asyncio.create_task(self._result(sent)))
            if read:
                self._start_reading(sent)
            if untold and options["timeout"] is not None:
                sent.due = self.loop.time() + options["timeout"]
            self.sent.append(sent)

        self.run(work())

    @precondition(lambda self: self.attached)
    @rule(kind=st.sampled_from(["kernel_info", "comm_info", "history"]))
    def ask(self, kind: str) -> None:
        async def work() -> None:
            self._expecting = True
            answer = asyncio.create_task(self._answer(kind))
            await self.loop.settle()
            self._expecting = False
            sent = Sent(self.received, {}, self.generation)
            sent.answer = answer
            self.sent.append(sent)

        self.run(work())

    async def _answer(self, kind: str) -> Message:
        try:
            answer: Message = await getattr(self.client, kind)()
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
        seen: list[str] = []
        sent.reads.append((asyncio.create_task(self._read(sent, seen)), seen))

    async def _result(self, sent: Sent) -> ExecutionResult:
        assert sent.execution is not None
        try:
            return await sent.execution
        except asyncio.CancelledError:
            self._note_cancelled(sent)
            raise

    async def _read(self, sent: Sent, seen: list[str]) -> None:
        assert sent.execution is not None
        try:
            async for message in sent.execution:
                seen.append(_token(message))
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
            await asyncio.sleep(seconds)

        self.run(work())
        now = self.loop.time()
        for sent in self.sent:
            if sent.fate is not None:
                continue
            coming = sent.coming(now) if sent.execution is not None else self._ask_coming(sent)
            if coming is None:
                continue
            if (sent.execution or sent.answer).done():  # type: ignore[union-attr]
                if sent.reply == () and not sent.idle and not sent.started:
                    sent.given_up = sent.asked = True
                elif sent.reply != () or sent.idle:
                    self._gone(sent)
                sent.end(coming)
            elif seconds == LONG:
                self.problems.append(f"{sent.message.msg_id} should have ended by now")
        if seconds == LONG:
            for sent in self.sent:
                if sent.live and (sent.reply != () or sent.idle):
                    self._gone(sent)

    @staticmethod
    def _ask_coming(sent: Sent) -> type[Exception] | None:
        return NoReply if sent.idle else None

    def _gone(self, sent: Sent) -> None:
        sent.live = False
        self.active.pop(sent.message.msg_id, None)

    # The kernel

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

    @precondition(lambda self: self.attached and self.sent)
    @rule(
        which=RECENT,
        outputs=st.lists(st.sampled_from(OUTPUTS), max_size=2),
        status=st.sampled_from(REPLIES),
        order=st.integers(0, 2),
        hurry=HURRY,
    )
    def kernel_ends(self, which: int, outputs: list[str], status: Any, order: int, hurry: bool) -> None:
        """As it should be, with the reply early, in its place or late."""
        words: list[Any] = [*outputs, "idle"]
        words.insert((0, len(outputs), len(words))[order], ("reply", status))
        self._say_all(self._pick(which), words, hurry=hurry)

    @precondition(lambda self: self.attached and self.sent)
    @rule(lacking=st.sampled_from([None, None, "busy", "idle", "reply"]), hurry=HURRY)
    def kernel_catches_up(self, lacking: str | None, hurry: bool) -> None:
        """All that was sent is handled in order, perhaps by a kernel that never says one thing."""

        async def work() -> None:
            for sent in [sent for sent in self.sent if sent.live and not sent.lost]:
                words: dict[str, Any] = {
                    "busy": "busy",
                    "out": "stream",
                    "reply": ("reply", "ok"),
                    "idle": "idle",
                }
                for word in [words[key] for key in words if key != lacking]:
                    self._say(sent, word)

        self.run(work(), hurry=hurry)

    def _say_all(self, sent: Sent, words: list[Any], *, hurry: bool) -> None:
        async def work() -> None:
            if sent.generation == self.generation and not sent.lost:
                for word in words:
                    self._say(sent, word)

        self.run(work(), hurry=hurry)

    @precondition(lambda self: self.attached and self.sent)
    @rule(what=st.sampled_from(["busy", "idle", "stream", "reply", "orphan"]))
    def kernel_says_to_others(self, what: str) -> None:
        """What concerns nobody here."""
        stranger = messages.execute_request("theirs")
        stranger.header["session"] = "theirs"
        stranger.header["msg_id"] = "theirs"
        stranger.idents = [self.channels._identity]

        async def work() -> None:
            if what == "reply":
                self.channels.kernel.send("shell", messages.execute_reply(1, parent=stranger))
            elif what == "orphan":
                self.channels.kernel.send("iopub", messages.stream("stdout", "orphan"))
            elif what == "stream":
                self.channels.kernel.send("iopub", messages.stream("stdout", "theirs", parent=stranger))
            else:
                status = messages.status(what, parent=stranger)  # type: ignore[arg-type]
                self.meanings[status.msg_id] = partial(self._note_activity, "theirs", what)
                self.channels.kernel.send("iopub", status)

        self.run(work())

    def _note_activity(self, msg_id: str, state: str) -> None:
        self.says_status = True
        if state == "busy":
            self.active.setdefault(msg_id)
        else:
            self.active.pop(msg_id, None)

    def _say(self, sent: Sent, what: Any, also: "Callable[[], None] | None" = None) -> None:
        """Send it. It counts for the client, and here, when it arrives; an old process's does not count."""
        parent = sent.message
        self.tokens += 1
        text = f"<{parent.msg_id[-4:]}.{self.tokens}>"
        if isinstance(what, tuple):
            content = {} if what[1] is None else {"status": what[1]}
            msg_type = parent.msg_type.replace("_request", "_reply")
            channel, message = "shell", messages.new_reply(msg_type, content, parent=parent)
        elif what == "prompt":
            channel, message = "stdin", messages.input_request(text, parent=parent)
        else:
            channel, message = "iopub", _on_iopub(what, text, parent)

        def note() -> None:
            (also or _nothing)()
            self._note(sent, what, text)

        if also is not _stale:
            self.meanings[message.msg_id] = note
        self.channels.kernel.send(channel, message)

    def _note(self, sent: Sent, what: Any, text: str) -> None:
        """What this must lead to."""
        msg_id = sent.message.msg_id
        if what == "prompt":
            self.prompts.append((f"re {text}", sent, sent.live))
        if what in ("busy", "idle"):
            self.says_status = True
            if sent.execution is not None:
                self._note_activity(msg_id, what)
        if not sent.live:
            return
        started = sent.started
        if what == "busy":
            sent.busy = True
        else:
            sent.begun = True
        if not started and sent.execution is not None and not sent.given_up:
            limit = sent.options["timeout"]
            sent.due = self.loop.time() + limit if limit is not None and sent.due is None else sent.due
        sent.idle = sent.idle or what == "idle"
        if isinstance(what, tuple) and sent.reply == ():
            sent.reply = what[1]
            self.replied = True
        if sent.fate is None and (what in OUTPUTS or what == "clear"):
            sent.read.append("clear_output" if what == "clear" else text)
            sent.shown = [] if what == "clear" else [*sent.shown, text]
        if sent.reply != () and (sent.idle or sent.execution is None):
            sent.live = False
            sent.end(sent.statuses(self.loop.time()))

    async def _interrupted(self) -> None:
        """The client interrupts what runs: that must be its own, somebody's wish, and still running."""
        now = self.loop.time()
        # What has answered and does not say idle is left out after a while.
        answered = {sent.message.msg_id for sent in self.sent if sent.reply != ()}
        active = [msg_id for msg_id in self.active if msg_id not in answered]
        wanted = [
            sent
            for sent in self.sent
            if sent.execution is not None
            and sent.live
            and sent.started
            and not sent.ended
            and next(iter(active), sent.message.msg_id) == sent.message.msg_id
            and (sent.asked or (sent.due is not None and now >= sent.due - 1e-6))
        ]
        if not wanted:
            self.problems.append("an interrupt that nobody wanted")
            return
        quiet = [sent for sent in wanted if sent.deaf_until <= now + 1e-6]
        if not quiet:
            self.problems.append("a second interrupt while the first is under way")
            return
        sent = quiet[0]
        sent.deaf_until = now + 5.0
        sent.marked = sent.marked or sent.fate is None
        if sent.obedient:
            for what in ("error", ("reply", "error"), "idle"):
                self._say(sent, what)

    # Ends

    @precondition(lambda self: self.attached and self.sent)
    @rule(
        which=st.integers(0, 4),
        what=st.sampled_from(USUAL),
        leftovers=st.lists(st.sampled_from(USUAL), max_size=2),
    )
    def somebody_restarts(self, which: int, what: Any, leftovers: list[Any]) -> None:
        """Another process speaks, of a request of ours or not; messages of the old one come late."""
        current = [sent for sent in self.sent if sent.generation == self.generation and not sent.lost]
        evidence = current[which] if which < len(current) else None
        # The first message of all tells nothing about a restart, so one of the old process has to have come.
        self.run(self._hear_strangers())
        if evidence is not None and (evidence.started or not evidence.live):
            evidence = None

        def note() -> None:
            for sent in current:
                if sent is evidence:
                    break
                sent.live, sent.lost = False, True
                sent.end(KernelRestarted)
            self.active.clear()
            self.says_status = self.replied = False

        async def work() -> None:
            old = self.channels.kernel.session
            self.channels.kernel.session = new = Session(_KEY)
            if evidence is None:
                message = messages.stream("stdout", "new")
                self.meanings[message.msg_id] = note
                self.channels.kernel.send("iopub", message)
            else:
                self._say(evidence, what, note)
            self.channels.kernel.session = old
            for word in leftovers:
                for sent in current[:2]:
                    self._say(sent, word, _stale)
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
                self.client.refuse(_died)
                await self.loop.settle()
                self._all_end(KernelDied)
            elif how == "lost":
                self.channels.kernel.close(OSError("lost"))
                await self.loop.settle()
                self._all_end(ClientClosed)
            else:
                self._all_end(KernelDied)
            await self.client.detach(_died, discard=how == "it dies")
            await self.loop.settle()
            with pytest.raises(KernelDied):
                self.client.execute("nobody is there")
            if again:
                self._attach()
            self.attached = again

        self.run(work())

    @precondition(lambda self: not self.attached)
    @rule()
    def new_channels(self) -> None:
        async def work() -> None:
            self._attach()

        self.run(work())

    def _all_end(self, error: type[Exception]) -> None:
        for sent in self.sent:
            sent.live = False
            sent.end(error)
        self.prompts = [question for question in self.prompts if question[0] in self.answers]

    # Comparison

    @invariant()
    def each_is_as_it_must_be(self) -> None:
        assert self.problems == [], self.problems
        if not self.settled:
            return
        for sent in self.sent:
            waiting = sent.execution or sent.answer
            assert waiting is not None
            assert waiting.done() == (sent.fate is not None), (sent.message.msg_id, waiting, vars(sent))
            for reading, seen in sent.reads:
                assert reading.cancelled() or seen == sent.read
        # A question is withdrawn when its request ends.
        assert self.answers == [text for text, _, _ in self.prompts if text in self.answers]
        for text, sent, live in self.prompts:
            if sent.live == live and _answerable(text):
                assert text in self.answers
        late = {sent.message.msg_id for _, sent, live in self.prompts if not live}
        over = {sent.message.msg_id for sent in self.sent if not sent.live} - late
        assert not over & {*self.client._prompts._asked.values()}

    def teardown(self) -> None:
        try:
            self.run(self._finish())
            self.each_is_as_it_must_be()
        finally:
            self.patch.undo()
            self.loop.close()

    async def _finish(self) -> None:
        await self.client.aclose()
        await self.loop.settle()
        self._all_end(ClientClosed)
        for sent in self.sent:
            await _check_execution(sent) if sent.execution is not None else await _check_answer(sent)
        for outcome in await asyncio.gather(*self.interrupting, return_exceptions=True):
            assert isinstance(outcome, InterruptOutcome | ClientClosed), outcome
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert [timer for timer in self.loop._scheduled if not timer.cancelled()] == []  # type: ignore[attr-defined]
        client = self.client
        under_way, deadlines = client._under_way, client._deadlines
        left = [under_way._executions, under_way._replies, under_way._conditions, under_way._grace_timers]
        left += [deadlines._queue_clocks._timers, deadlines._run_clocks._timers]
        left += [deadlines._run_limits, deadlines._given_up, under_way.router.requests]
        assert left == [{}] * 9, left
        assert (client._budget.used, client._budget._holders) == (0, {})


async def _check_execution(sent: Sent) -> None:
    execution, fate = sent.execution, sent.fate
    assert execution is not None
    assert fate is not None
    if isinstance(fate, set):
        result = await execution
        assert result.status in fate
    else:
        with pytest.raises(fate) as caught:
            await execution
        assert type(caught.value) is fate
        result = caught.value.result
    assert [_text(output) for output in result.outputs] == _joined(result, sent.shown)
    for wait in sent.waits:
        outcome = (await asyncio.gather(wait, return_exceptions=True))[0]
        assert outcome is result or isinstance(outcome, asyncio.CancelledError | Exception)
        assert isinstance(outcome, asyncio.CancelledError) or isinstance(fate, set) == (outcome is result)
    for reading, seen in sent.reads:
        error = (await asyncio.gather(reading, return_exceptions=True))[0]
        if isinstance(error, asyncio.CancelledError):
            assert seen == sent.read[: len(seen)]
        else:
            assert seen == sent.read
            assert error is None if isinstance(fate, set) else isinstance(error, fate)


async def _check_answer(sent: Sent) -> None:
    assert sent.answer is not None
    outcome = (await asyncio.gather(sent.answer, return_exceptions=True))[0]
    if sent.cancelled and isinstance(outcome, asyncio.CancelledError):
        return
    if isinstance(sent.fate, set):
        assert isinstance(outcome, Message)
        assert outcome.parent_id == sent.message.msg_id
    else:
        assert sent.fate is not None
        assert type(outcome) is sent.fate


def _on_iopub(what: str, text: str, parent: Message) -> Message:
    if what in ("busy", "idle"):
        return messages.status(what, parent=parent)  # type: ignore[arg-type]
    if what == "input":
        return messages.execute_input("x", 1, parent=parent)
    if what == "stream":
        return messages.stream("stdout", text, parent=parent)
    if what == "display_data":
        return messages.display_data({"text/plain": text}, parent=parent)
    if what == "execute_result":
        return messages.execute_result(1, {"text/plain": text}, parent=parent)
    if what == "error":
        return messages.error(text, "", [], parent=parent)
    if what == "clear":
        return messages.clear_output(parent=parent)
    return messages.new_message("status", {"execution_state": ["no", "state"]}, parent=parent)


def _text(output: dict[str, Any]) -> str:
    kind = output["output_type"]
    text: str = output["text"] if kind == "stream" else ""
    return text or (output["ename"] if kind == "error" else output["data"]["text/plain"])


def _joined(result: ExecutionResult, texts: list[str]) -> list[str]:
    """The texts as they stand in the outputs, where neighbours in a stream are one."""
    left = list(texts)
    joined = []
    for output in result.outputs:
        count = max(1, _text(output).count("<")) if output["output_type"] == "stream" else 1
        joined.append("".join(left[:count]))
        del left[:count]
    return [*joined, *left]


def _token(message: Any) -> str:
    if message.msg_type == "clear_output":
        return "clear_output"
    return _text({"output_type": message.msg_type, **message.content})


def _answerable(prompt: str) -> bool:
    """Whether the application knows an answer; otherwise it thinks until it is told not to."""
    return prompt[-2] in "02468"


def _nothing() -> None:
    """Means nothing."""


def _stale() -> None:
    """Comes from a process that has gone."""


def _died(result: ExecutionResult | None) -> Exception:
    return KernelDied(None, result)


def test_whatever_order_things_happen_in_each_request_ends_as_it_must() -> None:
    """Once, truthfully, with its own output, and leaving nothing behind."""
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
