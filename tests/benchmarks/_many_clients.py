"""Many clients on one loop, measured in a process of their own: ``python _many_clients.py SIDE SECONDS``.

SIDE is a name in `SIDES`; the clients are idle for so many SECONDS. Reads the connection information of a
kernel for each from stdin, a line each, and prints what was measured as a JSON object: see `measure`.
"""

import asyncio
import ctypes
import gc
import json
import sys
import time
import uuid
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

import _wire
import psutil  # type: ignore[import-untyped]
import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient

from jupyter_kernel_mgmt import Kernel, connect
from jupyter_protocol import ConnectionInfo

Connections = list[dict[str, Any]]
Socket = zmq.Socket[bytes]

CHANNELS = ("shell", "control", "stdin", "iopub")
SILENCE = 30.0
"""Seconds without a sign of life that the watched ones allow: enough that none of them is ever reported."""


class Side(Protocol):
    """One way to be many clients."""

    async def connect(self, connections: Connections) -> None:
        """Connect one to each kernel, until all are ready."""
        ...

    async def execute(self) -> None:
        """Execute once with each, all at once."""
        ...

    async def close(self) -> None:
        """Close all."""
        ...


class Ours:
    """`connect`."""

    def __init__(self, unresponsive_after: float | None = None) -> None:
        self._unresponsive_after = unresponsive_after
        self._kernels: list[Kernel] = []

    async def connect(self, connections: Connections) -> None:
        opening = (connect(one, unresponsive_after=self._unresponsive_after) for one in connections)
        self._kernels = await asyncio.gather(*opening)

    async def execute(self) -> None:
        for result in await asyncio.gather(*(kernel.execute("1") for kernel in self._kernels)):
            result.raise_for_status()

    async def close(self) -> None:
        await asyncio.gather(*(kernel.aclose() for kernel in self._kernels))
        self._kernels = []


class Bare:
    """The floor: nothing but sockets, which block, and one signed message for each request."""

    def __init__(self) -> None:
        self._context: Any = None
        self._sockets: dict[str, list[Socket]] = {}

    async def connect(self, connections: Connections) -> None:
        self._context = _roomy(zmq.Context())
        infos = [ConnectionInfo.from_dict(one) for one in connections]
        self._sockets = {channel: [self._connected(info, channel) for info in infos] for channel in CHANNELS}
        self._answered(self._ask("kernel_info_request", {}))
        for sock in self._sockets["iopub"]:  # KernelSockets welcome every subscriber
            sock.recv_multipart()

    async def execute(self) -> None:
        request = self._ask("execute_request", {"code": "1"})
        self._answered(request)
        for sock in self._sockets["iopub"]:
            while request not in (message := sock.recv_multipart())[4] or b'"idle"' not in message[6]:
                pass

    async def close(self) -> None:
        for sockets in self._sockets.values():
            for sock in sockets:
                sock.close()
        self._sockets = {}
        self._context.term()

    def _connected(self, info: ConnectionInfo, channel: str) -> Socket:
        sock = self._context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
        sock.linger, sock.rcvtimeo = 0, 60_000
        if channel == "iopub":
            sock.setsockopt(zmq.SUBSCRIBE, b"")
        sock.connect(info.url(channel))
        return sock

    def _ask(self, msg_type: str, content: dict[str, Any]) -> bytes:
        """Send all kernels a request; its id."""
        msg_id = uuid.uuid4().hex  # kernels refuse what they have seen before
        header = {**_wire.header(msg_type, 1), "msg_id": msg_id}
        for sock in self._sockets["shell"]:
            sock.send_multipart(_wire.frames(b"", [header, {}, {}, content])[1:])
        return msg_id.encode()

    def _answered(self, request: bytes) -> None:
        for sock in self._sockets["shell"]:
            while request not in sock.recv_multipart()[3]:
                pass


class Peer:
    """jupyter_client's, all in one context, without their heartbeats, which are a thread each.

    Its ``execute`` waits for the reply alone, where ours and the bare one wait for the idle too.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._clients: list[AsyncKernelClient] = []

    async def connect(self, connections: Connections) -> None:
        self._context = _roomy(zmq.asyncio.Context())
        for one in connections:
            client = AsyncKernelClient(context=self._context)
            client.load_connection_info(one)  # type: ignore[arg-type]
            client.start_channels(hb=False)
            self._clients.append(client)
        await _all(client.wait_for_ready(timeout=60) for client in self._clients)

    async def execute(self) -> None:
        await _all(client.execute("1", reply=True, timeout=60) for client in self._clients)

    async def close(self) -> None:
        for client in self._clients:
            client.stop_channels()
        self._clients = []
        self._context.term()


SIDES = {"ours": Ours, "watched": lambda: Ours(SILENCE), "bare": Bare, "jupyter_client": Peer}


async def measure(side: Side, connections: Connections, seconds: float) -> dict[str, Any]:
    """Connect, be idle, execute and close, twice, after one client that warms up.

    Seconds for all (``connect``, ``execute``, ``close``); processor time a second (``idle``), bytes
    (``memory``) and ``descriptors`` for each; and ``left`` after each time, since before the first: bytes,
    bytes once the C library has returned what it can, and what `_held` counts besides.
    """
    await _round(side, connections[:1], 0)
    start = _held()
    first = await _round(side, connections, seconds)
    left = [_growth(start)]
    await _round(side, connections, 0)
    left.append(_growth(start))
    return {**first, "left": left}


async def _round(side: Side, connections: Connections, seconds: float) -> dict[str, float]:
    before, clock = _held(), time.perf_counter
    start = clock()
    await side.connect(connections)
    connected = clock()
    memory, _, descriptors, *_ = (now - then for now, then in zip(_held(), before, strict=True))
    started, used = clock(), time.process_time()
    await asyncio.sleep(seconds)
    idle = (time.process_time() - used) / (clock() - started)
    begun = clock()
    await side.execute()
    executed = clock()
    await side.close()
    return {
        "connect": connected - start,
        "execute": executed - begun,
        "close": clock() - executed,
        "idle": idle,
        "memory": memory / len(connections),
        "descriptors": descriptors / len(connections),
    }


def _held() -> tuple[int, ...]:
    """Bytes in memory, Python's own blocks of it that are in use, descriptors, threads, tasks."""
    gc.collect()
    process = psutil.Process()
    tasks = len(asyncio.all_tasks())
    blocks = sys.getallocatedblocks()
    return process.memory_info().rss, blocks, process.num_fds(), process.num_threads(), tasks


def _growth(start: tuple[int, ...]) -> list[int]:
    memory, *others = (now - then for now, then in zip(_held(), start, strict=True))
    _trim()
    return [memory, _held()[0] - start[0], *others]


def _trim() -> None:
    """Let the C library return free memory to the system, where it knows how to: glibc."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _roomy(context: Any) -> Any:
    context.set(zmq.MAX_SOCKETS, context.get(zmq.SOCKET_LIMIT))
    return context


async def _all(coroutines: Iterable[Coroutine[Any, Any, object]]) -> None:
    await asyncio.gather(*coroutines)


if __name__ == "__main__":
    given = [json.loads(line) for line in sys.stdin]
    print(json.dumps(asyncio.run(measure(SIDES[sys.argv[1]](), given, float(sys.argv[2])))))
