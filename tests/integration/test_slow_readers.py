"""A kernel that is started here keeps what its clients have not read yet."""

import asyncio
from collections import Counter

import pytest
import zmq
import zmq.asyncio

from jupyter_kernel_mgmt import Kernel, launch
from jupyter_protocol import Message, Session

COUNT = 6_000
"""Far more than ipykernel's own queue of 1,000 and what the buffers of sockets hold."""


@pytest.mark.parametrize("forkserver", [False, True], ids=["started", "forked"])
async def test_a_client_that_reads_nothing_until_the_end_gets_every_display(*, forkserver: bool) -> None:
    async with await launch("spec/python3", forkserver=forkserver) as kernel:
        with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as slow:
            slow.setsockopt(zmq.RCVHWM, 10)
            slow.setsockopt(zmq.SUBSCRIBE, b"")
            slow.connect(kernel.connection_info.url("iopub"))
            await _subscribed(kernel, slow)
            await kernel.client.execute(f"for n in range({COUNT}):\n    display(n)")
            await kernel.client.execute("print('the end')")
            shown = await _shown_until_the_end(kernel, slow)
    assert shown == Counter(range(COUNT))


async def _subscribed(kernel: Kernel, slow: zmq.asyncio.Socket) -> None:
    while not await slow.poll(50):
        await kernel.client.execute("")


async def _shown_until_the_end(kernel: Kernel, slow: zmq.asyncio.Socket) -> Counter[int]:
    session = Session(kernel.connection_info.key)
    shown: Counter[int] = Counter()
    async with asyncio.timeout(60):
        while True:
            message = session.deserialize(await slow.recv_multipart())
            if message.msg_type == "display_data":
                shown[int(message.content["data"]["text/plain"])] += 1
            if _is_the_end(message):
                return shown


def _is_the_end(message: Message) -> bool:
    return message.msg_type == "stream" and message.content["text"].startswith("the end")
