"""How a kernel comes to its addresses: the choice as a table."""

from typing import Any

import pytest

from jupyter_kernel_mgmt import Unsupported
from jupyter_kernel_mgmt.subproc.transports import Choice, choose

OBSTACLE = "this system has no Unix sockets"
IPYKERNEL = ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
UNKNOWN = ("a-kernel", "{connection_file}")
LISTS_IPC = {"supported_transports": ["tcp", "ipc"]}
LISTS_TCP = {"supported_transports": ["tcp"]}


XEUS = ("python3.11", "-m", "xpython_launcher", "-f", "{connection_file}")


@pytest.mark.parametrize(
    ("wanted", "argv", "metadata", "obstacle", "way", "reason"),
    [
        # asked for: nothing else counts but an obstacle
        ("ipc", UNKNOWN, LISTS_TCP, None, "ipc", "asked for"),
        ("own-ports", UNKNOWN, {}, None, "own-ports", "asked for"),
        ("handshake", IPYKERNEL, {}, None, "handshake", "asked for"),
        ("picked-ports", IPYKERNEL, LISTS_IPC, OBSTACLE, "picked-ports", "asked for"),
        # over tcp the best that the kernel is known to manage
        ("tcp", IPYKERNEL, {}, None, "own-ports", "choose ports itself"),
        ("tcp", XEUS, {}, None, "handshake", "register"),
        ("tcp", UNKNOWN, {}, OBSTACLE, "picked-ports", "not known to manage"),
        ("tcp", IPYKERNEL, LISTS_IPC, None, "picked-ports", "not known to manage"),
        # auto: ipc, where nothing is in its way
        ("auto", IPYKERNEL, LISTS_IPC, OBSTACLE, "picked-ports", "not known to manage"),
        ("auto", IPYKERNEL, {}, OBSTACLE, "own-ports", "choose ports itself"),
        # then the metadata, in both directions
        ("auto", UNKNOWN, LISTS_IPC, None, "ipc", "known to manage"),
        ("auto", IPYKERNEL, LISTS_TCP, None, "picked-ports", "not known to manage"),
        ("auto", IPYKERNEL, {"supported_transports": []}, None, "picked-ports", "not known to manage"),
        ("auto", UNKNOWN, {"supported_transports": ["handshake"]}, None, "handshake", "register"),
        ("auto", UNKNOWN, {"supported_transports": ["handshake", "own-ports"]}, None, "own-ports", "itself"),
        # then the command
        ("auto", IPYKERNEL, {}, None, "ipc", "known to manage"),
        ("auto", ("python", "-m", "ipykernel", "-f", "x"), {}, None, "ipc", "known to manage"),
        ("auto", ("python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher"), {}, None, "ipc", "manage"),
        ("auto", ("python", "-m", "bash_kernel", "-f", "x"), {}, None, "own-ports", "choose ports itself"),
        ("auto", XEUS, {}, None, "handshake", "register"),
        ("auto", ("R", "--slave", "-e", "IRkernel::main()", "--args", "x"), {}, None, "ipc", "manage"),
        ("auto", ("ipykernel_launcher", "-f", "x"), {}, None, "picked-ports", "not known to manage"),
        ("auto", ("python", "ipykernel_launcher", "-m"), {}, None, "picked-ports", "not known to manage"),
        ("auto", ("wrapper", "-m"), {}, None, "picked-ports", "not known to manage"),
        ("auto", (), {}, None, "picked-ports", "not known to manage"),
        # nonsense in the metadata is as good as nothing
        ("auto", IPYKERNEL, {"supported_transports": "ipc"}, None, "ipc", "known to manage"),
        ("auto", UNKNOWN, {"supported_transports": {"ipc": True}}, None, "picked-ports", "not known"),
        ("auto", UNKNOWN, {"supported_transports": [["ipc"]]}, None, "picked-ports", "not known"),
    ],
)
def test_the_choice_and_its_reason(
    wanted: Any,
    argv: tuple[str, ...],
    metadata: dict[str, Any],
    obstacle: str | None,
    way: str,
    reason: str,
) -> None:
    """What was asked for, what stands against it, what the kernelspec says, what the command says."""
    choice = choose(wanted, argv=argv, metadata=metadata, ipc_obstacle=obstacle)

    assert isinstance(choice, Choice)
    assert choice.way == way
    assert choice.transport == ("ipc" if way == "ipc" else "tcp")
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("version", "way"),
    [
        ("5.6", "handshake"),
        ("5.10", "handshake"),
        ("6", "handshake"),
        ("5.6.1", "handshake"),
        ("5.5", "picked-ports"),
        ("5", "picked-ports"),
        ("", "picked-ports"),
        ("five", "picked-ports"),
        ("5.6rc1", "picked-ports"),
    ],
)
def test_kernels_register_from_version_5_6_of_the_protocol_on(version: str, way: str) -> None:
    """What is no version tells nothing."""
    choice = choose("auto", argv=UNKNOWN, metadata={}, protocol_version=version, ipc_obstacle=None)

    assert choice.way == way


def test_ipc_that_cannot_be_is_refused_with_the_obstacle() -> None:
    """Nothing is ignored in silence: tcp instead of the ipc that was asked for would be."""
    with pytest.raises(Unsupported, match=f"transport: ipc cannot be used here: {OBSTACLE}") as caught:
        choose("ipc", argv=IPYKERNEL, metadata=LISTS_IPC, ipc_obstacle=OBSTACLE)

    assert caught.value.option == "transport"


def test_a_name_that_is_no_transport_is_refused_with_those_that_are() -> None:
    with pytest.raises(Unsupported, match="'udp' is not one of 'auto', 'ipc', 'tcp', ") as caught:
        choose("udp", argv=IPYKERNEL, metadata={}, ipc_obstacle=None)  # type: ignore[arg-type]

    assert caught.value.option == "transport"
