"""Output that is read by a thread of its own, as on Windows, where pipes cannot be selected."""

import os
import threading
from collections.abc import Iterator

import pytest

from jupyter_kernel_mgmt.subproc.output import TAIL_SIZE, OwnThreadPipe

GUARD = 20


class Collecting:
    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def write(self, chunk: bytes) -> None:
        self.data += chunk

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def write_end() -> Iterator[int]:
    """Closed by the test; the reading end is `pipe`'s."""
    read_end, write_end = os.pipe()
    yield write_end
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(write_end)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(read_end)


@pytest.fixture
def sink() -> Collecting:
    return Collecting()


@pytest.fixture
def pipe(write_end: int, sink: Collecting) -> OwnThreadPipe:
    return OwnThreadPipe(write_end - 1, sink)


def join() -> None:
    for thread in threading.enumerate():
        if thread.name == "kernel-output":
            thread.join(GUARD)
            assert not thread.is_alive()


def test_the_tail_is_the_end_of_what_was_written_and_the_sink_gets_all(
    write_end: int, pipe: OwnThreadPipe, sink: Collecting
) -> None:
    """The descriptor is closed when nobody can write any more."""
    data = b"".join(b"%d\n" % number for number in range(50_000))
    with open(write_end, "wb") as file:
        file.write(data)
    join()
    assert pipe.tail() == data[-TAIL_SIZE:].decode()
    assert sink.data == data
    pipe.close()
    assert sink.closed


def test_closing_waits_for_nobody(write_end: int, pipe: OwnThreadPipe, sink: Collecting) -> None:
    """Though something may still be written: that is dropped."""
    os.write(write_end, b"before")
    pipe.close()
    pipe.close()
    kept = pipe.tail()
    assert sink.closed
    os.write(write_end, b"after")
    os.close(write_end)
    join()
    assert pipe.tail() == kept
    assert "after" not in kept
