"""Providers and managers of the first version for tests, blocking and asynchronous: written as they were."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

from jupyter_kernel_mgmt.managerabc import KernelManagerABC
from jupyter_kernel_mgmt.original.names import KernelProviderBase

GUARD = 20
CONNECTION = {
    "transport": "tcp",
    "ip": "127.0.0.1",
    "key": b"secret",
    "signature_scheme": "hmac-sha256",
    "shell_port": 1,
    "iopub_port": 2,
    "stdin_port": 3,
    "control_port": 4,
    "hb_port": 5,
}


class BlockingOld(KernelManagerABC):
    """A kernel that is a lock, as in 0.1: ``wait`` says whether it is still alive."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.calls: list[Any] = []
        self.threads: set[threading.Thread] = set()

    def _note(self, call: Any) -> None:
        self.calls.append(call)
        self.threads.add(threading.current_thread())

    def is_alive(self) -> bool:
        self.threads.add(threading.current_thread())
        return not self.ended.is_set()

    def wait(self, timeout: float | None) -> bool:
        self.threads.add(threading.current_thread())
        return not self.ended.wait(GUARD if timeout is None else timeout)

    def signal(self, signum: int) -> None:
        self._note(signum)

    def interrupt(self) -> None:
        self._note("interrupt")

    def kill(self) -> None:
        self._note("kill")
        self.ended.set()

    def cleanup(self) -> None:
        self._note("cleanup")


class AsyncOld(KernelManagerABC):
    """A kernel that is an event, as in 0.5: ``wait`` returns its exit code."""

    def __init__(self) -> None:
        self.kernel_id = "an id of its own"
        self.ended = asyncio.Event()
        self.calls: list[Any] = []

    async def is_alive(self) -> bool:
        return not self.ended.is_set()

    async def wait(self) -> int:
        await self.ended.wait()
        return -9

    async def signal(self, signum: int) -> None:
        self.calls.append(signum)

    async def interrupt(self) -> None:
        self.calls.append("interrupt")

    async def kill(self) -> None:
        self.calls.append("kill")
        self.ended.set()

    async def cleanup(self) -> None:
        self.calls.append("cleanup")


class BlockingProvider(KernelProviderBase):
    """As in 0.1: no launch parameters."""

    id = "old"
    make = BlockingOld

    def __init__(self) -> None:
        self.launches: list[dict[str, Any]] = []
        self.managers: list[BlockingOld] = []
        self.proceed = threading.Event()
        self.proceed.set()

    def find_kernels(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "one", {"display_name": "One", "language": {"name": "python"}, "argv": ["a", "b"]}
        yield "two", {}

    def launch(self, name: str, cwd: str | None = None) -> tuple[dict[str, Any], BlockingOld]:
        if name not in ("one", "two"):
            raise KeyError(name)
        self.launches.append({"cwd": cwd})
        assert self.proceed.wait(GUARD)
        self.managers.append(self.make())
        return dict(CONNECTION), self.managers[-1]


class AsyncProvider(KernelProviderBase):
    """As in 0.5."""

    id = "old"

    def __init__(self) -> None:
        self.launches: list[dict[str, Any]] = []
        self.managers: list[AsyncOld] = []
        self.proceed = asyncio.Event()
        self.proceed.set()

    def find_kernels(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "one", {"display_name": "One"}

    async def launch(
        self, name: str, cwd: str | None = None, launch_params: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], AsyncOld]:
        self.launches.append({"cwd": cwd, "launch_params": launch_params})
        await self.proceed.wait()
        self.managers.append(AsyncOld())
        return dict(CONNECTION), self.managers[-1]
