"""Messages as bytes, made with the standard library alone: what both sides are given, and the floors."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from typing import Any

KEY = "6f1d1c0fb2d94d6b8d0a7c0d2f9c4e7a5b3e8d1f0a9b8c7d6e5f4a3b2c1d0e9f"
DELIMITER = b"<IDS|MSG>"
TEXT = "epoch 12/50  loss 0.0831  accuracy 0.9744\n"
SESSION = str(uuid.UUID(int=7))

_keyed = hmac.new(KEY.encode(), digestmod=hashlib.sha256)


def sign(parts: Sequence[bytes]) -> bytes:
    """The quickest HMAC that the standard library offers (one-shot `hmac.digest` takes longer)."""
    keyed = _keyed.copy()
    keyed.update(b"".join(parts))
    return keyed.hexdigest().encode()


def header(msg_type: str, number: int) -> dict[str, Any]:
    """A header as ipykernel sends it."""
    return {
        "msg_id": f"{uuid.UUID(int=number)}_{4711}_{number}",
        "msg_type": msg_type,
        "username": "somebody",
        "session": SESSION,
        "date": "2025-06-01T12:34:56.789012Z",
        "version": "5.4",
    }


def stream(number: int) -> list[dict[str, Any]]:
    """The four dicts of a ``stream`` message; each number gives another message."""
    content = {"name": "stdout", "text": TEXT}
    return [header("stream", number), header("execute_request", 1), {}, content]


def frames(topic: bytes, dicts: Sequence[dict[str, Any]]) -> list[bytes]:
    """The signed frames of a message."""
    parts = [json.dumps(value).encode() for value in dicts]
    return [topic, DELIMITER, sign(parts), *parts]
