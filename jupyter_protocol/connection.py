"""`ConnectionInfo`: where a kernel's channels are and the keys to them; connection files.

Source: How kernels work, "Connection files"; for Curve, Security in the Jupyter architecture.
"""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Self

from .exceptions import ChannelClosed

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
_OPTIONAL = ("kernel_name", "curve_publickey", "curve_secretkey")


def new_key() -> str:
    """A fresh signing key: 64 hexadecimal digits from the system's source of randomness."""
    return secrets.token_hex(32)


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What a connection file says.

    ``transport`` is ``"tcp"`` or ``"ipc"``; for ipc ``ip`` is the path that every socket's path begins
    with and the ports are the numbers it ends with. ``key`` is the signing key (empty: unsigned).
    ``curve_publickey`` and ``curve_secretkey`` are Z85 text. ``packer`` is not part of the file format
    of other programs; it is written only where it is not ``"json"``. Fields that are not known here are
    kept in ``extra`` and written again. Equality compares everything; ``repr`` shows no secret.

    Raises `ValueError` for another transport and for a port that is not a whole number from 0 to 65535
    (text is accepted). No error quotes a value: it may be a key in the wrong place.
    """

    transport: str = "tcp"
    ip: str = "127.0.0.1"
    shell_port: int = 0
    iopub_port: int = 0
    stdin_port: int = 0
    control_port: int = 0
    hb_port: int = 0
    key: str = field(default_factory=new_key, repr=False)
    signature_scheme: str = "hmac-sha256"
    kernel_name: str | None = None
    curve_publickey: str | None = field(default=None, repr=False)
    curve_secretkey: str | None = field(default=None, repr=False)
    packer: str = "json"
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        if self.transport not in ("tcp", "ipc"):
            raise ValueError("transport must be 'tcp' or 'ipc'")
        for channel in CHANNELS:
            name = f"{channel}_port"
            object.__setattr__(self, name, _port(name, getattr(self, name)))
        object.__setattr__(self, "extra", dict(self.extra))

    def port(self, channel: str) -> int:
        """The port (for ipc: the number) of a channel. Raises `ChannelClosed` for an unknown channel."""
        if channel not in CHANNELS:
            raise ChannelClosed(f"there is no channel {channel!r}; there are {', '.join(CHANNELS)}")
        number: int = getattr(self, f"{channel}_port")
        return number

    def with_port(self, channel: str, port: int) -> Self:
        """A copy with another port for one channel."""
        return type(self)(**{**self._fields(), f"{channel}_port": port})

    def url(self, channel: str) -> str:
        """The ZMQ address of a channel. Raises `ChannelClosed` for an unknown channel."""
        port = self.port(channel)
        if self.transport == "ipc":
            return f"ipc://{self.ip}-{port}"
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"tcp://{host}:{port}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From the object in a connection file; unknown fields survive.

        Raises `ValueError`, naming the field.
        """
        known = {f.name for f in fields(cls)} - {"extra"}
        named = {name: value for name, value in values.items() if name in known}
        named["key"] = named.get("key", "")  # a file without a key means an unsigned kernel, not a new key
        for name, value in named.items():
            if name.endswith("_port") or isinstance(value, str) or (value is None and name in _OPTIONAL):
                continue
            raise ValueError(f"{name} must be text, not {type(value).__name__}")
        extra = {name: value for name, value in values.items() if name not in known}
        return cls(**named, extra=extra)

    def to_dict(self) -> dict[str, Any]:
        """The object for a connection file. It holds the keys."""
        values: dict[str, Any] = dict(self.extra)
        for name, value in self._fields().items():
            if name != "extra" and value is not None and (name != "packer" or value != "json"):
                values[name] = value
        return values

    def _fields(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a connection file. Raises `OSError`, or `ValueError` for what is not a connection file."""
        values = read_private(path)
        try:
            return cls.from_dict(values)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)} is not a connection file: {error}") from error

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a connection file: `write_private` of `to_dict`."""
        write_private(path, self.to_dict())


def read_private(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the JSON object in a file. Raises `OSError`, or `ValueError`, which quotes nothing of it."""
    try:
        values = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        # The error's own text would quote the file, which holds the key.
        raise ValueError(f"{os.fspath(path)} is not JSON ({type(error).__name__})") from None
    if not isinstance(values, dict):
        raise ValueError(f"{os.fspath(path)} is not a connection file: it holds no JSON object")
    return values


def write_private(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write a JSON file that only its owner may read (mode 0600).

    In one step: a reader sees the old file or the new one, never a part. Raises `OSError`.
    """
    target = Path(path)
    descriptor, temporary = mkstemp(prefix=f".{target.name}.", dir=target.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file, indent=2)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _port(name: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise ValueError(f"{name} must be a whole number from 0 to 65535")
    return value
