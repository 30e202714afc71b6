"""Completions and help while a cell runs: side requests go to a subshell, where the kernel has them."""

import asyncio

from jupyter_kernel_mgmt import launch

LONG_CELL = """
import time
print("started")
while True:
    time.sleep(0.1)
"""


async def main() -> None:
    async with launch("python3") as kernel:
        cell = kernel.execute(LONG_CELL)
        async for message in cell:
            if message.msg_type == "stream":
                break

        completions = await kernel.complete("impor")  # as always: the client finds the way
        print("completions:", completions.content["matches"])
        inspected = await kernel.inspect("print")
        print("inspect:", inspected.content["found"])

        async with kernel.subshell() as subshell_id:  # or run code beside it in one of your own
            beside = await kernel.execute("6 * 7", subshell_id=subshell_id)
            print("beside it:", beside.text)
        print("while it runs:", not cell.done())
        await cell.interrupt()
        print("status:", (await cell).status)


asyncio.run(main())
