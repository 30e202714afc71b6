"""`Headers`: the headers of messages as bytes and back, with as little work as repeating ones need.

All output of one request has the same parent header, and every header of a session ends alike. Pure, no
input or output.
"""

from typing import Any

import msgspec

from .messages.message import JSONDict
from .packers import JSONPacker, Packer

_NONE_YET = object()
_encode = msgspec.json.Encoder().encode
"""Makes the same JSON of text as the standard library."""


class Headers:
    """Packs the headers of one session's messages, and unpacks the parent headers of those it receives.

    ``session``, ``username`` and ``version`` are for every header that has no other.
    """

    def __init__(self, packer: Packer, *, session: str, username: str, version: str) -> None:
        self._pack = packer.pack
        self._unpack = packer.unpack
        self._identity = {"session": session, "username": username, "version": version}
        # In JSON, an object can be continued without looking at what it begins with.
        self._ending = b"," + packer.pack(self._identity)[1:] if type(packer) is JSONPacker else b""
        self._parent: object = _NONE_YET
        self._packed_parent = b""
        self._received: JSONDict = {}
        self._received_packed: bytes | None = None

    def complete(self, header: JSONDict) -> JSONDict:
        """A header with our identity."""
        return {**self._identity, **header}

    def pack(self, header: JSONDict) -> bytes:
        """A header with our identity, packed. Raises what the packer raises."""
        if (
            self._ending
            and header
            and not ("session" in header or "username" in header or "version" in header)
            and _is_text(header)
        ):
            try:
                return _encode(header)[:-1] + self._ending
            except UnicodeEncodeError:  # a lone surrogate, which the packer can write
                pass
        return self._pack(self.complete(header))

    def pack_parent(self, header: JSONDict) -> bytes:
        """A parent header, packed. Raises what the packer raises.

        It stays what it is, but that of a message made here is completed as that was when it was sent.
        """
        if header == self._parent:  # nothing but text, of which equal means alike
            return self._packed_parent
        made_here = "date" in header and not (
            "session" in header or "username" in header or "version" in header
        )
        packed = self.pack(header) if made_here else self._pack(header)
        if _is_text(header):
            self._parent, self._packed_parent = header.copy(), packed
        return packed

    def unpack_parent(self, packed: bytes) -> Any:
        """What a parent header is, if it is one; a new one each time. Raises what the packer raises."""
        if packed == self._received_packed:
            return self._received.copy()
        value = self._unpack(packed)
        if type(value) is dict and _is_text(value):
            self._received, self._received_packed = value.copy(), bytes(packed)
        return value


def _is_text(header: JSONDict) -> bool:
    for key, value in header.items():  # noqa: SIM110 - there are few, and all() takes longer than they do
        if type(key) is not str or type(value) is not str:
            return False
    return True
