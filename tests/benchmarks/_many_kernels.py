"""Many small kernels on `KernelSockets` in one process: ``python _many_kernels.py PREFIX COUNT``.

Each answers any request with busy, a reply and idle, and runs nothing. Its addresses are paths that begin
with PREFIX. Prints a line of connection information for each and ends when stdin is closed.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import _wire

from jupyter_protocol import ConnectionInfo, KernelSockets, Message, messages

LANGUAGE = {"name": "none", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"}


class SmallKernel:
    """What answers at one kernel's sockets."""

    def __init__(self, path: str) -> None:
        self.sockets = KernelSockets(
            ConnectionInfo(transport="ipc", ip=path, key=_wire.KEY), on_message=self._answer
        )
        self._executed = 0

    def _answer(self, channel: str, request: Message) -> None:
        self.sockets.send("iopub", messages.status("busy", parent=request))
        self.sockets.send(channel, self._reply(request))
        self.sockets.send("iopub", messages.status("idle", parent=request))

    def _reply(self, request: Message) -> Message:
        if request.msg_type == "execute_request":
            self._executed += 1
            return messages.execute_reply(self._executed, parent=request)
        return messages.kernel_info_reply("small", "1", LANGUAGE, parent=request)


async def main(prefix: str, count: int) -> None:
    """Serve until nobody wants it any more."""
    async with AsyncExitStack() as stack:
        for number in range(count):
            kernel = SmallKernel(f"{prefix}-{number}")
            await stack.enter_async_context(kernel.sockets)
            print(json.dumps(kernel.sockets.connection_info.to_dict()), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
