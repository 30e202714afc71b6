"""From the SIGKILL of an application to the end of its last kernel and whatever those have started."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

from _harness import compare, private_directories

OURS = """
import asyncio, os, sys, time
from jupyter_kernel_mgmt import launch

async def main():
    kernels = await asyncio.gather(*(launch() for _ in range(int(sys.argv[1]))))
    for number, kernel in enumerate(kernels):
        command = f"['sleep', '600'], start_new_session={number == 0}"
        await kernel.execute(f"import subprocess; p = subprocess.Popen({command})")
    if os.fork() == 0:  # a worker that holds whatever this process has open
        time.sleep(600)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""

PEER = """
import asyncio, sys
from jupyter_client.multikernelmanager import AsyncMultiKernelManager
from jupyter_core.paths import jupyter_runtime_dir

async def main():
    manager = AsyncMultiKernelManager(connection_dir=jupyter_runtime_dir())
    for _ in range(int(sys.argv[1])):
        client = manager.get_kernel(await manager.start_kernel(kernel_name="python3")).client()
        client.start_channels(hb=False)
        await client.wait_for_ready(timeout=60)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def run(*, quick: bool) -> None:
    """Ours have children, one in a session of its own; the peer's have none, since it would leave those."""
    count = 3 if quick else 10
    with private_directories():
        compare(
            f"application with {count} kernels killed to nothing left (goal 2 s)",
            {"ours": lambda: _killed(OURS, count), "jupyter_client": lambda: _killed(PEER, count)},
            rounds=2 if quick else 10,
        )


def _killed(application: str, count: int) -> float:
    mark = f"BENCH_ORPHANS={uuid.uuid4().hex}"
    name, _, value = mark.partition("=")
    with subprocess.Popen(
        [sys.executable, "-c", application, str(count)],
        env={**os.environ, name: value},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the application failed")
        start = time.perf_counter()
        process.kill()
        process.wait()
        while _marked(mark.encode(), process.pid):
            time.sleep(0.002)
        elapsed = time.perf_counter() - start
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the worker, which is not ours to end
        return elapsed


def _marked(mark: bytes, application: int) -> bool:
    """Whether a process is there that was started by the application, its forked workers left out."""
    for entry in Path("/proc").iterdir():
        try:
            ours = entry.name.isdigit() and mark in (entry / "environ").read_bytes()
            if ours and os.getpgid(int(entry.name)) != application:
                return True
        except OSError:  # it has just ended
            continue
    return False
