"""What arrives of 50,000 outputs while the application blocks its loop, and what an endless printer costs.

Both clients listen to the same kernel in the same loop, so that both are blocked at the same time.
"""

import asyncio
import resource
import sys
import time
from queue import Empty

from _harness import private_directories
from _peers import peer_client

from jupyter_kernel_mgmt import launch
from jupyter_protocol import Message

DISPLAYS = """
from IPython.display import display
for number in range({count}):
    display({{"text/plain": str(number)}}, raw=True)
"""
PRINTER = "while True: print('x' * 200, flush=True)"
BUDGET = 64 * 1024 * 1024


def run(*, quick: bool) -> None:
    """Block for 25 seconds, or 3 in a hurry."""
    with private_directories():
        asyncio.run(_endless(5 if quick else 30))  # first, while the peak of memory is its own
        asyncio.run(_blocked(count=5_000 if quick else 50_000, seconds=3 if quick else 25))


async def _blocked(*, count: int, seconds: int) -> None:
    expected = [str(number) for number in range(count)]
    ours: list[str] = []
    theirs: list[str] = []

    def handler(channel: str, message: Message) -> None:
        if message.msg_type == "display_data":
            ours.append(message.content["data"]["text/plain"])

    async with launch("spec/python3", transport="tcp") as kernel:
        assert kernel.connection_info is not None, "it was launched over tcp"
        with peer_client(kernel.connection_info.to_dict(), shell=False, stdin=False, hb=False) as peer:
            reading = asyncio.create_task(_read(peer, theirs))
            await kernel.execute("pass")
            kernel.client.add_handler(handler, ["iopub"])
            execution = kernel.execute(DISPLAYS.format(count=count), output_limit=None)
            await asyncio.sleep(0.1)
            time.sleep(seconds)  # noqa: ASYNC251 - the application is busy
            result = await execution
            await reading

    print(f"\n{count:,} displays, the loop blocked for {seconds} s")
    print(f"  ours, at a handler                {len(ours):>7,}  {_order(ours, expected)}")
    print(f"  ours, in the result, no limit     {len(result.outputs):>7,}  dropped: {result.dropped}")
    print(f"  jupyter_client                    {len(theirs):>7,}  {_order(theirs, expected)}", flush=True)


def _order(got: list[str], expected: list[str]) -> str:
    if got == expected:
        return "all, in order"
    return f"{len(expected) - len(got):,} lost"


async def _read(client: object, into: list[str]) -> None:
    """What `AsyncKernelClient` gets, until nothing has come for five seconds of a loop that runs."""
    quiet = 0
    while quiet < 5:
        try:
            message = await client.get_iopub_msg(timeout=1)  # type: ignore[attr-defined]
        except Empty:
            quiet += 1 if into else 0
            continue
        quiet = 0
        if message["msg_type"] == "display_data":
            into.append(message["content"]["data"]["text/plain"])


async def _endless(seconds: int) -> None:
    async with launch("spec/python3") as kernel:
        await kernel.execute("pass")
        before = _peak()
        execution = kernel.execute(PRINTER, output_limit=BUDGET, timeout=seconds)
        result = await execution
    kept = len(result.stdout)
    print(f"\nAn endless printer for {seconds} s, with an output limit of {BUDGET / 2**20:.0f} MiB")
    print(f"  status {result.status!r}, kept {kept / 2**20:.1f} MiB, {result.dropped:,} messages dropped")
    print(f"  peak memory of the application grew by {_peak() - before:.0f} MiB", flush=True)


def _peak() -> float:
    """The peak memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
