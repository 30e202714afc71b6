"""Another process in the kernel's place is told by session ids, and which requests went down with the old one."""

import pytest

from jupyter_kernel_mgmt._replacement import KernelSession, lost_requests
from jupyter_kernel_mgmt._router import Request
from jupyter_protocol import Message, messages


def said(session: str, *, parent_session: str | None = "client") -> Message:
    """A kernel's message of that session, caused by a client's request or (None) by nobody's."""
    message = messages.status("busy")
    message.header["session"] = session
    message.parent_header = {} if parent_session is None else {"msg_id": "r", "session": parent_session}
    return message


def changes(*heard: Message) -> list[bool]:
    session = KernelSession()
    return [session.changes_with(message) for message in heard]


def test_the_first_session_is_no_change() -> None:
    """Nor is its repetition, whoever caused the message."""
    assert changes(said("a"), said("a"), said("a", parent_session=None), said("a", parent_session="b")) == [
        False,
        False,
        False,
        False,
    ]


def test_another_session_is_another_process() -> None:
    """Told once for each change, also by what nobody asked for."""
    assert changes(said("a"), said("b"), said("b"), said("c", parent_session=None)) == [
        False,
        True,
        False,
        True,
    ]


def test_a_kernel_that_copies_the_session_of_the_request_says_nothing() -> None:
    """With several clients it seems to change all the time (IRkernel)."""
    echoes = [said(client, parent_session=client) for client in ("x", "y", "x", "y")]

    assert changes(*echoes) == [False] * 4


def test_a_message_without_a_session_says_nothing() -> None:
    """Such as the welcome of xeus: neither it nor what follows is a change."""
    assert changes(said("", parent_session=None), said("a"), said(""), said("a"), said("b")) == [
        False,
        False,
        False,
        False,
        True,
    ]


def test_a_late_message_of_the_old_process_is_no_return() -> None:
    """Channels have no mutual order: output of the old one may be read after a reply of the new one."""
    assert changes(said("old"), said("new"), said("old"), said("new"), said("newer"), said("old")) == [
        False,
        True,
        False,
        False,
        True,
        False,
    ]


def request(name: str, *seen: str, channel: str = "shell") -> Request:
    made = Request(name, channel, needs_idle=True)
    made.busy = "busy" in seen
    made.begun = "begun" in seen
    return made


@pytest.mark.parametrize(
    ("requests", "revealed_by", "lost", "more"),
    [
        ([], None, [], False),
        ([], "theirs", [], False),
        ([request("a", "busy")], None, ["a"], False),
        ([request("a", "begun")], None, ["a"], False),
        ([request("a")], None, [], True),
        ([request("a", "busy"), request("b")], "theirs", ["a"], True),
        ([request("a"), request("b"), request("c")], "b", ["a"], False),
        ([request("a", "busy"), request("b")], "b", ["a"], False),
        ([request("a")], "a", [], False),
        ([request("a"), request("b", channel="control")], "b", [], True),
        ([request("a", "busy"), request("b", channel="control")], "b", ["a"], False),
        ([request("a"), request("b", channel="control"), request("c"), request("d")], "b", [], True),
    ],
    ids=[
        "nothing under way",
        "nothing under way, somebody else's request",
        "what was begun is lost",
        "what was begun without a busy is lost",
        "what was not begun may be on its way",
        "begun and not begun",
        "sent before what the new one handles is lost, sent after it is not",
        "what the new one handles is not lost",
        "what it handles itself",
        "another channel has another order",
        "what was begun is lost whatever the channel",
        "control keeps to itself",
    ],
)
def test_which_requests_are_lost(
    requests: list[Request], revealed_by: str | None, lost: list[str], more: bool
) -> None:
    """And whether the fate of others is open."""
    found, open_fate = lost_requests(requests, revealed_by)

    assert (found, open_fate) == (lost, more)
