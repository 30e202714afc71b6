"""A client, a kernel played by hand, and the account that is kept of what each request must come to."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from jupyter_kernel_mgmt import (
    ClientClosed,
    InterruptOutcome,
    KernelClient,
    KernelDied,
    _interrupts,
    _nudges,
    _under_way,
)
from jupyter_kernel_mgmt.results import ExecutionResult
from jupyter_kernel_mgmt.testing import MemoryChannels
from jupyter_protocol import Message, Session, messages

from ._interleaving_model import Sent, VirtualLoop, check_answer, check_execution, kernel_message
from ._interleaving_output import OUTPUTS, OVERHEAD, Item, Kept, make_room

_KEY = "both ends are here"

Note = Callable[[Message], None]
"""What a message means for the account, when it arrives."""


class Account(RuleBasedStateMachine):
    """One client and all that is known about it; the rules are to be added."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(lambda loop, context: self.problems.append(str(context)))
        self.patch = pytest.MonkeyPatch()
        for module in (_under_way, _interrupts, _nudges):
            self.patch.setattr(module, "time", SimpleNamespace(monotonic=self.loop.time))
        self.sent: list[Sent] = []
        self.interrupting: list[asyncio.Task[InterruptOutcome]] = []
        self.prompts: list[tuple[str, Sent, bool]] = []
        self.answers: list[str] = []
        self.tokens = self.generation = 0
        self.attached = self.expecting = self.passing = False
        self.settled = True

    def run(self, work: Coroutine[Any, Any, None], *, hurry: bool = False) -> None:
        """Do something, and all that follows at once; in a hurry, that may come while the next is done."""

        async def and_settle() -> None:
            await work
            self.settled = not hurry
            if not hurry:
                await self.loop.settle()

        self.loop.run_until_complete(and_settle())

    async def open(self, budget: int | None) -> None:
        async def stdin(prompt: str, password: bool) -> str:
            await (asyncio.sleep(0) if answerable(prompt) else asyncio.Event().wait())
            return f"re {prompt}"

        self.budget = budget
        self.client = KernelClient(stdin=stdin, output_budget=budget)
        self.attach()

    def attach(self) -> None:
        self.channels = MemoryChannels(session=Session(_KEY), kernel_session=Session(_KEY))
        self.channels.kernel.on_message = self._kernel_received
        self.channels.kernel.on_closed = lambda error: None
        self.client.attach(self.channels)
        self.channels.on_message = self._client_receives
        self.meanings: dict[str, Note] = {}
        self.client.interrupter = self._interrupted
        self.active: dict[str, str | None] = {}  # ids to subshells: in each, the first that became busy runs
        self.says_status = self.replied = False
        self.generation += 1
        self.attached = True
        self.another_process()

    def _client_receives(self, channel: str, message: Message) -> None:
        """Keep account just before the client does."""
        if (note := self.meanings.get(message.msg_id)) is not None:
            note(message)
        self.client._received(channel, message)

    def _kernel_received(self, channel: str, message: Message) -> None:
        if message.msg_type == "input_reply":
            self.answers.append(message.content["value"])
        elif self.expecting:
            self.received = message
        else:
            # The client's own question, after a restart that it did not make, or to make the kernel look.
            reply = messages.kernel_info_reply("", "", {}, parent=message)
            self.meanings[reply.msg_id] = self._note_reply
            self.channels.kernel.send(channel, reply)

    def _note_reply(self, message: Message) -> None:
        self.replied = True

    async def expect(self) -> Message:
        """What the kernel receives of what was just asked."""
        self.expecting = True
        await self.loop.settle()
        self.expecting = False
        return self.received

    def new_session(self) -> Session:
        """Another process is at the far end; the session of the old one."""
        old, self.channels.kernel.session = self.channels.kernel.session, Session(_KEY)
        return old

    # What the kernel says, and what that must lead to

    def say(self, sent: Sent, what: Any, also: Note | None = None, *, stale: bool = False) -> None:
        """Send it. It counts for the client, and here, when it arrives; an old process's does not count."""
        self.tokens += 1
        text = f"<{sent.msg_id[-4:]}.{self.tokens}>"
        channel, message = kernel_message(what, text, sent.channel, sent.message)

        def note(message: Message) -> None:
            if also is not None:
                also(message)
            self._note(sent, what, text, message)

        if not stale:
            self.meanings[message.msg_id] = note
        self.channels.kernel.send(channel, message)

    def say_to_others(self, what: str) -> None:
        """What concerns no request of ours."""
        stranger = messages.execute_request("theirs")
        stranger.header |= {"session": "theirs", "msg_id": "theirs"}
        stranger.idents = [self.channels._identity]
        self.tokens += 1
        text = f"<theirs.{self.tokens}>"
        word = ("reply", "ok") if what == "reply" else "stream" if what == "orphan" else what
        channel, message = kernel_message(word, text, "shell", stranger)
        if what == "orphan":
            message.parent_header = {}
        elif what in ("busy", "idle"):
            self.meanings[message.msg_id] = partial(self._note_state, "theirs", None, what)
        elif what in OUTPUTS:
            self.meanings[message.msg_id] = partial(self._note_output, None, what, text)
        self.channels.kernel.send(channel, message)

    def _note_state(self, msg_id: str, subshell: str | None, state: str, message: Message) -> None:
        self.says_status = True
        if state == "busy":
            self.active.setdefault(msg_id, subshell)
        else:
            self.active.pop(msg_id, None)

    def _note(self, sent: Sent, what: Any, text: str, message: Message) -> None:
        """What this must lead to."""
        self.notice_ends()
        if what == "prompt":
            self.prompts.append((f"re {text}", sent, sent.live))
        if what in ("busy", "idle"):
            self.says_status = True
            if sent.execution is not None:
                self._note_state(sent.msg_id, sent.subshell, what, message)
        if what in OUTPUTS:
            self._note_output(sent, what, text, message)
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
        if isinstance(what, tuple) and what[0] == "reply" and sent.reply == ():
            sent.reply = what[1]
            self.replied = True
        if sent.reply != () and (sent.idle or sent.execution is None):
            sent.live = False
            sent.end(sent.statuses(self.loop.time()))

    def _note_output(self, sent: Sent | None, what: str, text: str, message: Message) -> None:
        """It belongs to whoever caused it; an update also to all who show that, running or not."""
        item = Item(what, text, message.size + OVERHEAD)
        if sent is not None and sent.execution is not None and sent.fate is None:
            self._keep(sent, item)
        for other in self.sent if item.updates else ():
            if isinstance(other.fate, set):
                other.kept.change_afterwards(item)
            elif other is not sent and other.fate is None and other.kept.shows(item.display):
                self._keep(other, item)

    def holders(self) -> list[Kept]:
        """Those that share the budget."""
        under_way = [sent for sent in self.sent if sent.execution is not None and sent.fate is None]
        return [sent.kept for sent in under_way if sent.kept.limit is not None]

    def _keep(self, sent: Sent, item: Item) -> None:
        if self.budget is None or sent.kept.limit is None:
            sent.kept.add(item, room=math.inf)
        else:
            holders = self.holders()
            sent.kept.add(item, room=self.budget - sum(kept.held for kept in holders))
            make_room(holders, self.budget)

    async def _interrupted(self) -> None:
        """The client interrupts what runs: that must be its own alone, somebody's wish, and still running."""
        self.notice_ends()
        now = self.loop.time()
        # What has answered and does not say idle is left out after a while.
        answered = {sent.msg_id for sent in self.sent if sent.reply != ()}
        running: dict[str | None, str] = {}
        for msg_id, subshell in self.active.items():
            if msg_id not in answered:
                running.setdefault(subshell, msg_id)
        wanted = [
            sent
            for sent in self.sent
            if sent.execution is not None
            and sent.live
            and sent.started
            and not sent.ended
            and {*running.values()} <= {sent.msg_id}
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
                self.say(sent, what)

    # What happens to all

    def all_end(self, error: type[Exception]) -> None:
        for sent in self.sent:
            sent.live = False
            sent.end(error)
        self.prompts = [question for question in self.prompts if question[0] in self.answers]

    def another_process(self) -> None:
        """It knows nothing of what the one before it showed."""
        for sent in self.sent:
            sent.kept.final = sent.fate is not None

    def notice_ends(self) -> None:
        """While time passes, see which executions have ended by it: as they must, if at all."""
        for sent in self.sent if self.passing else ():
            if sent.execution is not None and sent.fate is None and sent.done():
                coming = sent.coming(self.loop.time())
                if coming is not None:
                    self.ended_by_time(sent, coming)

    def ended_by_time(self, sent: Sent, coming: Any) -> None:
        if sent.reply == () and not sent.idle and not sent.started:
            sent.given_up = sent.asked = True
        elif sent.reply != () or sent.idle:
            self.gone(sent)
        sent.end(coming)

    def gone(self, sent: Sent) -> None:
        """The client presumes that the kernel is done with it."""
        sent.live = False
        self.active.pop(sent.msg_id, None)

    # Comparison

    def compare(self) -> None:
        """Who waits is who must wait; what is kept and read so far is what must be."""
        for sent in self.sent:
            assert sent.done() == (sent.fate is not None), (sent.msg_id, vars(sent))
            for reading, seen in sent.reads:
                place = sent.kept.place_of_reader(seen)
                assert reading.cancelled() or place == len(sent.kept.items), (sent.kept, seen)
        # A question is withdrawn when its request ends.
        assert self.answers == [text for text, _, _ in self.prompts if text in self.answers]
        for text, sent, live in self.prompts:
            if sent.live == live and answerable(text):
                assert text in self.answers
        late = {sent.msg_id for _, sent, live in self.prompts if not live}
        over = {sent.msg_id for sent in self.sent if not sent.live} - late
        assert not over & {*self.client._prompts._asked.values()}
        used = self.client._budget.used
        assert used == sum(kept.held for kept in self.holders())
        assert self.budget is None or used <= self.budget

    async def finish(self) -> None:
        """Close the client: everything has ended as it must, and nothing stays behind."""
        await self.client.aclose()
        await self.loop.settle()
        self.all_end(ClientClosed)
        for sent in self.sent:
            await check_execution(sent) if sent.execution is not None else await check_answer(sent)
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


def answerable(prompt: str) -> bool:
    """Whether the application knows an answer; otherwise it thinks until it is told not to."""
    return prompt[-2] in "02468"


def died(result: ExecutionResult | None) -> Exception:
    return KernelDied(None, result)
