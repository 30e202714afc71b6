"""Each way to a kernel's addresses by itself, while another process takes ports as fast as it can.

LONG_TESTS=1 makes it two hundred launches a way.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import KernelFinder, LaunchError, StartupTimeout, Unsupported, launch
from jupyter_protocol import CHANNELS
from jupyter_protocol.heartbeat import Heartbeat

from ._kinds import LONG, in_long_form
from ._port_grabber import grabbing

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="no other system can keep a port for a kernel"
)

LAUNCHES = 200 if LONG else 6
AT_ONCE = 8
GUARD = 20.0

CASES = [
    ("ipc", "spec/python3"),
    ("ipc", "ipykernel6"),
    ("ipc", "ir"),
    ("own-ports", "spec/python3"),
    ("own-ports", "ipykernel6"),
    ("own-ports", "bash"),
    ("handshake", "xpython"),
    *((way, "echo") for way in ("ipc", "own-ports", "handshake", "picked-ports")),
    ("picked-ports", "deno"),
    ("picked-ports", "spec/python3"),
]
RESTARTED = [
    ("ipc", "spec/python3"),
    ("own-ports", "spec/python3"),
    ("handshake", "xpython"),
    ("picked-ports", "deno"),
    *(case for case in CASES if case[1] == "echo"),
]
"""In the short form."""
WAYS = ["ipc", "own-ports", "handshake", "picked-ports"]

every_case = pytest.mark.parametrize(("way", "kernel_type"), CASES)
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
async def finder() -> AsyncIterator[KernelFinder]:
    """One for all kernels of a test: they share what their providers share."""
    async with KernelFinder.from_entrypoints() as shared:
        yield shared


async def beats(kernel) -> None:
    """The heartbeat of its address is its own: it echoes."""
    async with asyncio.timeout(GUARD), Heartbeat(kernel.connection_info, interval=0.1) as heartbeat:
        await heartbeat.wait_for_echo()


@pytest.mark.timeout(900)
@every_case
async def test_no_launch_fails_while_ports_are_grabbed(way, kernel_type, finder, require):
    """Each kernel answers on five addresses of its own."""
    in_long_form((way, kernel_type) in RESTARTED)
    require(kernel_type)
    turn = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with turn, launch(kernel_type, transport=way, finder=finder) as kernel:
            info = kernel.connection_info
            assert info.transport == ("ipc" if way == "ipc" else "tcp")
            assert len({info.port(channel) for channel in CHANNELS} - {0}) == len(CHANNELS)
            await beats(kernel)

    async with grabbing() as grabbed, asyncio.TaskGroup() as tasks:
        for _ in range(LAUNCHES):
            tasks.create_task(one())
    assert grabbed["given"] > 1000


@pytest.mark.parametrize(("way", "kernel_type"), [case for case in CASES if LONG or case in RESTARTED])
async def test_no_restart_fails_while_ports_are_grabbed(way, kernel_type, finder, require):
    """On the same addresses or on new ones, which the file then says; with the same key."""
    require(kernel_type)
    async with grabbing(), launch(kernel_type, transport=way, finder=finder) as kernel:
        before = kernel.connection_info
        await kernel.restart()
        after = kernel.connection_info
        assert after.key == before.key
        assert type(after).load(kernel.connection_file) == after
        if way == "ipc":
            assert after == before
        await beats(kernel)


@pytest.mark.parametrize(
    ("kernel_type", "way"),
    [
        ("spec/python3", "ipc"),
        ("ipykernel6", "ipc"),
        ("ir", "ipc"),
        ("bash", "own-ports"),
        ("xpython", "handshake"),
        ("echo", "ipc"),
        ("deno", "picked-ports"),
    ],
)
async def test_auto_takes_the_best_way_a_kernel_knows(kernel_type, way, require, caplog):
    """And says which, and why."""
    require(kernel_type)
    caplog.set_level("INFO", "jupyter_kernel_mgmt")
    async with launch(kernel_type) as kernel:
        (chosen,) = (text for text in caplog.messages if f"{kernel.kernel_id} uses" in text)
        assert f"uses {way}: the kernel is" in chosen


# Kernels that cannot start

BROKEN = {
    "missing module": "No module named",
    "syntax error": "SyntaxError",
    "no permission": "may not be run",
    "no such program": "was not found",
    "bad option": "unknown option",
}


@pytest.fixture
def broken(spec, world) -> Callable[[str], None]:
    """Installs a kernelspec "broken" that cannot work, for one of these reasons."""

    def install(reason: str) -> None:
        script: Path = world.other / "kernel.py"
        script.write_text("def startup(:\n")
        script.chmod(0o600)
        argv = {
            "missing module": [sys.executable, "-m", "no_such_kernel"],
            "syntax error": [sys.executable, str(script)],
            "no permission": [str(script)],
            "no such program": [str(world.other / "absent")],
            "bad option": [sys.executable, "--no-such-option"],
        }[reason]
        spec("broken", [*argv, "-f", "{connection_file}"])

    return install


@every_way
@pytest.mark.parametrize("reason", BROKEN)
async def test_a_kernel_that_cannot_start_is_an_error_with_its_reason(reason, way, broken, descendants):
    """As soon as it has ended; nothing of it is left then."""
    broken(reason)
    with pytest.raises(LaunchError, match=BROKEN[reason]) as caught:
        await launch("broken", transport=way)
    assert not isinstance(caught.value, StartupTimeout)
    assert not any("broken" in command for command in descendants().values())


@every_way
async def test_a_kernel_that_never_says_where_it_is_is_given_up(way, spec, world):
    """With what it wrote, and without its process."""
    started = world.other / "started"
    program = f"import time; print('hello', flush=True); open({str(started)!r}, 'w').close(); time.sleep(600)"
    spec("mute", [sys.executable, "-S", "-c", program, "{connection_file}"])
    with pytest.raises(StartupTimeout) as caught:
        await launch("mute", transport=way, startup_timeout=1)
    assert started.exists()
    assert "hello" in str(caught.value)


async def test_what_is_no_transport_is_refused_by_name():
    with pytest.raises(Unsupported, match="transport"):
        await launch(transport="pigeon")
