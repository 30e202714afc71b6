"""Signing, verifying, and what hostile frames do: nothing."""

import copy
import getpass
import hashlib
import hmac
import json
import logging
import traceback
from typing import Any

import jupyter_client.session
import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_protocol import (
    DuplicateSignature,
    InvalidMessage,
    InvalidSignature,
    MalformedMessage,
    Message,
    ProtocolError,
    Session,
    UnknownPacker,
    messages,
)

KEY = "k3y-k3y-k3y"
DELIMITER = b"<IDS|MSG>"


def wire(message: Message, session: Session | None = None) -> list[bytes]:
    """The frames as the other end receives them."""
    return [bytes(frame) for frame in (session or Session(KEY)).serialize(message)]


def signed(*parts: bytes, key: str = KEY, idents: tuple[bytes, ...] = ()) -> list[bytes]:
    """Frames of four parts that are signed properly, whatever they hold."""
    signature = hmac.new(key.encode(), b"".join(parts[:4]), "sha256").hexdigest().encode()
    return [*idents, DELIMITER, signature, *parts]


HEADER = b'{"msg_id": "1", "msg_type": "status"}'

names = st.text(st.characters(codec=None))
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
packs = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def dicts(values: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(keys, values, max_size=4)


def any_message(values: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[Message]:
    inner = dicts(values, keys)
    return st.builds(
        Message,
        inner,
        st.builds(
            lambda extra, ids: {**extra, **ids},
            inner,
            st.fixed_dictionaries({"msg_id": keys, "msg_type": keys}),
        ),
        parent_header=inner,
        metadata=inner,
        buffers=st.lists(st.binary(), max_size=3),
        idents=st.lists(st.binary().filter(lambda ident: ident != DELIMITER), max_size=3),
    )


def check_round_trip(message: Message, packer: str) -> None:
    before = copy.deepcopy([getattr(message, name) for name in Message.__slots__])
    received = Session(KEY, packer=packer).deserialize(wire(message, Session(KEY, packer=packer)))

    assert [getattr(message, name) for name in Message.__slots__] == before
    assert received.header.items() >= message.header.items()
    for part in ("content", "parent_header", "metadata", "buffers", "idents"):
        assert getattr(received, part) == getattr(message, part)


@given(any_message(jsons, names))
def test_json_round_trip(message: Message) -> None:
    """Any message arrives as it was, and serialising leaves it as it is."""
    check_round_trip(message, "json")


@given(any_message(packs, st.text()))
def test_msgpack_round_trip(message: Message) -> None:
    """The same with the other packer."""
    check_round_trip(message, "msgpack")


def test_the_frames_are_those_of_the_specification() -> None:
    """Routing, delimiter, signature, header, parent header, metadata, content, buffers."""
    message = Message(
        {"c": 4},
        {"msg_id": "1", "msg_type": "t"},
        parent_header={"p": 2},
        metadata={"m": 3},
        buffers=[b"5", memoryview(b"6")],
        idents=[b"a", b"b"],
    )
    frames = wire(message, Session(KEY, session_id="s", username="u"))

    assert frames[:3] == [b"a", b"b", DELIMITER]
    header = {"session": "s", "username": "u", "version": "5.5", "msg_id": "1", "msg_type": "t"}
    assert [json.loads(part) for part in frames[4:8]] == [header, {"p": 2}, {"m": 3}, {"c": 4}]
    assert frames[8:] == [b"5", b"6"]
    assert frames[3] == hmac.new(KEY.encode(), b"".join(frames[4:8]), "sha256").hexdigest().encode()


def test_a_header_that_is_complete_is_sent_and_kept_verbatim() -> None:
    """Somebody else's session, user and version stay theirs, and so do fields nobody knows."""
    header = {"msg_id": "1", "msg_type": "t", "session": "x", "username": None, "version": "9", "alien": [1]}
    frames = wire(Message({}, header))

    assert json.loads(frames[2]) == header
    assert Session(KEY).deserialize(frames).header == header


def test_size_counts_content_and_buffers() -> None:
    """Bytes on the wire."""
    frames = wire(messages.comm_msg("c", {}, buffers=[b"12345"]))
    assert Session(KEY).deserialize(frames).size == len(frames[5]) + 5


# --- against the other implementation


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize(
    "scheme", ["hmac-sha256", "hmac-md5", "hmac-sha512", "hmac-sha3_256", "hmac-blake2b"]
)
def test_jupyter_client_reads_what_we_write(scheme: str, packer: str) -> None:
    """Signature, parts and buffers."""
    theirs = jupyter_client.session.Session(
        key=KEY.encode(), signature_scheme=scheme, packer=packer, unpacker=packer
    )
    sent = messages.execute_request("é😀", metadata={"m": 1}, buffers=[b"b"])
    sent.idents = [b"id"]
    idents, frames = theirs.feed_identities(wire(sent, Session(KEY, signature_scheme=scheme, packer=packer)))
    received = theirs.deserialize(frames)

    assert idents == [b"id"]
    assert received["content"] == sent.content
    assert received["metadata"] == sent.metadata
    assert received["msg_id"] == sent.msg_id
    assert received["header"]["date"] == sent.date
    assert [bytes(buffer) for buffer in received["buffers"]] == [b"b"]


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize(
    "scheme", ["hmac-sha256", "hmac-md5", "hmac-sha512", "hmac-sha3_256", "hmac-blake2b"]
)
def test_we_read_what_jupyter_client_writes(scheme: str, packer: str) -> None:
    """The other direction, with a parent."""
    theirs = jupyter_client.session.Session(
        key=KEY.encode(), signature_scheme=scheme, packer=packer, unpacker=packer
    )
    parent = theirs.msg("execute_request", {"code": "1"})
    sent = theirs.msg("status", {"execution_state": "é😀"}, parent=parent)
    frames = theirs.serialize(sent, ident=[b"id"])
    received = Session(KEY, signature_scheme=scheme, packer=packer).deserialize([*frames, b"buffer"])

    assert received.content == sent["content"]
    assert received.msg_type == "status"
    assert received.parent_id == parent["header"]["msg_id"]
    assert received.session == theirs.session
    assert received.date == sent["header"]["date"]
    assert (received.idents, received.buffers) == ([b"id"], [b"buffer"])


# --- signatures

HASHES = sorted(name for name in hashlib.algorithms_available if not name.startswith("shake"))


@pytest.mark.parametrize("name", HASHES)
@given(st.binary(min_size=1, max_size=300), st.lists(st.binary(max_size=50), min_size=4, max_size=4))
@example(b"k" * 64, [b""] * 4)
@example(b"k" * 65, [b""] * 4)
@example(b"k" * 300, [b""] * 4)
def test_a_signature_is_the_standard_librarys_hmac(name: str, key: bytes, parts: list[bytes]) -> None:
    """For every hash that hashlib offers, and keys shorter and longer than its block."""
    signer = Session(key, signature_scheme=f"hmac-{name}")._signer
    assert signer is not None
    assert signer.sign(parts).decode() == hmac.new(key, b"".join(parts), name).hexdigest()


@pytest.mark.parametrize(
    "scheme",
    [
        "",
        "sha256",
        "hmac",
        "hmac-",
        "hmac-nonsense",
        "hmac-shake_128",
        "hmac-shake_256",
        "HMAC-sha256",
        "x-sha256",
    ],
)
def test_another_signature_scheme_is_refused(scheme: str) -> None:
    """By name, before any message is sent unsigned by mistake."""
    with pytest.raises(ValueError, match="signature scheme"):
        Session(KEY, signature_scheme=scheme)


def test_a_key_is_text_or_bytes() -> None:
    """Both mean the same key, in UTF-8."""
    assert Session("é".encode()).deserialize(wire(messages.status("busy"), Session("é"))).msg_type == "status"


def test_a_flipped_bit_in_any_signed_frame_is_refused() -> None:
    """Every bit of the signature and of the four parts."""
    frames = wire(messages.status("busy", parent=messages.kernel_info_request()))
    receiver = Session(KEY)
    for number in range(1, 6):
        for bit in range(8 * len(frames[number])):
            changed = bytearray(frames[number])
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(InvalidSignature):
                receiver.deserialize([*frames[:number], bytes(changed), *frames[number + 1 :]])
    assert receiver.deserialize(frames).msg_type == "status"


def moved(frames: list[bytes]) -> list[bytes]:
    return [*frames[:3], *reversed(frames[3:6])]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda f: [f[0], b"", *f[2:]], id="no signature"),
        pytest.param(lambda f: [f[0], f[1][:-1], *f[2:]], id="short signature"),
        pytest.param(lambda f: [f[0], f[1] + b"0", *f[2:]], id="long signature"),
        pytest.param(lambda f: [f[0], f[1].upper(), *f[2:]], id="upper case"),
        pytest.param(lambda f: [f[0], bytes.fromhex(f[1].decode()), *f[2:]], id="raw digest"),
        pytest.param(lambda f: [f[0], "é".encode(), *f[2:]], id="not ASCII"),
        pytest.param(lambda f: [f[0], DELIMITER, *f[1:]], id="two delimiters"),
        pytest.param(moved, id="parts in another order"),
        pytest.param(lambda f: signed(*f[2:], key="another"), id="another key"),
    ],
)
def test_a_forgery_is_refused_and_never_blocks_the_genuine_message(forge: Any) -> None:
    """A replay entry is made only for a good signature."""
    receiver = Session(KEY)
    genuine = wire(messages.shutdown_request())
    for _ in range(2):
        with pytest.raises(InvalidSignature):
            receiver.deserialize(forge(genuine))
    assert receiver.deserialize(genuine).msg_type == "shutdown_request"


def test_the_signature_is_checked_before_anything_is_read() -> None:
    """The packer never sees what is not signed, nor what is a replay."""
    seen: list[bytes] = []

    class Spy:
        name = "spy"

        def pack(self, value: Any, /) -> bytes:
            return json.dumps(value).encode()

        def unpack(self, data: bytes, /) -> Any:
            seen.append(data)
            return json.loads(data)

    receiver = Session(KEY, packer=Spy())
    genuine = wire(messages.status("idle"))
    with pytest.raises(InvalidSignature):
        receiver.deserialize([genuine[0], b"0" * 64, *genuine[2:]])
    assert seen == []
    receiver.deserialize(genuine)
    assert seen == genuine[2:6]
    with pytest.raises(DuplicateSignature):
        receiver.deserialize(genuine)
    assert seen == genuine[2:6]


def test_a_replay_is_refused_whatever_is_not_signed_in_it() -> None:
    """Other routing and other buffers do not make it new."""
    receiver = Session(KEY)
    genuine = wire(messages.execute_request("fire()"))
    receiver.deserialize(genuine)
    for replay in (genuine, [b"ident", *genuine], [*genuine, b"buffer"]):
        with pytest.raises(DuplicateSignature, match="before"):
            receiver.deserialize(replay)


def test_a_malformed_message_with_a_good_signature_is_remembered_too() -> None:
    """It was received; sending it again changes nothing."""
    receiver = Session(KEY)
    frames = signed(b"{", b"{}", b"{}", b"{}")
    with pytest.raises(MalformedMessage):
        receiver.deserialize(frames)
    with pytest.raises(DuplicateSignature):
        receiver.deserialize(frames)


def test_the_replay_history_is_bounded_and_forgets_the_oldest_first() -> None:
    """Exactly the last ones are known, in order of arrival."""
    receiver = Session(KEY, replay_history=3)
    sent = [wire(messages.status("busy")) for _ in range(4)]
    for frames in sent:
        receiver.deserialize(frames)
    for frames in sent[1:]:
        with pytest.raises(DuplicateSignature):
            receiver.deserialize(frames)
    assert receiver.deserialize(sent[0]).msg_type == "status"
    assert receiver.deserialize(sent[1]).msg_type == "status"
    with pytest.raises(DuplicateSignature):
        receiver.deserialize(sent[3])
    assert len(receiver._replay._known) == len(receiver._replay._order) == 3


def test_without_history_replays_pass() -> None:
    """0 switches the protection off."""
    receiver = Session(KEY, replay_history=0)
    frames = wire(messages.status("busy"))
    for _ in range(3):
        assert receiver.deserialize(frames).msg_type == "status"
    assert not receiver._replay._known


@pytest.mark.parametrize("key", ["", b""])
def test_an_empty_key_means_no_signing_and_one_warning(
    key: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The signature frame is empty; received ones are not looked at."""
    with caplog.at_level(logging.WARNING):
        session = Session(key)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    frames = wire(messages.status("busy"), session)
    assert frames[1] == b""
    for signature in (b"", b"whatever"):
        for _ in range(2):
            assert session.deserialize([frames[0], signature, *frames[2:]]).msg_type == "status"


# --- shape and bounds


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "delimiter"),
        ([b"a"], "delimiter"),
        ([DELIMITER], "0 frames after"),
        ([DELIMITER, b"s", b"{}", b"{}", b"{}"], "4 frames after"),
        ([b"<ids|msg>"] * 10, "delimiter"),
        (signed(b"{", b"{}", b"{}", b"{}"), "the header is not json"),
        (signed(HEADER, b"", b"{}", b"{}"), "the parent_header is not json"),
        (signed(HEADER, b"{}", b"\xff", b"{}"), "the metadata is not json"),
        (signed(HEADER, b"{}", b"{}", b"[" * 200_000), "the content is not json"),
        (signed(b"[]", b"{}", b"{}", b"{}"), "the header is not an object but list"),
        (signed(HEADER, b"[]", b"{}", b"{}"), "the parent_header is not an object but list"),
        (signed(HEADER, b"{}", b'"x"', b"{}"), "the metadata is not an object but str"),
        (signed(HEADER, b"{}", b"{}", b"1"), "the content is not an object but int"),
        (signed(b"{}", b"{}", b"{}", b"{}"), "msg_id and a msg_type"),
        (signed(b'{"msg_id": "1"}', b"{}", b"{}", b"{}"), "msg_id and a msg_type"),
        (signed(b'{"msg_id": 1, "msg_type": "a"}', b"{}", b"{}", b"{}"), "both text"),
        (signed(b'{"msg_id": "1", "msg_type": null}', b"{}", b"{}", b"{}"), "both text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_message_is_malformed(frames: list[bytes], reason: str) -> None:
    """The text says which part, and why."""
    with pytest.raises(MalformedMessage, match=reason):
        Session(KEY).deserialize(frames)


def test_too_many_frames_are_refused_before_anything_else() -> None:
    """One more than the limit; the limit itself passes."""
    frames = wire(messages.comm_msg("c", {}))
    receiver = Session(KEY, max_frames=8)
    with pytest.raises(MalformedMessage, match="9 frames; at most 8"):
        receiver.deserialize([*frames, b"", b"", b""])
    assert len(receiver.deserialize([*frames, b"", b""]).buffers) == 2


def test_signed_parts_that_are_too_large_are_refused_before_they_are_hashed() -> None:
    """Buffers do not count: they are neither hashed nor unpacked."""
    frames = wire(messages.stream("stdout", "x" * 100))
    size = sum(map(len, frames[2:6]))
    with pytest.raises(MalformedMessage, match=f"larger than {size - 1} bytes"):
        Session(KEY, max_size=size - 1).deserialize(frames)
    assert Session(KEY, max_size=size).deserialize([*frames, b"x" * 1000]).msg_type == "stream"


pieces = st.binary() | st.sampled_from(
    [
        DELIMITER,
        b"{}",
        b"[]",
        HEADER,
        b'{"msg_id": "1"}',
        b"NaN",
        b"1e999",
        b"\x80",
        b"\xc1",
        b"\xdf\xff",
        b"",
    ]
)


@pytest.mark.parametrize("key", [KEY, ""])
@pytest.mark.parametrize("packer", ["json", "msgpack"])
@given(st.lists(pieces, max_size=9))
@example([DELIMITER] * 7)
def test_any_frames_give_a_message_or_a_protocol_error(packer: str, key: str, frames: list[bytes]) -> None:
    """Nothing else comes out, whatever the frames hold."""
    try:
        received = Session(key, packer=packer).deserialize(frames)
    except ProtocolError:
        return
    assert isinstance(received, Message)


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@given(st.lists(pieces, min_size=4, max_size=6), st.lists(st.binary(max_size=4).filter(bool), max_size=2))
def test_any_signed_frames_give_a_message_or_a_protocol_error(
    packer: str, parts: list[bytes], idents: list[bytes]
) -> None:
    """Also from a peer that has the key."""
    try:
        received = Session(KEY, packer=packer).deserialize(signed(*parts, idents=tuple(idents)))
    except ProtocolError:
        return
    assert isinstance(received.header["msg_id"], str)


def test_a_packer_that_fails_in_its_own_way_is_a_malformed_message() -> None:
    """Whatever it raises."""

    class Broken:
        name = "broken"

        def pack(self, value: Any, /) -> bytes:
            raise ZeroDivisionError

        def unpack(self, data: bytes, /) -> Any:
            raise ZeroDivisionError

    with pytest.raises(MalformedMessage, match="the header is not broken"):
        Session(KEY, packer=Broken()).deserialize(signed(HEADER, b"{}", b"{}", b"{}"))
    with pytest.raises(InvalidMessage, match=r"the header\['session'\] cannot be packed as broken"):
        Session(KEY, packer=Broken()).serialize(messages.status("busy"))


# --- our own messages


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize("part", ["header", "parent_header", "metadata", "content"])
def test_what_cannot_be_packed_names_the_place(part: str, packer: str) -> None:
    """And nothing was sent."""
    message = messages.status("busy")
    getattr(message, part)["bad"] = {1, 2}
    with pytest.raises(InvalidMessage, match=rf"the {part}\['bad'\] cannot be packed as {packer}"):
        Session(KEY, packer=packer).serialize(message)


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize("value", [None, 5, "text", [("msg_id", "1")], ["msg_id"]], ids=repr)
@pytest.mark.parametrize("part", ["header", "parent_header"])
def test_a_header_that_is_no_object_is_told_as_such(part: str, value: Any, packer: str) -> None:
    """It is one of our own, so it is not for the peer to refuse it."""
    message = messages.status("busy")
    setattr(message, part, value)
    with pytest.raises(InvalidMessage, match=f"the {part} is not an object but {type(value).__name__}"):
        Session(KEY, packer=packer).serialize(message)


@pytest.mark.parametrize(
    "buffer", ["text", 5, None, memoryview(b"abcdef")[::2]], ids=["text", "int", "None", "strided"]
)
def test_a_buffer_that_zmq_cannot_send_names_its_place(buffer: Any) -> None:
    """ZMQ would notice a strided buffer only after it had sent half of the message."""
    with pytest.raises(InvalidMessage, match="buffer 1 is not"):
        Session(KEY).serialize(messages.comm_msg("c", {}, buffers=[b"good", buffer]))


def test_a_released_buffer_is_refused() -> None:
    """It holds nothing any more."""
    buffer = memoryview(b"abc")
    buffer.release()
    with pytest.raises(InvalidMessage, match="buffer 0 is not"):
        Session(KEY).serialize(messages.comm_msg("c", {}, buffers=[buffer]))


def test_no_text_shows_the_key() -> None:
    """Neither repr nor any error with its causes, nor an attribute."""
    session = Session(KEY)
    good = wire(messages.status("busy"))
    session.deserialize(good)
    signature = good[1].decode()
    attempts = [good, [good[0], b"0" * 64, *good[2:]], [b"x"], signed(b"{", b"{}", b"{}", b"{}")]
    texts = [repr(session), str(session), repr(vars(session))]
    for frames in attempts:
        with pytest.raises(ProtocolError) as caught:
            session.deserialize(frames)
        texts.append("".join(traceback.format_exception(caught.value)))
    for text in texts[1:]:
        assert KEY not in text
    assert signature not in "".join(texts[3:])
    assert repr(session) == f"<Session {session.session_id} json hmac-sha256>"
    assert repr(Session("", session_id="s", packer="msgpack")) == "<Session s msgpack unsigned>"


def test_the_packer_is_chosen_by_name() -> None:
    """And an unknown one is refused."""
    frames = wire(messages.status("busy"), Session(KEY, packer="msgpack"))
    assert msgpack.unpackb(frames[5]) == {"execution_state": "busy"}
    with pytest.raises(UnknownPacker):
        Session(KEY, packer="pickle")


def test_sessions_have_ids_of_their_own() -> None:
    """Unless one is given."""
    assert len({Session(KEY).session_id for _ in range(10)}) == 10
    assert Session(KEY, session_id="mine").session_id == "mine"


@pytest.mark.parametrize("error", [OSError, KeyError, ImportError])
def test_a_user_without_a_name_is_no_failure(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers often run under a number that no user has."""

    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert Session(KEY).username == "username"


def test_null_for_parent_header_or_metadata_is_read_as_empty_since_kernels_send_it() -> None:
    message = Session(KEY).deserialize(signed(HEADER, b"null", b"null", b"{}"))
    assert (message.parent_header, message.metadata, message.parent_id) == ({}, {}, None)
