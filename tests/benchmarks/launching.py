"""From the call to a kernel that is ready: ipykernel, one launch after the other."""

import json
import subprocess
import sys
import time
from pathlib import Path

import _wire
import zmq
from _harness import compare, in_loop, private_directories
from _peers import peer_end, peer_launch

from jupyter_kernel_mgmt import launch


def run(*, quick: bool) -> None:
    """Compare with the peer, and with a launcher that does nothing but start the process and ask once."""
    with private_directories() as directory, in_loop() as side:
        compare(
            "launch to ready, ipykernel",
            {
                "ours": side(_ours),
                "jupyter_client": side(_peer),
                "bare launcher, its first answer": lambda: _bare(directory),
            },
            rounds=3 if quick else 15,
        )


async def _ours() -> float:
    start = time.perf_counter()
    async with launch("pyimport/kernel"):
        return time.perf_counter() - start


async def _peer() -> float:
    start = time.perf_counter()
    manager, client = await peer_launch()
    elapsed = time.perf_counter() - start
    await peer_end(manager, client, now=True)
    return elapsed


def _bare(directory: Path) -> float:
    """Popen and one blocking socket, which reconnects as often as ours does; no iopub, no verification."""
    start = time.perf_counter()
    addresses = {f"{channel}_port": n for n, channel in enumerate(_CHANNELS, start=1)}
    file = directory / "bare.json"
    connection = {"transport": "ipc", "ip": str(directory / "k"), "key": _wire.KEY, **addresses}
    file.write_text(json.dumps({**connection, "signature_scheme": "hmac-sha256"}))
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(file)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with zmq.Context() as context, context.socket(zmq.DEALER) as sock:
            sock.linger = 0
            sock.setsockopt(zmq.RECONNECT_IVL, 10)
            sock.connect(f"ipc://{directory}/k-1")
            sock.send_multipart(_wire.frames(b"", [_wire.header("kernel_info_request", 1), {}, {}, {}])[1:])
            sock.recv_multipart()
            return time.perf_counter() - start
    finally:
        process.kill()
        process.wait()


_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
