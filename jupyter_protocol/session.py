"""`Session`: between a `Message` and its frames. Signs and verifies; pure, no input or output.

``[ident…] <IDS|MSG> signature header parent_header metadata content [buffer…]``

Source: Messaging in Jupyter, "The Wire Protocol"; Security in the Jupyter architecture.
"""

import getpass
import hashlib
import hmac
import logging
import uuid
from collections import deque
from collections.abc import Sequence

from ._headers import Headers
from .exceptions import DuplicateSignature, InvalidMessage, InvalidSignature, MalformedMessage
from .messages.message import Frame, Message, assemble
from .packers import JSONPacker, Packer, get_packer, place_of_failure

log = logging.getLogger(__name__)

DELIMITER = b"<IDS|MSG>"
PROTOCOL_VERSION = "5.5"
_PARTS = ("header", "parent_header", "metadata", "content")


class Session:
    """One end of a conversation: its identity, its key and what it has already received.

    ``key`` is text or bytes; an empty one switches signing off, with one warning in the log.
    ``packer`` is ``"json"``, ``"msgpack"`` or a `Packer`. ``replay_history`` is how many signatures are
    remembered against replay, oldest forgotten first. ``max_frames`` and ``max_size`` (bytes of the four
    signed parts) bound what is looked at before a signature was checked.

    Raises `ValueError` for a signature scheme that is not ``hmac-<name of a hash in hashlib>``,
    `UnknownPacker` for a packer that is not known. Its ``repr`` shows no key.
    """

    def __init__(
        self,
        key: str | bytes,
        *,
        signature_scheme: str = "hmac-sha256",
        packer: str | Packer = "json",
        session_id: str | None = None,
        username: str | None = None,
        replay_history: int = 65536,
        max_frames: int = 4096,
        max_size: int = 1 << 30,
    ) -> None:
        self.session_id = str(uuid.uuid4()) if session_id is None else session_id
        self.username = _current_user() if username is None else username
        self.packer = get_packer(packer)
        self._pack, self._unpack = self.packer.pack, self.packer.unpack
        self.signature_scheme = signature_scheme
        self.max_frames = max_frames
        self.max_size = max_size
        self._signer = (
            _Signer(key.encode() if isinstance(key, str) else key, signature_scheme) if key else None
        )
        self._replay = _ReplayGuard(replay_history)
        self._headers = Headers(
            self.packer, session=self.session_id, username=self.username, version=PROTOCOL_VERSION
        )
        self._nothing = b"{}" if type(self.packer) is JSONPacker else None
        if not key:
            log.warning("Session %s has no key: messages are neither signed nor verified", self.session_id)

    def __repr__(self) -> str:
        signing = self.signature_scheme if self._signer else "unsigned"
        return f"<Session {self.session_id} {self.packer.name} {signing}>"

    def serialize(self, message: Message) -> list[Frame]:
        """The frames of a message, routing frames first; the message itself stays as it is.

        ``session``, ``username`` and ``version`` are filled in where the header lacks them, and in a parent
        header that has a date and none of them: it is that of a message made here. Raises `InvalidMessage`,
        naming the part that the packer could not write or ZMQ could not send.
        """
        metadata, pack, headers = message.metadata, self._pack, self._headers
        try:
            parts = (
                headers.pack(message.header),
                headers.pack_parent(message.parent_header),
                pack(metadata) if metadata or self._nothing is None else self._nothing,
                pack(message.content),
            )
        except Exception as error:  # whatever a packer raises for a value that it cannot write
            raise self._unpackable(message, error) from error
        signature = b"" if self._signer is None else self._signer.sign(parts)
        if not (message.buffers or message.idents):
            return [DELIMITER, signature, *parts]
        _check_buffers(message.buffers)
        return [*message.idents, DELIMITER, signature, *parts, *message.buffers]

    def deserialize(self, frames: Sequence[bytes]) -> Message:
        """The message in these frames, verified before it is looked at.

        Frames may be memoryviews too; those of buffers stay what they are, and are not copied.

        First the shape and bounds, then the signature (in constant time), then replay, then unpacking.
        Raises `MalformedMessage`, `InvalidSignature` or `DuplicateSignature`, and nothing else, whatever
        the frames hold.
        """
        start = self._find_parts(frames)
        parts = frames[start + 1 : start + 5]
        if self._nothing is None:  # a packer of somebody else's, who was promised bytes
            parts = [bytes(part) for part in parts]
        packed_header, packed_parent, packed_metadata, packed_content = parts
        size = len(packed_content)
        if len(packed_header) + len(packed_parent) + len(packed_metadata) + size > self.max_size:
            raise MalformedMessage(f"the signed parts are larger than {self.max_size} bytes")
        if self._signer is not None:
            self._verify(bytes(frames[start]), parts, self._signer)
        unpack = self._unpack
        try:
            header = unpack(packed_header)
            parent_header = self._headers.unpack_parent(packed_parent)
            metadata = {} if packed_metadata == self._nothing else unpack(packed_metadata)
            content = unpack(packed_content)
        except Exception as error:  # whatever a packer raises for bytes that it cannot read
            raise self._unreadable(parts, error) from error
        if parent_header is None:  # xeus writes null where the specification says {}
            parent_header = {}
        if metadata is None:
            metadata = {}
        if not (
            type(header) is type(parent_header) is type(metadata) is type(content) is dict
            and type(header.get("msg_id")) is type(header.get("msg_type")) is str
        ):
            raise _no_message(header, parent_header, metadata, content)
        buffers: list[Frame] = list(frames[start + 5 :])
        if buffers:
            size += sum(map(len, buffers))
        idents = [bytes(ident) for ident in frames[: start - 1]]
        return assemble(content, header, parent_header, metadata, buffers, idents, size)

    def _verify(self, signature: bytes, parts: Sequence[bytes], signer: "_Signer") -> None:
        if not signature:
            raise InvalidSignature("the message is not signed")
        if not hmac.compare_digest(signature, signer.sign(parts)):
            raise InvalidSignature("the signature does not match the message")
        if not self._replay.is_new(signature):
            raise DuplicateSignature("the message was received before")

    def _find_parts(self, frames: Sequence[bytes]) -> int:
        """The index of the signature; the four parts follow it."""
        if len(frames) > self.max_frames:
            raise MalformedMessage(f"{len(frames)} frames; at most {self.max_frames} are accepted")
        try:
            start = frames.index(DELIMITER) + 1
        except ValueError:
            raise MalformedMessage("the delimiter <IDS|MSG> is missing") from None
        if len(frames) < start + 5:
            raise MalformedMessage(f"{len(frames) - start} frames after the delimiter; at least 5 are needed")
        return start

    def _unreadable(self, parts: Sequence[bytes], error: Exception) -> MalformedMessage:
        what = f"is not {self.packer.name} ({type(error).__name__})"
        for name, part in zip(_PARTS, parts, strict=True):
            try:
                self._unpack(part)
            except Exception:  # noqa: BLE001 - as in deserialize
                return MalformedMessage(f"the {name} {what}")
        return MalformedMessage(f"the message {what}")

    def _unpackable(self, message: Message, error: Exception) -> InvalidMessage:
        values: list[object] = [message.header, message.parent_header, message.metadata, message.content]
        for name, value in zip(_PARTS, values, strict=True):
            if not isinstance(value, dict):
                return InvalidMessage(_no_object(name, value))
        values[0] = self._headers.complete(message.header)
        for name, value in zip(_PARTS, values, strict=True):
            try:
                self.packer.pack(value)
            except Exception as found:  # noqa: BLE001 - as in serialize
                place = name + place_of_failure(self.packer, value)
                return InvalidMessage(f"the {place} cannot be packed as {self.packer.name}: {found}")
        return InvalidMessage(f"the message cannot be packed as {self.packer.name}: {error}")


def _no_message(*values: object) -> MalformedMessage:
    for name, value in zip(_PARTS, values, strict=True):
        if type(value) is not dict:
            return MalformedMessage(_no_object(name, value))
    return MalformedMessage("the header needs a msg_id and a msg_type, both text")


def _no_object(name: str, value: object) -> str:
    return f"the {name} is not an object but {type(value).__name__}"


class _Signer:
    """HMAC (RFC 2104) with both padded keys hashed in advance: a signature is two copies of a hash away."""

    def __init__(self, key: bytes, scheme: str) -> None:
        family, _, name = scheme.partition("-")
        # shake_128 and shake_256 have no digest size of their own, which HMAC needs
        if family != "hmac" or name not in hashlib.algorithms_available or name.startswith("shake"):
            # Not quoted: it may be a key in the wrong place.
            raise ValueError("the signature scheme is not 'hmac-' and the name of a hash in hashlib")
        blank = hashlib.new(name)
        size = blank.block_size
        if len(key) > size:
            key = hashlib.new(name, key).digest()
        key = key.ljust(size, b"\0")
        self._inner = hashlib.new(name, bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.new(name, bytes(byte ^ 0x5C for byte in key))

    def sign(self, parts: Sequence[bytes]) -> bytes:
        """The signature of the four parts in lower-case hexadecimal."""
        inner = self._inner.copy()
        inner.update(b"".join(parts))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest().encode()


class _ReplayGuard:
    """The last signatures that were good, oldest forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: set[bytes] = set()
        self._order: deque[bytes] = deque()

    def is_new(self, signature: bytes) -> bool:
        if signature in self._known:
            return False
        if self._size > 0:
            self._known.add(signature)
            self._order.append(signature)
            if len(self._order) > self._size:
                self._known.discard(self._order.popleft())
        return True


def _check_buffers(buffers: Sequence[Frame]) -> None:
    # ZMQ finds out halfway through the message, and would glue the next one to what was sent of it.
    for number, buffer in enumerate(buffers):
        try:
            usable = memoryview(buffer).contiguous
        except (TypeError, ValueError):  # not a buffer, or a released one
            usable = False
        if not usable:
            raise InvalidMessage(f"buffer {number} is not a contiguous bytes-like object")


def _current_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in the password database, as in some containers
        return "username"
