"""The kernel of examples/echo_kernel, on `jupyter_protocol` alone, in the hands of other programs.

What it does in ours is in behaviours/, test_kernels.py and test_transports.py.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import connect, launch
from jupyter_kernel_mgmt.kernelspec import get_kernelspec
from jupyter_protocol import (
    ClientSockets,
    ConnectionInfo,
    Message,
    RegistrationSocket,
    has_curve,
    messages,
    write_private,
)

from ._bare_talk import talking
from ._kinds import ECHO, require

GUARD = 60.0
CONFORMANCE = Path(__file__).with_name("_echo_conformance.py")
JUPYTER = (sys.executable, "-m", "jupyter")

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty or signals")


@pytest.fixture(autouse=True)
def echo() -> None:
    require(ECHO.kernel_type)


async def run(*command: str | Path, typed: str = "") -> tuple[int, str, str]:
    """Run a program to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(GUARD):
        output, errors = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


# Jupyter's own programs


@pytest.mark.parametrize(
    ("case", "ran", "skipped"), [("EchoTests", 12, ["test_pager"]), ("EchoWelcomeTests", 1, [])]
)
async def test_it_passes_jupyter_kernel_test(case, ran, skipped, monkeypatch):
    """All of it, but for pagers, which the language does not have; sending what is invalid would fail."""
    pytest.importorskip("jupyter_kernel_test")
    monkeypatch.setenv("JUPYTER_PROTOCOL_VALIDATE", "1")
    _, output, errors = await run(sys.executable, CONFORMANCE, case)
    assert json.loads(output) == {"ran": ran, "skipped": skipped, "failed": []}, errors


async def test_jupyter_run_runs_code_in_it():
    """What is printed is on stdout; an error is told, and is the exit code."""
    code, output, errors = await run(*JUPYTER, "run", "--kernel=echo", typed="print hello\nprint you")
    assert (code, output) == (0, "hello\nyou\n"), errors
    code, output, errors = await run(*JUPYTER, "run", "--kernel=echo", typed="print hello\nfail no")
    assert (code, output) == (1, "hello\n")
    assert "EchoError: no" in errors


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, *command: str) -> None:
        pexpect = pytest.importorskip("pexpect")
        environment = {**os.environ, "TERM": "dumb"}
        self.child = pexpect.spawn(
            command[0], [*command[1:]], encoding="utf-8", timeout=GUARD, env=environment
        )
        self.ended = pexpect.EOF

    async def shows(self, *texts: str) -> None:
        """Wait until it has shown them, in this order."""
        for text in texts:
            await asyncio.to_thread(self.child.expect_exact, text)

    async def type(self, line: str, *texts: str) -> None:
        """Type a line, and wait for what comes of it."""
        self.child.sendline(line)
        await self.shows(line, *texts)


@pytest.fixture
async def console() -> AsyncIterator[Terminal]:
    """jupyter_console with an echo kernel."""
    pytest.importorskip("jupyter_console")
    terminal = Terminal(*JUPYTER, "console", "--kernel=echo", "--simple-prompt")
    yield terminal
    await asyncio.to_thread(terminal.child.close, force=True)


def connections(port: int) -> int:
    """How many there are to a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[1].rpartition(":")[2], 16) == port and line[3] == "01" for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for connections in /proc")
async def test_jupyter_console_works_with_it(console, world, eventually):
    """Output, values, errors and questions; Ctrl-C interrupts, by message; leaving ends the kernel."""
    await console.shows("In [1]: ")
    (file,) = world.runtime.glob("kernel-*.json")
    # It does not wait for its own subscription: of what is typed at once it may miss all, and then it hangs.
    await eventually(lambda: connections(ConnectionInfo.load(file).iopub_port))
    async with asyncio.timeout(GUARD), connect(file) as other, other.client.messages() as stream:
        await console.type("print to all", "to all", "In [2]: ")
        await console.type("6 * 7", "Out[2]: 6 * 7", "In [3]: ")
        await console.type("fail for a reason", "EchoError: for a reason", "In [4]: ")
        await console.type("ask who?", "who?")
        await console.type("Ada", "Ada", "In [5]: ")
        await console.type("sleep 600")
        async for _, message in stream:
            if message.msg_type == "execute_input" and message.content["code"] == "sleep 600":
                break
    console.child.sendintr()
    await console.shows("KeyboardInterrupt", "In [6]: ")
    console.child.sendeof()
    await console.shows("really want to exit")
    await console.type("y", "Shutting down kernel")
    await asyncio.to_thread(console.child.expect, console.ended)


# Several at once, and what makes no sense


async def test_each_client_is_asked_its_own_questions():
    """Though both are asked at the same time."""

    def answering(name: str) -> Callable[[str, bool], Awaitable[str]]:
        async def answer(prompt: str, password: bool) -> str:
            asked[name].set()
            await asyncio.gather(*(event.wait() for event in asked.values()))
            return f"{name} to {prompt}"

        return answer

    asked = {name: asyncio.Event() for name in ("one", "two", "three")}
    async with (
        asyncio.timeout(GUARD),
        launch("echo", stdin=answering("one")) as kernel,
        AsyncExitStack() as stack,
    ):
        others = [
            await stack.enter_async_context(connect(kernel.connection_file, stdin=answering(name)))
            for name in ("two", "three")
        ]
        subshells = [await stack.enter_async_context(other.subshell()) for other in others]
        running = [kernel.execute("ask A?")]
        running += [
            each.execute("ask B?", subshell_id=id) for each, id in zip(others, subshells, strict=True)
        ]
        answers = [(await execution).stdout for execution in running]
    assert answers == ["one to A?\n", "two to B?\n", "three to B?\n"]


async def test_two_questions_to_one_client_each_get_their_answer():
    """In two of its shells; in whatever order they are answered."""
    async with asyncio.timeout(GUARD), launch("echo") as kernel, talking(kernel.connection_info) as talk:
        asked = []
        async with kernel.subshell() as subshell:
            for name, where in (("A", None), ("B", subshell)):
                request = messages.execute_request(f"ask {name}", allow_stdin=True, subshell_id=where)
                talk.send("shell", request)
                assert await talk.until(lambda request=request: talk.about(request, "input_request"))
                asked.append((request, *talk.about(request, "input_request")))
            for request, question in reversed(asked):
                prompt = question.content["prompt"]
                talk.send("stdin", messages.input_reply(f"answer to {prompt}", parent=question))
                assert await talk.until(lambda request=request: talk.about(request, "stream"))
            texts = [talk.about(request, "stream")[0].content["text"] for request, _ in asked]
            assert texts == ["answer to A\n", "answer to B\n"]
            await asyncio.gather(*(talk.until(lambda r=request: talk.reply(r)) for request, _ in asked))


async def test_a_subshell_that_is_deleted_answers_what_it_had():
    """What runs is interrupted, what waits is aborted; what comes later is told that it is not there."""
    async with asyncio.timeout(GUARD), launch("echo") as kernel, talking(kernel.connection_info) as talk:
        created = await talk.ask(messages.create_subshell_request(), "control")
        subshell = created.content["subshell_id"]
        codes = ["print started\nsleep 600", "print not this", "print nor this"]
        requests = [messages.execute_request(code, subshell_id=subshell) for code in codes]
        for request in requests:
            talk.send("shell", request)
        await talk.until(lambda: talk.about(requests[0], "stream"))
        await talk.ask(messages.delete_subshell_request(subshell), "control")
        await talk.until(lambda: all(map(talk.idle, requests)))
        await talk.until(lambda: all(map(talk.reply, requests)))
        replies = [talk.reply(request).content for request in requests]
        assert [reply["status"] for reply in replies] == ["error", "aborted", "aborted"]
        late = messages.execute_request("print late", subshell_id=subshell)
        assert (await talk.ask(late)).content["status"] == "error"
        assert talk.idle(late)
        listed = await talk.ask(messages.list_subshell_request(), "control")
        assert listed.content["subshell_id"] == []


async def test_no_request_makes_it_fail():
    """Whatever is missing in it, or is of another type than it should be."""
    types = [name for name in messages.__all__ if name.endswith(("_request", "input_reply", "comm_open"))]
    types = [name for name in types if name != "shutdown_request"]
    values = [None, 1, -1, "x", [], {}]
    fields = ["code", "cursor_pos", "hist_access_type", "n", "start", "subshell_id", "value", "comm_id"]
    contents = [{}] + [dict.fromkeys(fields, value) for value in values]
    async with asyncio.timeout(GUARD), launch("echo") as kernel, talking(kernel.connection_info) as talk:
        for msg_type in types:
            for channel in ("shell", "control", "stdin"):
                for content in contents:
                    request = messages.new_message(msg_type, content)
                    request.header["subshell_id"] = content.get("subshell_id")
                    talk.send(channel, request)
        for channel in ("control", "shell"):
            assert (await talk.ask(messages.kernel_info_request(), channel)).content["status"] == "ok"


async def test_what_may_be_missing_has_the_default_of_the_specification():
    """Code is not silent then, and is remembered; nobody is asked anything."""
    async with asyncio.timeout(GUARD), launch("echo") as kernel, talking(kernel.connection_info) as talk:
        request = messages.new_message("execute_request", {"code": "one"})
        assert (await talk.ask(request)).content["execution_count"] == 1
        assert talk.about(request, "execute_result")
        asking = messages.new_message("execute_request", {"code": "ask who?"})
        reply = await talk.ask(asking)
        assert (reply.content["ename"], reply.content["execution_count"]) == ("EchoError", 2)
        history = await talk.ask(messages.history_request())
        assert history.content["history"] == [[1, 1, "one"], [1, 2, "ask who?"]]


async def test_the_main_shell_cannot_be_deleted():
    """It is no subshell, though it is found under an empty name."""
    async with asyncio.timeout(GUARD), launch("echo") as kernel, talking(kernel.connection_info) as talk:
        reply = await talk.ask(messages.delete_subshell_request(""), "control")
        assert reply.content["status"] == "error"
        assert (await talk.ask(messages.execute_request("on"))).content["status"] == "ok"


HISTORY = [
    ({"hist_access_type": "tail", "n": 0}, []),
    ({"hist_access_type": "tail", "n": -1}, []),
    ({"hist_access_type": "tail", "n": 2}, [2, 3]),
    ({"hist_access_type": "tail", "n": 9}, [1, 2, 3]),
    ({"hist_access_type": "search", "n": 0, "pattern": "*"}, []),
    ({"hist_access_type": "search", "n": 1, "pattern": "*t*"}, [3]),
    ({"hist_access_type": "range", "session": 0, "start": 2, "stop": 3}, [2]),
    ({"hist_access_type": "range", "session": 1, "start": 0, "stop": None}, [1, 2, 3]),
    ({"hist_access_type": "range", "session": 0, "start": 0, "stop": 0}, []),
    ({"hist_access_type": "range", "session": -1, "start": 0, "stop": 9}, []),
    ({"hist_access_type": "range", "session": 0, "start": 1, "stop": 3, "n": 1}, [1, 2]),
]


async def test_of_its_history_it_tells_what_was_asked_for():
    """Nothing where nothing was, and nothing of sessions before."""
    async with asyncio.timeout(GUARD), launch("echo") as kernel, talking(kernel.connection_info) as talk:
        for code in ("one", "two", "three"):
            await talk.ask(messages.execute_request(code))
        told = []
        for wanted, _ in HISTORY:
            reply = await talk.ask(messages.new_message("history_request", wanted))
            told.append([number for _, number, _ in reply.content["history"]])
        assert told == [numbers for _, numbers in HISTORY]


async def test_what_is_no_request_gets_no_reply():
    """Not even when it fails, and on no channel: busy and idle are all that is said."""
    async with asyncio.timeout(GUARD), launch("echo") as kernel, talking(kernel.connection_info) as talk:
        for channel in ("shell", "control"):
            opened = talk.send(channel, messages.new_message("comm_open", {}))  # without an id to close
            assert await talk.until(lambda opened=opened: talk.idle(opened))
            await talk.ask(messages.kernel_info_request(), channel)  # replies keep their order
            assert [message.msg_type for message in talk.about(opened)] == ["status", "status"]


# Each way to its addresses

WAYS = ["ipc", "own-ports", "handshake", "picked-ports"]


@pytest.mark.skipif(not has_curve(), reason="this libzmq cannot encrypt")
@pytest.mark.parametrize("way", WAYS)
async def test_whoever_has_no_key_gets_nothing(way):
    """However the kernel came to its addresses: those who encrypt are served, one who does not is not."""
    async with asyncio.timeout(GUARD), launch("echo", transport=way, encryption="required") as kernel:
        info = kernel.connection_info
        assert info.curve_publickey
        heard: list[Message] = []
        plain = replace(info, curve_publickey=None, curve_secretkey=None)
        async with ClientSockets(plain, on_message=lambda _, message: heard.append(message)) as outsider:
            outsider.linger = 0
            for channel in ("shell", "control"):
                outsider.send(channel, messages.shutdown_request())
            for number in range(20):
                assert (await kernel.execute(f"print {number}")).stdout == f"{number}\n"
        assert heard == []


@posix_only
@pytest.mark.parametrize("way", WAYS)
async def test_the_process_ends_by_itself(way, world):
    """When it is asked to, also while code runs; its sockets are gone then."""
    async with asyncio.timeout(GUARD), launch("echo", transport=way) as kernel:
        running = kernel.execute("print started\nsleep 600")
        async for _ in running:
            break
        kernel.client.send("control", messages.shutdown_request())
        assert (await kernel.manager.wait()).returncode == 0
        assert [path for path in world.temporary.rglob("*") if path.is_socket()] == []


@posix_only
async def test_a_signal_to_interrupt_does_not_end_it():
    """Interrupts come to it as messages; a Ctrl-C in its terminal is meant for others."""
    async with asyncio.timeout(GUARD), launch("echo") as kernel:
        await kernel.manager.signal(signal.SIGINT)
        assert (await kernel.execute("print on")).stdout == "on\n"


async def test_a_kernel_that_nobody_expects_ends_and_says_why(world):
    """A launcher that gave up leaves none behind."""
    file = world.other / "kernel.json"
    async with RegistrationSocket() as registration:
        write_private(file, registration.file("one", ConnectionInfo()))
        command = [part.replace("{connection_file}", str(file)) for part in get_kernelspec("echo").command()]
        code, output, errors = await run(*command)
    assert code == 1
    assert output == ""
    assert f"did not answer this kernel's registration at {registration.url}" in errors
    assert registration.refused == {"InvalidSignature": 1}
