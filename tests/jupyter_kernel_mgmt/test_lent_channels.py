"""Channels that one client lends to another."""

import pytest

from jupyter_kernel_mgmt import ClientClosed, KernelClient
from jupyter_kernel_mgmt._lent_channels import LentChannels
from jupyter_kernel_mgmt.testing import FakeRun
from jupyter_protocol import ChannelClosed, messages


async def behave(run: FakeRun) -> None:
    run.write(run.code)


async def test_another_client_talks_and_the_owner_follows_what_the_kernel_does(talk):
    """Then the owner talks again."""
    owner, _ = await talk(behave)
    channels = LentChannels(owner)
    async with KernelClient(channels) as other:
        execution = other.execute("x")
        await other.until(lambda: other.execution_state == "busy")
        assert owner.execution_state == "busy"
        assert (await execution).stdout == "x"
        assert owner.execution_state == "idle"
    assert (await owner.execute("y")).stdout == "y"


async def test_who_borrowed_them_cannot_close_them_but_only_give_them_back(talk):
    owner, kernel = await talk(behave)
    channels = LentChannels(owner)
    for _ in range(2):
        await channels.aclose(discard=True)
    with pytest.raises(ChannelClosed, match="returned to its pool"):
        channels.send("shell", messages.kernel_info_request())
    await owner.kernel_info()
    assert len(kernel.received) == 1


async def test_both_learn_that_the_far_end_has_closed_them(talk):
    owner, kernel = await talk(behave)
    async with KernelClient(LentChannels(owner)) as other:
        kernel.side.close()
        with pytest.raises(ClientClosed):
            await other.until(lambda: False)
        with pytest.raises(ClientClosed):
            await owner.kernel_info()


@pytest.mark.parametrize(
    ("request_", "use"),
    [
        (messages.kernel_info_request(), False),
        (messages.complete_request("x"), False),
        (messages.comm_info_request(), False),
        (messages.execute_request("x", silent=True), True),
        (messages.comm_open("id", "target", {}), True),
        (messages.debug_request({"command": "evaluate"}), True),
    ],
)
async def test_what_may_leave_a_trace_is_noted(request_, use, talk):
    owner, _ = await talk(behave)
    channels = LentChannels(owner)
    channels.send("shell", request_)
    assert channels.used is use


async def test_who_borrowed_them_knocks_as_the_owner_would(talk):
    """Where the owner's channels cannot, something is sent that leaves no trace."""
    owner, kernel = await talk(behave)
    channels = LentChannels(owner)
    channels.knock()
    await kernel.wait_for("kernel_info_request")
    assert not channels.used
    knocks: list[str] = []
    channels._channels.knock = lambda: knocks.append("knock")
    channels.knock()
    assert knocks == ["knock"]
    await channels.aclose()
    with pytest.raises(ChannelClosed):
        channels.knock()
    assert knocks == ["knock"]
