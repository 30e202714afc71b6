"""A tiny console: lines run as they are typed, code may ask for input, Ctrl-C interrupts, Ctrl-D ends it."""

import asyncio
import getpass
import sys

from jupyter_kernel_mgmt import KernelDied, OutputDropped, launch


async def answer(prompt: str, password: bool) -> str:
    return await asyncio.to_thread(getpass.getpass if password else input, prompt)


async def run(kernel, code: str) -> None:
    execution = kernel.execute(code, interrupt_on_cancel=True)
    try:
        async for message in execution:
            if isinstance(message, OutputDropped):
                print(f"({message.count} messages went over the limit)")
            elif message.msg_type == "stream":
                print(message.content["text"], end="")
            elif message.msg_type == "execute_result":
                print(message.content["data"]["text/plain"])
            elif message.msg_type == "error":
                print(*message.content["traceback"], sep="\n")
    except KernelDied as died:
        print(died)
        await kernel.restart()


async def main(kernel_type: str) -> None:
    async with launch(kernel_type, stdin=answer) as kernel:
        while code := await asyncio.to_thread(sys.stdin.readline):
            running = asyncio.create_task(run(kernel, code))
            await asyncio.wait([running])
            running.result()


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "pyimport/kernel"))
