"""Show output while the code still runs, then interrupt code that would run for ever."""

import asyncio

from jupyter_kernel_mgmt import OutputDropped, launch

COUNT = """
import itertools, time
for n in itertools.count():
    print("tick", n, flush=True)
    time.sleep(0.1)
"""


async def main() -> None:
    async with launch() as kernel:
        execution = kernel.execute(COUNT)
        lines = 0  # not messages: a kernel may send one line in two
        async for message in execution:
            if isinstance(message, OutputDropped):
                print(f"({message.count} messages went over the limit)")
            elif message.msg_type == "stream":
                print(message.content["text"], end="")
                lines += message.content["text"].count("\n")
            if lines >= 5:
                break
        print("interrupt:", (await execution.interrupt()).value)
        result = await execution
        print("status:", result.status)


asyncio.run(main())
