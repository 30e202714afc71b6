"""Eight tasks share a pool of warm kernels: each gets one in milliseconds, and no two the same."""

import asyncio
import time

from jupyter_kernel_mgmt import KernelPool

CODE = "import os; print(os.getcwd(), os.environ['TASK'], 'left' in globals(), os.getpid()); left = True"


async def work(pool: KernelPool, number: int) -> str:
    async with pool.acquire(cwd="/", env={"TASK": str(number)}) as kernel:
        output = (await kernel.execute(CODE)).stdout
    directory, task, somebody_was_here, pid = output.split()
    print(f"task {task}: in {directory}, kernel {pid}, used before: {somebody_was_here}")
    return pid


async def main() -> None:
    async with KernelPool(size=3, limit=4) as pool:
        await pool.filled()  # only to see how fast it is then: acquire() waits by itself
        print(f"{pool.metrics.ready} kernels are warm")
        begin = time.perf_counter()
        async with pool.acquire(timeout=10) as kernel:
            print(f"handed out after {1000 * (time.perf_counter() - begin):.0f} ms; ours: {kernel.owned}")
        pids = await asyncio.gather(*[work(pool, number) for number in range(8)])
        print("every kernel was new:", len(set(pids)) == 8)
        print(pool.metrics)


asyncio.run(main())
