"""The loops that everything on sockets runs on, and proof that nothing stays behind."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_protocol.sockets.context import SharedContext

ON_EVERY_LOOP = {
    "test_heartbeat",
    "test_kernel_file",
    "test_pump",
    "test_registration_socket",
    "test_sockets",
}


class NoReaderLoop(asyncio.SelectorEventLoop):
    """Refuses `add_reader` like Windows' default loop; asyncio itself uses other methods."""

    def add_reader(self, *args: Any) -> None:
        raise NotImplementedError

    def remove_reader(self, *args: Any) -> bool:
        raise NotImplementedError


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Constructors by name."""
    offered: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop,
        "no-reader": NoReaderLoop,
    }
    if sys.platform != "win32":
        import uvloop

        offered["uvloop"] = uvloop.new_event_loop
    return offered


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests of what touches sockets run once on each loop."""
    if item.path.stem in ON_EVERY_LOOP:
        return loops()
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """After each test: no context in use, no thread of ours."""
    yield
    left, SharedContext._current = SharedContext._current, None
    assert left is None
    for thread in threading.enumerate():
        if thread.name in ("heartbeat", "zmq-context-term", "zmq-watcher"):
            thread.join(10)
            assert not thread.is_alive(), thread.name
