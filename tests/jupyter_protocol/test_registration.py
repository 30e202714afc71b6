"""The handshake without sockets: what each end writes, and what the launcher's end believes."""

import hmac
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_protocol import (
    CHANNELS,
    ConnectionInfo,
    DuplicateSignature,
    InvalidSignature,
    MalformedMessage,
    ProtocolError,
    Session,
)
from jupyter_protocol.messages.message import new_message
from jupyter_protocol.registration import (
    MAX_SIZE,
    Dialect,
    Registrant,
    Registrar,
    is_registration_file,
    registration_file,
)

KEY = "a-key"
TEMPLATE = ConnectionInfo(key=KEY, kernel_name="xpython")
PORTS = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, start=50001)}
BOUND = replace(TEMPLATE, **PORTS)
DIALECTS: list[Dialect] = ["standard", "ark"]


def standard(content: Any, key: str = KEY, idents: Sequence[bytes] = (b"peer",)) -> list[bytes]:
    """A registration as xeus sends it, written down from the specification."""
    part = content if isinstance(content, bytes) else json.dumps(content).encode()
    signature = hmac.new(key.encode(), part, "sha256").hexdigest().encode()
    return [*idents, b"<IDS|MSG>", signature, part]


def as_xeus(**changes: Any) -> dict[str, Any]:
    return {"kernel_id": "one", **{name: str(port) for name, port in PORTS.items()}, **changes}


def as_ark(content: dict[str, Any] | None = None, msg_type: str = "handshake_request") -> list[bytes]:
    message = new_message(msg_type, PORTS if content is None else content)
    message.idents = [b"peer", b""]  # a REQ's empty frame
    return [bytes(frame) for frame in Session(KEY).serialize(message)]


@pytest.fixture
def registrar() -> Registrar:
    """Expects kernel "one"."""
    registrar = Registrar()
    registrar.expect("one", TEMPLATE)
    return registrar


def file(dialect: Dialect = "standard", info: ConnectionInfo = TEMPLATE) -> dict[str, Any]:
    return registration_file("one", info, registration_ip=info.ip, registration_port=4321, dialect=dialect)


# The file


def test_the_file_is_what_the_specification_and_xeus_read() -> None:
    assert file() == {
        "kernel_id": "one",
        "kernel_name": "xpython",
        "transport": "tcp",
        "ip": "127.0.0.1",
        "registration_ip": "127.0.0.1",
        "registration_port": "4321",
        "signature_scheme": "hmac-sha256",
        "key": KEY,
    }


def test_the_file_for_ark_has_a_number_for_its_port() -> None:
    assert file("ark") == {
        "kernel_name": "xpython",
        "transport": "tcp",
        "ip": "127.0.0.1",
        "registration_port": 4321,
        "signature_scheme": "hmac-sha256",
        "key": KEY,
    }


def test_curve_keys_and_unknown_fields_are_in_the_file() -> None:
    info = replace(TEMPLATE, curve_publickey="p" * 40, curve_secretkey="s" * 40, extra={"mine": [1]})

    assert file(info=info).items() >= {"curve_publickey": "p" * 40, "curve_secretkey": "s" * 40}.items()
    assert file(info=info)["mine"] == [1]


def test_ports_that_were_picked_are_named_for_kernels_that_do_not_register() -> None:
    """Not to ark, which would then bind them and not register."""
    assert file(info=BOUND).items() >= PORTS.items()
    assert not PORTS.keys() & file("ark", BOUND).keys()
    assert not PORTS.keys() & file(info=replace(BOUND, hb_port=0)).keys()


def test_a_kernel_without_a_key_cannot_register() -> None:
    """Everybody on this machine could speak for it."""
    unsigned = replace(TEMPLATE, key="")

    for action in (lambda: file(info=unsigned), lambda: Registrar().expect("one", unsigned)):
        with pytest.raises(ValueError, match="signing key"):
            action()


def test_what_arks_file_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="tcp"):
        file("ark", ConnectionInfo(transport="ipc", ip="/run/k", key=KEY))
    with pytest.raises(ValueError, match="address"):
        registration_file("one", TEMPLATE, registration_ip="127.0.0.2", registration_port=1, dialect="ark")


# The registration


def test_a_registration_as_xeus_sends_it_is_believed_and_answered(registrar: Registrar) -> None:
    registration = registrar.receive(standard(as_xeus()))

    assert registration.kernel_id == "one"
    assert registration.connection_info == BOUND
    assert list(registration.answer) == standard(b"ACK")


def test_a_registration_as_ark_sends_it_is_believed_and_answered(registrar: Registrar) -> None:
    """Known by its key; the answer is a message, goes back through the REQ, and says what it answers."""
    request = as_ark()
    registration = registrar.receive(request)
    answer = Session(KEY).deserialize([bytes(frame) for frame in registration.answer])

    assert (registration.kernel_id, registration.connection_info) == ("one", BOUND)
    assert answer.idents == [b"peer", b""]
    assert (answer.msg_type, answer.content) == ("handshake_reply", {"status": "ok"})
    assert answer.parent_id == Session(KEY).deserialize(request).msg_id


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("scheme", ["hmac-sha256", "hmac-sha512"])
def test_our_two_ends_understand_each_other(dialect: Dialect, scheme: str) -> None:
    """In each dialect; the kernel reads nothing but its file."""
    template = replace(TEMPLATE, signature_scheme=scheme)
    registrar = Registrar()
    registrar.expect("one", template)
    values = json.loads(json.dumps(file(dialect, template)))
    kernel = Registrant(values)

    registration = registrar.receive([b"peer", *map(bytes, kernel.request(BOUND))])

    assert kernel.url == "tcp://127.0.0.1:4321"
    assert kernel.connection_info == template
    assert registration.connection_info == replace(BOUND, signature_scheme=scheme)
    kernel.check([bytes(frame) for frame in registration.answer[1:]])


def test_over_ipc_ports_are_numbers_of_sockets() -> None:
    template = ConnectionInfo(transport="ipc", ip="/run/one", key=KEY)
    values = registration_file("one", template, registration_ip="/run/all", registration_port=1)

    assert Registrant(values).url == "ipc:///run/all-1"
    assert Registrant(values).connection_info == template


@pytest.mark.parametrize("form", [str, int], ids=["text", "numbers"])
def test_ports_are_text_or_numbers(registrar: Registrar, form: Callable[[int], Any]) -> None:
    ports = {name: form(port) for name, port in PORTS.items()}

    assert registrar.receive(standard(as_xeus(**ports))).connection_info == BOUND


def test_each_kernel_is_known_by_its_own_key() -> None:
    """Whatever the order, and although they all register at one place."""
    registrar = Registrar()
    for name in ("one", "two", "three"):
        registrar.expect(name, replace(TEMPLATE, key=f"key of {name}"))

    for name in ("two", "three", "one"):
        registration = registrar.receive(standard(as_xeus(kernel_id=name), f"key of {name}"))
        assert registration.kernel_id == name
        assert registration.connection_info.key == f"key of {name}"


def test_a_kernel_cannot_speak_for_another_one(registrar: Registrar) -> None:
    """It has its own key and knows the other's id."""
    registrar.expect("two", replace(TEMPLATE, key="another"))

    with pytest.raises(MalformedMessage, match="kernel_id"):
        registrar.receive(standard(as_xeus(kernel_id="one"), "another"))
    assert registrar.receive(standard(as_xeus())).kernel_id == "one"


def test_nobody_else_can_register(registrar: Registrar) -> None:
    """A wrong key, one that nobody waits for any more, a bit that changed: none of them is believed."""
    with pytest.raises(InvalidSignature):
        registrar.receive(standard(as_xeus(), "a wrong key"))
    with pytest.raises(InvalidSignature):
        registrar.receive([b"peer", b"<IDS|MSG>", b"", json.dumps(as_xeus()).encode()])
    with pytest.raises(InvalidSignature):
        registrar.receive([*standard(as_xeus())[:-1], json.dumps(as_xeus(hb_port="50009")).encode()])
    registrar.forget("one")
    with pytest.raises(InvalidSignature):
        registrar.receive(standard(as_xeus()))


def test_the_content_is_not_read_before_the_signature_was_good(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(data: bytes) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr("jupyter_protocol.registration.json.loads", never)
    with pytest.raises(InvalidSignature):
        registrar.receive(standard(as_xeus(), "a wrong key"))


def test_a_registration_is_used_once(registrar: Registrar) -> None:
    """Not even for the same kernel when it is expected again, with the key that it keeps."""
    first = standard(as_xeus())
    registrar.receive(first)
    with pytest.raises(InvalidSignature):
        registrar.receive(first)

    registrar.expect("one", TEMPLATE)
    with pytest.raises(DuplicateSignature):
        registrar.receive(first)
    assert registrar.receive(standard(as_xeus(hb_port="50009"))).connection_info.hb_port == 50009


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_kernel_of_ours_that_restarts_on_the_same_ports_is_no_replay(dialect: Dialect) -> None:
    registrar = Registrar()
    kernel = Registrant(file(dialect))

    for _ in range(2):
        registrar.expect("one", TEMPLATE)
        assert registrar.receive(list(map(bytes, kernel.request(BOUND)))).connection_info == BOUND


def test_what_was_refused_may_come_again_in_order(registrar: Registrar) -> None:
    """A malformed registration leaves the kernel expected."""
    with pytest.raises(MalformedMessage):
        registrar.receive(standard(as_xeus(hb_port="0")))
    assert registrar.receive(standard(as_xeus())).kernel_id == "one"


def test_the_history_is_bounded_and_forgets_the_oldest_first(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_protocol.registration._HISTORY", 1)
    first, second = (standard(as_xeus(hb_port=port)) for port in (50008, 50009))
    for frames in (first, second, first):
        registrar.receive(frames)
        registrar.expect("one", TEMPLATE)
    with pytest.raises(DuplicateSignature):
        registrar.receive(first)


def test_what_is_malformed_stays_malformed_however_often_it_comes(registrar: Registrar) -> None:
    """A replay is what has registered a kernel before."""
    request = as_ark({})
    for _ in range(2):
        with pytest.raises(MalformedMessage):
            registrar.receive(request)


def test_a_kernel_or_a_key_is_expected_once(registrar: Registrar) -> None:
    """By id and by key, since ark says nothing but its key; the text does not show it."""
    with pytest.raises(ValueError, match="expected already"):
        registrar.expect("one", replace(TEMPLATE, key="another"))
    with pytest.raises(ValueError, match="key of another") as caught:
        registrar.expect("two", TEMPLATE)
    assert KEY not in str(caught.value)


def test_an_unknown_signature_scheme_is_refused_where_it_is_given() -> None:
    with pytest.raises(ValueError, match="signature scheme"):
        Registrar().expect("one", replace(TEMPLATE, signature_scheme="rot13"))


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "delimiter"),
        ([b"peer", b"", b"{}"], "delimiter"),
        ([b"<IDS|MSG>"], "one or four"),
        ([b"<IDS|MSG>", b"signature"], "one or four"),
        ([*standard(as_xeus()), b"{}"], "one or four"),
        ([*as_ark(), b"a buffer"], "one or four"),
        (standard(as_xeus(), idents=[b"peer"] * 5), "routing frames"),
        (standard(as_xeus(more="x" * MAX_SIZE)), "bytes"),
        (standard(b"ports"), "not JSON"),
        (standard(b"\xff{"), "not JSON"),
        (standard(b"[" * 10_000), "not JSON"),
        (standard([50001]), "no JSON object"),
        (standard({}), "shell_port"),
        (standard(as_xeus(kernel_id="two")), "kernel_id"),
        (standard(as_xeus(kernel_id=None)), "kernel_id"),
        (as_ark({}), "shell_port"),
        (as_ark(msg_type="execute_request"), "handshake_request"),
    ],
)
def test_what_is_no_registration_is_malformed(registrar: Registrar, frames: list[bytes], reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        registrar.receive(frames)


@pytest.mark.parametrize(
    "port", [0, -1, 65536, "0", "65536", "", " 80", "8_0", "٣", "+80", 80.0, True, None, [80], "9" * 5000]
)
def test_a_port_has_to_be_one(registrar: Registrar, port: object) -> None:
    with pytest.raises(MalformedMessage, match="iopub_port"):
        registrar.receive(standard(as_xeus(iopub_port=port)))


def test_two_channels_cannot_have_one_port(registrar: Registrar) -> None:
    with pytest.raises(MalformedMessage, match="same port"):
        registrar.receive(standard(as_xeus(iopub_port=PORTS["shell_port"])))


def test_no_text_shows_the_key(registrar: Registrar) -> None:
    """That is why the key and the answer, which is signed with it, are in no repr."""
    registration = registrar.receive(standard(as_xeus()))

    assert KEY not in repr(registration)
    assert bytes(registration.answer[2]).decode() not in repr(registration)


# The kernel's end


def test_only_a_file_that_asks_for_it_makes_a_kernel_register() -> None:
    assert all(is_registration_file(file(dialect)) for dialect in DIALECTS)
    assert not is_registration_file(BOUND.to_dict())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"registration_port": None}, "registration_port"),
        ({"registration_port": "x"}, "registration_port"),
        ({"registration_ip": 1}, "registration_ip"),
        ({"kernel_id": 1}, "kernel_id"),
        ({"key": ""}, "key"),
        ({"transport": "udp"}, "transport"),
        ({"signature_scheme": "rot13"}, "signature scheme"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Registrant({**file(), **changes})


def test_a_connection_file_is_no_registration_file() -> None:
    with pytest.raises(ValueError, match="registration_port"):
        Registrant(BOUND.to_dict())


def test_a_kernel_believes_only_the_launcher_that_has_its_key() -> None:
    kernel = Registrant(file())

    kernel.check(standard(b"whatever it says", idents=()))
    with pytest.raises(InvalidSignature):
        kernel.check(standard(b"ACK", "a wrong key", idents=()))
    with pytest.raises(MalformedMessage):
        kernel.check([b"ACK"])


@pytest.mark.parametrize(
    ("msg_type", "content"),
    [("handshake_reply", {"status": "error"}), ("kernel_info_reply", {"status": "ok"})],
)
def test_an_answer_in_the_dialect_of_ark_has_to_say_ok(msg_type: str, content: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage, match="ok"):
        Registrant(file("ark")).check(as_ark(content, msg_type))


# Whatever comes


def check(registrar: Registrar, frames: list[bytes]) -> None:
    """A registration or a `ProtocolError`, at both ends."""
    try:
        registration = registrar.receive(frames)
    except ProtocolError:
        pass
    else:
        assert all(registration.connection_info.port(channel) for channel in CHANNELS)
        registrar.expect("one", TEMPLATE)
    with suppress(ProtocolError):
        Registrant(file("ark")).check(frames)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
VALUES = st.integers(min_value=-1, max_value=70000) | st.text(max_size=6) | JSON
CONTENTS = st.fixed_dictionaries({}, optional={"kernel_id": VALUES, **dict.fromkeys(PORTS, VALUES)})


@given(st.lists(st.binary(max_size=40) | st.just(b"<IDS|MSG>"), max_size=10))
def test_any_frames_give_a_registration_or_a_protocol_error(frames: list[bytes]) -> None:
    registrar = Registrar()
    registrar.expect("one", TEMPLATE)
    check(registrar, frames)


@given(
    st.lists(st.binary(max_size=40) | CONTENTS.map(lambda c: json.dumps(c).encode()), min_size=1, max_size=5)
)
def test_any_signed_frames_give_a_registration_or_a_protocol_error(parts: list[bytes]) -> None:
    """From somebody who has the key."""
    registrar = Registrar()
    registrar.expect("one", TEMPLATE)
    signature = hmac.new(KEY.encode(), b"".join(parts), "sha256").hexdigest().encode()
    check(registrar, [b"peer", b"<IDS|MSG>", signature, *parts])


@given(CONTENTS)
def test_any_ports_give_a_registration_or_a_protocol_error(content: dict[str, Any]) -> None:
    """In both dialects."""
    registrar = Registrar()
    registrar.expect("one", TEMPLATE)
    check(registrar, standard(content))
    check(registrar, as_ark(content))
