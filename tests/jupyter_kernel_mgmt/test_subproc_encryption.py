"""Whether a kernel's sockets are encrypted."""

from typing import Any

import pytest

from jupyter_kernel_mgmt import Unsupported
from jupyter_kernel_mgmt.subproc.encryption import decide, declares_curve

CAN: dict[str, Any] = {"supported_encryption": ["curve"]}


@pytest.mark.parametrize(
    ("metadata", "declared"),
    [
        (CAN, True),
        ({"supported_encryption": "curve"}, True),
        ({"supported_encryption": ["tls", "curve"]}, True),
        ({"supported_encryption": ["tls"]}, False),
        ({"supported_encryption": "curveball"}, False),
        ({"supported_encryption": None}, False),
        ({}, False),
    ],
)
def test_both_spellings_are_understood(metadata: dict[str, Any], declared: bool) -> None:
    """A list, or one word in older kernelspecs."""
    assert declares_curve(metadata) is declared


@pytest.mark.parametrize(
    ("wanted", "transport", "metadata", "available", "curve"),
    [
        ("auto", "tcp", CAN, True, True),
        ("auto", "tcp", CAN, False, False),
        ("auto", "tcp", {}, True, False),
        ("auto", "ipc", CAN, True, False),
        ("required", "tcp", CAN, True, True),
        ("required", "ipc", CAN, True, True),
        ("disabled", "tcp", CAN, True, False),
    ],
)
def test_auto_encrypts_what_others_could_reach(
    wanted: Any, transport: str, metadata: dict[str, Any], available: bool, curve: bool
) -> None:
    """Sockets in a private directory need nothing; who requires it gets it there too."""
    made = decide(wanted, transport=transport, metadata=metadata, available=available)

    assert made.curve is curve
    assert made.reason


@pytest.mark.parametrize(
    ("wanted", "metadata", "available", "text"),
    [
        ("required", CAN, False, "without Curve"),
        ("required", {}, True, "supported_encryption"),
        ("always", CAN, True, "not one of"),
    ],
)
def test_what_cannot_be_encrypted_is_refused_where_it_is_required(
    wanted: Any, metadata: dict[str, Any], available: bool, text: str
) -> None:
    """Rather than run in the clear; so is a name that is no policy."""
    with pytest.raises(Unsupported, match=text) as caught:
        decide(wanted, transport="tcp", metadata=metadata, available=available)

    assert caught.value.option == "encryption"
