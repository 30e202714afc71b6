"""The channels of a client, and what those get who send where that cannot be."""

import pytest

from jupyter_kernel_mgmt import ClientClosed, KernelDied, TraceEntry
from jupyter_kernel_mgmt._line import Line
from jupyter_kernel_mgmt.testing import MemoryChannels
from jupyter_kernel_mgmt.wire_trace import Tracer
from jupyter_protocol import Message, messages


class Channels(MemoryChannels):
    """Note what is sent, and knocks."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[tuple[str, Message]] = []
        self.knocks = 0

    def send(self, channel: str, message: Message) -> None:
        self.passed.append((channel, message))

    def knock(self) -> None:
        self.knocks += 1


def test_without_channels_nothing_is_sent() -> None:
    line, request = Line(), messages.kernel_info_request()
    with pytest.raises(ClientClosed, match="no channels"):
        line.check()
    with pytest.raises(ClientClosed, match="no channels"):
        line.send("shell", request)
    assert not line.knock()


def test_what_is_sent_passes_and_is_traced() -> None:
    line, channels, request = Line(), Channels(), messages.kernel_info_request()
    seen: list[TraceEntry] = []
    line.attach(channels)
    line.check()
    line.tracer = Tracer(seen.append)
    line.send("shell", request)
    assert channels.passed == [("shell", request)]
    assert [(entry.direction, entry.msg_id) for entry in seen] == [("sent", request.msg_id)]


def test_what_is_refused_can_still_be_sent_by_those_who_may() -> None:
    """Such as a shutdown request to a kernel that is given up."""
    line, channels = Line(), Channels()
    line.attach(channels)
    line.refusal = lambda _: KernelDied()
    with pytest.raises(KernelDied):
        line.check()
    line.send("control", messages.shutdown_request())
    assert len(channels.passed) == 1


def test_channels_are_let_go_before_there_are_others() -> None:
    line, channels = Line(), Channels()
    line.attach(channels)
    with pytest.raises(RuntimeError, match="detach it first"):
        line.attach(Channels())
    line.refusal = lambda _: KernelDied()
    assert line.let_go() is channels
    assert line.let_go() is None
    with pytest.raises(KernelDied):
        line.send("shell", messages.kernel_info_request())
    line.attach(Channels())
    line.check()


def test_channels_that_can_are_knocked_at() -> None:
    for channels, can in [(Channels(), True), (MemoryChannels(), False)]:
        line = Line()
        line.attach(channels)
        assert line.knock() is can
