"""The wire trace: every message that passes is shown, in order, and no secret is."""

import asyncio
import dataclasses
import json
import logging
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import wire_trace
from jupyter_kernel_mgmt.testing import FakeRun
from jupyter_kernel_mgmt.wire_trace import (
    TraceEntry,
    Tracer,
    format_entry,
    log_trace,
    make_entry,
    trace_to_file,
)
from jupyter_protocol import ConnectionInfo, Message, messages

KEY = "0123456789-a-key"
WIRE = "jupyter_kernel_mgmt.wire"


def entry_of(message: Message) -> TraceEntry:
    return make_entry("received", "iopub", message)


def shown(msg_type: str, content: dict[str, Any]) -> dict[str, Any]:
    return entry_of(messages.new_message(msg_type, content)).content


# What a client shows


async def test_a_client_shows_what_it_sends_and_receives_in_order(talk: Any) -> None:
    """Both directions, all channels; nothing before the trace is set nor after it is taken away."""
    client, _ = await talk()
    entries: list[TraceEntry] = []
    await client.kernel_info()
    client.trace = entries.append
    assert client.trace == entries.append
    await client.execute("1")
    client.trace = None
    assert client.trace is None
    await client.execute("2")

    steps = [(entry.direction, entry.channel, entry.msg_type) for entry in entries]
    assert steps[0] == ("sent", "shell", "execute_request")
    assert {step for step in steps[1:] if step[1] == "iopub"} == {
        ("received", "iopub", "status"),
        ("received", "iopub", "execute_input"),
    }
    assert ("received", "shell", "execute_reply") in steps
    assert all(entry.content.get("code", "1") == "1" for entry in entries)
    assert {entry.parent_id for entry in entries[1:]} == {entries[0].msg_id}


async def test_it_is_shown_before_anybody_acts_on_it(talk: Any) -> None:
    """A message that makes a handler fail or a waiter go on is in the trace by then."""
    client, _ = await talk()
    order: list[str] = []
    client.add_handler(lambda channel, message: order.append("handler"), ["shell"])
    client.trace = lambda entry: order.append(entry.direction) if entry.channel == "shell" else None
    await client.kernel_info()
    assert order[:3] == ["sent", "received", "handler"]


async def test_answers_to_prompts_are_left_out(talk: Any) -> None:
    """Of every prompt: a kernel may ask for a password without saying so."""

    async def ask(run: FakeRun) -> None:
        run.result(await run.input("password:", password=run.code == "hidden"))

    async def stdin(prompt: str, password: bool) -> str:
        return "hunter2"

    client, kernel = await talk(ask, stdin=stdin)
    entries: list[TraceEntry] = []
    client.trace = entries.append
    for code in ("hidden", "plain"):
        async with asyncio.timeout(20):
            assert (await client.execute(code)).text == "hunter2"

    replies = [entry for entry in entries if entry.msg_type == "input_reply"]
    assert [entry.content for entry in replies] == [{"value": wire_trace.SECRET, "status": "ok"}] * 2
    assert kernel.requests("input_reply")[0].content["value"] == "hunter2"


async def test_a_trace_that_fails_is_logged_once_and_stops_nothing(
    talk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is called again: it may recover. Another trace is logged for itself."""
    client, _ = await talk()
    calls: list[TraceEntry] = []

    def fail(entry: TraceEntry) -> None:
        calls.append(entry)
        raise RuntimeError("mine")

    for _ in range(2):
        calls.clear()
        caplog.clear()
        client.trace = fail
        assert (await client.execute("1")).status == "ok"
        assert len(calls) > 1
        assert [record.getMessage()[:14] for record in caplog.records] == ["The wire trace"]


# Entries


def test_an_entry_says_what_passed() -> None:
    """All of a header that matters, contents, and the sizes of buffers."""
    request = messages.execute_request("1")
    message = messages.display_data(
        {"text/plain": "x"},
        parent=request,
        metadata={"m": 1},
        buffers=[b"abc", memoryview(bytes(8)).cast("d")],
    )
    message.header["session"] = "s"
    before = time.time()
    entry = make_entry("received", "iopub", message)

    assert before <= entry.time <= time.time()
    assert dataclasses.replace(entry, time=0.0) == TraceEntry(
        time=0.0,
        direction="received",
        channel="iopub",
        msg_type="display_data",
        msg_id=message.msg_id,
        parent_id=request.msg_id,
        session="s",
        metadata={"m": 1},
        content=message.content,
        buffers=(3, 8),
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.channel = "shell"  # type: ignore[misc]
    assert not hasattr(entry, "__dict__")


def test_an_entry_is_a_copy() -> None:
    """What is done to it does nothing to the message, nor the other way round."""
    message = messages.display_data({"application/json": {"list": [1, {"a": 1}]}}, metadata={"m": {}})
    entry = entry_of(message)
    entry.content["data"]["application/json"]["list"][1]["a"] = 2
    message.metadata["m"]["later"] = True
    assert message.content["data"] == {"application/json": {"list": [1, {"a": 1}]}}
    assert entry.metadata == {"m": {}}


def test_handshakes_show_harmless_fields_only() -> None:
    """Whatever else a kernel puts there might be a key."""
    content = {"kernel_id": "k", "shell_port": 1, "status": "ok", "key": KEY, "auth": {"token": KEY}}
    for msg_type in ("handshake_request", "handshake_reply"):
        assert shown(msg_type, content) == {
            "kernel_id": "k",
            "shell_port": 1,
            "status": "ok",
            "key": wire_trace.SECRET,
            "auth": wire_trace.SECRET,
        }


def test_a_connection_file_that_is_shown_has_no_keys() -> None:
    """However deep it lies; other data may have a "key" that is none."""
    info = ConnectionInfo(key=KEY, curve_publickey="p" * 40, curve_secretkey="s" * 40).to_dict()
    entry = entry_of(messages.display_data({"application/json": [{"info": info}], "other": {"key": "a"}}))

    assert KEY not in repr(entry)
    assert "s" * 40 not in repr(entry)
    assert entry.content["data"]["application/json"][0]["info"]["transport"] == "tcp"
    assert entry.content["data"]["other"] == {"key": "a"}


def test_contents_that_are_no_contents_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be shown is logged like any other failure."""
    header = {"msg_id": "1", "msg_type": "input_reply"}
    Tracer(lambda entry: None).show("sent", "stdin", Message("hunter2", header))  # type: ignore[arg-type]
    assert "The wire trace" in caplog.text
    assert "hunter2" not in caplog.text


# Lines


def test_log_trace_writes_one_line_for_each_entry(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, readable, with everything that identifies the message."""
    message = messages.stream(
        "stdout", "hällo\nworld", parent=messages.execute_request("1"), buffers=[b"abc"]
    )
    entry = entry_of(message)
    with caplog.at_level(logging.DEBUG, WIRE):
        log_trace(entry)
    (record,) = caplog.records
    assert (record.name, record.levelno) == (WIRE, logging.DEBUG)
    assert record.getMessage() == (
        f"received iopub   stream {message.msg_id} (of {message.parent_id})"
        " {'name': 'stdout', 'text': 'hällo\\nworld'} + buffers of 3 bytes"
    )


def test_log_trace_writes_nothing_where_nobody_listens(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above DEBUG no line is made."""
    monkeypatch.delattr(wire_trace, "format_entry")
    with caplog.at_level(logging.INFO, WIRE):
        log_trace(entry_of(messages.status("idle")))
    assert caplog.records == []


def test_long_contents_are_shortened() -> None:
    """Long texts, long lists and deep values alike; who sent what is still said."""
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"deep": deep}
    content = {"text": "x" * 100_000, "list": list(range(100_000)), **{str(n): deep for n in range(1000)}}
    line = format_entry(entry_of(messages.new_message("stream", content)))
    assert len(line) <= wire_trace.LINE_LIMIT
    assert line.startswith("received iopub   stream")
    line = format_entry(entry_of(messages.new_message("x" * 10_000, {})))
    assert (len(line), line[-3:]) == (wire_trace.LINE_LIMIT, "...")


@pytest.mark.parametrize("hostile", ["\n", "\r", "\x1b[31m", "\x9b31m", "\u2028", "\ud800", "\0"])
def test_nothing_in_a_message_can_break_a_line(hostile: str) -> None:
    """Line ends, terminal sequences and what no terminal can show are escaped, also in headers."""
    parent = Message({}, {"msg_id": hostile, "msg_type": "x"})
    message = messages.new_message(hostile, {hostile: [hostile]}, parent=parent)
    message.header["msg_id"] = hostile
    line = format_entry(entry_of(message))
    assert line.isprintable()
    line.encode()


# Files


def test_a_trace_file_has_one_line_of_json_for_each_entry(tmp_path: Path) -> None:
    """Anything that travels can be written, and is there at once."""
    path = tmp_path / "wire.jsonl"
    values = {"nan": float("nan"), "surrogate": "\ud800", "big": 2**70, "bytes": b"msgpack", "text": "ä\n"}
    with trace_to_file(path) as trace:
        trace(entry_of(messages.status("busy")))
        trace(make_entry("sent", "shell", messages.comm_msg("c", values, buffers=[b"abc"])))
        lines = path.read_text().splitlines()
    trace(entry_of(messages.status("idle")))

    assert path.read_text().splitlines() == lines
    first, second = map(json.loads, lines)
    assert set(first) == {field.name for field in dataclasses.fields(TraceEntry)}
    assert (first["direction"], first["content"]) == ("received", {"execution_state": "busy"})
    assert (second["buffers"], second["content"]["data"]["big"]) == ([3], 2**70)
    assert second["content"]["data"]["bytes"] == "b'msgpack'"


def test_a_trace_file_is_private_and_new(tmp_path: Path) -> None:
    """Only its owner may read it, and nothing that exists is written to."""
    path = tmp_path / "wire.jsonl"
    with trace_to_file(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError), trace_to_file(path):
        pass
