"""Many requests at once on one client: each gets its own answer, and an error disturbs none."""

import asyncio

from jupyter_kernel_mgmt import launch


async def main() -> None:
    async with launch() as kernel:
        executions = [kernel.execute(f"1 / ({n} - 7)") for n in range(20)]
        completion = asyncio.create_task(kernel.complete("impor"))
        for n, execution in enumerate(executions):
            result = await execution
            if result.status != "ok":
                print(f"request {n}: {result.status}, {result.error.evalue if result.error else ''}")
        good = [(await execution).status for execution in executions].count("ok")
        print(f"{good} of {len(executions)} went well")
        print("completions:", (await completion).content["matches"])


asyncio.run(main())
