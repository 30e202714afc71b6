"""tcp: somebody takes a port between our picking it and the kernel's binding it."""

import socket
from contextlib import ExitStack

import pytest

from jupyter_kernel_mgmt import KernelExited, LaunchError, launch
from jupyter_kernel_mgmt.subproc import addresses, place
from jupyter_protocol import CHANNELS


@pytest.fixture
def taken():
    """Five ports that somebody else holds."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(5)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
        yield [sock.getsockname()[1] for sock in sockets]


@pytest.fixture
def reserved(monkeypatch):
    """Give kernels other ports than those that are reserved for them, as a function says."""

    def install(change):
        def reserve(channels, previous=None):
            reservation, fields = addresses.reserve(channels, previous)
            return reservation, change(fields)

        monkeypatch.setattr(place, "reserve", reserve)

    return install


async def test_a_kernel_that_loses_a_port_is_launched_again(quick_kind, taken, reserved):
    """On fresh ports, without the caller noticing; the first process is gone and its death is told."""
    picks = []

    def change(fields):
        # That of control: ipykernel lives on without a heartbeat, and hangs in its own exit without iopub.
        picks.append(fields if picks else {**fields, "control_port": taken[3]})
        return picks[-1]

    reserved(change)
    async with launch(quick_kind.kernel_type, transport="picked-ports") as kernel:
        assert len(picks) == 2
        assert kernel.connection_info.control_port == picks[1]["control_port"] != taken[3]
        assert (await kernel.execute("print('hello')")).stdout.strip() == "hello"
        events = kernel.events()
    exits = [event async for event in events if isinstance(event, KernelExited)]
    assert exits[0].generation == 1
    assert "port" in exits[0].exit_info.reason


async def test_ports_that_are_always_taken_are_a_clear_error(taken, reserved):
    """It is not tried for ever; the error says what happened and what the kernel wrote."""
    tries = []

    def change(fields):
        tries.append(fields)
        return {**fields, **{f"{channel}_port": port for channel, port in zip(CHANNELS, taken, strict=True)}}

    reserved(change)
    with pytest.raises(LaunchError, match="port") as caught:
        await launch(transport="picked-ports")
    assert "Address already in use" in caught.value.exit_info.output_tail
    assert 1 < len(tries) < 10


async def test_a_restart_whose_old_ports_are_gone_takes_new_ones(python_process):
    """The connection file then says the new ones, and other programs can use it."""
    async with launch(transport="tcp") as kernel:
        old = kernel.connection_info
        await kernel.shutdown()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", old.hb_port))
            other.listen()
            await kernel.restart()
            assert kernel.connection_info.hb_port != old.hb_port
            assert kernel.connection_info.key == old.key
            assert type(old).load(kernel.connection_file) == kernel.connection_info
            assert (await kernel.execute("6 * 7")).text == "42"
