"""A tool for an agent: run code with a time limit and a size limit, and report truthfully what happened."""

import asyncio

from jupyter_kernel_mgmt import KernelDied, launch

CALLS = [
    "x = 6 * 7; print('working'); x",
    "1 / 0",
    "print('a' * 1_000_000)",
    "import time; print('started', flush=True); time.sleep(60)",
    "import os; os._exit(3)",
    "'x' in globals()",
]


async def run_code(kernel, code: str, *, seconds: float = 1.0) -> dict[str, object]:
    try:
        result = await kernel.execute(code, timeout=seconds, output_limit=200_000)
    except KernelDied as died:
        await kernel.restart()
        return {"status": "died", "reason": str(died.exit_info), "note": "restarted; variables are lost"}
    report = {"status": result.status, "stdout": result.stdout[:20], "value": result.text}
    if result.error is not None:
        report["error"] = f"{result.error.ename}: {result.error.evalue}"
    if result.status == "timeout" and result.reply is None:
        report["note"] = "it ignores interrupts and is still running"
    return report


async def main() -> None:
    async with launch() as kernel:
        for code in CALLS:  # what a model asks for
            report = await run_code(kernel, code)
            print(report)


asyncio.run(main())
