"""Split, verify and deserialise ``stream`` messages: what each piece of output costs a client.

Every message is another one, since both sides refuse replays; each round has new sessions, which have not
seen them.
"""

import time
from hmac import compare_digest
from typing import Any

import _wire
import msgspec
from _harness import compare
from jupyter_client.session import Session as PeerSession

from jupyter_protocol import Session

Messages = list[list[bytes]]


def run(*, quick: bool) -> None:
    """Compare with the peer and with the floor, which does no more than the cryptography and the JSON."""
    count = 2_000 if quick else 10_000
    signed = [_wire.frames(b"kernel.1.stream.stdout", _wire.stream(number)) for number in range(count)]
    compare(
        "split + verify + deserialise a stream message",
        {
            "ours": lambda: _ours(signed),
            "jupyter_client": lambda: _peer(signed),
            "floor: stdlib HMAC + msgspec": lambda: _floor(signed),
        },
        rounds=5 if quick else 25,
    )


def _ours(signed: Messages) -> float:
    session = Session(_wire.KEY)
    start = time.perf_counter()
    for frames in signed:
        session.deserialize(frames)
    return (time.perf_counter() - start) / len(signed)


def _peer(signed: Messages) -> float:
    session = PeerSession(key=_wire.KEY.encode())
    start = time.perf_counter()
    for frames in signed:
        _, rest = session.feed_identities(frames)
        session.deserialize(rest)
    return (time.perf_counter() - start) / len(signed)


def _floor(signed: Messages) -> float:
    decode = msgspec.json.Decoder().decode
    start = time.perf_counter()
    for frames in signed:
        parts = frames[3:7]
        _decoded(decode, parts, good=compare_digest(frames[2], _wire.sign(parts)))
    return (time.perf_counter() - start) / len(signed)


def _decoded(decode: Any, parts: list[bytes], *, good: bool) -> list[Any]:
    if not good:
        raise ValueError("the signature does not match")
    return [decode(part) for part in parts]
