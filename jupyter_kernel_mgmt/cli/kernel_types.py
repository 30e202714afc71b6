"""The argument TYPE: a kernel type, with completion in the shell."""

import argparse
from typing import Any

from .logs import silenced

COMPLETION_TIMEOUT = 3.0
"""Seconds that a shell's user waits at most for names of kernel types."""


def add_kernel_type(parser: argparse.ArgumentParser, *, what: str = "TYPE", text: str = "") -> None:
    """Add the argument, as ``arguments.kernel_type``."""
    argument: Any = parser.add_argument(
        "kernel_type",
        metavar=what,
        help=text or "a kernel type, such as spec/python3; without a slash: one of the kernelspecs",
    )
    argument.completer = complete_kernel_type


def complete_kernel_type(prefix: str, **_: object) -> list[str]:
    """The kernel types that begin like that; nothing where they cannot be found."""
    import asyncio

    try:
        with silenced():
            found = asyncio.run(_found())
    except Exception:  # noqa: BLE001 - of any provider; a shell's prompt is no place for errors
        return []
    return matching(prefix, found)


def matching(prefix: str, kernel_types: list[str]) -> list[str]:
    """Those that begin like that; kernelspecs by their short names too, once their beginning is typed."""
    short = [name.removeprefix("spec/") for name in kernel_types if name.startswith("spec/")]
    names = [*kernel_types, *(short if prefix else [])]
    return sorted(name for name in names if name.startswith(prefix))


async def _found() -> list[str]:
    from ..discovery import KernelFinder

    async with KernelFinder.from_entrypoints(search_timeout=COMPLETION_TIMEOUT) as finder:
        return [kernel_type async for kernel_type, info in finder.find_kernels() if not info.obstacle]
