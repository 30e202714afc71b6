"""The debugger of a real kernel: breakpoints, and a stopped execution that disturbs nobody else."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import InterruptOutcome, Kernel, launch
from jupyter_protocol import Message

pytest.importorskip("debugpy", reason="ipykernel's debugger needs debugpy")

CODE = "x = 1\ny = 2\nprint(x + y)\n"
GUARD = 60.0

INITIALIZE = {
    "clientID": "test",
    "adapterID": "",
    "pathFormat": "path",
    "linesStartAt1": True,
    "columnsStartAt1": True,
    "supportsVariableType": True,
    "supportsVariablePaging": True,
    "supportsRunInTerminalRequest": True,
    "locale": "en",
}


class Debugger:
    """Requests of the Debug Adapter Protocol to one kernel, and the events that came."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.events: list[dict[str, Any]] = []
        kernel.client.add_handler(self._note, ("iopub",))

    def _note(self, channel: str, message: Message) -> None:
        if message.msg_type == "debug_event":
            self.events.append(message.content)

    async def __call__(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The body of the response to a request, which must succeed."""
        async with asyncio.timeout(GUARD):
            reply = await self.kernel.debug({"command": command, "arguments": arguments})
        assert reply.msg_type == "debug_reply"
        assert reply.content["success"], reply.content
        body: dict[str, Any] = reply.content.get("body", {})
        return body

    async def event(self, name: str) -> dict[str, Any]:
        """Wait for an event of that name; it and those before are forgotten."""

        def seen() -> bool:
            return any(event["event"] == name for event in self.events)

        async with asyncio.timeout(GUARD):
            await self.kernel.client.until(seen)
        event = next(event for event in self.events if event["event"] == name)
        self.events.clear()
        body: dict[str, Any] = event.get("body", {})
        return body


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    """ipykernel 7."""
    async with launch("python3") as kernel:
        yield kernel


@pytest.fixture
async def debug(kernel: Kernel) -> AsyncIterator[Debugger]:
    """A debugger that is attached and has a breakpoint in the second line of the code."""
    debug = Debugger(kernel)
    await debug("initialize", **INITIALIZE)
    await debug("attach")
    source = {"path": (await debug("dumpCell", code=CODE))["sourcePath"]}
    found = await debug("setBreakpoints", source=source, breakpoints=[{"line": 2}], sourceModified=False)
    assert [one["verified"] for one in found["breakpoints"]] == [True]
    await debug("configurationDone")
    yield debug
    await debug("disconnect", restart=False, terminateDebuggee=False)
    shutil.rmtree(Path(source["path"]).parent)  # ipykernel leaves what it dumped


async def test_the_kernel_says_that_it_has_a_debugger(kernel: Kernel) -> None:
    """Its state can be asked for before anything is attached."""
    assert "debugger" in (await kernel.kernel_info()).content["supported_features"]
    reply = await kernel.debug({"command": "debugInfo"})

    assert reply.content["body"]["isStarted"] is False


async def test_each_request_has_a_number_of_its_own(kernel: Kernel) -> None:
    """Filled in where it is missing, kept where it is given."""
    first, second = [(await kernel.debug({"command": "debugInfo"})).content for _ in range(2)]
    assert second["request_seq"] > first["request_seq"] > 0
    given = await kernel.debug({"type": "request", "seq": 4711, "command": "debugInfo", "arguments": {}})

    assert given.content["request_seq"] == 4711


async def test_a_breakpoint_stops_code_that_then_goes_on(kernel: Kernel, debug: Debugger) -> None:
    """Where it stopped can be seen, and its result is the usual one."""
    execution = kernel.execute(CODE)
    stopped = await debug.event("stopped")
    assert stopped["reason"] == "breakpoint"
    frames = (await debug("stackTrace", threadId=stopped["threadId"]))["stackFrames"]
    assert frames[0]["line"] == 2
    assert not execution.done()
    await debug("continue", threadId=stopped["threadId"])

    result = await execution
    assert (result.status, result.stdout) == ("ok", "3\n")


async def test_other_requests_do_not_suffer_while_code_is_stopped(kernel: Kernel, debug: Debugger) -> None:
    """Control answers, completions come from the sidecar, and what is queued runs afterwards."""
    execution = kernel.execute(CODE)
    queued = kernel.execute("6 * 7")
    stopped = await debug.event("stopped")
    async with asyncio.timeout(GUARD):
        assert (await kernel.complete("impor")).content["matches"] == ["import"]
        assert len(await kernel.list_subshells()) == 1
    assert not execution.done()
    assert not queued.done()
    await debug("continue", threadId=stopped["threadId"])

    assert (await execution).status == "ok"
    assert (await queued).text == "42"


@pytest.mark.skipif(
    sys.version_info >= (3, 13),
    reason="after SIGINT debugpy says that the code goes on, which neither does nor ends",
)
async def test_stopped_code_can_be_interrupted(kernel: Kernel, debug: Debugger) -> None:
    """The kernel runs what is queued, and its debugger answers."""
    execution = kernel.execute(CODE)
    queued = kernel.execute("6 * 7")
    await debug.event("stopped")

    assert await execution.interrupt() is InterruptOutcome.IDLE
    assert (await execution).status == "interrupted"
    assert (await queued).text == "42"
    assert (await kernel.debug({"command": "debugInfo"})).content["body"]["isStarted"] is True
