"""Which message belongs to which request. Pure: no input, output, loop or clock.

A kernel answers a request with ``busy`` and ``idle`` on iopub around its outputs, and with one reply on
the channel of the request. Channels have no mutual order: the request is finished when reply and idle
have both been seen, in either order.

Source: Messaging in Jupyter, "Request-Reply" and "Kernel status".
"""

from enum import Enum
from typing import Any

from jupyter_protocol import Message

MAIN_SHELL = ("shell", None)
"""The line of requests that the kernel handles on shell, outside of subshells."""


class Step(Enum):
    """What a message is to its request."""

    BUSY = "busy"
    IDLE = "idle"
    REPLY = "reply"
    OUTPUT = "output"
    OTHER = "other"


class Request:
    """A request under way. ``needs_idle`` is False where the reply alone is the answer.

    ``begun`` says that something came for it besides its busy, such as the code itself as
    ``execute_input``; ``forgotten`` that nobody expects anything for it any more; ``overtaken`` that the
    kernel went on with a later one in the same line. ``started_at``, ``seen_at`` and ``interrupted_at`` are
    when it began, its last message came and an interrupt was sent, for whoever has a clock. ``line`` is
    what a kernel handles in order: a channel, or one subshell.
    """

    __slots__ = (
        *("begun", "busy", "channel", "forgotten", "idle", "interrupted_at", "line", "msg_id"),
        *("needs_idle", "overtaken", "reply", "seen_at", "started_at"),
    )

    def __init__(
        self, msg_id: str, channel: str, *, needs_idle: bool, subshell_id: object | None = None
    ) -> None:
        self.msg_id = msg_id
        self.channel = channel
        self.line = (channel, None if subshell_id is None else str(subshell_id))
        self.needs_idle = needs_idle
        self.busy = False
        self.begun = False
        self.idle = False
        self.forgotten = False
        self.interrupted_at: float | None = None
        self.overtaken = False
        self.started_at = 0.0
        self.seen_at = 0.0
        self.reply: Message | None = None

    @property
    def started(self) -> bool:
        """Whether the kernel has begun with it; by its first output where a kernel does not say busy."""
        return self.busy or self.begun

    @property
    def done(self) -> bool:
        """Whether nothing more is to come."""
        return self.reply is not None and (self.idle or not self.needs_idle)

    @property
    def ended(self) -> bool:
        """Whether the kernel has left it, though more may be on its way, or nobody expects anything more."""
        return self.idle or self.reply is not None or self.forgotten

    def __repr__(self) -> str:
        seen = [name for name in ("busy", "idle", "forgotten") if getattr(self, name)]
        seen += ["reply"] if self.reply is not None else []
        return f"<Request {self.msg_id} {' '.join(seen) or 'sent'}>"


class Router:
    """The requests under way on one connection, and what the kernel is handling, anybody's.

    ``requests`` are in the order in which they were sent; ``active`` maps the ids of what the kernel is
    handling to the headers of those requests. ``shell_answered`` says that the main shell was free since we
    listen, so that we know of all that it began. ``says_idle`` is whether the kernel ever said so,
    ``never_says_status`` whether it replied without a word about its state.
    """

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}
        self.active: dict[str, dict[str, Any]] = {}
        self.says_idle = False
        self.shell_answered = False
        self._says_status = False
        self._replied = False

    @property
    def never_says_status(self) -> bool:
        return self._replied and not self._says_status

    def add(self, request: Request) -> None:
        """Expect messages for a request that is about to be sent."""
        self.requests[request.msg_id] = request

    def forget(self, request: Request) -> None:
        """Expect no more for a request: it is finished or given up."""
        request.forgotten = True
        self.requests.pop(request.msg_id, None)

    def presume_idle(self, request: Request) -> None:
        """The kernel answered and will not say that it is idle again."""
        request.idle = True
        self.active.pop(request.msg_id, None)

    def replaced(self) -> None:
        """Another process answers from here on: what the old one was doing, it does no longer."""
        self.active.clear()
        self.says_idle = self.shell_answered = self._says_status = self._replied = False

    def executing(self) -> set[str]:
        """The ids of the executions that the kernel runs: in each shell, the first that it was busy with.

        xeus-python says busy for a request as soon as it comes in.
        """
        first: dict[str, str] = {}
        for msg_id, header in self.active.items():
            if header.get("msg_type") == "execute_request":
                first.setdefault(str(header.get("subshell_id")), msg_id)
        return set(first.values())

    def received(self, channel: str, message: Message) -> tuple[Request | None, Step]:
        """Note a message. The request it belongs to (None: nobody's here) and what it is to it."""
        parent_id = message.parent_id
        request = None if parent_id is None else self.requests.get(parent_id)
        step = self._step(channel, message, request)
        if step is Step.BUSY or step is Step.IDLE:
            self._note_state(step, message, request)
        elif step is Step.REPLY and request is not None:
            request.reply = message
            self._replied = True
            if channel == "shell" and "subshell_id" not in message.parent_header:
                self.shell_answered = True
        if request is not None and step is not Step.BUSY:
            request.begun = True
        if request is not None and (step is Step.BUSY or step is Step.REPLY):
            self._overtake(request)
        return request, step

    def _overtake_by_others(self, busy: Message) -> None:
        """Somebody else's request began: after it replied to ours, if its clock says so.

        Requests in subshells and on control begin beside others; only those that execute code on the main
        shell count.
        """
        header = busy.parent_header
        if header.get("msg_type") != "execute_request" or header.get("subshell_id") is not None:
            return
        for request in self.requests.values():
            if request.reply is not None and request.line == MAIN_SHELL and _is_later(busy, request.reply):
                request.overtaken = True

    def _overtake(self, request: Request) -> None:
        """What was sent before, in the same line, is behind the kernel."""
        for earlier in self.requests.values():
            if earlier is request:
                return
            if earlier.line == request.line:
                earlier.overtaken = True

    def _note_state(self, step: Step, message: Message, request: Request | None) -> None:
        self._says_status = True
        parent_id = message.parent_id
        if step is Step.IDLE:
            self.says_idle = True
            self.active.pop(parent_id or "", None)
        elif parent_id is not None:
            self.active[parent_id] = message.parent_header
            if request is None:
                self._overtake_by_others(message)
        if request is not None:
            request.busy = request.busy or step is Step.BUSY
            request.idle = request.idle or step is Step.IDLE

    @staticmethod
    def _step(channel: str, message: Message, request: Request | None) -> Step:
        if channel == "iopub":
            if message.msg_type == "status":
                states = {"busy": Step.BUSY, "idle": Step.IDLE}
                state = message.content.get("execution_state")
                return states.get(state, Step.OTHER) if isinstance(state, str) else Step.OTHER
            return Step.OUTPUT if message.msg_type in OUTPUT_TYPES else Step.OTHER
        is_reply = message.msg_type.endswith("_reply")
        if is_reply and request is not None and channel == request.channel and request.reply is None:
            return Step.REPLY
        return Step.OTHER


def _is_later(message: Message, other: Message) -> bool:
    """Whether the sender dates one after the other; not where a date is missing or has no time zone."""
    first, second = other.date, message.date
    if first is None or second is None or first.tzinfo is None or second.tzinfo is None:
        return False
    return second > first


OUTPUT_TYPES = frozenset(
    {"stream", "display_data", "update_display_data", "execute_result", "error", "clear_output"}
)
"""What a front end shows for a request."""
