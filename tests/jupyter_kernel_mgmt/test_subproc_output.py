"""A thread drains what kernels write, keeps the end of it, and is there only while it is needed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt.subproc.output import _CHUNK, TAIL_SIZE, OutputPipe, _Drain, open_output

GUARD = 20


@dataclass
class Writer:
    """The end of a pipe that a kernel would write to, and the pipe at the other end."""

    fd: int
    pipe: OutputPipe

    def write(self, data: bytes) -> None:
        """Blocks while the pipe is full, as for a kernel."""
        while data:
            data = data[os.write(self.fd, data) :]

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def make() -> Writer:
    read_end, write_end = os.pipe()
    return Writer(write_end, open_output(read_end))


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = make()
    yield made
    made.close()
    made.pipe.close()


def drains() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kernel-output"]


def test_the_tail_is_there_as_soon_as_it_was_written(writer: Writer) -> None:
    """Whether the thread has been there or not."""
    assert writer.pipe.tail() == ""
    for number in range(200):
        writer.write(b"%d\n" % number)
        assert writer.pipe.tail().splitlines()[-1] == str(number)
    assert writer.pipe.tail() == "".join(f"{number}\n" for number in range(200))


@given(
    st.lists(
        st.tuples(st.binary(min_size=1, max_size=4), st.integers(1, _CHUNK // 3)).map(lambda t: t[0] * t[1]),
        max_size=8,
    )
)
def test_the_tail_is_the_end_of_all_that_was_written(pieces: list[bytes]) -> None:
    """However it was cut into pieces: the same bytes, and no more of them than the limit."""
    writer = make()
    try:
        for piece in pieces:
            writer.write(piece)

        assert writer.pipe.tail() == b"".join(pieces)[-TAIL_SIZE:].decode(errors="replace")
    finally:
        writer.close()
        writer.pipe.close()


def test_what_is_kept_in_memory_is_bounded(writer: Writer) -> None:
    """Twenty megabytes leave no more than the tail and a chunk behind."""
    for number in range(320):
        writer.write(bytes([65 + number % 26]) * TAIL_SIZE)
    writer.pipe.tail()

    assert sum(map(len, writer.pipe._chunks)) == writer.pipe._size < TAIL_SIZE + _CHUNK


async def test_output_is_drained_while_the_loop_is_blocked(writer: Writer) -> None:
    """A pipe holds 64 kB: without a thread the second write would never return."""
    for _ in range(100):
        writer.write(b"x" * TAIL_SIZE)
    writer.write(b"the end")

    assert writer.pipe.tail().endswith("xthe end")


def test_what_is_not_utf_8_is_replaced(writer: Writer) -> None:
    """No output makes the tail raise, not even half a letter."""
    writer.write(b"caf\xe9 \xff\xfe " + "né".encode()[:-1])

    assert writer.pipe.tail() == "caf\ufffd \ufffd\ufffd n\ufffd"


def test_a_letter_that_the_limit_cuts_is_replaced(writer: Writer) -> None:
    writer.write("é".encode() * TAIL_SIZE + b"!")

    assert writer.pipe.tail() == "\ufffd" + "é" * (TAIL_SIZE // 2 - 1) + "!"


def test_one_thread_serves_all_pipes_and_ends_with_the_last() -> None:
    """And the next pipe starts another."""
    first, second = make(), make()
    (thread,) = drains()
    first.close()
    first.pipe.close()
    second.write(b"x" * 3 * TAIL_SIZE)
    assert drains() == [thread]
    second.close()
    second.pipe.close()
    thread.join(GUARD)
    assert not thread.is_alive()

    third = make()
    third.write(b"x" * 3 * TAIL_SIZE)
    assert thread not in drains()
    third.close()
    third.pipe.close()


def test_the_thread_ends_when_nobody_can_write_any_more(writer: Writer) -> None:
    """It does not wait for `close`, and the tail stays."""
    (thread,) = drains()
    writer.write(b"last words")
    writer.close()

    thread.join(GUARD)

    assert not thread.is_alive()
    assert writer.pipe.tail() == "last words"


def test_the_end_of_one_pipe_is_not_the_end_of_another(writer: Writer) -> None:
    other = make()
    other.close()
    other.pipe.close()

    writer.write(b"x" * 3 * TAIL_SIZE)

    assert writer.pipe.tail() == "x" * TAIL_SIZE


def test_the_tail_stays_after_close(writer: Writer) -> None:
    writer.write(b"last words")
    writer.pipe.tail()

    writer.pipe.close()

    assert writer.pipe.tail() == "last words"


def test_closing_again_does_nothing(writer: Writer, tmp_path: Path) -> None:
    """The descriptor may be somebody else's by then."""
    fd = writer.pipe.fileno()
    writer.pipe.close()
    with Path(os.devnull).open("rb") as reused:
        assert reused.fileno() == fd, "the system gives the lowest number that is free"

        writer.pipe.close()

        assert reused.read() == b""


def test_whoever_writes_after_close_learns_it(writer: Writer) -> None:
    """Instead of waiting for ever in a full pipe."""
    writer.pipe.close()

    with pytest.raises(BrokenPipeError):
        writer.write(b"x")


def test_pipes_come_and_go_in_many_threads() -> None:
    """Nothing is lost or mixed up, and in the end no thread runs."""
    wrong: list[object] = []

    def work(name: int) -> None:
        for number in range(50):
            writer = make()
            writer.write(b"%d-%d" % (name, number))
            if (tail := writer.pipe.tail()) != f"{name}-{number}":
                wrong.append(tail)
            writer.close()
            writer.pipe.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
        assert not thread.is_alive()
    for thread in drains():
        thread.join(GUARD)

    assert wrong == []
    assert _Drain._running is None


def test_a_flood_keeps_nobody_from_reading_the_tail(writer: Writer) -> None:
    """Reading is bounded, however fast is written."""
    with subprocess.Popen(["yes"], stdout=writer.fd) as process:
        try:
            tails = [writer.pipe.tail() for _ in range(20)]
        finally:
            process.kill()

    assert all(set(tail) <= {"y", "\n"} and len(tail) <= TAIL_SIZE for tail in tails)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and sh")
def test_a_grandchild_that_holds_the_pipe_blocks_nobody(writer: Writer) -> None:
    """It may outlive the kernel for years: the tail and `close` do not wait for it."""
    stdin, held_open = os.pipe()
    code = "exec 3<&0; cat <&3 & echo started"
    with subprocess.Popen(
        ["sh", "-c", code], stdin=stdin, stdout=writer.fd, start_new_session=True
    ) as process:
        os.close(stdin)
    try:
        writer.close()
        assert writer.pipe.read_available(), "the grandchild could still write"
        assert writer.pipe.tail() == "started\n"
        assert drains()

        writer.pipe.close()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        os.close(held_open)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_gets_a_thread_of_its_own() -> None:
    """Threads do not survive a fork: with the parent's nobody would drain."""
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of a fork beside threads, which is what this is about
from jupyter_kernel_mgmt.subproc.output import open_output
kept = os.pipe()
open_output(kept[0])
if (pid := os.fork()) == 0:
    read_end, write_end = os.pipe()
    pipe = open_output(read_end)
    for _ in range(100):
        os.write(write_end, b"x" * 65536)
    os.write(write_end, b"drained")
    os._exit(0 if pipe.tail().endswith("drained") else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=GUARD, check=False).returncode == 0
