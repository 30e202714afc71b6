"""Where a kernel's output goes besides the tail."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import LaunchError, Unsupported
from jupyter_kernel_mgmt.subproc.output import open_output
from jupyter_kernel_mgmt.subproc.sinks import LONGEST_LINE, Sink, make_sink

GUARD = 20


async def lines_of(*chunks: bytes) -> list[str]:
    """What a callback gets of these chunks, written in another thread."""
    got: list[str] = []
    sink = make_sink(got.append)
    assert sink is not None

    def write(sink: Sink) -> None:
        for chunk in chunks:
            sink.write(chunk)
        sink.close()
        sink.close()

    await asyncio.to_thread(write, sink)
    await asyncio.sleep(0)
    return got


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"o", b"n", b"e\nt", b"wo"], ["one", "two"]),
        ([b"one\r\n\nthree"], ["one", "", "three"]),
        (["ü\n".encode()[:1], "ü\n".encode()[1:]], ["ü"]),
        ([b"\xff\n"], ["\ufffd"]),
        ([b"cut \xc3"], ["cut \ufffd"]),
        ([], []),
        ([b"x" * LONGEST_LINE, b"y\n"], ["x" * LONGEST_LINE, "y"]),
    ],
)
async def test_a_callback_gets_each_line(chunks: list[bytes], lines: list[str]) -> None:
    """However it was cut on its way; what has no end yet at the end is a line too."""
    assert await lines_of(*chunks) == lines


async def test_a_callback_that_fails_gets_the_next_line(caplog: pytest.LogCaptureFixture) -> None:
    """What it raised is logged."""
    got: list[str] = []

    def fail(line: str) -> None:
        got.append(line)
        raise RuntimeError("the application's own mistake")

    sink = make_sink(fail)
    assert sink is not None
    sink.write(b"one\ntwo\n")
    await asyncio.sleep(0)

    assert got == ["one", "two"]
    assert "the application's own mistake" in caplog.text


async def test_a_file_is_added_to_and_private(tmp_path: Path) -> None:
    """What is in it stays."""
    file = tmp_path / "log"
    for text in (b"one\n", b"two\n"):
        sink = make_sink(file)
        assert sink is not None
        sink.write(text)
        sink.close()

    assert file.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """As a launch error."""
    with pytest.raises(LaunchError, match="no/log cannot be written: No such file"):
        make_sink(tmp_path / "no" / "log")


@pytest.mark.parametrize("wrong", ["stdout", 1, b"log"])
async def test_what_is_no_output_is_refused(wrong: Any) -> None:
    """By the option's name."""
    with pytest.raises(Unsupported) as caught:
        make_sink(wrong)

    assert caught.value.option == "output"


async def test_inherited_output_goes_to_our_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """As that of a child without a pipe."""
    sink = make_sink("inherit")
    assert sink is not None
    sink.write(b"hello\n")
    sink.close()

    assert capfd.readouterr().err == "hello\n"


async def test_a_pipe_gives_its_sink_everything_and_keeps_the_tail() -> None:
    """And closes it at the end."""
    got: list[str] = []
    ended = asyncio.Event()

    def take(line: str) -> None:
        got.append(line)
        if line == "9":
            ended.set()

    read_end, write_end = os.pipe()
    pipe = open_output(read_end, make_sink(take))
    for number in range(10):
        os.write(write_end, b"%d\n" % number)
    async with asyncio.timeout(GUARD):
        await ended.wait()
    os.close(write_end)
    pipe.close()

    assert got == [str(number) for number in range(10)]
    assert pipe.tail() == "".join(f"{number}\n" for number in range(10))


class Full:
    """A sink on a full disk."""

    closed = False

    def write(self, chunk: bytes) -> None:
        raise OSError("No space left on device")

    def close(self) -> None:
        self.closed = True


async def test_a_sink_that_fails_costs_nothing_but_itself(caplog: pytest.LogCaptureFixture) -> None:
    """It is closed and told once; the tail is kept."""
    read_end, write_end = os.pipe()
    full = Full()
    pipe = open_output(read_end, full)
    os.write(write_end, b"one")
    assert pipe.tail() == "one"
    os.write(write_end, b"two")
    assert pipe.tail() == "onetwo"
    os.close(write_end)
    pipe.close()

    assert full.closed
    assert caplog.text.count("No space left") == 1
