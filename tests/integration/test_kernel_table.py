"""The table in examples/kernels.md says what the kernels really do.

``UPDATE_TABLES=1 python -m pytest tests/integration/test_kernel_table.py`` writes it anew, for the kernels
that are installed. They are looked at over bare sockets, without the client that makes up for their habits.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import zmq

from jupyter_kernel_mgmt import KernelSpecProvider, Launched, LaunchRequest
from jupyter_kernel_mgmt.kernelspec import get_kernelspec
from jupyter_kernel_mgmt.subproc.transports import pick_ports
from jupyter_protocol import CHANNELS, ClientSockets, ConnectionInfo, Message, messages
from jupyter_protocol.heartbeat import Heartbeat

DOCUMENT = Path(__file__).parents[2] / "examples" / "kernels.md"
BEGIN, END = "<!-- the table: written by tests/integration/test_kernel_table.py -->", "<!-- its end -->"

START = 20.0
"""Seconds that a kernel has to answer for the first time; six start at once."""

PATIENCE = 4.0
"""Seconds after which what an idle kernel has not said is taken never to come."""

VERSION = "version"
"""The row that says what was measured. It is not compared: other versions may well do the same."""


@dataclass(frozen=True)
class Code:
    """What a kind of kernel is to be sent here, beside what its `Kind` says; empty where it has no way to."""

    title: str
    version: str = ""  # where kernel_info tells another one's
    slow_error: str = "import time; time.sleep(0.3); 1/0"
    question: str = "input('?')"
    update: str = "from IPython.display import display; h = display('a', display_id='d'); h.update('b')"
    clear: str = "from IPython.display import clear_output; clear_output()"
    comm: str = "from comm import create_comm; create_comm('t', data={'a': 1})"
    name: str = "print"
    unfinished: str = "for n in range(3):"


IPYKERNEL = "import ipykernel; print('ipykernel', ipykernel.__version__)"
CODES = {
    "spec/python3": Code("ipykernel 7", version=IPYKERNEL),
    "ipykernel6": Code("ipykernel 6", version=IPYKERNEL),
    "bash": Code(
        "bash_kernel",
        slow_error="sleep 0.3; cat /no/such/file",
        question="read -t 1 answer; true",
        update="echo a | displayHTML d1; echo b | displayHTML d1",
        clear="",
        comm="",
        name="echo",
        unfinished="for n in 1 2 3",
    ),
    "xpython": Code("xeus-python"),
    "ir": Code(
        "IRkernel",
        slow_error="Sys.sleep(0.3); stop('no')",
        question="readline('?')",
        update="",
        clear="IRdisplay::clear_output()",
        comm="""manager <- IRkernel::comm_manager()
            manager$register_target('t', function(comm, message) NULL)
            manager$new_comm('t')$open(list(a = 1))""",
        unfinished="for (n in 1:3) {",
    ),
    "deno": Code(
        "Deno",
        slow_error="await new Promise((done) => setTimeout(done, 300)); throw new Error('no')",
        question="prompt('?')",
        update="""for (const type of ['display_data', 'update_display_data'])
            await Deno.jupyter.broadcast(type, {data: {'text/plain': 'a'}, metadata: {},
                                                transient: {display_id: 'd'}})""",
        clear="await Deno.jupyter.broadcast('clear_output', {wait: false})",
        comm="await Deno.jupyter.broadcast('comm_open', {comm_id: 'c', target_name: 't', data: {}})",
        name="console",
        unfinished="for (const n of [1, 2, 3]) {",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the table says what kernels do on Linux")
async def test_the_table_of_kernels_says_what_they_do(kinds, world):
    """What is measured, for all installed kernels at once, is what the document says of them."""
    installed = [kind for kind in kinds if kind.kernel_type in CODES and _is_installed(kind.kernel_type)]
    if not installed:
        pytest.skip("no kernel of the table is installed; see tests/install_kernels.py")
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                CODES[kind.kernel_type].title: group.create_task(_measure(kind, world.other))
                for kind in installed
            }
    finally:
        for left in world.temporary.glob("Rtmp*"):  # R's own, where it had to be killed
            shutil.rmtree(left)
    measured = {title: task.result() for title, task in tasks.items()}
    written = _read(DOCUMENT)
    if os.environ.get("UPDATE_TABLES"):
        _write(DOCUMENT, {**written, **measured})
        return
    different = {
        f"{title}: {row}": (written.get(title, {}).get(row), value)
        for title, facts in measured.items()
        for row, value in facts.items()
        if row != VERSION and written.get(title, {}).get(row) != value
    }
    assert not different, "(written, measured); to write the table anew, set UPDATE_TABLES=1"


def _is_installed(kernel_type: str) -> bool:
    try:
        get_kernelspec(kernel_type.removeprefix("spec/"))
    except KeyError:
        return False
    return True


# Talking


class Talk:
    """A conversation with a kernel: requests, and all that it said."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Message]] = []
        self.sockets: ClientSockets | None = None
        self._news = asyncio.Event()

    def note(self, channel: str, message: Message) -> None:
        self.heard.append((channel, message))
        self._news.set()

    async def until(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> bool:
        """Whether what is heard makes it true in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        return bool(condition())

    def about(self, request: Message, *types: str) -> list[Message]:
        """What was said about a request, of these types or all."""
        return [
            m for _, m in self.heard if m.parent_id == request.msg_id and (not types or m.msg_type in types)
        ]

    def reply(self, request: Message) -> Message | None:
        return next(iter(self.about(request, request.msg_type.replace("_request", "_reply"))), None)

    def idle(self, request: Message) -> bool:
        return any(m.content["execution_state"] == "idle" for m in self.about(request, "status"))

    def send(self, channel: str, message: Message) -> Message:
        assert self.sockets is not None
        self.sockets.send(channel, message)
        return message

    async def ask(
        self, request: Message, channel: str = "shell", seconds: float = PATIENCE
    ) -> Message | None:
        """The reply, once idle has come too or is not going to."""
        self.send(channel, request)
        await self.until(lambda: self.reply(request), seconds)
        if self.reply(request) is not None:
            await self.until(lambda: self.idle(request), PATIENCE)
        return self.reply(request)

    async def run(self, code: str, **options: Any) -> Message:
        """Run code; returns the request."""
        request = messages.execute_request(code, **options)
        await self.ask(request)
        return request


@asynccontextmanager
async def _talking(info: ConnectionInfo) -> AsyncIterator[Talk]:
    talk = Talk()
    async with ClientSockets(info, on_message=talk.note) as talk.sockets:
        yield talk


@asynccontextmanager
async def _running(kernel_type: str, transport: str) -> AsyncIterator[tuple[Launched, Talk, bool]]:
    """A kernel, a conversation from before its first word, and whether it became ready."""
    provider = KernelSpecProvider()
    for last in (False, False, True):  # all choose ports at the same time, and may lose one to another
        launched = await provider.launch(
            kernel_type.removeprefix("spec/"), LaunchRequest(transport=transport)
        )
        assert launched.manager is not None
        assert launched.connection_info is not None
        try:
            async with _talking(launched.connection_info) as talk:
                ready = await _becomes_ready(talk, launched)
                if not ready and transport == "tcp" and not last:
                    continue
                yield launched, talk, ready
                talk.send("control", messages.shutdown_request())
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await launched.manager.wait()
                return
        finally:
            await launched.manager.aclose()


async def _becomes_ready(talk: Talk, launched: Launched) -> bool:
    first = talk.send("shell", messages.kernel_info_request())
    if not await _before_its_end(launched, talk.until(lambda: talk.reply(first), START)):
        return False
    while not any(channel == "iopub" for channel, _ in talk.heard):
        if await talk.ask(messages.kernel_info_request(), seconds=START) is None:
            return False
    return True


async def _before_its_end(launched: Launched, waiting: Awaitable[bool]) -> bool:
    """Whether something happens while the kernel lives."""
    assert launched.manager is not None
    task = asyncio.ensure_future(waiting)
    end = asyncio.create_task(launched.manager.wait())
    await asyncio.wait([task, end], return_when=asyncio.FIRST_COMPLETED)
    for one in (task, end):
        one.cancel()
    await asyncio.wait([task, end])
    return not task.cancelled() and task.result()


# Measuring


async def _measure(kind: Any, directory: Path) -> dict[str, str]:
    """All rows of one kernel."""
    code = CODES[kind.kernel_type]
    facts: dict[str, str] = {}
    async with _running(kind.kernel_type, "tcp") as (launched, talk, ready):
        assert ready, f"{kind.kernel_type} does not answer over tcp"
        facts |= await _introduction(talk, launched, code)
        facts |= await _on_control(talk)
        facts |= await _requests(talk, kind, code)
        facts |= await _outputs(talk, kind, code)
        by_message = await _interrupted(talk, launched, kind, by_message=True)
    async with _running(kind.kernel_type, "ipc") as (launched, talk, ready):
        facts["ready over ipc"] = _yes(ready)
        by_signal = await _interrupted(talk, launched, kind, by_message=False) if ready else {}
    if not by_signal:
        async with _running(kind.kernel_type, "tcp") as (launched, talk, _):
            by_signal = await _interrupted(talk, launched, kind, by_message=False)
    facts |= by_signal | by_message
    facts["Curve"] = _yes(await _is_encrypted(kind.kernel_type, directory))
    return facts


async def _introduction(talk: Talk, launched: Launched, code: Code) -> dict[str, str]:
    info = await talk.ask(messages.kernel_info_request())
    assert info is not None
    assert launched.connection_info is not None
    async with _talking(launched.connection_info) as second:
        await second.ask(messages.kernel_info_request())
    version = f"{info.content.get('implementation')} {info.content.get('implementation_version')}"
    if code.version:
        told = await talk.run(code.version)
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


async def _requests(talk: Talk, kind: Any, code: Code) -> dict[str, str]:
    hello = await talk.run(kind.hello)
    text, completed = kind.complete
    requests = complete, inspect, history, done, comms = (
        messages.complete_request(text),
        messages.inspect_request(code.name),
        messages.history_request(hist_access_type="tail", n=10),
        messages.is_complete_request(code.unfinished),
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


async def _outputs(talk: Talk, kind: Any, code: Code) -> dict[str, str]:
    question = talk.send("shell", messages.execute_request(code.question, allow_stdin=True))
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

    facts = {
        "stdin": _yes(talk.about(question, "input_request")),
        "display_id updates": await shows(code.update, "update_display_data"),
        "clear_output": await shows(code.clear, "clear_output"),
        "comms": await shows(code.comm, "comm_open"),
    }
    failing = talk.send("shell", messages.execute_request(code.slow_error, stop_on_error=True))
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


async def _interrupted(talk: Talk, launched: Launched, kind: Any, *, by_message: bool) -> dict[str, str]:
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
    await _before_its_end(launched, talk.until(lambda: talk.idle(request) and talk.reply(request)))
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
    ports = zip(CHANNELS, pick_ports(len(CHANNELS)), strict=True)
    info = ConnectionInfo(
        curve_publickey=public, curve_secretkey=secret, **{f"{channel}_port": port for channel, port in ports}
    )
    file = directory / f"curve-{kernel_type.rpartition('/')[2]}.json"
    info.write(file)
    command = get_kernelspec(kernel_type.removeprefix("spec/")).command()
    process = await asyncio.create_subprocess_exec(
        *(argument.replace("{connection_file}", str(file)) for argument in command),
        **dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.DEVNULL),
    )
    plain = replace(info, curve_publickey=None, curve_secretkey=None)
    try:
        async with _talking(info) as encrypted, _talking(plain) as clear:
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


# The document


def _read(path: Path) -> dict[str, dict[str, str]]:
    """The table, a dict of rows for each kernel."""
    inside = path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in inside.strip().splitlines()]
    titles = rows[0][1:] if rows else []
    return {title: {row[0]: row[n] for row in rows[2:]} for n, title in enumerate(titles, start=1)}


def _write(path: Path, table: dict[str, dict[str, str]]) -> None:
    order = [code.title for code in CODES.values() if code.title in table]
    rows = list(dict.fromkeys(row for title in order for row in table[title]))
    lines = (
        ["", *order],
        ["---"] * (len(order) + 1),
        *([r, *(table[t].get(r, "") for t in order)] for r in rows),
    )
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
