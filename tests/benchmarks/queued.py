"""A million signed messages to a client whose application blocks its loop for 20 seconds.

What one that waits takes of memory is seen at the end of that time, when all of them wait.
"""

import asyncio
import os
import time
from pathlib import Path

from _harness import private_directories
from _peers import raw_kernel

from jupyter_protocol import ClientSockets, ConnectionInfo, Message

GOAL = 1.5
"""kB of memory for a message of 0.5 kB."""


def run(*, quick: bool) -> None:
    """Block for 20 seconds, or 3 in a hurry."""
    count, seconds = (50_000, 3) if quick else (1_000_000, 20)
    with private_directories(), raw_kernel(flood=count) as connection:
        asyncio.run(_queued(ConnectionInfo.from_dict(connection), count, seconds))


async def _queued(info: ConnectionInfo, count: int, seconds: int) -> None:
    numbers: list[int] = []
    sizes = 0
    finished = asyncio.Event()

    def on_message(channel: str, message: Message) -> None:
        nonlocal sizes
        numbers.append(int(message.msg_id.rpartition("_")[2]))
        sizes += message.size
        if len(numbers) == count:
            finished.set()

    async with ClientSockets(info, on_message=on_message) as sockets:
        while not numbers:  # noqa: ASYNC110 - until it flows
            await asyncio.sleep(0)
        before, taken = _memory(), len(numbers)
        time.sleep(seconds)  # noqa: ASYNC251 - the application is busy
        memory = (_memory() - before) / (count - taken) / 1000
        start = time.perf_counter()
        async with asyncio.timeout(300):
            await finished.wait()
        elapsed = time.perf_counter() - start
        refused = sum(sockets.refused.values())

    order = "in order" if numbers == sorted(numbers) else "NOT in order"
    print(f"\n{count:,} messages, the loop blocked for {seconds} s")
    print(f"  arrived                           {len(numbers):>9,}  {order}, {refused} refused")
    print(f"  memory for each that waited       {memory:>9.2f} kB  (goal: {GOAL} kB)")
    print(f"  delivered afterwards              {(count - taken) / elapsed:>9,.0f}/s", flush=True)


def _memory() -> int:
    """Bytes of this process that are in memory. Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
