"""Where output goes, and that nobody waits for who does not read it."""

import asyncio
import os
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt import ExitInfo
from jupyter_kernel_mgmt.agent import Agent
from jupyter_kernel_mgmt.agent.far_end.loop import Loop
from jupyter_kernel_mgmt.agent.far_end.outputs import Output, Outputs

from ._agents import PYTHON, Said, ended

pytestmark = pytest.mark.usefixtures("no_descriptor_stays")


async def test_streamed_output_is_whole_and_in_order(agent: Agent) -> None:
    """Bytes that are not UTF-8 too."""
    said = Said()
    program = "import sys\nfor n in range(20000): sys.stdout.buffer.write(b'\\xff %d\\n' % n)"
    process = await agent.spawn([*PYTHON, program], on_output=said)
    info = await ended(process)
    assert said.data == b"".join(b"\xff %d\n" % n for n in range(20000))
    assert info.output_tail.endswith("19999\n")
    assert len(info.output_tail) <= 65536


async def test_output_that_nobody_reads_stops_nobody(agent: Agent) -> None:
    """It is drained at the far end."""
    process = await agent.spawn([*PYTHON, "print('x' * 10_000_000); raise SystemExit(5)"])
    info = await ended(process)
    assert (info.returncode, len(info.output_tail)) == (5, 65536)


async def test_output_can_go_to_a_descriptor_of_ours(agent: Agent) -> None:
    """Handed over: the agent keeps no copy, so that its end is seen."""
    read_end, write_end = os.pipe()
    process = await agent.spawn([*PYTHON, "import os; print('here', os.isatty(1))"], stdout=write_end)
    os.close(write_end)
    assert await ended(process) == ExitInfo(0)
    with os.fdopen(read_end, "rb") as pipe:
        assert pipe.read() == b"here False\n"


async def test_two_at_once_get_their_own_descriptors(agent: Agent) -> None:
    pipes = [os.pipe() for _ in range(10)]
    try:
        await asyncio.gather(
            *(
                agent.spawn([*PYTHON, f"print({number})"], stdout=write_end)
                for number, (_, write_end) in enumerate(pipes)
            )
        )
    finally:
        for _, write_end in pipes:
            os.close(write_end)
    for number, (read_end, _) in enumerate(pipes):
        with os.fdopen(read_end, "rb") as pipe:
            assert pipe.read() == b"%d\n" % number


# Alone


def test_the_end_is_kept_and_no_more() -> None:
    """As text, whatever was written."""
    output = Output("k", -1, size=10, streamed=False)
    for _ in range(100):
        output.add(b"0123456789ab")
    assert output.tail() == "23456789ab"
    output.add(b"\xff")
    assert output.tail() == "3456789ab\ufffd"
    nothing = Output("k", -1, size=0, streamed=False)
    nothing.add(b"x")
    assert nothing.tail() == ""


@pytest.mark.parametrize("by", ["the loop", "closing"])
def test_one_may_be_closed_while_it_is_passed_on(by: str) -> None:
    """As when the owner turns out not to listen; what others hold of it does not matter."""
    loop = Loop()
    passed_on = []

    def pass_on(output: Output, data: bytes) -> None:
        passed_on.append(data)
        outputs.close(output.id)

    outputs = Outputs(loop, pass_on)
    read_end, write_end = os.pipe()
    output = Output("k", read_end, size=10, streamed=True)
    outputs.open(output)
    os.write(write_end, b"x")
    if by == "the loop":
        loop.turn(0)
        assert outputs.close("k") is None
    else:
        assert outputs.close("k") is output
    assert (passed_on, output.fd, output.tail()) == ([b"x"], -1, "x")
    os.close(write_end)
    loop.turn(0)


def test_one_that_has_ended_is_kept_until_it_is_closed() -> None:
    """Its process may live on without it."""
    loop = Loop()
    outputs = Outputs(loop, lambda output, data: None)
    read_end, write_end = os.pipe()
    output = Output("k", read_end, size=10, streamed=False)
    outputs.open(output)
    os.write(write_end, b"bye")
    os.close(write_end)
    loop.turn(0)
    loop.turn(0)
    assert output.fd == -1
    assert outputs.close("k") is output
    assert output.tail() == "bye"
    assert outputs.close("k") is None
