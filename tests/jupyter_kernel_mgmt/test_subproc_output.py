"""What kernels write is drained by a thread, and its end is kept."""

import os
import threading

import pytest

from jupyter_kernel_mgmt.subproc.output import TAIL_SIZE, OutputPipe, _Drain

GUARD = 20


class Pipe:
    """A pipe, its writing end here."""

    def __init__(self) -> None:
        read_end, self.write_end = os.pipe()
        self.output = OutputPipe(read_end)

    def write(self, data: bytes) -> None:
        """Blocks until it is taken, as a kernel does."""
        while data:
            data = data[os.write(self.write_end, data) :]

    def close(self) -> None:
        os.close(self.write_end)
        self.output.close()


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


def drained() -> None:
    """Wait until nothing is drained any more."""
    for thread in threading.enumerate():
        if thread.name == "kernel-output":
            thread.join(GUARD)
            assert not thread.is_alive()


def test_the_tail_is_what_was_written_last(pipe: Pipe) -> None:
    """As of now, and after closing too."""
    assert pipe.output.tail() == ""
    pipe.write(b"one\n")
    assert pipe.output.tail() == "one\n"
    pipe.write(b"two\n")
    assert pipe.output.tail() == "one\ntwo\n"
    pipe.close()

    assert pipe.output.tail() == "one\ntwo\n"
    pipe.output.close()


def test_the_tail_is_bounded(pipe: Pipe) -> None:
    """Whatever the sizes of the writes."""
    written = b""
    for number in range(400):
        data = f"{number:06}".encode() * (number + 1)
        written += data
        pipe.write(data)
        assert len(pipe.output.tail()) <= TAIL_SIZE

    assert pipe.output.tail() == written[-TAIL_SIZE:].decode()
    pipe.close()
    assert pipe.output._size < 2 * TAIL_SIZE + 64 * 1024


def test_a_pipe_is_drained_while_nobody_looks(pipe: Pipe) -> None:
    """A writer never has to wait for the application; here nobody but the drain's thread reads."""
    size = 50 * 64 * 1024

    writer = threading.Thread(target=pipe.write, args=(b"x" * size,))
    writer.start()
    writer.join(GUARD)

    assert not writer.is_alive()
    pipe.close()


def test_what_is_not_text_is_replaced(pipe: Pipe) -> None:
    """Also a character that the bound cut in two."""
    pipe.write(b"\xff\xfe ok ")
    pipe.write("ü".encode() * TAIL_SIZE)
    tail = pipe.output.tail()
    pipe.close()

    assert tail.endswith("üü")
    assert len(tail.encode(errors="replace")) <= TAIL_SIZE + 4


def test_the_end_of_the_pipe_is_no_end_of_the_tail(pipe: Pipe) -> None:
    """A kernel may close its output and live on."""
    pipe.write(b"last words")
    os.close(pipe.write_end)
    drained()

    assert pipe.output.tail() == "last words"
    pipe.output.close()


def test_one_thread_drains_all_and_ends_with_the_last() -> None:
    """And begins again with the next."""
    for _ in range(3):
        pipes = [Pipe() for _ in range(20)]
        assert [thread.name for thread in threading.enumerate()].count("kernel-output") == 1
        for number, one in enumerate(pipes):
            one.write(str(number).encode())
        assert [one.output.tail() for one in pipes] == [str(number) for number in range(20)]
        for one in pipes:
            one.close()
        drained()
        assert _Drain._running is None


def test_closing_gives_the_descriptor_back(pipe: Pipe) -> None:
    """At once: the number may be somebody else's a moment later."""
    fd = pipe.output.fileno()
    os.fstat(fd)
    pipe.close()

    with pytest.raises(OSError, match="descriptor"):
        os.fstat(fd)
    other = Pipe()
    other.write(b"mine")
    assert pipe.output.tail() == ""
    assert other.output.tail() == "mine"
    other.close()


def test_pipes_come_and_go_from_many_threads() -> None:
    """Nothing is lost, and in the end nothing runs."""
    problems: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(50):
                pipe = Pipe()
                pipe.write(str(number).encode())
                assert pipe.output.tail() == str(number)
                pipe.close()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    drained()

    assert problems == []
    assert _Drain._running is None
