"""Hostile frames in great number: each gives a message or a `ProtocolError`, and readers live on.

LONG_TESTS=1 makes it a million, through `Session.deserialize` and through open sockets; SEED repeats a run.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from jupyter_protocol import ClientSockets, ConnectionInfo, Message, ProtocolError, Session, messages

LONG = bool(os.environ.get("LONG_TESTS"))
COUNT = 1_000_000 if LONG else 20_000
SEED = int(os.environ.get("SEED") or random.randrange(2**32))
KEY = "0123456789abcdef"
GROWTH = 16 * 1024 * 1024
"""Bytes that may be kept of it: caches and fragments, not what was received."""

pytestmark = pytest.mark.timeout(1800 if LONG else 120)

Frames = list[bytes]


def genuine(session: Session, number: int) -> Frames:
    """One of several kinds of messages, signed; each is another one."""
    parent = messages.execute_request(f"code {number}")
    made = (
        messages.stream("stdout", f"text {number}\n", parent=parent),
        messages.display_data({"text/plain": str(number)}, parent=parent),
        messages.status("busy", parent=parent),
        messages.comm_msg("id", {"number": number}, buffers=[bytes(number % 50), b"b"]),
    )
    return [bytes(frame) for frame in session.serialize(made[number % len(made)])]


def flip(frames: Frames, chance: random.Random) -> None:
    place = chance.randrange(len(frames))
    if frames[place]:
        data = bytearray(frames[place])
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        frames[place] = bytes(data)


def cut(frames: Frames, chance: random.Random) -> None:
    place = chance.randrange(len(frames))
    frames[place] = frames[place][: chance.randrange(len(frames[place]) + 1)]


def drop(frames: Frames, chance: random.Random) -> None:
    if len(frames) > 1:
        del frames[chance.randrange(len(frames))]


def double(frames: Frames, chance: random.Random) -> None:
    place = chance.randrange(len(frames))
    frames.insert(place, frames[place])


def swap(frames: Frames, chance: random.Random) -> None:
    one, other = chance.randrange(len(frames)), chance.randrange(len(frames))
    frames[one], frames[other] = frames[other], frames[one]


def invent(frames: Frames, chance: random.Random) -> None:
    frames[chance.randrange(len(frames))] = chance.randbytes(chance.randrange(100))


def nest(frames: Frames, chance: random.Random) -> None:
    frames[chance.randrange(len(frames))] = chance.choice([b"[" * 5000, b'{"a":' * 5000, b"\x91" * 5000])


MUTATIONS: tuple[Callable[[Frames, random.Random], None], ...] = (
    *(flip, cut, drop, double, swap, invent, nest),
)


def sign_again(frames: Frames, session: Session, chance: random.Random) -> None:
    """So that what is behind the signature sees it too."""
    if b"<IDS|MSG>" in frames and session._signer is not None:
        start = frames.index(b"<IDS|MSG>") + 1
        if len(frames) > start:
            frames[start] = session._signer.sign(frames[start + 1 : start + 5])


def mutated(session: Session, chance: random.Random, number: int) -> Frames:
    frames = genuine(session, number)
    for _ in range(chance.randint(1, 3)):
        chance.choice(MUTATIONS)(frames, chance)
    if chance.random() < 0.5:
        sign_again(frames, session, chance)
    return frames


def memory() -> int:
    """Bytes that this process has in memory."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("packer", ["json", "msgpack"])
def test_mutated_frames_give_a_message_or_a_protocol_error(packer: str) -> None:
    """No other exception, whatever is in them; a genuine message among them is read; nothing is kept."""
    print(f"SEED={SEED}")  # noqa: T201 - shown when the test fails
    chance, sender = random.Random(SEED), Session(KEY, packer=packer)
    receiver = Session(KEY, packer=packer, replay_history=1000)
    before = 0
    read = 0
    for number in range(COUNT // 2):
        if number == 2000:
            before = memory()
        try:
            read += isinstance(receiver.deserialize(mutated(sender, chance, number)), Message)
        except ProtocolError:
            continue
        finally:
            if number % 1000 == 0:
                assert receiver.deserialize(genuine(sender, number)).header["msg_id"]
    assert read > COUNT // 100, "some mutations are lawful"
    assert memory() - before < GROWTH


@pytest.fixture
def publisher() -> Iterator["zmq.Socket[bytes]"]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sock = context.socket(zmq.XPUB)
    sock.setsockopt(zmq.SNDHWM, 0)
    yield sock
    sock.close(0)
    context.term()


async def test_mutated_frames_never_end_a_reader(publisher: "zmq.Socket[bytes]") -> None:
    """Each is taken or counted as refused, and every genuine one among them arrives."""
    print(f"SEED={SEED}")  # noqa: T201 - shown when the test fails
    chance, sender = random.Random(SEED), Session(KEY)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    info = ConnectionInfo(shell_port=port, iopub_port=port, control_port=port, stdin_port=port, key=KEY)
    marks: asyncio.Queue[int] = asyncio.Queue()
    taken = 0

    def on_message(channel: str, message: Message) -> None:
        nonlocal taken
        taken += 1
        if message.msg_type == "mark":
            marks.put_nowait(message.content["number"])

    async with ClientSockets(info, on_message=on_message) as sockets:
        await asyncio.to_thread(publisher.poll)  # it has subscribed
        before = sent = 0
        for mark in range(COUNT // 1000):
            for number in range(1000):
                publisher.send_multipart(mutated(sender, chance, number))
            publisher.send_multipart(sender.serialize(messages.new_message("mark", {"number": mark})))
            sent += 1001
            async with asyncio.timeout(60):
                assert await marks.get() == mark
            assert taken + sum(sockets.refused.values()) == sent
            if mark == 2:
                before = memory()
    assert sockets.refused["InvalidSignature"] > COUNT // 100
    assert memory() - before < GROWTH
