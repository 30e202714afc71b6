"""The tree of errors."""

import pytest

import jupyter_protocol
from jupyter_protocol import ProtocolError

NAMES = [
    "ChannelClosed",
    "DuplicateSignature",
    "InvalidMessage",
    "InvalidSignature",
    "MalformedMessage",
    "UnknownPacker",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_error_is_a_protocol_error(name: str) -> None:
    """One except clause catches all of them, and none catches another by accident."""
    assert getattr(jupyter_protocol, name).__bases__ == (ProtocolError,)
