"""Every order in which a kernel's answers may arrive, and what belongs to nobody."""

from datetime import timedelta
from itertools import permutations

import pytest

from jupyter_kernel_mgmt._router import OUTPUT_TYPES, Request, Router, Step
from jupyter_protocol import Message, messages

ANSWERS = ("busy", "output", "reply", "idle")
STEPS = {"busy": Step.BUSY, "output": Step.OUTPUT, "reply": Step.REPLY, "idle": Step.IDLE}


def answer(kind: str, request: Message) -> tuple[str, Message]:
    if kind == "reply":
        return "shell", messages.execute_reply(1, parent=request)
    if kind == "output":
        return "iopub", messages.stream("stdout", "text", parent=request)
    assert kind in ("busy", "idle")
    return "iopub", messages.new_message("status", {"execution_state": kind}, parent=request)


def routed(*, needs_idle: bool = True, channel: str = "shell") -> tuple[Router, Request, Message]:
    message = messages.execute_request("code")
    router, request = Router(), Request(message.msg_id, channel, needs_idle=needs_idle)
    router.add(request)
    return router, request, message


@pytest.mark.parametrize("order", list(permutations(ANSWERS)), ids=" ".join)
def test_a_request_is_done_with_reply_and_idle_in_any_order(order: tuple[str, ...]) -> None:
    """Channels have no mutual order, so nothing but those two counts, and each message knows its request."""
    router, request, message = routed()
    seen: set[str] = set()

    for kind in order:
        assert request.done == ({"reply", "idle"} <= seen)
        assert router.received(*answer(kind, message)) == (request, STEPS[kind])
        seen.add(kind)
        assert request.busy == ("busy" in seen)
        assert request.idle == ("idle" in seen)

    assert request.done
    assert request.reply is not None
    assert request.reply.msg_type == "execute_reply"


@pytest.mark.parametrize("order", list(permutations(ANSWERS)), ids=" ".join)
def test_where_idle_is_not_needed_the_reply_alone_is_the_answer(order: tuple[str, ...]) -> None:
    """Whatever else came before or comes after."""
    router, request, message = routed(needs_idle=False)

    for kind in order:
        router.received(*answer(kind, message))
        assert request.done == ("reply" in order[: order.index(kind) + 1])


def test_the_kernel_is_active_from_busy_to_idle_whoever_asked() -> None:
    """What other clients run makes it busy too."""
    router, _, message = routed()
    foreign = messages.execute_request("theirs")

    assert router.received(*answer("busy", foreign)) == (None, Step.BUSY)
    router.received(*answer("busy", message))
    assert set(router.active) == {foreign.msg_id, message.msg_id}
    router.received(*answer("idle", message))
    assert set(router.active) == {foreign.msg_id}
    assert router.received(*answer("idle", foreign)) == (None, Step.IDLE)
    assert set(router.active) == set()


@pytest.mark.parametrize("kind", ["output", "reply"])
def test_what_answers_somebody_else_is_nobodys_here(kind: str) -> None:
    """Foreign parents find no request, and change none."""
    router, request, _ = routed()

    found, _ = router.received(*answer(kind, messages.execute_request("theirs")))

    assert found is None
    assert repr(request).endswith("sent>")


@pytest.mark.parametrize("header", [{}, {"msg_id": None}, {"msg_id": 7}, {"msg_id": ["a"]}, {"other": "x"}])
def test_a_parent_header_without_a_usable_id_belongs_to_nobody(header: dict[str, object]) -> None:
    """Kernels also say things on their own account."""
    router, request, message = routed()
    for kind in ANSWERS:
        channel, orphan = answer(kind, message)
        orphan.parent_header = header

        assert router.received(channel, orphan)[0] is None

    assert not request.done
    assert set(router.active) == set()


@pytest.mark.parametrize("channel", ["control", "stdin", "iopub"])
def test_a_reply_counts_only_on_the_channel_of_its_request(channel: str) -> None:
    """A reply on another channel is not the answer."""
    router, request, message = routed(channel="shell")

    assert router.received(channel, messages.execute_reply(1, parent=message)) == (request, Step.OTHER)
    assert request.reply is None


def test_the_first_reply_is_the_reply() -> None:
    """A kernel that answers twice is not believed the second time."""
    router, request, message = routed()
    first = messages.execute_reply(1, parent=message)

    router.received("shell", first)

    assert router.received("shell", messages.execute_reply(2, parent=message))[1] is Step.OTHER
    assert request.reply is first


def test_idle_may_be_presumed_for_kernels_that_never_say_so() -> None:
    """Afterwards the request is done and the kernel not busy with it."""
    router, request, message = routed()
    router.received(*answer("busy", message))
    router.received(*answer("reply", message))

    router.presume_idle(request)

    assert request.done
    assert set(router.active) == set()


def test_a_forgotten_request_gets_nothing_more() -> None:
    """And forgetting it again is fine."""
    router, request, message = routed()
    router.forget(request)
    router.forget(request)

    assert router.received(*answer("reply", message))[0] is None
    assert request.reply is None


@pytest.mark.parametrize("state", ["starting", "restarting", "dead", "", None, 3, ["busy"], {"a": 1}])
def test_other_and_malformed_states_change_nothing(state: object) -> None:
    """Only busy and idle say what a request goes through."""
    router, request, message = routed()

    status = messages.new_message("status", {"execution_state": state}, parent=message)

    assert router.received("iopub", status) == (request, Step.OTHER)
    assert router.received("iopub", messages.new_message("status", {}, parent=message))[1] is Step.OTHER
    assert repr(request).endswith("sent>")


@pytest.mark.parametrize("msg_type", sorted(OUTPUT_TYPES | {"execute_input", "comm_msg", "debug_event", "x"}))
def test_only_what_a_front_end_shows_is_output(msg_type: str) -> None:
    """Everything else on iopub goes to handlers alone."""
    router, _, message = routed()
    _, step = router.received("iopub", messages.new_message(msg_type, {}, parent=message))

    assert (step is Step.OUTPUT) == (msg_type in OUTPUT_TYPES)


def test_an_input_request_is_no_reply() -> None:
    """It only asks."""
    router, request, message = routed()

    assert router.received("stdin", messages.input_request("?", parent=message)) == (request, Step.OTHER)


def test_repr_tells_what_was_seen() -> None:
    """For logs and failing tests."""
    router, request, message = routed()
    assert repr(request) == f"<Request {message.msg_id} sent>"
    for kind in ("busy", "reply"):
        router.received(*answer(kind, message))
    assert repr(request) == f"<Request {message.msg_id} busy reply>"


@pytest.mark.parametrize("order", list(permutations(("busy", "output", "reply", "idle"))), ids=" ".join)
def test_a_request_has_started_with_its_first_message_and_ended_with_half_of_its_answer(
    order: tuple[str, ...],
) -> None:
    """Kernels may lose or omit their busy; a reply or an idle shows that the code runs no more."""
    router, request, message = routed()
    assert (request.started, request.begun, request.ended) == (False, False, False)

    for place, kind in enumerate(order, 1):
        router.received(*answer(kind, message))
        assert request.started
        assert request.begun == (set(order[:place]) != {"busy"})
        assert request.ended == bool({"reply", "idle"} & set(order[:place]))


def test_a_forgotten_request_has_ended_for_all_who_wait() -> None:
    """Nobody will be told any more."""
    router, request, _ = routed()
    router.forget(request)
    assert request.ended
    assert repr(request).endswith("forgotten>")


def test_a_kernel_without_status_is_known_by_its_first_reply() -> None:
    """Before that nothing is known; one word about its state is enough to know that it has one."""
    router, _, message = routed()
    assert not router.never_says_status
    router.received(*answer("output", message))
    assert not router.never_says_status
    router.received(*answer("reply", message))
    assert router.never_says_status
    router.received(*answer("busy", messages.execute_request("theirs")))
    assert not router.never_says_status


def test_a_reply_to_somebody_else_says_nothing_of_the_kernels_state() -> None:
    """Replies that nobody waits for may be older than the subscription."""
    router, _, _ = routed()
    router.received(*answer("reply", messages.execute_request("theirs")))
    assert not router.never_says_status


def test_whether_the_kernel_ever_says_idle_is_remembered() -> None:
    """Whoever asked."""
    router, _, message = routed()
    router.received(*answer("busy", message))
    assert not router.says_idle
    router.received(*answer("idle", messages.execute_request("theirs")))
    assert router.says_idle


def test_only_executions_execute() -> None:
    """Other requests make the kernel busy too, but run no code that an interrupt is meant for."""
    router, _, message = routed()
    router.received(*answer("busy", message))
    router.received(*answer("busy", messages.kernel_info_request()))

    assert len(router.active) == 2
    assert router.executing() == {message.msg_id}


def test_of_a_kernel_that_was_replaced_nothing_is_known() -> None:
    """It does not do what the old one did; requests are for others to judge."""
    router, request, message = routed()
    for kind in ("busy", "reply"):
        router.received(*answer(kind, message))
    router.received(*answer("idle", messages.execute_request("theirs")))
    router.replaced()

    assert (router.active, router.executing()) == ({}, set())
    assert (router.says_idle, router.never_says_status) == (False, False)
    assert router.requests == {message.msg_id: request}


def test_in_each_shell_the_first_that_the_kernel_was_busy_with_runs() -> None:
    """Some say busy for what is still queued; subshells run beside each other (JEP 91)."""
    router = Router()
    main = [messages.execute_request("main") for _ in range(2)]
    side = [messages.execute_request("side", subshell_id="s") for _ in range(2)]
    for message in (main[0], side[0], main[1], side[1]):
        router.received(*answer("busy", message))
    assert router.executing() == {main[0].msg_id, side[0].msg_id}
    router.received(*answer("idle", main[0]))
    assert router.executing() == {main[1].msg_id, side[0].msg_id}
    assert len(router.active) == 3


def test_what_the_kernel_went_past_is_overtaken() -> None:
    """By a later request in the same line: a channel, or one subshell of it."""
    router = Router()
    lines = {"first": None, "beside": "subshell", "second": None}
    requests = {
        name: Request(name, "shell", needs_idle=True, subshell_id=subshell_id)
        for name, subshell_id in lines.items()
    }
    for request in requests.values():
        router.add(request)
    parent = Message({}, {"msg_id": "second", "msg_type": "execute_request"})

    router.received("iopub", messages.status("busy", parent=parent))

    assert [name for name, request in requests.items() if request.overtaken] == ["first"]


@pytest.mark.parametrize(
    ("later", "header", "overtaken"),
    [
        (1, {"msg_type": "execute_request"}, True),
        (-1, {"msg_type": "execute_request"}, False),
        (1, {"msg_type": "execute_request", "subshell_id": "x"}, False),
        (1, {"msg_type": "kernel_info_request"}, False),
    ],
)
def test_somebody_elses_code_overtakes_what_was_answered_before_it_began(
    later: int, header: dict[str, str], overtaken: bool
) -> None:
    """By the kernel's own clock: with a busy that comes late nothing is known."""
    router, request, message = routed()
    reply = messages.execute_reply(1, parent=message)
    router.received("shell", reply)
    busy = messages.status("busy", parent=Message({}, {"msg_id": "theirs", **header}))
    assert reply.date is not None
    busy.header["date"] = (reply.date + timedelta(seconds=later)).isoformat()

    router.received("iopub", busy)

    assert request.overtaken is overtaken
