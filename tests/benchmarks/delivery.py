"""Socket to handler: signed messages from a live process, over PUB and TCP, to the application's code.

The clock runs from the first message received to the last.
"""

import asyncio
import time

import zmq
import zmq.asyncio
from _harness import compare, in_loop, per_second
from _peers import peer_client, raw_kernel

from jupyter_protocol import ClientSockets, ConnectionInfo, Message


def run(*, quick: bool) -> None:
    """Compare with the peer, and with an asyncio socket whose frames nobody looks at."""
    count = 3_000 if quick else 20_000
    with raw_kernel(flood=count) as connection, in_loop() as side:
        compare(
            f"socket to handler, {count:,} stream messages",
            {
                "ours": side(lambda: _ours(ConnectionInfo.from_dict(connection), count)),
                "jupyter_client": side(lambda: _peer(connection, count)),
                "bare zmq.asyncio, not parsed": side(lambda: _bare(connection, count)),
            },
            rounds=3 if quick else 9,
            show=per_second,
        )


async def _ours(info: ConnectionInfo, count: int) -> float:
    received = 0
    start = end = 0.0
    finished = asyncio.get_running_loop().create_future()

    def on_message(channel: str, message: Message) -> None:
        nonlocal received, start, end
        received += 1
        if received == 1:
            start = time.perf_counter()
        elif received == count:
            end = time.perf_counter()
            finished.set_result(None)

    async with ClientSockets(info, on_message=on_message):
        await finished
    return (end - start) / (count - 1)


async def _peer(connection: dict[str, object], count: int) -> float:
    with peer_client(connection, shell=False, stdin=False, control=False, hb=False) as client:
        await client.get_iopub_msg()
        start = time.perf_counter()
        for _ in range(count - 1):
            await client.get_iopub_msg()
        return (time.perf_counter() - start) / (count - 1)


async def _bare(connection: dict[str, object], count: int) -> float:
    with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as sock:
        sock.setsockopt(zmq.RCVHWM, 0)
        sock.setsockopt(zmq.SUBSCRIBE, b"")
        sock.connect(f"tcp://127.0.0.1:{connection['iopub_port']}")
        await sock.recv_multipart()
        start = time.perf_counter()
        for _ in range(count - 1):
            await sock.recv_multipart()
        return (time.perf_counter() - start) / (count - 1)
