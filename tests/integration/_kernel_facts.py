"""What a kernel does, measured: the rows of the table in examples/kernels.md."""

import asyncio
from dataclasses import replace
from pathlib import Path

import zmq

from jupyter_kernel_mgmt import Launched
from jupyter_kernel_mgmt.kernelspec import get_kernelspec
from jupyter_kernel_mgmt.subproc.addresses import reserve
from jupyter_protocol import CHANNELS, ConnectionInfo, messages
from jupyter_protocol.heartbeat import Heartbeat

from ._bare_talk import PATIENCE, START, Talk, before_its_end, running, talking
from ._kinds import Kind

VERSION = "version"
"""The row that says what was measured. It is not compared: other versions may well do the same."""

READS = "read -t 1 answer; true"
"""What reads its stdin in bash, which asks nobody."""

SLOW_ERRORS = {
    "python": "import time; time.sleep(0.3); 1/0",
    "bash": "sleep 0.3; cat /no/such/file",
    "R": "Sys.sleep(0.3); stop('no')",
    "echo": "sleep 0.3\nfail no",
    "typescript": "await new Promise((done) => setTimeout(done, 300)); throw new Error('no')",
}
"""Code that fails after some time, in each language: what is sent at once stands behind it in the queue."""


async def measure(kind: Kind, directory: Path) -> dict[str, str]:
    """All rows of one kernel."""
    facts: dict[str, str] = {}
    async with running(kind.kernel_type, "tcp") as (launched, talk, ready):
        assert ready, f"{kind.kernel_type} does not answer over tcp"
        facts |= await _introduction(talk, launched, kind)
        facts |= await _on_control(talk)
        facts |= await _requests(talk, kind)
        facts |= await _outputs(talk, kind)
        by_message = await _interrupted(talk, launched, kind, by_message=True)
    async with running(kind.kernel_type, "ipc") as (launched, talk, ready):
        facts["ready over ipc"] = _yes(ready)
        by_signal = await _interrupted(talk, launched, kind, by_message=False) if ready else {}
    if not by_signal:
        async with running(kind.kernel_type, "tcp") as (launched, talk, _):
            by_signal = await _interrupted(talk, launched, kind, by_message=False)
    facts |= by_signal | by_message
    facts["Curve"] = _yes(await _is_encrypted(kind.kernel_type, directory))
    return facts


async def _introduction(talk: Talk, launched: Launched, kind: Kind) -> dict[str, str]:
    info = await talk.ask(messages.kernel_info_request())
    assert info is not None
    assert launched.connection_info is not None
    async with talking(launched.connection_info) as second:
        await second.ask(messages.kernel_info_request())
    version = f"{info.content.get('implementation')} {info.content.get('implementation_version')}"
    if kind.version:
        told = await talk.run(kind.version)
        version = "".join(m.content["text"] for m in talk.about(told, "stream")).strip()
    greeted = tuple(any(m.msg_type == "iopub_welcome" for _, m in each.heard) for each in (talk, second))
    return {
        VERSION: version,
        "protocol: reported, in headers": f"{info.content.get('protocol_version')}, {info.header['version']}",
        "session id of its own": _yes(info.session != info.parent_header["session"]),
        "iopub_welcome": {(True, True): "to everyone", (True, False): "to the first"}.get(
            tuple(greeted), "no"
        ),
        "heartbeat, idle": await _echoes(launched),
    }


async def _echoes(launched: Launched) -> str:
    assert launched.connection_info is not None
    async with Heartbeat(launched.connection_info, interval=0.1) as heartbeat:
        try:
            async with asyncio.timeout(PATIENCE):
                await heartbeat.wait_for_echo()
        except TimeoutError:
            return "no"
    return "yes"


async def _on_control(talk: Talk) -> dict[str, str]:
    debug = {"type": "request", "seq": 1, "command": "debugInfo", "arguments": {}}
    requests = info, subshell, debugger = (
        messages.kernel_info_request(),
        messages.create_subshell_request(),
        messages.debug_request(debug),
    )
    await asyncio.gather(*(talk.ask(request, "control") for request in requests))
    answer = talk.reply(debugger)
    opened = talk.reply(subshell)
    if opened is not None and "subshell_id" in opened.content:
        await talk.ask(messages.delete_subshell_request(opened.content["subshell_id"]), "control")
    return {
        "kernel_info on control": _yes(talk.reply(info)),
        "busy and idle for control": _yes(talk.idle(info)) if talk.reply(info) else "–",
        "subshells": _yes(opened is not None and opened.content.get("status") == "ok"),
        "debugger": _yes(answer is not None and answer.content.get("success")),
    }


async def _requests(talk: Talk, kind: Kind) -> dict[str, str]:
    hello = await talk.run(kind.hello)
    text, completed = kind.complete
    requests = complete, inspect, history, done, comms = (
        messages.complete_request(text),
        messages.inspect_request(kind.inspect),
        messages.history_request(hist_access_type="tail", n=10),
        messages.is_complete_request(kind.unfinished[0]),
        messages.comm_info_request(),
    )
    for request in requests:
        await talk.ask(request)
    contents = {request.msg_id: reply.content for request in requests if (reply := talk.reply(request))}
    idle = [talk.idle(request) for request in (hello, *requests) if talk.reply(request)]
    return {
        "busy and idle for shell": _yes(all(idle)),
        "complete": _yes(completed in contents.get(complete.msg_id, {}).get("matches", ())),
        "inspect": _yes(contents.get(inspect.msg_id, {}).get("found")),
        "history": _yes(contents.get(history.msg_id, {}).get("history")),
        "is_complete": str(contents.get(done.msg_id, {}).get("status", "no")),
        "comm_info": _yes("comms" in contents.get(comms.msg_id, {})),
    }


async def _outputs(talk: Talk, kind: Kind) -> dict[str, str]:
    question = talk.send("shell", messages.execute_request(kind.question or READS, allow_stdin=True))
    await talk.until(lambda: talk.about(question, "input_request", "execute_reply"))
    for asked in talk.about(question, "input_request"):
        talk.send("stdin", messages.input_reply("x", parent=asked))
    await talk.until(lambda: talk.reply(question) and talk.idle(question))

    async def shows(source: str, msg_type: str) -> str:
        if not source:
            return "no"
        request = await talk.run(source)
        shown = [m for _, m in talk.heard if m.msg_type == msg_type]
        return _yes(shown) if talk.about(request, msg_type) or not shown else "without parent"

    update = f"{kind.display}\n{kind.update}".replace("%s", "facts") if kind.display else ""
    facts = {
        "stdin": _yes(talk.about(question, "input_request")),
        "display_id updates": await shows(update, "update_display_data"),
        "clear_output": await shows(kind.clear, "clear_output"),
        "comms": await shows(kind.open_comm, "comm_open"),
    }
    failing = talk.send("shell", messages.execute_request(SLOW_ERRORS[kind.language], stop_on_error=True))
    queued = await talk.run(kind.hello, stop_on_error=True)  # it is sent long before the other fails
    reply = talk.reply(queued)
    assert talk.reply(failing) is not None
    if talk.about(queued, "stream"):
        facts["behind an error"] = "runs"  # the status may be that of another request, with xeus-python
    else:
        facts["behind an error"] = "no reply" if reply is None else f"`{reply.content.get('status')}`"
    states = [(m.parent_id, m.content["execution_state"]) for _, m in talk.heard if m.msg_type == "status"]
    if (queued.msg_id, "busy") not in states:
        begins = "none when aborted"
    elif states.index((queued.msg_id, "busy")) < states.index((failing.msg_id, "idle")):
        begins = "when it comes in"
    else:
        begins = "when it begins"
    facts["busy of a queued request"] = begins
    return facts


async def _interrupted(talk: Talk, launched: Launched, kind: Kind, *, by_message: bool) -> dict[str, str]:
    """What an interrupt makes of running code, and what the kernel does beside it before."""
    assert launched.manager is not None
    request = talk.send("shell", messages.execute_request(kind.endless))
    assert await talk.until(lambda: talk.about(request, "stream"), START)
    facts = {}
    if by_message:
        beside = talk.send("control", messages.kernel_info_request())
        facts["heartbeat, busy"] = await _echoes(launched)
        facts["kernel_info on control, busy"] = _yes(await talk.until(lambda: talk.reply(beside)))
        talk.send("control", messages.interrupt_request())
    else:
        await launched.manager.interrupt()
    await before_its_end(launched, talk.until(lambda: talk.idle(request) and talk.reply(request)))
    reply = talk.reply(request)
    if not await launched.manager.is_alive():
        outcome = "dies"
    elif talk.idle(request):
        outcome = "idle, no reply" if reply is None else f"idle, `{reply.content.get('status')}`"
    else:
        outcome = "ignored"
    return {f"interrupt by {'message' if by_message else 'signal'}": outcome, **facts}


async def _is_encrypted(kernel_type: str, directory: Path) -> bool:
    """Whether it takes the keys in a connection file, or is to be reached in the clear all the same."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    reservation, ports = reserve(CHANNELS)
    reservation.close()
    info = ConnectionInfo(curve_publickey=public, curve_secretkey=secret, **ports)
    file = directory / f"curve-{kernel_type.rpartition('/')[2]}.json"
    info.write(file)
    command = get_kernelspec(kernel_type.removeprefix("spec/")).command()
    process = await asyncio.create_subprocess_exec(
        *(argument.replace("{connection_file}", str(file)) for argument in command),
        **dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.DEVNULL),
    )
    plain = replace(info, curve_publickey=None, curve_secretkey=None)
    try:
        async with talking(info) as encrypted, talking(plain) as clear:
            asked = [each.send("shell", messages.kernel_info_request()) for each in (encrypted, clear)]
            waiting = [
                asyncio.create_task(each.until(lambda each=each, sent=sent: each.reply(sent), START))
                for each, sent in zip((encrypted, clear), asked, strict=True)
            ]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            return encrypted.reply(asked[0]) is not None
    finally:
        process.kill()
        await process.wait()


def _yes(value: object) -> str:
    return "yes" if value else "no"
