"""Headers that repeat are packed once, and nobody can tell."""

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_protocol._headers import Headers
from jupyter_protocol.packers import JSONPacker, MsgpackPacker, Packer

IDENTITY = {"session": "s", "username": "u", "version": "5.5"}
HEADER = {"msg_id": "1", "msg_type": "stream", "date": "2026-01-01T00:00:00Z"}
PARENT = {**HEADER, "session": "another"}

values = st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.none(), st.lists(st.integers()))
headers = st.dictionaries(st.sampled_from([*HEADER, *IDENTITY, "subshell_id", "é", ""]), values)


class Counting(JSONPacker):
    """Is not the JSON packer itself, so that nothing is taken for granted of it."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = self.unpacked = 0

    def pack(self, value: Any, /) -> bytes:
        self.packed += 1
        return super().pack(value)

    def unpack(self, data: bytes, /) -> Any:
        self.unpacked += 1
        return super().unpack(data)


def make(packer: Packer | None = None) -> Headers:
    return Headers(packer or JSONPacker(), **IDENTITY)


def alike(one: object, other: object) -> bool:
    """Equal, of the same types, NaN included."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(headers)
def test_a_header_gets_our_identity_where_it_has_none(header: dict[str, Any]) -> None:
    """Whatever else is in it, and in whichever way it is packed."""
    before = dict(header)
    assert alike(json.loads(make().pack(header)), IDENTITY | header)
    assert alike(json.loads(make(Counting()).pack(header)), IDENTITY | header)
    assert alike(before, header)


@pytest.mark.parametrize("text", ["\ud800", '"quoted"\\', "\x00\x7f\u2028é", "}"])
def test_any_text_in_a_header_arrives_as_it_was(text: str) -> None:
    """Lone surrogates too, which one of two encoders refuses."""
    for header in ({**HEADER, "username2": text}, {**HEADER, text: "x"}):
        assert json.loads(make().pack(header)) == IDENTITY | header


@given(st.lists(headers, max_size=6))
def test_parent_headers_are_what_they_were_in_any_order(parents: list[dict[str, Any]]) -> None:
    """Though the last one is kept, both ways."""
    ours = make()
    for parent in [*parents, *parents]:
        made_here = "date" in parent and not parent.keys() & IDENTITY.keys()
        expected = IDENTITY | parent if made_here else parent
        packed = ours.pack_parent(parent)
        assert alike(json.loads(packed), expected)
        assert alike(ours.unpack_parent(packed), expected)


@pytest.mark.parametrize("packer", [JSONPacker(), Counting(), MsgpackPacker()])
def test_the_parent_header_of_a_message_made_here_is_what_was_sent_of_it(packer: Packer) -> None:
    """It has our identity there, and the message itself has not."""
    ours = make(packer)
    message = dict(HEADER)
    for _ in range(2):
        assert ours.pack_parent(message) == ours.pack(message)
    assert message == HEADER
    assert packer.unpack(ours.pack_parent({})) == {}


def test_a_parent_header_is_packed_and_unpacked_once() -> None:
    packer = Counting()
    ours = make(packer)
    packed = [ours.pack_parent(dict(PARENT)) for _ in range(3)]
    assert len(set(packed)) == packer.packed == 1
    assert [ours.unpack_parent(packed[0]) for _ in range(3)] == [PARENT] * 3
    assert packer.unpacked == 1


def test_a_parent_header_that_is_changed_is_packed_again() -> None:
    """Also one that was changed in place, by us or by whoever got it."""
    ours = make()
    parent: dict[str, Any] = dict(HEADER)
    first = ours.pack_parent(parent)
    parent["msg_id"] = "2"
    second = ours.pack_parent(parent)
    assert json.loads(second)["msg_id"] == "2"
    received = ours.unpack_parent(first)
    received["msg_id"] = "3"
    assert ours.unpack_parent(first)["msg_id"] == "1"


def test_values_that_are_equal_and_not_alike_are_told_apart() -> None:
    """1, 1.0 and True: only text is kept."""
    ours = make()
    texts = [ours.pack_parent({"n": value}) for value in (1, True, 1.0, "1")]
    assert texts == [b'{"n":1}', b'{"n":true}', b'{"n":1.0}', b'{"n":"1"}']


def test_other_packers_are_asked_in_their_own_language() -> None:
    ours = make(MsgpackPacker())
    assert msgpack.unpackb(ours.pack(HEADER)) == IDENTITY | HEADER
    packed = ours.pack_parent(PARENT)
    assert ours.unpack_parent(packed) == ours.unpack_parent(packed) == PARENT
