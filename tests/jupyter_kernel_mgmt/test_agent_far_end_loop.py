"""What waits for descriptors; that it is woken by signals is seen wherever a process ends."""

import os
import select
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt.agent.far_end.loop import Loop

pytestmark = pytest.mark.usefixtures("no_descriptor_stays")


def test_readers_are_called_until_they_are_forgotten() -> None:
    """Also for the end."""
    loop = Loop()
    read_end, write_end = os.pipe()
    called = []
    loop.watch(read_end, lambda: called.append(os.read(read_end, 10)))
    loop.turn(0)
    os.write(write_end, b"x")
    loop.turn(0)
    os.close(write_end)
    loop.turn(0)
    loop.forget(read_end)
    loop.turn(0)
    assert called == [b"x", b""]


def test_only_what_is_wanted_is_waited_for() -> None:
    """Reading, writing or nothing."""
    loop = Loop()
    read_end, write_end = os.pipe()
    called = []
    loop.watch(read_end, lambda: called.append("read"))
    loop.when_writable(write_end, lambda: called.append("write"))
    os.write(write_end, b"x")
    loop.want(read_end, 0)
    loop.want(write_end, select.POLLOUT)
    loop.turn(0)
    loop.want(read_end, select.POLLIN)
    loop.want(write_end, 0)
    loop.want(write_end, 0)
    loop.turn(0)
    assert called == ["write", "read"]
    loop.forget(read_end)
    os.close(write_end)


def test_who_stops_it_is_the_last_to_be_called() -> None:
    loop = Loop()
    pipes = [os.pipe() for _ in range(2)]
    called = []

    def stop() -> None:
        called.append(1)
        loop.stopped = True

    for read_end, write_end in pipes:
        loop.watch(read_end, stop)
        os.write(write_end, b"x")
    loop.turn(0)
    assert called == [1]
    for read_end, write_end in pipes:
        loop.forget(read_end)
        os.close(write_end)
