"""A provider: kernel types of your own, launched your way. Its package installs this entry point:

[project.entry-points."jupyter_kernel_mgmt.kernel_type_providers"]
optimised = "your_package:OptimisedProvider"
"""

import asyncio
import sys

import jupyter_kernel_mgmt as jkm


class OptimisedProvider(jkm.KernelProviderBase):
    id = "optimised"

    async def find_kernels(self):
        yield "python", jkm.KernelTypeInfo(display_name="Python without asserts", language="python")

    async def launch(self, name: str, request: jkm.LaunchRequest) -> jkm.Launched:
        if name != "python":
            raise jkm.NoSuchKernel(name, known=["python"])
        request.progress("starting Python with -O")
        argv = [sys.executable, "-O", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return await jkm.SubprocessLauncher(argv).launch(request)


async def main() -> None:
    finder = jkm.KernelFinder([OptimisedProvider()])
    async with finder, jkm.launch("optimised/python", finder=finder, on_event=print) as kernel:
        print("asserts:", (await kernel.execute("__debug__")).text)


asyncio.run(main())
