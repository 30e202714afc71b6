"""Ports that a kernel writes into its file: what counts as written, and how long is waited for it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt import ExitInfo, LaunchError
from jupyter_kernel_mgmt.subproc.rewritten_file import RewrittenFile, complete, wait_for_ports
from jupyter_protocol import CHANNELS, ConnectionInfo

PORTS = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, start=50001)}
BEFORE = ConnectionInfo(
    key="a-key", curve_publickey="p" * 40, curve_secretkey="s" * 40, extra={"mine": {"kept": True}}
)
AFTER = replace(BEFORE, **PORTS)


def text(info: ConnectionInfo) -> str:
    return json.dumps(info.to_dict(), indent=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """As it is when the kernel starts: with ports 0."""
    path = tmp_path / "kernel.json"
    BEFORE.write(path)
    return path


def in_place(path: Path) -> None:
    path.write_text(text(AFTER))


def in_parts(path: Path) -> None:
    """As a reader may see it that comes in between: empty, then a part, then all."""
    whole = text(AFTER)
    for part in ("", whole[: len(whole) // 2], whole):
        path.write_text(part)


def replaced(path: Path) -> None:
    AFTER.write(path)


def removed_first(path: Path) -> None:
    path.unlink()
    path.write_text(text(AFTER))


@pytest.mark.parametrize("rewrite", [in_place, in_parts, replaced, removed_first])
async def test_the_ports_are_known_once_the_file_has_them(
    file: Path, rewrite: Callable[[Path], None]
) -> None:
    """However it is written; unknown fields and Curve keys come with them."""
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(wait_for_ports(file, loop.create_future()))
    await asyncio.sleep(0)  # it has looked once
    rewrite(file)

    assert await waiting == AFTER


async def test_a_file_that_was_written_before_anybody_looked_is_not_missed(file: Path) -> None:
    in_place(file)

    assert await wait_for_ports(file, asyncio.get_running_loop().create_future()) == AFTER


async def test_the_wait_ends_when_the_kernel_has(file: Path) -> None:
    """The error has the exit, and what the kernel wrote."""
    exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(wait_for_ports(file, exited))
    await asyncio.sleep(0)
    exited.set_result(ExitInfo(1, output_tail="no module named kernel"))

    with pytest.raises(LaunchError, match="no module named kernel") as caught:
        await waiting
    assert caught.value.exit_info == exited.result()


async def test_ports_that_were_written_just_before_the_end_are_still_told(file: Path) -> None:
    """Who connects then learns of the death as of any other."""
    exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(wait_for_ports(file, exited))
    await asyncio.sleep(0)
    in_place(file)
    exited.set_result(ExitInfo(1))

    assert await waiting == AFTER


async def test_cancelling_the_wait_leaves_the_exit_alone(file: Path) -> None:
    exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait_for_ports(file, exited), 0)

    assert not exited.done()


def test_what_is_not_there_yet_is_not_there_yet(file: Path) -> None:
    """Missing, a directory in its place, ports 0, some ports 0."""
    assert RewrittenFile(file).look() is None
    assert RewrittenFile(file.parent / "missing").look() is None
    assert RewrittenFile(file.parent).look() is None
    replace(AFTER, hb_port=0).write(file)
    assert RewrittenFile(file).look() is None


def test_a_file_that_looks_the_same_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_bytes(path: Path) -> bytes:
        pytest.fail("it was read")

    rewritten = RewrittenFile(file)
    assert rewritten.look() is None
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_bytes)
        assert rewritten.look() is None
    in_place(file)
    assert rewritten.look() == AFTER


@given(st.integers(min_value=0, max_value=len(text(AFTER)) - 1))
def test_no_part_of_a_file_is_taken_for_the_whole(size: int) -> None:
    """The ports may be in it and the key not."""
    assert complete(text(AFTER).encode()[:size]) is None


@given(st.binary(max_size=60))
def test_no_bytes_do_any_harm(data: bytes) -> None:
    assert complete(data) is None


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"[" * 100_000, b'{"shell_port": "x"}', b"\xff"])
def test_what_is_no_connection_file_is_not_yet_one(data: bytes) -> None:
    assert complete(data) is None
