"""The debug mode of sockets: what is sent has to be right, what comes in is told of."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jupyter_protocol import ClientSockets, ConnectionInfo, InvalidMessage, KernelSockets, Message, messages
from jupyter_protocol.sockets import base as base_module
from jupyter_protocol.sockets.validating import VARIABLE, note_received

from ._examples import EXAMPLES, changed, without

GUARD = 60
INFO = messages.kernel_info_request


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tests themselves run in this mode it is switched off."""
    monkeypatch.delenv(VARIABLE, raising=False)


@asynccontextmanager
async def joined(
    *, kernel: bool | None = None, client: bool | None = None, packer: str = "json"
) -> AsyncIterator[tuple[KernelSockets, ClientSockets]]:
    """Both ends, and whether each validates."""
    async with (
        asyncio.timeout(GUARD),
        KernelSockets(ConnectionInfo(packer=packer), validate=kernel) as kernel_end,
        ClientSockets(replace(kernel_end.connection_info, packer=packer), validate=client) as client_end,
    ):
        yield kernel_end, client_end


def wrong_request() -> Message:
    """A new one each time: twice the same would be a replay."""
    message = messages.execute_request("1")
    message.content["code"] = None
    return message


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("jupyter_protocol")]


async def test_an_invalid_message_raises_to_its_sender_and_is_not_sent() -> None:
    """The next one goes its way, as if nothing had been."""
    async with joined(client=True) as (kernel, client):
        with pytest.raises(InvalidMessage, match=r"content\.code should be text, found null") as caught:
            client.send("shell", wrong_request())
        assert caught.value.field == "content.code"
        client.send("shell", INFO())
        _, received = await anext(kernel)
        assert received.msg_type == "kernel_info_request"


async def test_a_kernel_too_is_told_of_what_it_sends() -> None:
    """On each channel that it sends on."""
    async with joined(kernel=True) as (kernel, client):
        client.send("shell", INFO())
        _, asked = await anext(kernel)
        for channel, message in {
            "shell": messages.new_reply("kernel_info_reply", {"status": "ok"}, parent=asked),
            "iopub": messages.status("dead"),  # type: ignore[arg-type]
            "stdin": messages.new_reply("input_request", {}, parent=asked),
        }.items():
            with pytest.raises(InvalidMessage, match=f"{message.msg_type}: content"):
                kernel.send(channel, message)


async def test_what_the_session_will_add_is_not_missed() -> None:
    """What counts is the message as it leaves, also where somebody has set a part of its header."""
    message = INFO()
    message.header["username"] = "somebody"
    async with joined(client=True, kernel=True) as (kernel, client):
        client.send("shell", message)
        _, received = await anext(kernel)
        assert (received.header["username"], received.session) == ("somebody", client.session.session_id)
        assert "session" not in message.header
        child = messages.comm_msg("c", {}, parent=INFO())  # whose header never left like this
        client.send("shell", child)
        _, received = await anext(kernel)
        assert received.parent_header["session"] == client.session.session_id
        assert kernel.invalid == {}


ODD_HEADERS: list[dict[str, Any]] = [
    {"version": "5"},
    {"msg_type": "kernel_info"},
    {"date": None},
    {"username": {}, "session": {"odd": True}},
    {"subshell_id": 5},
]


@pytest.mark.parametrize("odd", ODD_HEADERS, ids=repr)
@pytest.mark.parametrize("packer", ["json", "msgpack"])
async def test_nobody_is_blamed_for_repeating_an_odd_header(odd: dict[str, Any], packer: str) -> None:
    """The reply goes its way, with that very header."""
    async with joined(kernel=True, packer=packer) as (kernel, client):
        request = INFO()
        request.header |= odd
        client.send("shell", request)
        _, received = await anext(kernel)
        kernel.send("iopub", messages.status("busy", parent=received))
        kernel.send("shell", messages.error_reply(received, "E", "v"))
        while (came := await anext(client))[0] != "shell":
            pass
        assert came[1].parent_header == received.header


async def test_a_reply_that_has_no_parent_is_its_senders_fault() -> None:
    """And so is one where there must be none."""
    async with joined(kernel=True, client=True) as (kernel, client):
        client.send("shell", INFO())
        _, asked = await anext(kernel)
        orphan = messages.error_reply(asked, "E", "v")
        orphan.parent_header = {}
        with pytest.raises(InvalidMessage, match="parent_header should be the header of the request"):
            kernel.send("shell", orphan)
        with pytest.raises(InvalidMessage, match="parent_header should be an empty object"):
            kernel.send("iopub", messages.iopub_welcome("", parent=asked))


async def test_what_counts_is_what_the_packer_makes_of_a_message() -> None:
    """Bytes, keys that are no text and dates are text when they leave; what cannot leave is an error."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    async with joined(kernel=True, client=True) as (kernel, client):
        client.send("shell", INFO())
        _, asked = await anext(kernel)
        shown = messages.display_data({"image/png": b"\x89PNG", "application/json": {1: 2}}, parent=asked)
        shown.header["date"] = moment
        shown.metadata[1] = 2  # type: ignore[index]
        kernel.send("iopub", shown)
        while (message := (await anext(client))[1]).msg_type != "display_data":
            pass
        assert message.date == moment
        assert message.metadata == {"1": 2}
        assert client.invalid == {}
        with pytest.raises(InvalidMessage, match=r"the content\['data'\]\['a/b'\] cannot be packed as json"):
            kernel.send("iopub", messages.display_data({"a/b": object()}))
        with pytest.raises(InvalidMessage, match="the header is not an object"):
            client.send("shell", Message({}, None))  # type: ignore[arg-type]


async def test_what_comes_in_is_delivered_counted_by_field_and_logged_once_per_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is lost for those who look."""
    async with joined(kernel=True) as (kernel, client):
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                client.send("shell", wrong_request())
            client.send("control", without(messages.execute_request("1"), ("content", "allow_stdin")))
            client.send("shell", INFO())
            received = [await anext(kernel) for _ in range(5)]
        codes = [message.content.get("code", "none") for channel, message in received if channel == "shell"]
        assert codes == [None, None, None, "none"]
        assert kernel.invalid == {
            "execute_request content.code": 3,
            "execute_request content.allow_stdin": 1,
        }
        assert sum(kernel.refused.values()) == 0
    lines = [line for line in logged(caplog) if "Not as specified" in line]
    assert len(lines) == 2
    assert any("execute_request: content.code should be text, found null" in line for line in lines)


async def test_a_callback_gets_what_is_invalid_too() -> None:
    """Delivery is the same in either way, and so is a client's end."""
    arrived: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def on_message(channel: str, message: Message) -> None:
        if message.msg_type == "iopub_welcome":
            kernel.send("iopub", messages.status("dead"))  # type: ignore[arg-type]
        else:
            arrived.set_result(message)

    async with (
        asyncio.timeout(GUARD),
        KernelSockets(ConnectionInfo()) as kernel,
        ClientSockets(kernel.connection_info, on_message=on_message, validate=True) as client,
    ):
        assert (await arrived).content == {"execution_state": "dead"}
        assert client.invalid == {"status content.execution_state": 1}


@pytest.mark.parametrize("packer", ["json", "msgpack"])
async def test_null_where_an_object_belongs_is_told_though_sessions_read_it_as_one(packer: str) -> None:
    """As xeus sends it with its welcome; the message is delivered with an empty object."""
    async with joined(kernel=True, packer=packer) as (kernel, client):
        session = client.session
        assert session._signer is not None
        delimiter, _, header, _, _, content = session.serialize(INFO())
        parts = [header, session.packer.pack(None), session.packer.pack(None), content]
        client._pumps["shell"].send([delimiter, session._signer.sign(parts), *parts])
        client.send("shell", INFO())
        _, received = await anext(kernel)
        await anext(kernel)
        assert (received.parent_header, received.metadata) == ({}, {})
        assert kernel.invalid == {
            "kernel_info_request parent_header": 1,
            "kernel_info_request metadata": 1,
        }


async def test_everything_that_constructors_make_passes_both_ends() -> None:
    """Requests one way; replies, output and questions the other."""
    async with joined(kernel=True, client=True) as (kernel, client):
        for message in EXAMPLES.values():
            client.send("shell", message)
            _, received = await anext(kernel)
            assert received.msg_type == message.msg_type
        answered = [m for m in EXAMPLES.values() if m.msg_type.endswith("_reply")]
        for message in answered:
            message.idents = received.idents
            kernel.send("shell", message)
        while answered:
            channel, received = await anext(client)
            if channel == "shell":
                assert received.msg_type == answered.pop(0).msg_type
        assert kernel.invalid == client.invalid == {}


@pytest.mark.parametrize(
    ("value", "option", "validates"),
    [
        (None, None, False),
        ("", None, False),
        ("0", None, False),
        ("1", None, True),
        ("yes", None, True),
        ("1", False, False),
        (None, True, True),
        ("0", True, True),
    ],
)
async def test_the_environment_decides_where_nobody_else_does(
    value: str | None, option: bool | None, validates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JUPYTER_PROTOCOL_VALIDATE, for programs that make their sockets deep down."""
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    async with joined(client=option) as (_, client):
        try:
            client.send("shell", wrong_request())
            assert not validates
        except InvalidMessage:
            assert validates


async def test_nothing_is_looked_at_where_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is the default."""

    def never(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(base_module, "check_sent", never)
    monkeypatch.setattr(base_module, "note_received", never)
    async with joined() as (kernel, client):
        client.send("shell", wrong_request())
        _, received = await anext(kernel)
        assert received.content["code"] is None
        assert kernel.invalid == {}


def test_a_message_with_a_million_faults_is_looked_at_for_a_while() -> None:
    """And its like are counted together."""
    session = KernelSockets(ConnectionInfo()).session
    message = changed(EXAMPLES["error"], ("content", "traceback"), [None] * 1_000_000)
    frames = [bytes(frame) for frame in session.serialize(message)]
    known: Counter[str] = Counter()
    note_received(session, "iopub", message, frames, known)
    assert known == {"error content.traceback[*]": 100}
