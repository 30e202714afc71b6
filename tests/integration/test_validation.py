"""What kernels send is what the specification says, except for a short list for each of them."""

import asyncio
import shutil

import pytest

from jupyter_protocol import Message, messages

from ._bare_talk import START, Talk, running
from ._kernel_facts import READS, SLOW_ERRORS
from ._kinds import BASH, DENO, ECHO, IPYKERNEL6, IR, PYTHON3, XEUS, Kind, in_long_form, require

DEBUG_INFO = {"type": "request", "seq": 1, "command": "debugInfo", "arguments": {}}

ABORTED = {"execute_reply content.execution_count": "an aborted reply has none"}
DEBUGGER = {
    "debug_reply content.seq": "a response has none",
    "debug_reply content.body.hashSeed": "it is a number",
}
DEVIATIONS: dict[Kind, dict[str, str]] = {
    PYTHON3: {**ABORTED, **DEBUGGER},
    IPYKERNEL6: {**ABORTED, **DEBUGGER},
    BASH: {**ABORTED, "kernel_info_reply content.language_info.version": "there is none"},
    XEUS: {
        **DEBUGGER,
        "iopub_welcome parent_header": "it is null",
        "iopub_welcome metadata": "it is null",
        "is_complete_reply content.indent": "it is there whatever the status",
        "history_reply content.traceback": "an error has none",
    },
    IR: {
        **ABORTED,
        "comm_info_reply content.comms": "it is in another object called content",
        "comm_open header.session": "it is an empty object",
        "comm_open header.username": "it is an empty object",
    },
    DENO: {},
    ECHO: {},
}
"""All that is invalid of what a kernel sends in the conversation below, by type and field, and how."""

ALWAYS = {
    *("kernel_info_reply", "execute_reply", "complete_reply", "inspect_reply", "history_reply"),
    *("is_complete_reply", "comm_info_reply", "shutdown_reply"),
    *("status", "stream", "execute_input", "error"),
}
"""What every kernel sends in it."""


@pytest.mark.parametrize("kind", DEVIATIONS, ids=str)
async def test_all_but_the_known_deviations_of_a_kernel_is_valid(kind, world, monkeypatch):
    """Everything that it sends from its first word to its last, and everything that we send to it."""
    in_long_form(kind in (PYTHON3, XEUS, DENO, ECHO))
    require(kind.kernel_type)
    monkeypatch.setenv("JUPYTER_PROTOCOL_VALIDATE", "1")  # what we send would raise
    try:
        async with running(kind.kernel_type, "tcp") as (_, talk, ready):
            assert ready
            await _converse(talk, kind)
            heard = {message.msg_type for _, message in talk.heard}
            found = set(talk.sockets.invalid)
    finally:
        for pattern in kind.litter:
            for left in world.temporary.glob(pattern):
                shutil.rmtree(left)
    assert heard >= ALWAYS
    assert found == set(DEVIATIONS[kind])


async def _converse(talk: Talk, kind: Kind) -> None:
    """A little of everything, and at last the end."""
    await _on_control(talk, messages.kernel_info_request())
    await talk.run(kind.hello, user_expressions={"sum": "1 + 1", "wrong": "no such"})
    shown = kind.display and [kind.display.replace("%s", "d"), kind.update.replace("%s", "d")]
    for code in (kind.error, kind.value[0], kind.clear, kind.open_comm, *(shown or ())):
        if code:
            await talk.run(code)
    for request in _questions(kind):
        await talk.ask(request)
    await _is_asked(talk, kind)
    failing = talk.send("shell", messages.execute_request(SLOW_ERRORS[kind.language], stop_on_error=True))
    await talk.run(kind.hello)  # it is sent long before the other fails
    assert talk.reply(failing) is not None
    await asyncio.gather(  # what many do not answer
        _in_subshells(talk),
        _on_control(talk, messages.debug_request(DEBUG_INFO)),
        _on_control(talk, messages.interrupt_request()),
        talk.ask(messages.connect_request()),
    )
    await _on_control(talk, messages.shutdown_request())


async def _on_control(talk: Talk, request: Message) -> Message | None:
    """The reply alone: some kernels are never idle on control."""
    talk.send("control", request)
    await talk.until(lambda: talk.reply(request))
    return talk.reply(request)


async def _in_subshells(talk: Talk) -> None:
    created = await _on_control(talk, messages.create_subshell_request())
    if created is not None and "subshell_id" in created.content:
        await _on_control(talk, messages.list_subshell_request())
        await _on_control(talk, messages.delete_subshell_request(created.content["subshell_id"]))


def _questions(kind: Kind) -> list[Message]:
    text, _ = kind.complete
    return [
        messages.complete_request(text),
        messages.inspect_request(kind.inspect),
        messages.inspect_request("no_such_thing"),
        messages.history_request(n=3),
        messages.history_request(n=3, output=True),
        messages.history_request(hist_access_type="range", session=0, start=1000, stop=1001),
        messages.history_request(hist_access_type="search", pattern="*", n=3, unique=True),
        messages.is_complete_request(kind.unfinished[0]),
        messages.is_complete_request(kind.hello),
        messages.comm_info_request(),
        messages.comm_info_request(target_name="t"),
    ]


async def _is_asked(talk: Talk, kind: Kind) -> None:
    """The kernel asks, where it can, and is answered."""
    question = talk.send("shell", messages.execute_request(kind.question or READS, allow_stdin=True))
    await talk.until(lambda: talk.about(question, "input_request", "execute_reply"), START)
    for asked in talk.about(question, "input_request"):
        talk.send("stdin", messages.input_reply("x", parent=asked))
    await talk.until(lambda: talk.reply(question) and talk.idle(question))
