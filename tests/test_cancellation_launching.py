"""Launching a process, cancelled wherever it waits, for each way to its addresses: nothing is left."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import Launched, LaunchError, LaunchRequest, SubprocessLauncher
from jupyter_kernel_mgmt.launching import Transport
from jupyter_kernel_mgmt.subproc.helpers import LocalHelpers
from jupyter_protocol import CHANNELS

from ._cancelling import Moment, Plan, all_moments, cancel_everywhere

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ipc and modes are POSIX")

WAYS: list[Transport] = ["ipc", "own-ports", "handshake", "picked-ports"]
TELL = ("own-ports", "handshake")
"""Those in which a launch waits for what the kernel tells; the others do not wait at all."""

every_way = pytest.mark.parametrize("way", WAYS)

REWRITES = """
import json, sys, time
values = json.load(open(sys.argv[1]))
names = [name for name in values if name.endswith("_port")]
values.update((name, values[name] or 50000 + number) for number, name in enumerate(names))
json.dump(values, open(sys.argv[1], "w"))
time.sleep(600)
"""
"""What a kernel does that chooses its ports itself, without the sockets."""

REGISTERS = """
import hmac, json, socket, struct, sys, time
values = json.load(open(sys.argv[1]))
content = json.dumps({"kernel_id": values["kernel_id"], **{c + "_port": str(50000 + n) for n, c in enumerate(
    ["shell", "iopub", "stdin", "control", "hb"])}}).encode()
signature = hmac.new(values["key"].encode(), content, "sha256").hexdigest().encode()
sock = socket.create_connection((values["registration_ip"], int(values["registration_port"])))
sock.sendall(b"\\xff" + bytes(8) + b"\\x7f\\x03\\x00NULL" + bytes(16 + 32))
def exactly(size):
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data
exactly(64)
ready = b"\\x05READY\\x0bSocket-Type" + struct.pack("!I", 6) + b"DEALER" + b"\\x08Identity" + bytes(4)
sock.sendall(b"\\x04" + bytes([len(ready)]) + ready)
exactly(exactly(2)[1])
for flag, frame in [(1, b"<IDS|MSG>"), (1, signature), (2, content)]:
    sock.sendall(bytes([flag]) + bytes([len(frame)]) + frame if flag == 1 else b"\\x02" + struct.pack(
        "!Q", len(frame)) + frame)
time.sleep(600)
"""
"""What a kernel does that registers, in ZMTP 3.0 by hand, so that it starts as fast as Python does."""

SLEEPS = "import time; time.sleep(600)"
PROGRAMS = {"ipc": SLEEPS, "own-ports": REWRITES, "handshake": REGISTERS, "picked-ports": SLEEPS}


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where connection files and sockets are, with a short path; empty after each scene."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        for name in ("run", "sockets"):
            (Path(directory) / name).mkdir()
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", f"{directory}/run")
        monkeypatch.setenv("XDG_RUNTIME_DIR", f"{directory}/sockets")
        yield Path(directory)


def launcher(way: Transport, helpers: LocalHelpers) -> SubprocessLauncher:
    argv = (sys.executable, "-S", "-c", PROGRAMS[way], "{connection_file}")
    return SubprocessLauncher(argv, helpers=helpers)


def files(places: Path) -> list[Path]:
    return [path for name in ("run", "sockets") for path in (places / name).iterdir()]


async def close(launched: Launched) -> None:
    assert launched.manager is not None
    await launched.manager.aclose()


@every_way
@all_moments
async def test_launching(moment: Moment, way: Transport, places: Path) -> None:
    """Its process, file, directory, ports and registration are gone; another launch works."""

    async def scene(plan: Plan) -> None:
        helpers = LocalHelpers()
        launched = await plan.run(launcher(way, helpers).launch(LaunchRequest(transport=way)))
        if launched is not None:
            info = launched.connection_info
            assert info is not None
            assert all(map(info.port, CHANNELS))
            assert len(files(places)) == 1 + (way == "ipc")
            await close(launched)
        await plan.promise(lambda: files(places) == [])
        await plan.promise(
            lambda: helpers.registrations._users == 0 and helpers.registrations._socket is None
        )
        await close(await launcher(way, helpers).launch(LaunchRequest(transport=way)))

    await cancel_everywhere(scene, moment, at_least=2 if way in TELL else 0)


@every_way
@all_moments
async def test_launching_in_place_of_another(moment: Moment, way: Transport, places: Path) -> None:
    """The one before keeps its place until it is closed; then nothing is left."""

    async def scene(plan: Plan) -> None:
        helpers = LocalHelpers()
        first = await launcher(way, helpers).launch(LaunchRequest(transport=way))
        assert first.manager is not None
        await first.manager.kill()
        await first.manager.wait()
        request = LaunchRequest(transport=way, previous=first)
        second = await plan.run(launcher(way, helpers).launch(request))
        if second is not None:
            await close(second)
        assert len(files(places)) == 1 + (way == "ipc")
        await close(first)
        await plan.promise(lambda: files(places) == [])

    await cancel_everywhere(scene, moment, at_least=0)  # it is told where the first one was


@every_way
@all_moments
async def test_launching_what_cannot_start(moment: Moment, way: Transport, places: Path) -> None:
    """Whether it ends before or after the cancellation."""

    async def scene(plan: Plan) -> None:
        broken = SubprocessLauncher((sys.executable, "-S", "-c", "1/0", "{connection_file}"))

        async def fails() -> None:
            try:
                launched = await broken.launch(LaunchRequest(transport=way))
            except LaunchError as error:
                assert "ZeroDivisionError" in str(error)  # noqa: PT017 - not where it lived on for a moment
            else:
                assert way in ("ipc", "picked-ports")  # it need not have ended yet
                await close(launched)

        await plan.run(fails())
        await plan.promise(lambda: files(places) == [])

    await cancel_everywhere(scene, moment)


@all_moments
async def test_launching_a_kernel_that_shares_a_registration_socket(moment: Moment, places: Path) -> None:
    """The other one, which waits at the same socket, is not disturbed."""

    async def scene(plan: Plan) -> None:
        helpers = LocalHelpers()
        async with helpers.registrations.socket() as socket:
            launched = await plan.run(
                launcher("handshake", helpers).launch(LaunchRequest(transport="handshake"))
            )
            if launched is not None:
                await close(launched)
            other = await launcher("handshake", helpers).launch(LaunchRequest(transport="handshake"))
            await close(other)
            assert helpers.registrations._socket is socket
        assert helpers.registrations._socket is None

    await cancel_everywhere(scene, moment)
