"""The 5.6 handshake: a kernel binds ports of its own choice and tells its launcher. Pure, no input or output.

The launcher writes a `registration_file` and listens on one ROUTER for all its kernels. A kernel binds its
sockets, connects to that ROUTER, says where it bound and waits for the answer. Two dialects are spoken:

* ``"standard"``, the specification's and xeus': ``[ident…] <IDS|MSG> signature content`` both ways, with
  ports as text and a ``kernel_id``; what the answer contains does not matter.
* ``"ark"``: whole Jupyter messages, ``handshake_request`` and ``handshake_reply``, with ports as numbers
  and no ``kernel_id``. It comes from a REQ, whose empty frame is given back like any routing frame.

Both are read wherever they come from, but no file serves both: ``registration_port`` is text in one and a
number in the other, and each side refuses the other's.

Source: JEP 66, "Kernel Handshaking pattern".
"""

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .connection import CHANNELS, ConnectionInfo
from .exceptions import DuplicateSignature, InvalidSignature, MalformedMessage
from .messages.message import Frame, JSONDict, Message, new_message, new_reply
from .session import DELIMITER, Session

Dialect = Literal["standard", "ark"]

MAX_SIZE = 16 * 1024
"""Bytes that all frames of one registration may have; a real one has some 300, in ark's dialect some 700."""

_MAX_IDENTS = 4
_HISTORY = 65536
_PORTS = tuple(f"{channel}_port" for channel in CHANNELS)
_ACKNOWLEDGED = b"ACK"


def registration_file(
    kernel_id: str,
    connection_info: ConnectionInfo,
    *,
    registration_ip: str,
    registration_port: int,
    dialect: Dialect = "standard",
) -> JSONDict:
    """The object to write instead of a connection file. It holds the keys, so it is for its owner only.

    ``connection_info`` says everything but the ports: transport and ip to bind on, keys, kernel name. Where
    it has all five ports, ``"standard"`` names these too: a kernel that does not know the handshake then
    binds them, and xeus registers all the same (measured). The registration socket has the same transport.

    Raises `ValueError` without a key, since whoever reaches the socket could then register, and for what
    ark's dialect cannot say: another transport than tcp, or another address for the registration socket.
    """
    if not connection_info.key:
        raise ValueError("a kernel cannot register without a signing key")
    values = connection_info.to_dict()
    if dialect == "ark" or not all(connection_info.port(channel) for channel in CHANNELS):
        values = {name: value for name, value in values.items() if name not in _PORTS}
    if dialect == "standard":
        where = {"registration_ip": registration_ip, "registration_port": str(registration_port)}
        return {**values, "kernel_id": kernel_id, **where}
    if connection_info.transport != "tcp" or connection_info.ip != registration_ip:
        raise ValueError("in the dialect of ark a kernel registers over tcp, on the address where it binds")
    return {**values, "registration_port": registration_port}


@dataclass(frozen=True, slots=True)
class Registration:
    """A verified registration: whose, where the kernel is reached, and the frames that it waits for."""

    kernel_id: str
    connection_info: ConnectionInfo
    answer: tuple[Frame, ...] = field(repr=False)


class Registrar:
    """The launcher's end: who is expected, each with a key of its own, and who has registered."""

    def __init__(self) -> None:
        self._expected: dict[str, _Expected] = {}
        self._used: dict[bytes, None] = {}

    def expect(self, kernel_id: str, connection_info: ConnectionInfo) -> None:
        """Accept one registration of this kernel, signed with the key in ``connection_info``.

        Raises `ValueError` without a key, for an unknown signature scheme, and for a kernel or a key that is
        expected already: a registration in ark's dialect is known by its key alone.
        """
        if not connection_info.key:
            raise ValueError("a kernel cannot register without a signing key")
        if kernel_id in self._expected:
            raise ValueError(f"kernel {kernel_id} is expected already")
        if any(other.connection_info.key == connection_info.key for other in self._expected.values()):
            raise ValueError(f"kernel {kernel_id} has the key of another kernel that is expected")
        self._expected[kernel_id] = _Expected(kernel_id, connection_info)

    def forget(self, kernel_id: str) -> None:
        """Expect that kernel no more. Nothing happens where it was not expected."""
        self._expected.pop(kernel_id, None)

    def receive(self, frames: Sequence[bytes]) -> Registration:
        """The registration in these frames; its kernel is expected no more.

        First bounds and shape, then the signature (in constant time, with the key of each who is expected),
        then replay, then the content. Raises `MalformedMessage`, `InvalidSignature` for one that nobody
        expected could have signed, `DuplicateSignature` for one that has registered a kernel before. Nothing
        else is raised, whatever the frames hold, and the kernel is still expected then.
        """
        idents, signature, parts = _split(frames)
        expected = self._signer(signature, parts)
        if signature in self._used:
            raise DuplicateSignature("a kernel has registered with this message before")
        connection_info, answer = expected.read(idents, signature, parts)
        self._remember(signature)
        del self._expected[expected.kernel_id]
        return Registration(expected.kernel_id, connection_info, tuple(answer))

    def _signer(self, signature: bytes, parts: Sequence[bytes]) -> "_Expected":
        for expected in self._expected.values():
            if hmac.compare_digest(signature, expected.signing.sign(parts)):
                return expected
        raise InvalidSignature("signed with the key of no kernel that is expected")

    def _remember(self, signature: bytes) -> None:
        self._used[signature] = None
        if len(self._used) > _HISTORY:
            del self._used[next(iter(self._used))]


class Registrant:
    """A kernel's end: what it read in its file, what it sends and what it accepts as an answer.

    ``values`` is the object in the file it was given, in either dialect. ``connection_info`` says where to
    bind, ``address`` where the launcher listens: its control channel. Raises `ValueError`, naming the field,
    for what is no registration file (see `is_registration_file`).
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        if not is_registration_file(values):
            raise ValueError("registration_port is missing")
        self.dialect: Dialect = "standard" if "registration_ip" in values else "ark"
        ip, port = values.get("registration_ip", values.get("ip")), values["registration_port"]
        self.kernel_id = values.get("kernel_id")
        if not isinstance(ip, str) or not (isinstance(self.kernel_id, str) or self.dialect == "ark"):
            raise ValueError("registration_ip and kernel_id must be text")
        try:
            number = _port(port, "registration_port")
        except MalformedMessage as error:
            raise ValueError(str(error)) from None
        ours = ("registration_ip", "registration_port", "kernel_id")
        self.connection_info = ConnectionInfo.from_dict({k: v for k, v in values.items() if k not in ours})
        if not self.connection_info.key:
            raise ValueError("key is missing: the registration has to be signed")
        transport = self.connection_info.transport
        self.address = ConnectionInfo(transport, ip, control_port=number, key="")  # never encrypted
        self._signing = _Signing(self.connection_info)

    @property
    def url(self) -> str:
        """The ZMQ address where the launcher listens."""
        return self.address.url("control")

    def request(self, connection_info: ConnectionInfo) -> list[Frame]:
        """The frames that register the ports in ``connection_info``, to be sent with a DEALER to ``url``."""
        ports = {name: connection_info.port(name.removesuffix("_port")) for name in _PORTS}
        if self.dialect == "ark":
            # Behind an empty frame, as from a REQ: Positron's supervisor listens with a REP.
            return [b"", *self._signing.session.serialize(new_message("handshake_request", ports))]
        # Without something new in it, a restart on the same ports would look like a replay.
        texts = {name: str(number) for name, number in ports.items()}
        content = json.dumps({"kernel_id": self.kernel_id, **texts, "nonce": secrets.token_hex(16)}).encode()
        return [DELIMITER, self._signing.sign([content]), content]

    def check(self, frames: Sequence[bytes]) -> None:
        """Return if these frames are the launcher's answer.

        Raises `MalformedMessage`, also for an answer that says no, or `InvalidSignature`.
        """
        _, signature, parts = _split(frames)
        if not hmac.compare_digest(signature, self._signing.sign(parts)):
            raise InvalidSignature("the answer is not signed with the kernel's key")
        if len(parts) > 1:
            reply = self._signing.message([], signature, parts)
            if reply.msg_type != "handshake_reply" or reply.content.get("status") != "ok":
                raise MalformedMessage("the answer is no handshake_reply that says ok")


def is_registration_file(values: Mapping[str, Any]) -> bool:
    """Whether the object in a file asks the kernel to register, in any dialect."""
    return "registration_port" in values


class _Signing:
    """Signs with one kernel's key; raises `ValueError` for a signature scheme that is not known."""

    def __init__(self, connection_info: ConnectionInfo) -> None:
        key, scheme = connection_info.key, connection_info.signature_scheme
        # Replay is the registrar's business, over all sessions of a kernel.
        self.session = Session(key, signature_scheme=scheme, replay_history=0)
        self._mac = hmac.new(key.encode(), digestmod=scheme.removeprefix("hmac-"))

    def sign(self, parts: Sequence[bytes]) -> bytes:
        mac = self._mac.copy()
        mac.update(b"".join(parts))
        return mac.hexdigest().encode()

    def message(self, idents: Sequence[bytes], signature: bytes, parts: Sequence[bytes]) -> Message:
        return self.session.deserialize([*idents, DELIMITER, signature, *parts])


class _Expected:
    """A kernel that has not registered yet."""

    def __init__(self, kernel_id: str, connection_info: ConnectionInfo) -> None:
        self.kernel_id = kernel_id
        self.connection_info = connection_info
        self.signing = _Signing(connection_info)

    def read(
        self, idents: Sequence[bytes], signature: bytes, parts: Sequence[bytes]
    ) -> tuple[ConnectionInfo, list[Frame]]:
        """Where the kernel is reached, and the answer. Raises `MalformedMessage`."""
        if len(parts) == 1:
            content = _unpack(parts[0])
            answer: list[Frame] = [*idents, DELIMITER, self.signing.sign([_ACKNOWLEDGED]), _ACKNOWLEDGED]
        else:
            request = self.signing.message(idents, signature, parts)
            if request.msg_type != "handshake_request":
                raise MalformedMessage("only a handshake_request can be sent here")
            content = request.content
            answer = self.signing.session.serialize(
                new_reply("handshake_reply", {"status": "ok"}, parent=request)
            )
        if content.get("kernel_id", self.kernel_id) != self.kernel_id:
            raise MalformedMessage("the kernel_id is not that of the kernel whose key signed it")
        ports: dict[str, Any] = {name: _port(content.get(name), name) for name in _PORTS}
        if len(set(ports.values())) < len(ports):
            raise MalformedMessage("two channels have the same port")
        return replace(self.connection_info, **ports), answer


def _split(frames: Sequence[bytes]) -> tuple[Sequence[bytes], bytes, Sequence[bytes]]:
    """Routing frames, signature and signed parts: one part, or the four of a whole message."""
    if sum(map(len, frames)) > MAX_SIZE:
        raise MalformedMessage(f"more than {MAX_SIZE} bytes")
    try:
        start = frames.index(DELIMITER)
    except ValueError:
        raise MalformedMessage("the delimiter <IDS|MSG> is missing") from None
    if start > _MAX_IDENTS:
        raise MalformedMessage(f"more than {_MAX_IDENTS} routing frames")
    if len(frames) - start not in (3, 6):
        raise MalformedMessage("a signature and one or four parts must follow the delimiter")
    return frames[:start], frames[start + 1], frames[start + 2 :]


def _unpack(part: bytes) -> JSONDict:
    try:
        content = json.loads(part)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"the content is not JSON ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise MalformedMessage("the content is no JSON object")
    return content


def _port(value: object, name: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise MalformedMessage(f"{name} must be a whole number from 1 to 65535, or text of one")
    return value
