"""The plain values between applications and providers."""

import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingManagerBase,
    ExitInfo,
    KernelManagerBase,
    KernelTypeInfo,
    Launched,
    LaunchRequest,
    Unsupported,
)
from jupyter_kernel_mgmt.testing import FakeManager, MemoryChannels
from jupyter_protocol import ConnectionInfo


def test_every_request_has_an_id_of_its_own() -> None:
    """A UUID, as front ends expect it."""
    first, second = LaunchRequest(), LaunchRequest()

    assert first.kernel_id != second.kernel_id
    assert str(uuid.UUID(first.kernel_id)) == first.kernel_id


def test_progress_goes_to_whoever_waits_from_any_thread() -> None:
    """And nowhere where nobody does."""
    heard: list[tuple[str, float | None]] = []
    request = LaunchRequest(on_progress=lambda text, fraction: heard.append((text, fraction)))
    request.progress("begun")
    thread = threading.Thread(target=request.progress, args=("half", 0.5))
    thread.start()
    thread.join()
    LaunchRequest().progress("unheard")

    assert heard == [("begun", None), ("half", 0.5)]


def test_what_remains_until_the_deadline_is_never_negative() -> None:
    """None where there is no deadline."""
    now = time.monotonic()

    assert LaunchRequest().remaining() is None
    assert LaunchRequest(deadline=now - 100).remaining() == 0
    remaining = LaunchRequest(deadline=now + 100).remaining()
    assert remaining is not None
    assert 0 < remaining <= 100


def test_a_request_shows_no_environment() -> None:
    """It may hold secrets."""
    request = LaunchRequest(env={"TOKEN": "hunter2"}, cwd=Path("/tmp"))

    assert "hunter2" not in repr(request)
    assert "/tmp" in repr(request)


@pytest.mark.parametrize("reached", [{}, {"connection_info": ConnectionInfo(), "channels": MemoryChannels()}])
def test_launched_needs_exactly_one_way_to_the_kernel(reached: dict[str, Any]) -> None:
    """Either connection information or channels."""
    with pytest.raises(TypeError, match="either connection_info or channels"):
        Launched(manager=None, **reached)


def test_launched_adapts_a_blocking_manager() -> None:
    """Everybody else sees only the asynchronous one."""

    class Manager(BlockingManagerBase):
        kernel_id = "the id"

    launched = Launched(manager=Manager(), connection_info=ConnectionInfo())

    assert isinstance(launched.manager, KernelManagerBase)
    assert launched.manager.kernel_id == "the id"


def test_launched_shows_no_key() -> None:
    """Its repr goes into logs."""
    info = ConnectionInfo(key="hunter2")

    assert "hunter2" not in repr(Launched(manager=None, connection_info=info))
    assert "MemoryChannels" in repr(Launched(manager=None, channels=MemoryChannels()))


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (ExitInfo(), "exit code unknown"),
        (ExitInfo(0), "exit code 0"),
        (ExitInfo(3, reason="no licence"), "exit code 3 (no licence)"),
        (ExitInfo(-15), "ended by SIGTERM"),
        (ExitInfo(-9, reason="out of memory"), "ended by SIGKILL (out of memory)"),
        (ExitInfo(-250), "ended by signal 250"),
    ],
)
def test_an_exit_reads_as_a_phrase(info: ExitInfo, text: str) -> None:
    """With a signal's name and the reason where they are known."""
    assert str(info) == text


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (LaunchRequest(), "cwd"),
        (ExitInfo(), "returncode"),
        (KernelTypeInfo(display_name="a", language="b"), "language"),
    ],
)
def test_values_are_frozen(value: object, field: str) -> None:
    """They are shared between tasks and threads."""
    with pytest.raises(AttributeError):
        setattr(value, field, None)


async def test_the_record_of_a_kernel_holds_its_connection_and_what_its_manager_keeps() -> None:
    """Where it has channels of its own, the latter alone; a kernel that nobody manages has none."""
    manager, info = FakeManager("one"), ConnectionInfo(key="hunter2")
    channels = MemoryChannels()
    over_zmq = Launched(manager=manager, connection_info=info, connection_file=Path("kernel.json"))
    over_zmq.kernel_type = "fake/kernel"
    assert over_zmq.to_dict() == {
        "kernel_id": "one",
        "kernel_type": "fake/kernel",
        "connection_info": info.to_dict(),
        "connection_file": "kernel.json",
        "interrupt_mode": "signal",
        "manager": {"process_id": manager.process_id},
    }
    otherwise = Launched(manager=manager, channels=channels).to_dict()
    assert (otherwise["connection_info"], otherwise["manager"]) == (None, manager.to_dict())
    with pytest.raises(Unsupported, match="without a manager"):
        Launched(manager=None, channels=channels).to_dict()
    with pytest.raises(Unsupported, match="KernelManagerBase keeps no record"):
        Launched(manager=KernelManagerBase(), connection_info=info).to_dict()
    await channels.aclose()
    await manager.aclose()
