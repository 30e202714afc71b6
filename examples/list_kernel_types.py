"""List the kernel types there are, why some cannot be launched, and the providers that have a problem."""

import asyncio

from jupyter_kernel_mgmt import KernelFinder


async def main() -> None:
    async with KernelFinder.from_entrypoints() as finder:
        search = finder.find_kernels()
        async for kernel_type, info in search:
            print(f"{kernel_type:24} {info.language:10} {info.obstacle or info.display_name}")
        for problem in search.problems:
            print("problem:", problem)


asyncio.run(main())
