"""`MyProvider`: Python, with asserts or without."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jupyter_kernel_mgmt as jkm
from jupyter_kernel_mgmt.providerbase import refuse_options

NAME = "python"

METADATA = {
    "parameters": {
        "type": "object",
        "properties": {
            "optimize": {
                "type": "integer",
                "minimum": 0,
                "maximum": 2,
                "default": 0,
                "title": "What to leave out",
                "description": "0: nothing, 1: asserts, 2: asserts and docstrings",
            }
        },
        "additionalProperties": False,
    }
}
"""With the JSON Schema of the launch parameters: what can be different from one kernel to the next."""


class MyProvider(jkm.KernelProviderBase):
    """One kernel type. Options, for all kernels: ``python``, a command, and ``display_name``."""

    id = "my-kernels"

    def __init__(self) -> None:
        self.python = sys.executable
        self.display_name = "Python, optimised"

    def load_config(self, config: Mapping[str, Any]) -> None:
        refuse_options(config, ["python", "display_name"])
        for name, value in config.items():
            if not isinstance(value, str) or not value:
                raise TypeError(f"{name}: it must be text")
            setattr(self, name, value)

    def find_kernels(self) -> Iterator[tuple[str, jkm.KernelTypeInfo]]:
        yield (
            NAME,
            jkm.KernelTypeInfo(
                display_name=self.display_name,
                language="python",
                metadata=METADATA,
                obstacle=self._obstacle(),
            ),
        )

    def watched(self) -> list[Path]:
        """What is found depends on whether the interpreter is there."""
        return [Path(self.python)]

    async def launch(self, name: str, request: jkm.LaunchRequest) -> jkm.Launched:
        if name != NAME:
            raise jkm.NoSuchKernel(name, known=[NAME])
        if obstacle := self._obstacle():
            raise jkm.LaunchError(obstacle)
        level = jkm.LaunchParameters.from_metadata(METADATA).resolve(request.launch_params)["optimize"]
        request.progress(f"starting {self.python}, optimised {level} times")
        flags = ["-" + "O" * level] if level else []
        argv = [self.python, *flags, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        # What is used up here is not to be refused by the launcher, which has no place for it.
        return await jkm.SubprocessLauncher(argv).launch(replace(request, launch_params={}))

    def _obstacle(self) -> str:
        """Why no kernel can be launched, and what to do about it; empty if one can."""
        if shutil.which(self.python) is None:
            return f"there is no {self.python}: install it, or set the option `python` to one that is there"
        return ""
