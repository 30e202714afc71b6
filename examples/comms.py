"""Comms: data and raw bytes both ways, opened by us or by code in the kernel."""

import asyncio

from jupyter_kernel_mgmt import launch

IN_THE_KERNEL = """
from comm import create_comm

def summer(comm, open_message):
    @comm.on_msg
    def add(message):
        numbers = bytes(message["buffers"][0])
        comm.send({"sum": sum(numbers)}, buffers=[numbers[::-1]])

get_ipython().kernel.comm_manager.register_target("summer", summer)
"""


async def main() -> None:
    async with launch() as kernel:
        await kernel.execute(IN_THE_KERNEL)

        async with kernel.client.open_comm("summer") as comm:
            comm.send({}, buffers=[bytes([1, 2, 3])])
            answer = await anext(comm)
            print("sum:", answer.content["data"]["sum"], "reversed:", list(answer.buffers[0]))

        async def show(comm, opening):
            print("opened by the kernel:", opening.content["data"])
            print([message.content["data"]["step"] async for message in comm])
            shown.set()

        shown = asyncio.Event()
        kernel.client.on_comm("progress", show)
        await kernel.execute("c = create_comm('progress', {'steps': 1}); c.send({'step': 1}); c.close()")
        await shown.wait()


asyncio.run(main())
