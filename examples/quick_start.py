"""Launch a kernel, run code in it, look at what came back."""

import asyncio

from jupyter_kernel_mgmt import launch


async def main() -> None:
    async with launch() as kernel:  # the ipykernel beside this package; "python3" names a kernelspec
        result = await kernel.execute("print('hello')\n6 * 7")
        print("status:", result.status)
        print("stdout:", result.stdout.strip())
        print("value: ", result.text)

        result = await kernel.execute("1 / 0")
        print("status:", result.status, "-", result.error.ename if result.error else "")
    # Here the kernel has ended: no process, file or socket is left.


asyncio.run(main())
