"""A kernel_info round trip, one after the other, to a kernel that costs as little as possible.

As real kernels do, it tells busy and idle on iopub too. Our client looks at that meanwhile; the peer leaves
it in its queue, and the floor does not subscribe.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import _wire
import zmq
from _harness import Side, compare, in_loop
from _peers import peer_client, raw_kernel

from jupyter_kernel_mgmt import connect


def run(*, quick: bool) -> None:
    """Compare with the peer and with a blocking socket that sends what was signed in advance."""
    count = 100 if quick else 500
    rounds = 5 if quick else 25
    with raw_kernel() as connection, in_loop() as side, _bare(connection, count) as bare:
        compare(
            f"kernel_info round trip, {count} in a row",
            {
                "ours": side(lambda: _ours(connection, count)),
                "jupyter_client": side(lambda: _peer(connection, count)),
                "floor: blocking DEALER, not parsed": bare,
            },
            rounds=rounds,
        )


async def _ours(connection: dict[str, Any], count: int) -> float:
    async with connect(connection) as kernel:
        start = time.perf_counter()
        for _ in range(count):
            await kernel.kernel_info()
        return (time.perf_counter() - start) / count


async def _peer(connection: dict[str, Any], count: int) -> float:
    with peer_client(connection, hb=False) as client:
        await client.kernel_info(reply=True)
        start = time.perf_counter()
        for _ in range(count):
            await client.kernel_info(reply=True)
        return (time.perf_counter() - start) / count


@contextmanager
def _bare(connection: dict[str, Any], count: int) -> Iterator[Side]:
    request = _wire.frames(b"", [_wire.header("kernel_info_request", 1), {}, {}, {}])[1:]
    with zmq.Context() as context, context.socket(zmq.DEALER) as sock:
        sock.connect(f"tcp://127.0.0.1:{connection['shell_port']}")

        def side() -> float:
            start = time.perf_counter()
            for _ in range(count):
                sock.send_multipart(request)
                sock.recv_multipart()
            return (time.perf_counter() - start) / count

        yield side
