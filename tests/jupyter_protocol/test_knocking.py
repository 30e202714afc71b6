"""`ClientSockets.knock`: a kernel that waits for an edge looks at what it left unread."""

import asyncio
import select
import sys
from collections.abc import Iterator

import pytest
import zmq

from jupyter_protocol import ChannelClosed, ClientSockets, ConnectionInfo, messages

GUARD = 20


class LazyKernel:
    """Takes one message each time its descriptor tells of something, as xeus does."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self._shell = context.socket(zmq.ROUTER)
        port = self._shell.bind_to_random_port("tcp://127.0.0.1")
        self.info = ConnectionInfo(shell_port=port)  # the descriptor would tell of other connections too

    def take_the_first(self) -> None:
        """Take one message, and see that there is another, of which the descriptor tells no more."""
        assert self._shell.poll(GUARD * 1000)
        assert self._receive()
        assert self._shell.poll(GUARD * 1000)
        assert not self.tells()

    def take_one(self) -> bool:
        """Wait for the descriptor; whether there was a message then."""
        assert self.tells(GUARD), "its descriptor told of nothing"
        return self._receive()

    def tells(self, seconds: float = 0) -> bool:
        """Whether its descriptor tells of anything within so many seconds."""
        return bool(select.select([self._shell.getsockopt(zmq.FD)], [], [], seconds)[0])

    def _receive(self) -> bool:
        try:
            self._shell.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        self._shell.close(linger=0)


@pytest.fixture
def kernel() -> Iterator[LazyKernel]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    kernel = LazyKernel(context)
    yield kernel
    kernel.close()
    context.term()


@pytest.mark.skipif(sys.platform == "win32", reason="select() takes sockets only")
async def test_knocking_makes_a_lazy_kernel_read_on(kernel: LazyKernel) -> None:
    """Each time, though nothing is sent."""
    async with ClientSockets(kernel.info) as sockets:
        for _ in range(3):
            sockets.send("shell", messages.kernel_info_request())
        await sockets.drain()
        await asyncio.to_thread(kernel.take_the_first)
        read = 1
        while read < 3:
            sockets.knock()
            read += await asyncio.to_thread(kernel.take_one)


async def test_closed_sockets_do_not_knock(kernel: LazyKernel) -> None:
    """Nor do those that are not open yet; the connection of the last knock is closed with them."""
    sockets = ClientSockets(kernel.info)
    with pytest.raises(ChannelClosed):
        sockets.knock()
    async with sockets:
        sockets.knock()
        connection = sockets._knocking
        assert connection is not None
        assert not connection.closed
        sockets.knock()
        assert connection.closed
        connection = sockets._knocking
    assert connection is not None
    assert connection.closed
    with pytest.raises(ChannelClosed):
        sockets.knock()
