"""A kernel that crashes comes back by itself, unless it crashes too often; every step is told."""

import asyncio

from jupyter_kernel_mgmt import (
    Kernel,
    KernelDied,
    KernelRestarter,
    KernelState,
    RestartGaveUp,
    RestartScheduled,
    StateChanged,
    launch,
)


async def until_it_is_back(kernel: Kernel, generation: int) -> bool:
    async for event in kernel.events():
        if isinstance(event, RestartGaveUp):
            print("given up:", event.reason)
            return False
        if event == StateChanged(KernelState.READY, generation):
            return True
        if isinstance(event, RestartScheduled) and event.generation == generation - 1:
            print(f"restart {event.attempt} begins in {event.delay:.2f} s")
    return False


async def main() -> None:
    async with launch() as kernel, KernelRestarter(kernel, restart_limit=2):
        for generation in (1, 2, 3):
            try:
                await kernel.execute("import os; os._exit(3)")
            except KernelDied as died:  # who waits is told at once, whatever comes next
                print(f"process {generation} died: {died.exit_info}")
            if await until_it_is_back(kernel, generation + 1):
                print("and again:", (await kernel.execute("6 * 7")).text)


asyncio.run(main())
