"""Comms with real kernels: both directions, bytes, unknown targets, deaths, restarts, two clients."""

import asyncio

import pytest

from jupyter_kernel_mgmt import KernelDied, KernelRestarted, connect, launch

GUARD = 30

TARGETS = """
from comm import create_comm
manager = get_ipython().kernel.comm_manager

def echo(comm, opening):
    def answer(message):
        comm.send(message["content"]["data"], message["metadata"], [bytes(b) for b in message["buffers"]])
    comm.on_msg(answer)
    comm.on_close(lambda message: closed.append(message["content"]["data"]))
    answer(opening)

def says_goodbye(comm, opening):
    comm.send({"n": 1})
    comm.close({"n": 2})

closed = []
manager.register_target("echo", echo)
manager.register_target("says goodbye", says_goodbye)
"""

OPENS = """
heard = []
c = create_comm("ours", {"n": 0}, buffers=[b"opening"])
c.on_msg(lambda message: heard.append((message["content"]["data"], [bytes(b) for b in message["buffers"]])))
for n in range(1, 4):
    c.send({"n": n}, buffers=[bytes([n]) * 1000])
"""

ALL_BYTES = bytes(range(256)) * 4096


async def test_a_comm_of_ours_carries_data_and_bytes_both_ways(ipykernel):
    """From the opening on, with metadata; the kernel learns of our closing and of nothing else."""
    async with launch(ipykernel) as kernel, asyncio.timeout(GUARD):
        assert (await kernel.execute(TARGETS)).status == "ok"
        async with kernel.client.open_comm("echo", {"n": 0}, buffers=[b"", ALL_BYTES]) as comm:
            comm.send({"n": 1}, metadata={"m": "ä"}, buffers=[memoryview(ALL_BYTES)])
            opening, message = await anext(comm), await anext(comm)
            assert opening.content["data"] == {"n": 0}
            assert [bytes(buffer) for buffer in opening.buffers] == [b"", ALL_BYTES]
            assert message.content["data"] == {"n": 1}
            assert message.metadata["m"] == "ä"
            assert [bytes(buffer) for buffer in message.buffers] == [ALL_BYTES]
            assert list((await kernel.client.comm_info("echo")).content["comms"]) == [comm.comm_id]
            comm.close({"bye": True})
        assert (await kernel.execute("closed")).text == "[{'bye': True}]"
        assert (await kernel.client.comm_info("echo")).content["comms"] == {}


async def test_many_messages_keep_their_order(ipykernel):
    """A thousand in flight both ways, each with its own bytes."""
    async with launch(ipykernel) as kernel, asyncio.timeout(2 * GUARD):
        await kernel.execute(TARGETS)
        async with kernel.client.open_comm("echo", {"n": -1}) as comm:
            for n in range(1000):
                comm.send({"n": n}, buffers=[n.to_bytes(4, "big") * 50])
            assert (await anext(comm)).content["data"] == {"n": -1}
            for n in range(1000):
                message = await anext(comm)
                assert message.content["data"] == {"n": n}
                assert bytes(message.buffers[0]) == n.to_bytes(4, "big") * 50
            assert comm.dropped == 0


async def test_the_kernel_may_end_a_comm_of_ours(ipykernel):
    """By closing it, or since it does not know the target: iteration ends, and says how."""
    async with launch(ipykernel) as kernel, asyncio.timeout(GUARD):
        await kernel.execute(TARGETS)
        comm = kernel.client.open_comm("says goodbye")
        assert [message.content["data"] async for message in comm] == [{"n": 1}]
        assert comm.close_message.content["data"] == {"n": 2}
        unknown = kernel.client.open_comm("nothing like it")
        assert [message async for message in unknown] == []
        assert unknown.closed
        assert (await kernel.client.comm_info()).content["comms"] == {}


async def test_a_comm_of_the_kernel_loses_nothing_and_is_answered(ipykernel):
    """What the same code sends right behind the opening arrives, and our answer does too."""
    opened = asyncio.get_running_loop().create_future()

    async def handle(comm, opening):
        messages = [await anext(comm) for _ in range(3)]
        comm.send({"sum": sum(message.content["data"]["n"] for message in messages)}, buffers=[ALL_BYTES])
        opened.set_result((opening, messages))

    async with launch(ipykernel) as kernel, asyncio.timeout(GUARD):
        await kernel.execute(TARGETS)
        kernel.client.on_comm("ours", handle)
        assert (await kernel.execute(OPENS)).status == "ok"
        opening, messages = await opened
        assert opening.content["data"] == {"n": 0}
        assert [bytes(buffer) for buffer in opening.buffers] == [b"opening"]
        assert [bytes(message.buffers[0]) for message in messages] == [bytes([n]) * 1000 for n in (1, 2, 3)]
        heard = await kernel.execute("(heard[0][0], heard[0][1] == [bytes(range(256)) * 4096], len(heard))")
        assert heard.text == "({'sum': 6}, True, 1)"


async def test_a_target_that_nobody_knows_is_closed_in_the_kernel(ipykernel):
    """By a client that knows others: after the opening code, the kernel has no such comm."""
    async with launch(ipykernel) as kernel, asyncio.timeout(GUARD):
        kernel.client.on_comm("another", lambda comm, opening: None)
        await kernel.execute(TARGETS)
        assert (await kernel.execute("c = create_comm('nobody knows it'); c._closed")).text == "False"
        # Shell requests are handled in order, and the comm_close was sent before these.
        assert (await kernel.client.comm_info("nobody knows it")).content["comms"] == {}
        assert (await kernel.execute("c._closed")).text == "True"


async def test_two_clients_leave_each_others_comms_alone(ipykernel):
    """Neither closes what the other one's code opened, nor takes messages of a comm that it does not have."""
    async with launch(ipykernel) as kernel, asyncio.timeout(GUARD):
        await kernel.execute(TARGETS)
        async with connect(kernel.connection_file) as other:
            opened = []
            other.client.on_comm("ours", lambda comm, opening: opened.append(comm))
            assert (await other.execute(OPENS)).status == "ok"
            await kernel.execute("")  # it has seen the comm_open too
            await kernel.execute("")
            (comm,) = opened
            assert list((await kernel.client.comm_info("ours")).content["comms"]) == [comm.comm_id]
            assert [(await anext(comm)).content["data"]["n"] for _ in range(3)] == [1, 2, 3]

            mine = kernel.client.open_comm("echo", {"whose": "mine"}, comm_id="mine")
            theirs = other.client.open_comm("echo", {"whose": "theirs"}, comm_id="theirs")
            for n in range(20):
                mine.send({"mine": n})
                theirs.send({"theirs": n})
            assert [(await anext(mine)).content["data"] for _ in range(21)][1:] == [
                {"mine": n} for n in range(20)
            ]
            assert [(await anext(theirs)).content["data"] for _ in range(21)][1:] == [
                {"theirs": n} for n in range(20)
            ]
        # The other client has disconnected.
        mine.send({"still": "there"})
        assert (await anext(mine)).content["data"] == {"still": "there"}


async def test_death_reaches_whoever_reads_a_comm(ipykernel):
    """After what the kernel had sent before; handlers' tasks get it too."""
    async with launch(ipykernel) as kernel, asyncio.timeout(GUARD):
        await kernel.execute(TARGETS)
        ended = asyncio.get_running_loop().create_future()

        async def handle(comm, opening):
            try:
                async for _ in comm:
                    pass
            except KernelDied as error:
                ended.set_result(error)

        kernel.client.on_comm("ours", handle)
        await kernel.execute(OPENS)
        comm = kernel.client.open_comm("echo", {"n": 1})
        assert (await anext(comm)).content["data"] == {"n": 1}
        reader = asyncio.create_task(anext(comm))
        await asyncio.sleep(0)
        await kernel.manager.kill()
        with pytest.raises(KernelDied) as caught:
            await reader
        assert caught.value.exit_info is not None
        assert caught.value.exit_info.returncode == (await ended).exit_info.returncode
        with pytest.raises(KernelDied):
            comm.send({})


async def test_a_restart_ends_comms_and_keeps_handlers(ipykernel):
    """The new kernel hears nothing of comms of the old one, and may open its own."""
    async with launch(ipykernel) as kernel, asyncio.timeout(2 * GUARD):
        opened = []
        kernel.client.on_comm("ours", lambda comm, opening: opened.append(comm))
        await kernel.execute(TARGETS + OPENS)
        comm = kernel.client.open_comm("echo")
        await anext(comm)
        await kernel.restart()
        with pytest.raises(KernelRestarted):
            await anext(comm)
        with pytest.raises(KernelRestarted):
            comm.send({})
        assert opened[0].closed

        await kernel.execute(TARGETS + OPENS)
        assert [(await anext(opened[1])).content["data"]["n"] for _ in range(3)] == [1, 2, 3]
        async with kernel.client.open_comm("echo", {"n": 1}) as again:
            assert (await anext(again)).content["data"] == {"n": 1}
