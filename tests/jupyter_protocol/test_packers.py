"""Packing: JSON as the standard library means it, and msgpack."""

import contextlib
import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_protocol import Session, UnknownPacker
from jupyter_protocol.packers import JSONPacker, MsgpackPacker, get_packer, place_of_failure

pack, unpack = JSONPacker().pack, JSONPacker().unpack


class Text(str):
    __slots__ = ()


class Number(int):
    def __repr__(self) -> str:
        return "not a number"


class Real(float):
    def __repr__(self) -> str:
        return "not a real"


class Mapping(dict):  # type: ignore[type-arg]
    pass


class Items(list):  # type: ignore[type-arg]
    pass


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(enum.StrEnum):
    ADA = "ada"


@dataclasses.dataclass
class Point:
    x: int = 0


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def same(left: Any, right: Any) -> bool:
    """Equal, of equal types, and NaN and the sign of zero counted."""
    return repr(left) == repr(right) and type(left) is type(right)


WRITTEN_LIKE_THE_STANDARD_LIBRARY = [
    pytest.param(value, id=name)
    for name, value in {
        "NaN": math.nan,
        "infinity": math.inf,
        "minus infinity": -math.inf,
        "NaN deep inside": {"a": [{"b": (1.5, math.nan)}]},
        "minus zero": -0.0,
        "smallest float": 5e-324,
        "largest float": 1.7976931348623157e308,
        "float that is whole": 1e22,
        "2**63": 2**63,
        "2**64": 2**64,
        "-2**63 - 1": -(2**63) - 1,
        "10**400": 10**400,
        "high surrogate": "\ud800",
        "low surrogate": "\udc00",
        "surrogates the wrong way round": "\udc00\ud800",
        "surrogate in a key": {"\udfff": 1},
        "NUL and control characters": "\0\x01\x1f\x7f\x80\u2028",
        "astral": "😀",
        "int keys": {1: "a", -1: "b"},
        "big int keys": {2**70: "a"},
        "float keys": {1.5: "a", 1e16: "b", 1e22: "c"},
        "NaN key": {math.nan: 1},
        "infinite key": {math.inf: 1},
        "bool keys": {True: 1, False: 0},
        "None key": {None: 1},
        "keys that meet": {1: "a", "1": "b"},
        "int key deep inside": [[{"a": {1: 2}}]],
        "tuple": (1, (2, 3)),
        "str subclass": Text("text"),
        "str subclass as key": {Text("k"): 1},
        "int subclass": Number(7),
        "float subclass": Real(1.5),
        "dict subclass": Mapping(a=1),
        "list subclass": Items([1]),
        "IntEnum": Level.HIGH,
        "StrEnum": Name.ADA,
        "StrEnum as key": {Name.ADA: 1},
        "IntEnum as key": {Level.HIGH: 1},
        "nothing": None,
        "empty": [{}, [], "", ()],
        "moderately deep": nested(100),
    }.items()
]


@pytest.mark.parametrize("value", WRITTEN_LIKE_THE_STANDARD_LIBRARY)
def test_json_says_what_json_dumps_says(value: Any) -> None:
    """What the fast path would write differently, or refuse, comes out as json.dumps means it."""
    assert same(json.loads(pack(value)), json.loads(json.dumps(value)))


REFUSED_BY_BOTH = [
    pytest.param(value, id=name)
    for name, value in {
        "date": datetime.date(2020, 1, 1),
        "time": datetime.time(1),
        "timedelta": datetime.timedelta(1),
        "set": {1},
        "frozenset": frozenset([1]),
        "Decimal": decimal.Decimal("1.5"),
        "UUID": uuid.UUID(int=1),
        "Enum": Colour.RED,
        "dataclass": Point(),
        "object": object(),
        "complex": 1j,
        "range": range(3),
        "bytes key": {b"x": 1},
        "tuple key": {(1, 2): 1},
        "Enum key": {Colour.RED: 1},
        "UUID key": {uuid.UUID(int=1): 1},
        "cycle": cycle(),
        "too deep": nested(200_000),
        "dict views": {}.keys(),
    }.items()
]


@pytest.mark.parametrize(
    "wrap", [lambda value: value, lambda value: {"a": [1, {"b": value}]}], ids=["bare", "deep"]
)
@pytest.mark.parametrize("value", REFUSED_BY_BOTH)
def test_json_refuses_what_json_dumps_refuses(value: Any, wrap: Any) -> None:
    """Nothing is converted on the quiet: the error is the standard library's, type and text."""
    with pytest.raises((TypeError, ValueError, RecursionError)) as ours:
        pack(wrap(value))
    with pytest.raises(ours.type) as theirs:
        json.dumps(wrap(value))
    assert str(ours.value) == str(theirs.value)


MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, datetime.UTC)
WRITTEN_BY_RULE = [
    (MOMENT, "2026-01-02T03:04:05.678900Z"),
    (MOMENT.astimezone(datetime.timezone(datetime.timedelta(hours=-5))), "2026-01-01T22:04:05.678900-05:00"),
    (MOMENT.replace(microsecond=0), "2026-01-02T03:04:05Z"),
    (
        datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(seconds=30))),
        "2026-01-02T00:00:00+00:00:30",
    ),
    (b"\x00\xff", "AP8="),
    (bytearray(b"\x00\xff"), "AP8="),
    (memoryview(b"\x00\xff"), "AP8="),
    (b"", ""),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN_BY_RULE, ids=repr)
def test_moments_and_bytes_are_written_as_text(value: Any, text: str) -> None:
    """Wherever they are; msgpack has bytes of its own."""
    assert json.loads(pack({"a": [value]})) == {"a": [text]}
    assert json.loads(pack({"a": [value, math.nan]}))["a"][0] == text
    binary = not isinstance(value, datetime.datetime)
    packer = MsgpackPacker()
    assert packer.unpack(packer.pack({"a": [value]})) == {"a": [bytes(value) if binary else text]}


@pytest.mark.parametrize("packer", [JSONPacker(), MsgpackPacker()], ids=["json", "msgpack"])
def test_a_datetime_without_a_time_zone_is_refused(packer: Any) -> None:
    """It would be another moment elsewhere."""
    with pytest.raises(ValueError, match="time zone"):
        packer.pack({"a": MOMENT.replace(tzinfo=None)})


@pytest.mark.parametrize(
    ("packer", "value", "place"),
    [
        (JSONPacker(), {"a": 1, "b": [0, {"c": {1}}]}, "['b'][1]['c']"),
        (JSONPacker(), {"a": {(1, 2): 3}}, "['a']"),
        (JSONPacker(), {(1, 2): 3}, ""),
        (MsgpackPacker(), {"n": [2**63, (1, 2**64)]}, "['n'][1][1]"),
        (MsgpackPacker(), {"text": "\ud800"}, "['text']"),
        (MsgpackPacker(), {"\ud800": 1}, ""),
    ],
)
def test_where_a_value_cannot_be_packed_is_told(packer: Any, value: Any, place: str) -> None:
    """The innermost thing that cannot."""
    assert place_of_failure(packer, value) == place


def test_the_place_in_something_without_end_is_found_in_time() -> None:
    assert place_of_failure(JSONPacker(), cycle()) == "[0]" * 20


READ_LIKE_THE_STANDARD_LIBRARY = [
    b"NaN", b"Infinity", b"-Infinity", b'{"a": [NaN]}', b"1e400", b"-1e400", b"1e-400", b"5e-324", b"-0",
    b"-0.0", b"2.4703282292062327e-324", b"1E5", b"1e5", b"1.0", b"123456789012345678901234567890.5e-10",
    b"18446744073709551615", b"18446744073709551616", b"-9223372036854775809", b"1" * 400,
    b'{"a": %d}' % 2**200,
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\uD83D"', b'{"\\ud800": 1}',
    b'"\xed\xa0\x80"', '"é😀"'.encode(), b'"\\u0000"', b'"\x7f"', b'"\\/"',
    b"\xef\xbb\xbf{}", '{"é": 1}'.encode("utf-16"), '{"é": 1}'.encode("utf-32"),
    "[1]".encode("utf-16-le"), b"1\0", b'{"a": 1, "a": 2}', b" \t\r\n1 \n",
    b"[" * 100 + b"]" * 100, b"[]", b"null",
]  # fmt: skip


@pytest.mark.parametrize("data", READ_LIKE_THE_STANDARD_LIBRARY, ids=lambda data: ascii(data[:30]))
def test_json_reads_what_json_loads_reads(data: bytes) -> None:
    """Strange but lawful to the standard library: NaN, 1e400, big integers, surrogates, byte order marks."""
    assert same(unpack(data), json.loads(data))


UNREADABLE = [
    b"", b" ", b"nul", b"[1,]", b"{,}", b"[1 2]", b'{"a" 1}', b"{1: 2}", b"01", b"1.", b".5", b"+1", b"-",
    b"1e", b"0x10", b'"a', b'"\x01"', b'"\t"', b'"\\x"', b'"\\u12"', b"'a'",
    b"1\x0c", b"[]x", b"nan", b"inf", b"1" * 5000,
    b"\x80", b"\xff\xfe", b"[" * 200_000, b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 200_000,
]  # fmt: skip


@pytest.mark.parametrize("data", UNREADABLE, ids=lambda data: ascii(data[:30]))
def test_json_refuses_what_json_loads_refuses(data: bytes) -> None:
    """An error, never a value and never a crash."""
    with pytest.raises((ValueError, RecursionError)):
        json.loads(data)
    with pytest.raises((ValueError, RecursionError)):
        unpack(data)


numbers = st.integers() | st.integers(-(2**80), 2**80) | st.floats()
texts = st.text(st.characters(codec=None))
keys = texts | st.integers() | st.floats() | st.booleans() | st.none()
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
loose = st.recursive(
    scalars,
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_json_round_trip_keeps_every_value(value: Any) -> None:
    """The standard library reads back what was packed, and so do we."""
    assert same(json.loads(pack(value)), value)
    assert same(unpack(pack(value)), value)


@given(loose)
def test_json_of_any_value_means_what_json_dumps_means(value: Any) -> None:
    """Also with keys that are no text and with tuples."""
    assert same(json.loads(pack(value)), json.loads(json.dumps(value)))


def outcome(function: Any, data: bytes) -> str:
    try:
        return repr(function(data))
    except (ValueError, RecursionError):
        return "refused"


@given(
    st.text()
    | texts.map(json.dumps)
    | values.map(json.dumps)
    | st.text('[]{}",:0123456789.eE+-nulNaIfity\\ud8 ')
)
def test_any_text_is_read_as_json_loads_reads_it_or_refused_by_both(text: str) -> None:
    """The two readers agree on every text."""
    data = text.encode("utf-8", "surrogatepass")
    assert outcome(unpack, data) == outcome(json.loads, data)


@given(
    st.binary()
    | st.text(max_size=5).flatmap(lambda t: st.sampled_from([t.encode("utf-16", "ignore"), t.encode()]))
)
@example(b"1\0")
@example(b"\xed\xa0\x80")
def test_any_bytes_are_read_as_json_loads_reads_them_or_refused_by_both(data: bytes) -> None:
    """The two readers agree on every byte string."""
    assert outcome(unpack, data) == outcome(json.loads, data)


@given(st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.floats(allow_nan=False).map(repr))
def test_numbers_are_rounded_as_the_standard_library_rounds_them(text: str) -> None:
    """The fast reader and float() agree to the last bit."""
    assert outcome(unpack, text.encode()) == outcome(json.loads, text.encode())


carried = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(carried)
def test_msgpack_round_trip_keeps_every_value(value: Any) -> None:
    """Bytes and integer keys included, which JSON does not have."""
    packer = MsgpackPacker()
    assert same(packer.unpack(packer.pack(value)), value)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, "\ud800", {1}, cycle(), object()], ids=ascii)
def test_msgpack_refuses_what_it_cannot_carry(value: Any) -> None:
    """An error, never something else on the wire."""
    with pytest.raises((TypeError, ValueError, OverflowError)):
        MsgpackPacker().pack(value)


@pytest.mark.parametrize(
    "value", [msgpack.ExtType(5, b"os.system"), msgpack.Timestamp(12, 34)], ids=["extension", "timestamp"]
)
def test_msgpack_extension_types_are_data(value: Any) -> None:
    """They are kept as they are, never interpreted, and can be echoed."""
    packer = MsgpackPacker()
    assert packer.unpack(packer.pack({"a": value})) == {"a": value}


@given(st.binary())
def test_msgpack_gives_a_value_or_an_exception_for_any_bytes(data: bytes) -> None:
    """Nothing but an ordinary exception comes out of hostile bytes."""
    with contextlib.suppress(Exception):
        MsgpackPacker().unpack(data)


def test_packers_are_found_by_name() -> None:
    """The name in a connection file chooses the packer; an object is taken as it is."""
    assert isinstance(get_packer("json"), JSONPacker)
    assert isinstance(get_packer("msgpack"), MsgpackPacker)
    mine = JSONPacker()
    assert get_packer(mine) is mine
    assert Session("", packer=mine).packer is mine


@pytest.mark.parametrize("name", ["pickle", "JSON", "", "msgpack.packb", "orjson"])
def test_an_unknown_packer_is_refused(name: str) -> None:
    """Pickle above all."""
    with pytest.raises(UnknownPacker, match="no such packer; there are 'json' and 'msgpack'"):
        get_packer(name)


def test_bytes_that_are_no_utf8_arrive_as_what_ipykernel_wrote_so() -> None:
    """It packs a lone surrogate as the byte it stands for, and the message is not lost."""
    text = "before \udc80\udcff after"
    packed = json.dumps({"text": text}, ensure_ascii=False).encode("utf-8", "surrogateescape")
    assert JSONPacker().unpack(packed) == {"text": text}
    assert JSONPacker().unpack(memoryview(packed)) == {"text": text}
