"""The heartbeat: a client's end, and the kernel's echo."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from jupyter_protocol import ChannelClosed, ConnectionInfo, Heartbeat, KernelSockets
from jupyter_protocol.sockets.context import SharedContext

GUARD = 30
SOON = 0.001


@pytest.fixture
def rep() -> Iterator["zmq.Socket[bytes]"]:
    """What an ordinary kernel has on its hb channel, before it answers."""
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.linger = 0
        socket.bind("tcp://127.0.0.1:*")
        yield socket


def port_of(socket: "zmq.Socket[bytes]") -> int:
    return int(socket.last_endpoint.decode().rpartition(":")[2])


async def test_every_echo_is_noted() -> None:
    """Silence is None before the first, a number of seconds after it."""
    async with (
        asyncio.timeout(GUARD),
        KernelSockets(ConnectionInfo()) as kernel,
        Heartbeat(kernel.connection_info, interval=SOON) as heartbeat,
    ):
        assert heartbeat.silence is None
        for _ in range(5):
            await heartbeat.wait_for_echo()
            assert heartbeat.silence is not None
            assert heartbeat.silence >= 0


async def test_all_that_wait_hear_an_echo() -> None:
    """Any number of tasks may wait."""
    async with (
        asyncio.timeout(GUARD),
        KernelSockets(ConnectionInfo()) as kernel,
        Heartbeat(kernel.connection_info, interval=SOON) as heartbeat,
    ):
        await asyncio.gather(*(heartbeat.wait_for_echo() for _ in range(10)))


async def test_a_kernel_that_never_echoes_has_no_silence(rep: "zmq.Socket[bytes]") -> None:
    """Beats arrive; nothing is concluded from the missing answer. Giving up waiting is safe."""
    async with (
        asyncio.timeout(GUARD),
        Heartbeat(ConnectionInfo(hb_port=port_of(rep)), interval=SOON) as heartbeat,
    ):
        assert await asyncio.to_thread(rep.poll, GUARD * 1000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await heartbeat.wait_for_echo()
        assert heartbeat.silence is None
        waiting = asyncio.create_task(heartbeat.wait_for_echo())
        await asyncio.sleep(0)  # from here on it waits
        rep.send(rep.recv())
        await waiting
        assert heartbeat.silence is not None


async def test_beats_do_not_pile_up_for_a_kernel_that_reads_nothing() -> None:
    """ZMQ keeps one and the pump another, however long it lasts."""
    async with asyncio.timeout(GUARD), Heartbeat(ConnectionInfo(hb_port=1), interval=0) as heartbeat:
        pump = heartbeat._pump
        assert pump is not None
        while pump.idle:  # noqa: ASYNC110 - nobody reports it
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(pump._outbox) == 1


async def test_a_kernel_that_comes_later_is_found() -> None:
    """The heartbeat need not wait for it."""
    async with asyncio.timeout(GUARD), KernelSockets(ConnectionInfo()) as first:
        info = first.connection_info
        await first.aclose()
        async with Heartbeat(info, interval=SOON) as heartbeat, KernelSockets(info):
            await heartbeat.wait_for_echo()


async def test_the_kernel_echoes_while_its_loop_is_blocked() -> None:
    """The loop of this test is the kernel's, and the receive blocks it."""
    async with KernelSockets(ConnectionInfo()) as kernel:
        with zmq.Context() as context, context.socket(zmq.REQ) as req:
            req.linger = 0
            req.rcvtimeo = GUARD * 1000
            req.connect(kernel.connection_info.url("hb"))
            for beat in (b"ping", b"", b"x" * 100_000):
                req.send(beat)
                assert req.recv() == beat
            req.send_multipart([b"two", b"frames"])
            assert req.recv_multipart() == [b"two", b"frames"]


async def test_garbage_on_the_channel_does_not_end_the_echo() -> None:
    """Frames without a delimiter, a peer that goes away: the next beat is echoed."""
    async with KernelSockets(ConnectionInfo()) as kernel:
        url = kernel.connection_info.url("hb")
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer, context.socket(zmq.REQ) as req:
            for socket in (dealer, req):
                socket.linger = 0
                socket.rcvtimeo = GUARD * 1000
                socket.connect(url)
            for garbage in ([b""], [b"", b""], [b"a", b"b", b"c"]):
                dealer.send_multipart(garbage)
                assert dealer.recv_multipart() == garbage
            dealer.send(b"and away")
            dealer.close()
            req.send(b"ping")
            assert req.recv() == b"ping"


@pytest.mark.skipif(not zmq.has("curve"), reason="this ZMQ has no encryption")
async def test_an_encrypted_heartbeat() -> None:
    """The public key is enough for a client; without it no echo comes."""
    public, secret = zmq.curve_keypair()
    info = ConnectionInfo(curve_publickey=public.decode(), curve_secretkey=secret.decode())
    async with asyncio.timeout(GUARD), KernelSockets(info) as kernel:
        values = kernel.connection_info.to_dict()
        del values["curve_secretkey"]
        known = ConnectionInfo.from_dict(values)
        del values["curve_publickey"]
        async with (
            Heartbeat(ConnectionInfo.from_dict(values), interval=SOON) as plain,
            Heartbeat(known, interval=SOON) as encrypted,
        ):
            await encrypted.wait_for_echo()
            assert plain.silence is None


async def test_closing_is_idempotent_and_ends_all_waiting() -> None:
    """Nobody is left to wait for an echo that cannot come."""
    async with asyncio.timeout(GUARD):
        heartbeat = Heartbeat(ConnectionInfo(hb_port=1))
        with pytest.raises(ChannelClosed):
            await heartbeat.wait_for_echo()
        async with heartbeat:
            waiting = asyncio.create_task(heartbeat.wait_for_echo())
            await asyncio.sleep(0)
            await heartbeat.aclose()
            await heartbeat.aclose()
            with pytest.raises(ChannelClosed):
                await waiting
        with pytest.raises(ChannelClosed):
            await heartbeat.wait_for_echo()
        with pytest.raises(ChannelClosed):
            await heartbeat.__aenter__()


async def test_it_can_still_be_closed_when_somebody_waited_on_a_loop_that_is() -> None:
    """Nobody can be told any more, and everything is released all the same."""
    new_loop = type(asyncio.get_running_loop())

    def run() -> None:
        loop = new_loop()

        async def wait() -> "asyncio.Task[None]":
            await heartbeat.__aenter__()
            waiting = asyncio.create_task(heartbeat.wait_for_echo())
            await asyncio.sleep(0)
            return waiting

        heartbeat = Heartbeat(ConnectionInfo(hb_port=1))
        waiting = loop.run_until_complete(wait())
        loop.close()
        for _ in range(2):
            asyncio.run(heartbeat.aclose())
        assert heartbeat._pump is not None
        assert heartbeat._pump.closed
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]

    await asyncio.to_thread(run)
    assert SharedContext._current is None


async def test_opening_twice_is_refused() -> None:
    """And harms nothing."""
    async with Heartbeat(ConnectionInfo(hb_port=1)) as heartbeat:
        with pytest.raises(ChannelClosed):
            await heartbeat.__aenter__()
    assert SharedContext._current is None


@pytest.mark.skipif(sys.platform == "win32", reason="ipc is POSIX")
async def test_an_address_that_cannot_be_is_an_oserror(tmp_path: Path) -> None:
    """And everything is released."""
    info = ConnectionInfo(transport="ipc", ip=str(tmp_path / ("x" * 200)))
    with pytest.raises(OSError, match="too long"):
        await Heartbeat(info).__aenter__()
    assert SharedContext._current is None
