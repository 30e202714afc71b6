"""Another process in the kernel's place is told by session ids; which requests are lost then."""

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


def origins(*heard: Message) -> str:
    """One letter for each message: current, new or stale."""
    session = KernelSession()
    return "".join(session.origin(message).value[0] for message in heard)


def test_the_first_session_is_no_change() -> None:
    """Nor is its repetition, whoever caused the message."""
    assert origins(said("a"), said("a", parent_session=None), said("a", parent_session="b")) == "ccc"


def test_another_session_is_another_process() -> None:
    """Told once for each change, also by what nobody asked for."""
    assert origins(said("a"), said("b"), said("b"), said("c", parent_session=None), said("c")) == "cncnc"


def test_a_kernel_that_copies_the_session_of_the_request_says_nothing() -> None:
    """With several clients it seems to change all the time (IRkernel)."""
    echoes = [said(client, parent_session=client) for client in ("x", "y", "x", "y")]

    assert origins(*echoes) == "cccc"


def test_a_message_without_a_session_says_nothing() -> None:
    """Such as the welcome of xeus: neither it nor what follows is a change."""
    assert origins(said("", parent_session=None), said("a"), said(""), said("a"), said("b")) == "ccccn"


def test_a_late_message_of_the_old_process_is_stale() -> None:
    """Channels have no mutual order: output of an old one may be read after a reply of the new one."""
    heard = ("old", "new", "old", "new", "newer", "old", "new", "newer")
    assert origins(*map(said, heard)) == "cnscnssc"


def request(name: str, *seen: str, channel: str = "shell") -> Request:
    made = Request(name, channel, needs_idle=True)
    made.busy = "busy" in seen
    made.begun = "begun" in seen
    return made


@pytest.mark.parametrize(
    ("requests", "revealed_by", "lost", "unclear"),
    [
        ([], None, [], []),
        ([], "theirs", [], []),
        ([request("a", "busy")], None, ["a"], []),
        ([request("a", "begun")], None, ["a"], []),
        ([request("a")], None, [], ["a"]),
        ([request("a", "busy"), request("b")], "theirs", ["a"], ["b"]),
        ([request("a"), request("b"), request("c")], "b", ["a"], []),
        ([request("a", "busy"), request("b")], "b", ["a"], []),
        ([request("a")], "a", [], []),
        ([request("a"), request("b", channel="control")], "b", [], ["a"]),
        ([request("a", "busy"), request("b", channel="control")], "b", ["a"], []),
        ([request("a"), request("b", channel="control"), request("c"), request("d")], "c", ["a"], ["b"]),
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
    requests: list[Request], revealed_by: str | None, lost: list[str], unclear: list[str]
) -> None:
    """And of which others the fate is open."""
    assert lost_requests(requests, revealed_by) == (lost, unclear)
