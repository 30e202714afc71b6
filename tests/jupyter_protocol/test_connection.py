"""Connection information and connection files."""

import copy
import dataclasses
import json
import os
import pickle
import stat
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from jupyter_protocol import CHANNELS, ChannelClosed, ConnectionInfo

SECRET = "5ec3e7-5ec3e7"
PORTS = {f"{channel}_port": 5001 + number for number, channel in enumerate(CHANNELS)}
FILE = {
    "transport": "tcp",
    "ip": "127.0.0.1",
    **PORTS,
    "key": SECRET,
    "signature_scheme": "hmac-sha256",
    "kernel_name": "python3",
    "curve_publickey": "p" * 40,
    "curve_secretkey": SECRET,
}


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "tcp://127.0.0.1:5001"),
        ({"ip": "::1"}, "tcp://[::1]:5001"),
        ({"ip": "fe80::1%eth0"}, "tcp://[fe80::1%eth0]:5001"),
        ({"ip": "example.org"}, "tcp://example.org:5001"),
        ({"transport": "ipc", "ip": "/run/k/kernel"}, "ipc:///run/k/kernel-5001"),
        ({"transport": "ipc", "ip": "odd:name"}, "ipc://odd:name-5001"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_urls(options: dict[str, Any], url: str) -> None:
    """tcp with brackets round IPv6; ipc with a dash before the number."""
    assert ConnectionInfo(shell_port=5001, **options).url("shell") == url


def test_every_channel_has_its_own_port() -> None:
    """And there is no other channel."""
    info = ConnectionInfo.from_dict(FILE)

    assert [info.port(channel) for channel in CHANNELS] == list(PORTS.values())
    for unknown in ("", "heartbeat", "shell_port", "key"):
        with pytest.raises(ChannelClosed, match="there is no channel"):
            info.url(unknown)


def test_ports_may_be_text() -> None:
    """Some launchers write them so."""
    info = ConnectionInfo.from_dict({**FILE, "shell_port": "65535", "hb_port": "0"})

    assert (info.shell_port, info.hb_port) == (65535, 0)
    assert info.to_dict()["shell_port"] == 65535


BAD_PORTS = [
    -1,
    65536,
    "-1",
    "65536",
    "",
    "x",
    " 1",
    "1_0",
    "１",
    "9" * 5000,
    1.0,
    None,
    True,
    [],
    {},
    SECRET,
]


@pytest.mark.parametrize("port", BAD_PORTS, ids=lambda port: ascii(port)[:20])
@pytest.mark.parametrize("name", PORTS)
def test_a_bad_port_is_named_and_not_quoted(name: str, port: Any) -> None:
    """What stands in the wrong place may be the key."""
    with pytest.raises(ValueError, match=f"^{name} must be a whole number from 0 to 65535$"):
        ConnectionInfo.from_dict({**FILE, name: port})
    with pytest.raises(ValueError, match=name):
        ConnectionInfo(**{name: port})


TEXTS = [
    "transport",
    "ip",
    "key",
    "signature_scheme",
    "kernel_name",
    "curve_publickey",
    "curve_secretkey",
    "packer",
]


@pytest.mark.parametrize("value", [1, True, [], {}, 1.5, None], ids=ascii)
@pytest.mark.parametrize("name", TEXTS)
def test_a_field_that_is_no_text_is_named(name: str, value: Any) -> None:
    """Also a null, except where absence has a meaning; a key of null would switch signing off."""
    if value is None and name in ("kernel_name", "curve_publickey", "curve_secretkey"):
        assert getattr(ConnectionInfo.from_dict({**FILE, name: None}), name) is None
        return
    with pytest.raises(ValueError, match=f"^{name} must be text"):
        ConnectionInfo.from_dict({**FILE, name: value})


@pytest.mark.parametrize("transport", ["", "udp", "TCP", "inproc"])
def test_another_transport_is_refused(transport: str) -> None:
    """tcp and ipc are what Jupyter has."""
    with pytest.raises(ValueError, match="transport must be"):
        ConnectionInfo(transport=transport)


def test_unknown_fields_survive() -> None:
    """Also through a change of ports, and when they look like ours."""
    values = {**FILE, "jupyter_session": "/a b", "nested": {"a": [1]}, "extra": 1, "registration_port": 0}
    info = ConnectionInfo.from_dict(values)

    assert info.to_dict() == values
    assert info.with_port("hb", 1).to_dict() == {**values, "hb_port": 1}
    assert ConnectionInfo.from_dict(info.to_dict()) == info


def test_a_file_without_a_key_means_an_unsigned_kernel() -> None:
    """While information made here gets a fresh key each time."""
    values = {name: value for name, value in FILE.items() if name != "key"}

    assert ConnectionInfo.from_dict(values).key == ""
    assert len({ConnectionInfo().key for _ in range(10)}) == 10
    assert len(ConnectionInfo().key) == 64


def test_the_packer_is_written_only_where_it_is_not_json() -> None:
    """Other programs do not know the field."""
    assert "packer" not in ConnectionInfo().to_dict()
    assert ConnectionInfo.from_dict(ConnectionInfo(packer="msgpack").to_dict()).packer == "msgpack"


def test_repr_shows_no_secret() -> None:
    """Neither the signing key nor a Curve key nor a field that is not known."""
    info = ConnectionInfo.from_dict({**FILE, "password": SECRET})

    assert SECRET not in repr(info)
    assert "5001" in repr(info)


def test_information_is_a_value() -> None:
    """Frozen, comparable, hashable, and it can be copied and sent to other processes."""
    info = ConnectionInfo.from_dict({**FILE, "more": {"a": [1]}})

    assert info != info.with_port("hb", 1)
    assert hash(info) == hash(ConnectionInfo.from_dict({**FILE, "more": {"a": [1]}}))
    assert copy.deepcopy(info) == pickle.loads(pickle.dumps(info)) == info
    assert dataclasses.replace(info, ip="::1").extra == info.extra
    assert dataclasses.asdict(info)["extra"] == {"more": {"a": [1]}}
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.key = "x"  # type: ignore[misc]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """A file says everything, in the format of other programs."""
    info = ConnectionInfo.from_dict({**FILE, "odd": "\ud800é"})
    path = tmp_path / "kernel-ä.json"
    info.write(path)

    assert ConnectionInfo.load(path) == ConnectionInfo.load(os.fspath(path)) == info
    assert json.loads(path.read_text("utf-8")) == info.to_dict()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    """Mode 0600, whatever the umask and whatever was there before."""
    path = tmp_path / "kernel.json"
    path.touch(0o666)
    path.chmod(0o666)
    before = os.umask(0)
    try:
        ConnectionInfo().write(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Written beside it and moved into its place: the old file, held open, stays whole."""
    path = tmp_path / "kernel.json"
    old, new = ConnectionInfo(kernel_name="old"), ConnectionInfo(kernel_name="new")
    old.write(path)
    inode = path.stat().st_ino
    with path.open() as held:
        new.write(path)
        assert json.load(held) == old.to_dict()
    assert path.stat().st_ino != inode
    assert ConnectionInfo.load(path) == new
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """No temporary file with a key in it stays behind."""
    path = tmp_path / "kernel.json"
    info = ConnectionInfo()
    info.write(path)
    with pytest.raises(TypeError):
        ConnectionInfo(extra={"bad": object()}).write(path)
    assert ConnectionInfo.load(path) == info
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="nowhere"):
        info.write(tmp_path / "nowhere" / "kernel.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b'{"key": "%s"' % SECRET.encode(),
        b'{"key": "%s", }' % SECRET.encode(),
        b'"%s"' % SECRET.encode(),
        b'["%s"]' % SECRET.encode(),
        b"null",
        b"[" * 200_000,
        *(json.dumps({**FILE, name: [SECRET]}).encode() for name in [*PORTS, *TEXTS]),
        *(json.dumps({**FILE, name: SECRET}).encode() for name in [*PORTS, "transport"]),
    ],
    ids=lambda data: ascii(data[:20]),
)
def test_what_is_no_connection_file_is_an_error_that_names_and_does_not_quote_it(
    data: bytes, tmp_path: Path
) -> None:
    """The whole chain of errors, as a log would show it, holds the path and no key."""
    path = tmp_path / "kernel.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"kernel\.json is not") as caught:
        ConnectionInfo.load(path)
    text = "".join(traceback.format_exception(caught.value))
    assert SECRET not in text


def test_a_missing_file_is_an_oserror(tmp_path: Path) -> None:
    """Nothing is made up."""
    with pytest.raises(FileNotFoundError):
        ConnectionInfo.load(tmp_path / "kernel.json")
