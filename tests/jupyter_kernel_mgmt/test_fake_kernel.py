"""`FakeKernel` behaves like a kernel: the same checks on it, in memory and over sockets, and on ipykernel."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import InterruptOutcome, KernelClient, connect
from jupyter_kernel_mgmt.channels import ZMQChannels
from jupyter_kernel_mgmt.testing import FakeKernel, FakeRun, MemoryChannels, Quirks
from jupyter_protocol import CHANNELS, ConnectionInfo, KernelSockets, Message, messages

PRINT = "print('hello')"
WARN = "import sys; print('careful', file=sys.stderr)"
VALUE = "6 * 7"
FAIL = "1/0"
ASK = "input('name? ')"
DISPLAY = "from IPython.display import display; display({'text/plain': 'shown'}, raw=True)"
ASK_AND_FAIL = "input('ready? '); 1/0"
FOREVER = "while True: pass"


async def behave(run: FakeRun) -> None:
    """What ipykernel does with these pieces of code."""
    if run.code == PRINT:
        run.write("hello\n")
    elif run.code == WARN:
        run.write("careful\n", "stderr")
    elif run.code == VALUE:
        run.result("42")
    elif run.code == FAIL:
        raise ZeroDivisionError("division by zero")
    elif run.code == ASK:
        run.result(repr(await run.input("name? ")))
    elif run.code == ASK_AND_FAIL:
        already = len(run.kernel.requests("execute_request"))
        await run.input("ready? ")
        await run.kernel.wait_for("execute_request", count=already + 2)
        raise ZeroDivisionError("division by zero")
    elif run.code == DISPLAY:
        run.display({"text/plain": "shown"})
    elif run.code == FOREVER:
        await asyncio.Event().wait()


class Recorder:
    """All messages a client got, and waiting for a request to be over."""

    def __init__(self, client: KernelClient) -> None:
        self.client = client
        self.seen: list[tuple[str, Message]] = []
        client.add_handler(lambda channel, message: self.seen.append((channel, message)))

    def about(self, msg_id: str, channel: str) -> list[Message]:
        return [m for c, m in self.seen if c == channel and m.parent_id == msg_id]

    async def over(self, msg_id: str) -> None:
        def idle() -> bool:
            return any(m.content.get("execution_state") == "idle" for m in self.about(msg_id, "iopub"))

        async with asyncio.timeout(20):
            await self.client.until(idle)


@pytest.fixture(scope="module")
def ipykernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The connection file of an ipykernel that all tests here talk to; the last one ends it."""
    directory = tmp_path_factory.mktemp("ipykernel")
    file = directory / "kernel.json"
    ports = {f"{channel}_port": n for n, channel in enumerate(CHANNELS, start=1)}
    ConnectionInfo(transport="ipc", ip=str(directory / "k"), **ports).write(file)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield file
        process.kill()


@pytest.fixture(params=["memory", "sockets", "ipykernel"])
async def client(
    request: pytest.FixtureRequest, tmp_path: Path, ipykernel: Path
) -> AsyncIterator[KernelClient]:
    """A client of a kernel that has seen nothing but what makes it ready."""
    async with AsyncExitStack() as stack:
        if request.param == "ipykernel":
            kernel = await stack.enter_async_context(connect(ipykernel))
            yield kernel.client
            return
        if request.param == "memory":
            channels = MemoryChannels()
            await stack.enter_async_context(FakeKernel(channels.kernel, behave))
            yield await stack.enter_async_context(KernelClient(channels))
            return
        info = ConnectionInfo(transport="ipc", ip=str(tmp_path / "k"))
        sockets = KernelSockets(info)
        await stack.enter_async_context(FakeKernel(sockets, behave))
        await stack.enter_async_context(sockets)
        made = KernelClient(await ZMQChannels.open(sockets.connection_info))
        await stack.enter_async_context(made)
        await made.kernel_info()
        yield made


@pytest.fixture
def answers(client: KernelClient) -> Callable[[str], None]:
    """Makes the client answer the kernel's questions."""

    def use(line: str) -> None:
        async def stdin(prompt: str, password: bool) -> str:
            return f"{line} to {prompt!r} {password}"

        client.stdin = stdin

    return use


async def test_code_runs_between_busy_and_idle_and_is_echoed(client: KernelClient) -> None:
    """busy, execute_input, output, idle; and the reply on shell."""
    recorder = Recorder(client)
    execution = client.execute(PRINT)
    result = await execution
    await recorder.over(execution.msg_id)

    iopub = recorder.about(execution.msg_id, "iopub")
    assert [m.content.get("execution_state", m.msg_type) for m in iopub] == [
        "busy",
        "execute_input",
        "stream",
        "idle",
    ]
    assert iopub[1].content == {"code": PRINT, "execution_count": result.execution_count}
    assert [m.msg_type for m in recorder.about(execution.msg_id, "shell")] == ["execute_reply"]
    assert (result.status, result.stdout) == ("ok", "hello\n")


@pytest.mark.parametrize(
    ("code", "outputs"),
    [
        (WARN, [{"output_type": "stream", "name": "stderr", "text": "careful\n"}]),
        (DISPLAY, [{"output_type": "display_data", "data": {"text/plain": "shown"}, "metadata": {}}]),
        ("", []),
    ],
    ids=["stderr", "display", "nothing"],
)
async def test_each_kind_of_output(client: KernelClient, code: str, outputs: list[object]) -> None:
    """As nbformat wants it."""
    result = await client.execute(code)

    assert (result.status, result.outputs) == ("ok", outputs)


async def test_a_value_comes_with_the_count_of_the_reply(client: KernelClient) -> None:
    """Counts go up by one for code that goes into the history, and only then."""
    first = await client.execute(VALUE)
    hidden = await client.execute(VALUE, store_history=False)
    second = await client.execute(VALUE)

    assert (first.text, second.text, hidden.text) == ("42", "42", "42")
    assert first.execution_count is not None
    assert first.outputs[0]["execution_count"] == first.execution_count
    assert second.execution_count == first.execution_count + 1


async def test_code_that_raises_gives_an_error_in_reply_and_output(client: KernelClient) -> None:
    """With name, value and traceback."""
    result = await client.execute(FAIL)

    assert result.status == "error"
    assert result.error is not None
    assert (result.error.ename, result.error.evalue) == ("ZeroDivisionError", "division by zero")
    assert result.error.traceback
    assert result.outputs[-1]["output_type"] == "error"


@pytest.mark.parametrize("stop_on_error", [True, False])
async def test_an_error_aborts_what_waits_behind_it_only_if_asked(
    client: KernelClient, stop_on_error: bool
) -> None:
    """The code fails only after what is behind it was sent."""
    asked, sent = asyncio.Event(), asyncio.Event()

    async def stdin(prompt: str, password: bool) -> str:
        asked.set()
        await sent.wait()
        return ""

    client.stdin = stdin
    failing = client.execute(ASK_AND_FAIL, stop_on_error=stop_on_error)
    await asked.wait()
    behind = [client.execute(VALUE) for _ in range(2)]
    await client._ask(messages.kernel_info_request(), "control")
    sent.set()

    assert (await failing).status == "error"
    expected = "aborted" if stop_on_error else "ok"
    assert [(await execution).status for execution in behind] == [expected] * 2


async def test_code_asks_and_gets_the_answer(client: KernelClient, answers: Callable[[str], None]) -> None:
    """The question has the prompt and is no password."""
    answers("Ada")

    assert (await client.execute(ASK)).text == repr("Ada to 'name? ' False")


async def test_asking_fails_where_nobody_answers(client: KernelClient) -> None:
    """The request says so beforehand."""
    result = await client.execute(ASK)

    assert result.status == "error"


async def test_an_interrupt_ends_the_code_that_runs_and_nothing_else(client: KernelClient) -> None:
    """The kernel is as good as before."""
    execution = client.execute(FOREVER)

    outcome = await execution.interrupt()

    assert outcome is InterruptOutcome.IDLE
    result = await execution
    assert result.status == "interrupted"
    assert result.error is not None
    assert result.error.ename == "KeyboardInterrupt"
    assert (await client.execute(VALUE)).text == "42"


async def test_every_plain_request_has_its_reply(client: KernelClient) -> None:
    """With the fields that the specification asks for."""
    info = await client.kernel_info()
    assert {"protocol_version", "implementation", "language_info", "banner"} <= info.content.keys()
    complete = await client.complete("pri")
    assert {"matches", "cursor_start", "cursor_end", "status"} <= complete.content.keys()
    assert (await client.is_complete("1")).content["status"] == "complete"
    inspected = await client.inspect("no_such_name")
    assert inspected.content["found"] is False
    assert "history" in (await client.history()).content
    assert (await client.comm_info()).content["comms"] == {}


async def test_control_is_answered_while_code_runs(client: KernelClient) -> None:
    """It does not wait in the queue of shell."""
    execution = client.execute(FOREVER)
    async with asyncio.timeout(20):
        await client.until(lambda: client.executing)
        reply = await client._ask(messages.kernel_info_request(), "control")
    assert reply.msg_type == "kernel_info_reply"
    assert not execution.done()

    await execution.interrupt()


async def test_requests_on_shell_are_handled_in_order(client: KernelClient) -> None:
    """One after the other, whatever they are."""
    recorder = Recorder(client)
    first = client.execute(PRINT)
    info = asyncio.create_task(client.kernel_info())
    await asyncio.sleep(0)
    second = client.execute(VALUE)
    await asyncio.gather(first, info, second)

    parents = [first.msg_id, info.result().parent_id, second.msg_id]
    assert [m.parent_id for c, m in recorder.seen if c == "shell" and m.parent_id in parents] == parents


async def test_shutdown_is_answered(client: KernelClient) -> None:
    """With the restart flag of the request."""
    reply = await client.request_shutdown(restart=True)

    assert (reply.msg_type, reply.content["restart"]) == ("shutdown_reply", True)


# The fake alone: what it does to order


@pytest.fixture
async def sides() -> AsyncIterator[tuple[MemoryChannels, FakeKernel, list[tuple[str, str]]]]:
    """Channels, the kernel on them, and what the client's end gets, in short."""
    channels = MemoryChannels()
    got: list[tuple[str, str]] = []
    channels.on_message = lambda channel, m: got.append(
        (channel, m.content.get("execution_state", m.msg_type))
    )
    async with FakeKernel(channels.kernel, behave) as kernel:
        yield channels, kernel, got
    await channels.aclose()


BUSY, REPLY, IDLE = ("iopub", "busy"), ("shell", "kernel_info_reply"), ("iopub", "idle")


@pytest.mark.parametrize(
    ("quirks", "expected"),
    [
        (Quirks(), [BUSY, REPLY, IDLE]),
        (Quirks(replies_before_busy=True), [REPLY, BUSY, IDLE]),
        (Quirks(says_idle=False), [BUSY, REPLY]),
        (Quirks(lost_on_iopub=1), [REPLY, IDLE]),
        (Quirks(lost_on_iopub=9), [REPLY]),
        (Quirks(silent=True), []),
        (Quirks(says_status=False), [REPLY]),
        (Quirks(holds_idle=True), [BUSY, REPLY]),
        (Quirks(repeats_idle=True), [BUSY, REPLY, IDLE, IDLE]),
        (Quirks(replies_after_idle=True), [BUSY, IDLE, REPLY]),
    ],
    ids=repr,
)
async def test_each_quirk_changes_what_it_says(
    sides: tuple[MemoryChannels, FakeKernel, list[tuple[str, str]]],
    quirks: Quirks,
    expected: list[tuple[str, str]],
) -> None:
    """And nothing else."""
    channels, kernel, got = sides
    kernel.quirks = quirks
    channels.send("shell", messages.kernel_info_request())
    await kernel.wait_for("kernel_info_request")
    for _ in range(10):
        await asyncio.sleep(0)

    assert got == expected


async def test_replies_can_be_without_status() -> None:
    """Some kernels say none where all went well."""
    channels = MemoryChannels()
    quirks = Quirks(says_status_in_replies=False)
    async with FakeKernel(channels.kernel, behave, quirks=quirks), KernelClient(channels) as client:
        assert "status" not in (await client.kernel_info()).content
        result = await client.execute(VALUE)
        assert result.reply is not None
        assert "status" not in result.reply.content
        assert (await client.execute(FAIL)).status == "error"


async def test_it_records_what_it_received() -> None:
    """For assertions about what was sent."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel) as kernel, KernelClient(channels) as client:
        await client.execute("a")
        await client.kernel_info()

        assert [channel for channel, _ in kernel.received] == ["shell", "shell"]
        assert [m.content["code"] for m in kernel.requests("execute_request")] == ["a"]


async def test_a_stopped_kernel_answers_nothing_and_leaves_no_task() -> None:
    """Also when it stops while code runs; closing twice is fine."""
    channels = MemoryChannels()
    before = asyncio.all_tasks()
    async with FakeKernel(channels.kernel, behave) as kernel, KernelClient(channels) as client:
        execution = client.execute(FOREVER)
        await client.until(lambda: client.executing)
        await kernel.aclose()
        await kernel.aclose()
        assert asyncio.all_tasks() == before
        assert not execution.done()


async def test_held_idles_come_when_they_are_released() -> None:
    """Late, and once."""
    channels = MemoryChannels()
    async with FakeKernel(channels.kernel, quirks=Quirks(holds_idle=True)) as kernel:
        got: list[str] = []
        channels.on_message = lambda channel, m: got.append(m.content.get("execution_state", m.msg_type))
        channels.send("shell", messages.kernel_info_request())
        await kernel.wait_for("kernel_info_request")
        for _ in range(10):
            await asyncio.sleep(0)
        kernel.release_idles()
        kernel.release_idles()
        for _ in range(10):
            await asyncio.sleep(0)
        assert got == ["busy", "kernel_info_reply", "idle"]
    await channels.aclose()


async def test_a_restart_by_somebody_else_shows_as_another_session() -> None:
    """The new kernel counts from the beginning and knows no subshell of the old one."""
    channels = MemoryChannels()
    quirks = Quirks(supported_features=("kernel subshells",))
    async with FakeKernel(channels.kernel, behave, quirks=quirks) as kernel, KernelClient(channels) as client:
        before = await client.execute("")
        kernel.create_subshell()
        kernel.restart()
        after = await client.kernel_info()
        assert before.reply is not None
        assert after.session != before.reply.session
        assert kernel.subshells == []
        assert kernel.execution_count == 0


async def test_displays_can_be_updated_and_cleared() -> None:
    """With the display id where the specification wants it."""
    channels = MemoryChannels()
    seen: list[Message] = []

    async def show(run: FakeRun) -> None:
        run.display({"text/plain": "1"}, display_id="d")
        run.update_display({"text/plain": "2"}, "d")
        run.clear_output(wait=True)

    async with FakeKernel(channels.kernel, show), KernelClient(channels) as client:
        client.add_handler(lambda channel, message: seen.append(message), ("iopub",))
        await client.execute("")
    shown = {message.msg_type: message.content for message in seen}
    assert shown["display_data"]["transient"] == shown["update_display_data"]["transient"]
    assert shown["update_display_data"]["transient"] == {"display_id": "d"}
    assert shown["clear_output"] == {"wait": True}


async def test_comms_work_in_both_directions() -> None:
    """A target answers, an unknown one closes, and code opens its own."""
    channels = MemoryChannels()
    seen: list[Message] = []

    async def behaviour(run: FakeRun) -> None:
        run.open_comm("theirs", {"a": 1}).send({"b": 2}, buffers=[b"raw"])

    async with FakeKernel(channels.kernel, behaviour) as kernel, KernelClient(channels) as client:
        kernel.comms.targets["echo"] = lambda comm, message: (
            comm.send(message.content["data"]) if message.msg_type == "comm_msg" else None
        )
        client.add_handler(lambda channel, message: seen.append(message), ("iopub",))
        client.send("shell", messages.comm_open("1", "echo"))
        client.send("shell", messages.comm_msg("1", {"n": 3}))
        client.send("shell", messages.comm_open("2", "nobody"))
        await client.execute("")
        assert set(kernel.comms.opened) - {"1"} != set(kernel.comms.opened)
        assert (await client.comm_info("echo")).content["comms"] == {"1": {"target_name": "echo"}}
        client.send("shell", messages.comm_close("1"))
        assert (await client.comm_info("echo")).content["comms"] == {}

    spoken = [(m.msg_type, m.content.get("data")) for m in seen if m.msg_type.startswith("comm_")]
    assert spoken == [
        ("comm_msg", {"n": 3}),
        ("comm_close", {}),
        ("comm_open", {"a": 1}),
        ("comm_msg", {"b": 2}),
    ]


async def test_the_debugger_answers_and_sends_events() -> None:
    """Between busy and idle of the request; without one there is no reply."""
    channels = MemoryChannels()
    events: list[object] = []

    def debugger(kernel: FakeKernel, request: dict[str, object]) -> dict[str, object]:
        kernel.debug_event({"event": "initialized"})
        return {"type": "response", "request_seq": request["seq"], "success": True}

    async with FakeKernel(channels.kernel, debugger=debugger), KernelClient(channels) as client:
        client.add_handler(
            lambda channel, m: events.append(m.content["event"]) if m.msg_type == "debug_event" else None
        )
        request = messages.debug_request({"seq": 5, "command": "initialize"})
        reply = await client._ask(request, "control")
        assert (reply.msg_type, reply.content["request_seq"]) == ("debug_reply", 5)
        await client.kernel_info()
        assert events == ["initialized"]


async def test_an_unknown_subshell_is_an_error_and_a_known_one_runs_beside_the_main_shell() -> None:
    """As in ipykernel 7.4."""
    channels = MemoryChannels()
    quirks = Quirks(supported_features=("kernel subshells",))
    async with FakeKernel(channels.kernel, behave, quirks=quirks) as kernel, KernelClient(channels) as client:
        client.send("shell", messages.execute_request(FOREVER))
        beside = messages.execute_request(VALUE, subshell_id=kernel.create_subshell())
        assert (await client._ask(beside)).content["status"] == "ok"
        unknown = await client._ask(messages.execute_request(VALUE, subshell_id="none"))
        assert unknown.content["ename"] == "UnknownSubshellError"


async def test_a_second_client_hears_what_is_published_and_gets_only_its_own_replies() -> None:
    """As over sockets; one that leaves is not missed."""
    first, second = MemoryChannels(), MemoryChannels()
    async with FakeKernel(first.kernel, behave) as kernel, KernelClient(first) as client:
        kernel.serve(second.kernel)
        async with KernelClient(second) as other:
            seen = Recorder(other)
            assert (await client.execute(VALUE)).text == "42"
            assert {channel for channel, _ in seen.seen} == {"iopub"}
            assert (await other.execute(VALUE)).execution_count == 2
        assert (await client.execute(VALUE)).execution_count == 3
