"""Proof that nothing stays behind, and the fixtures that most tests of this package share."""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import KernelClient, _ending
from jupyter_kernel_mgmt.agent import Agent
from jupyter_kernel_mgmt.testing import Behaviour, FakeKernel, MemoryChannels, Quirks
from jupyter_kernel_mgmt.testing._residue import _children
from jupyter_protocol.sockets.context import SharedContext

GUARD = 20
"""Seconds after which a test that waits for something has failed."""

Talk = Callable[..., Awaitable[tuple[KernelClient, FakeKernel]]]


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """After each test: no child process, reaped or not, no ZMQ context in use, no thread of ours."""
    before = _children()
    yield
    assert _children() <= before
    assert SharedContext._current is None
    for thread in threading.enumerate():
        if thread.name in ("heartbeat", "zmq-context-term", "zmq-watcher", "kernel-output"):
            thread.join(GUARD)
            assert not thread.is_alive(), thread.name


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    """Makes a client and the fake kernel it talks to; both are closed after the test."""
    async with AsyncExitStack() as stack:

        async def make(
            behaviour: Behaviour | None = None,
            quirks: Quirks | None = None,
            **options: object,
        ) -> tuple[KernelClient, FakeKernel]:
            channels = MemoryChannels()
            kernel = await stack.enter_async_context(FakeKernel(channels.kernel, behaviour, quirks=quirks))
            client = await stack.enter_async_context(KernelClient(channels, **options))  # type: ignore[arg-type]
            return client, kernel

        yield make


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    """One that has nothing but the standard library."""
    async with await Agent.start(isolated=True) as started:
        yield started


@pytest.fixture
def no_descriptor_stays() -> Iterator[None]:
    """After the test the same descriptors are open as before it."""
    before = _descriptors()
    yield
    after = _descriptors()
    assert {k: v for k, v in after.items() if before.get(k) != v and "/proc" not in v} == {}


def _descriptors() -> dict[str, str]:
    found = {}
    for fd in Path("/proc/self/fd").iterdir():
        try:
            found[fd.name] = str(fd.readlink())
        except OSError:
            continue
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that do not end have moments instead of seconds until the next step."""
    for name in ("REPLY_TIMEOUT", "EXIT_TIMEOUT", "TERMINATE_TIMEOUT", "KILL_TIMEOUT"):
        monkeypatch.setattr(_ending, name, 0.05)


@pytest.fixture
def jupyter_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for all of Jupyter's files, so that a test reads and writes nobody else's."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.split("_")[1].lower()))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    return tmp_path
