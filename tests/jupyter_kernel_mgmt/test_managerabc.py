"""What managers of the first version imported."""

import threading
from typing import Any

import pytest

from jupyter_kernel_mgmt.managerabc import AsyncManagerWrapper, KernelManager2ABC, KernelManagerABC
from jupyter_kernel_mgmt.original.manager import own

from ._original import BlockingOld

METHODS = ("is_alive", "wait", "signal", "interrupt", "kill", "cleanup")


def test_the_name_from_before_is_the_same() -> None:
    assert KernelManager2ABC is KernelManagerABC


def test_it_has_no_metaclass_and_no_id_yet() -> None:
    """So that it combines with any other class."""
    assert type(KernelManagerABC) is type
    assert KernelManagerABC().kernel_id is None


def test_what_is_not_overridden_counts_as_missing() -> None:
    """And raises for who calls it nevertheless, but for cleaning up nothing."""
    bare: Any = KernelManagerABC()
    for name in METHODS:
        assert own(bare, name) is None
        assert own(BlockingOld(), name) is not None
    for call in (bare.is_alive, bare.wait, lambda: bare.signal(2), bare.interrupt, bare.kill):
        with pytest.raises(NotImplementedError):
            call()
    assert bare.cleanup() is None


async def test_a_blocking_manager_can_be_wrapped_by_whoever_used_to() -> None:
    """Each method in a thread, which the event loop's executor need not provide any more."""
    old = BlockingOld()
    manager = AsyncManagerWrapper(old, loop=None)
    assert await manager.is_alive() is True
    assert await manager.wait(0) is True
    await manager.signal(2)
    await manager.interrupt()
    await manager.kill()
    await manager.cleanup()

    assert old.calls == [2, "interrupt", "kill", "cleanup"]
    assert threading.main_thread() not in old.threads
    assert all(thread.daemon for thread in old.threads)
