"""What applications write about requests, comms, subshells and traces has the types that they expect."""

from pathlib import Path
from typing import Any, assert_type

from jupyter_kernel_mgmt import (
    Comm,
    ExecutionResult,
    ExecutionTimeout,
    Kernel,
    KernelClient,
    KernelDied,
    KernelRestarted,
    KernelUnresponsive,
    NoReply,
    Responsive,
    SubshellError,
    TraceEntry,
    Unresponsive,
    WireTrace,
    connect,
    launch,
    log_trace,
    trace_to_file,
)
from jupyter_protocol import Message


async def run_with_options(kernel: Kernel, client: KernelClient) -> None:
    for requests in (kernel, client):
        execution = requests.execute(
            "6 * 7",
            store_history=False,
            stop_on_error=True,
            subshell_id="s",
            timeout=5,
            queue_timeout=0.5,
            interrupt_on_cancel=True,
            output_limit=1024,
        )
        result = await execution
        assert_type(result.idle_seen, bool)
        assert_type(result.dropped, int)
        assert_type(result.outputs, list[dict[str, Any]])
        assert_type(execution.done(), bool)
        assert_type(execution.msg_id, str)
    assert_type(client.executing, bool)
    assert_type(client.execution_state, str)
    match (await kernel.execute("6 * 7", timeout=None)).status:
        case "ok" | "error" | "aborted" | "interrupted" | "timeout" | None:
            pass


async def raise_for_status(kernel: Kernel) -> None:
    try:
        (await kernel.execute("while True: pass", timeout=1)).raise_for_status()
    except ExecutionTimeout as error:
        late: TimeoutError = error
        assert_type(error.result, ExecutionResult)
        raise late from None
    except KernelRestarted as error:
        died: KernelDied = error
        raise died from None
    except KernelUnresponsive as error:
        assert_type(error.silence, float)
        assert_type(error.result, ExecutionResult | None)
    except NoReply:
        pass


async def comms(client: KernelClient) -> None:
    async with client.open_comm("target", {"a": 1}, buffers=[b"x", memoryview(b"y")]) as comm:
        assert_type(comm, Comm)
        comm.send({"b": 2}, metadata={}, buffers=[bytearray(b"z")])
        async for message in comm:
            assert_type(message, Message)
        assert_type(comm.dropped, int)
        assert_type(comm.closed, bool)
        assert_type(comm.close_message, Message | None)
        comm.close({"why": "done"})

    def handle(comm: Comm, opening: Message) -> None: ...

    async def serve(comm: Comm, opening: Message) -> None: ...

    client.on_comm("theirs", handle)
    client.on_comm("theirs", serve)
    client.on_comm("theirs", None)


async def subshells_and_debugger(kernel: Kernel) -> None:
    try:
        subshell = await kernel.create_subshell()
        assert_type(subshell, str)
        assert_type(await kernel.list_subshells(), list[str])
        await kernel.delete_subshell(subshell)
    except SubshellError:
        pass
    async with kernel.subshell() as subshell_id:
        assert_type(subshell_id, str)
    assert_type(await kernel.debug({"command": "initialize", "arguments": {}}), Message)


async def silence_and_trace() -> None:
    def look(entry: TraceEntry) -> None: ...

    trace: WireTrace = look
    with trace_to_file(Path("trace.jsonl")) as file:
        written: WireTrace = file
        async with launch(trace=written, unresponsive_after=30) as kernel:
            kernel.client.trace = trace
            kernel.client.trace = log_trace
            kernel.client.trace = None
            async for event in kernel.events():
                match event:
                    case Unresponsive(silence=silence, generation=generation):
                        assert_type(silence, float)
                        assert_type(generation, int)
                    case Responsive():
                        assert_type(event.generation, int)
                    case _:
                        pass
    async with connect("kernel-1.json", trace=trace, unresponsive_after=None) as other:
        assert_type(other, Kernel)
