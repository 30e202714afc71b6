"""Packers: how the four dicts of a message become bytes and return.

Data only: nothing here can name a class or run code. Pure, no input or output.
"""

import json
from binascii import b2a_base64
from collections.abc import Iterable
from datetime import datetime
from math import isfinite
from typing import Any, Protocol

import msgpack
import msgspec

from .exceptions import UnknownPacker


class Packer(Protocol):
    """What a `Session` needs: a name, and two functions that undo each other.

    ``unpack`` may raise anything derived from `Exception` for input it cannot read, and so may ``pack``
    for a value it cannot write; the session translates both.
    """

    name: str

    def pack(self, value: Any, /) -> bytes: ...

    def unpack(self, data: bytes, /) -> Any: ...


class JSONPacker:
    """JSON with the meaning that the standard library's `json` gives it.

    msgspec serves what both treat alike. What it would refuse (lone surrogates, NaN in input) or write
    differently without a word (NaN and infinities, keys that are no text, classes that JSON does not
    know) goes to the standard library, which also has the last word on what is refused.

    Three rules go beyond it: a datetime with a time zone is written as ISO 8601 (UTC as ``Z``), bytes are
    written in base64, and both arrive as text; bytes in text that are no UTF-8 arrive as the lone surrogates
    that ipykernel writes so (Python's ``surrogateescape``).
    """

    name = "json"

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder().decode

    def pack(self, value: Any, /) -> bytes:
        """UTF-8 JSON. Raises `TypeError` or `ValueError` for what `json.dumps` refuses.

        `ValueError` too for a datetime without a time zone, which says no moment.
        """
        try:
            data = self._encode(value)
        except Exception:  # noqa: BLE001 - of any kind: the standard library decides, and gives the error
            return json.dumps(value, default=_by_rule).encode()
        # Encoding came first, so the value has no cycle and the walk ends. Most are flat and need none.
        for key, inner in value.items() if type(value) is dict else ((_ROOT, value),):
            if type(key) is not str or not (type(inner) in _SCALARS or _is_plain(inner)):
                return json.dumps(value, default=_by_rule).encode()
        return data

    def unpack(self, data: bytes, /) -> Any:
        """The value. Raises `ValueError` or `RecursionError` for what `json.loads` refuses."""
        try:
            return self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            data = bytes(data)
        try:
            return json.loads(data)
        except UnicodeDecodeError:
            return json.loads(data.decode("utf-8", "surrogateescape"))


class MsgpackPacker:
    """msgpack, as ipykernel speaks it when started with ``--Session.packer=msgpack``.

    It has bytes of its own; a datetime with a time zone is written as text, as in JSON.
    """

    name = "msgpack"

    def pack(self, value: Any, /) -> bytes:
        """The bytes. Integers of 2**64 and more and lone surrogates cannot be carried."""
        data: bytes = msgpack.packb(value, use_bin_type=True, default=_moments)
        return data

    def unpack(self, data: bytes, /) -> Any:
        """The value; extension types arrive as `msgpack.ExtType` and `msgpack.Timestamp`, which are data."""
        return msgpack.unpackb(data, raw=False, strict_map_key=False)


def get_packer(packer: str | Packer) -> Packer:
    """The packer of that name, or the object itself. Raises `UnknownPacker`."""
    if not isinstance(packer, str):
        return packer
    if packer == "json":
        return JSONPacker()
    if packer == "msgpack":
        return MsgpackPacker()
    # Not quoted: in a file it may be a key in the wrong place.
    raise UnknownPacker("there is no such packer; there are 'json' and 'msgpack'")


def place_of_failure(packer: Packer, value: Any) -> str:
    """Where in a value that cannot be packed the trouble is, as in ``['data'][3]``; empty for all of it."""
    place = ""
    for _ in range(_DEEPEST):
        for key, inner in _items(value):
            if _fails(packer, inner):
                place += f"[{key!r}]"
                value = inner
                break
        else:
            return place
    return place


_DEEPEST = 20
"""A text with more in it helps nobody, and a value that contains itself has no end."""


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _fails(packer: Packer, value: Any) -> bool:
    try:
        packer.pack(value)
    except Exception:  # noqa: BLE001 - whatever a packer raises
        return True
    return False


def _by_rule(value: Any) -> str:
    """What is written of values that the format has no word for."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError("a datetime without a time zone says no moment; give it one")
        text = value.isoformat()  # whose zone may have seconds
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text
    if isinstance(value, bytes | bytearray | memoryview):
        return b2a_base64(value, newline=False).decode("ascii")
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _moments(value: Any) -> str:
    if isinstance(value, datetime):
        return _by_rule(value)
    raise TypeError(f"Object of type {type(value).__name__} cannot be carried")


_SCALARS = frozenset({str, int, bool, type(None)})
_ROOT = ""


def _is_plain(value: Any) -> bool:
    """Whether a value holds only what msgspec and the standard library write with one meaning."""
    stack = [value]
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind in _SCALARS:
            continue
        if kind is dict:
            for key, inner in item.items():
                if type(key) is not str:
                    return False
                if type(inner) not in _SCALARS:
                    stack.append(inner)
        elif kind is list or kind is tuple:
            stack.extend(item)
        elif kind is not float or not isfinite(item):
            return False
    return True
