"""A notebook executor in 40 lines: run each cell, keep its outputs, save after each."""

import asyncio
import sys

import nbformat

from jupyter_kernel_mgmt import KernelDied, launch

EXAMPLE = ["x = 6 * 7", "print('x is', x)", "x"]


async def execute(notebook: nbformat.NotebookNode, path: str) -> None:
    kernel_type = notebook.metadata.get("kernelspec", {}).get("name", "python3")
    async with launch(kernel_type) as kernel:
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            try:
                result = await kernel.execute(cell.source, timeout=600)
            except KernelDied as error:
                result = error.result  # what it had written before
            cell.outputs = nbformat.from_dict(result.outputs)
            cell.execution_count = result.execution_count
            nbformat.write(notebook, path)
            if result.status != "ok":
                raise SystemExit(f"stopped: {result.status or 'the kernel died'}")


def main() -> None:
    if len(sys.argv) == 3:
        notebook = nbformat.read(sys.argv[1], as_version=4)
    else:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in EXAMPLE])
    asyncio.run(execute(notebook, sys.argv[-1] if len(sys.argv) == 3 else "/dev/null"))
    print([output.get("text", output.get("data")) for cell in notebook.cells for output in cell.outputs])


main()
