"""Talk to a kernel that somebody else started, by its connection file.

Give the file's name, or none to let this example start a kernel to connect to.
"""

import asyncio
import sys
from pathlib import Path

from jupyter_kernel_mgmt import connect, launch


async def use(connection_file: str | Path) -> None:
    async with connect(connection_file) as kernel:
        result = await kernel.execute("import os; os.getpid()")
        print("its pid:", result.text)
        print("ours to end:", kernel.owned)
    # Only the connection is closed here; the kernel runs on.


async def main() -> None:
    if len(sys.argv) > 1:
        await use(sys.argv[1])
        return
    async with launch() as mine:
        assert mine.connection_file is not None
        await use(mine.connection_file)
        print("still there:", (await mine.execute("'yes'")).text)


asyncio.run(main())
