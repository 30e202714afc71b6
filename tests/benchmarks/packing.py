"""Build, serialise and sign a ``stream`` message, as a kernel does for each piece of output."""

from collections.abc import Callable

import _wire
import msgspec
from _harness import Side, compare, per_call
from jupyter_client.session import Session as PeerSession

from jupyter_protocol import Session, messages


def run(*, quick: bool) -> None:
    """Compare building with serialising, and serialising alone, with the peer and with the floor."""
    count = 2_000 if quick else 20_000
    rounds = 5 if quick else 25

    def side(function: Callable[[], object]) -> Side:
        return lambda: per_call(function, count)

    compare(
        "build + serialise + sign a stream message",
        {"ours": side(_build_ours()), "jupyter_client": side(_build_peer())},
        rounds=rounds,
    )
    compare(
        "serialise + sign a stream message that is built",
        {
            "ours": side(_serialize_ours()),
            "jupyter_client": side(_serialize_peer()),
            "floor: stdlib HMAC + msgspec": side(_floor()),
        },
        rounds=rounds,
    )


def _build_ours() -> Callable[[], object]:
    session = Session(_wire.KEY)
    parent = messages.execute_request("train()")
    return lambda: session.serialize(messages.stream("stdout", _wire.TEXT, parent=parent))


def _build_peer() -> Callable[[], object]:
    session = PeerSession(key=_wire.KEY.encode())
    parent = session.msg("execute_request", {"code": "train()"})
    return lambda: session.serialize(
        session.msg("stream", {"name": "stdout", "text": _wire.TEXT}, parent=parent)
    )


def _serialize_ours() -> Callable[[], object]:
    session = Session(_wire.KEY)
    message = messages.stream("stdout", _wire.TEXT, parent=messages.execute_request("train()"))
    return lambda: session.serialize(message)


def _serialize_peer() -> Callable[[], object]:
    session = PeerSession(key=_wire.KEY.encode())
    parent = session.msg("execute_request", {"code": "train()"})
    message = session.msg("stream", {"name": "stdout", "text": _wire.TEXT}, parent=parent)
    return lambda: session.serialize(message)


def _floor() -> Callable[[], object]:
    encode = msgspec.json.Encoder().encode
    dicts = _wire.stream(1)

    def serialize() -> list[bytes]:
        parts = [encode(value) for value in dicts]
        return [_wire.DELIMITER, _wire.sign(parts), *parts]

    return serialize
