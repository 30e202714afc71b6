"""Where the kernel for a run comes from: launched for it, lent by a pool, or given."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._options import STARTUP_TIMEOUT
from ..discovery import KernelFinder, find_kernels, shared_finder, split_kernel_type
from ..kernel import Kernel
from ..launching import KernelTypeInfo
from ..opening import launch
from ..pool import KernelPool
from ..subproc.ipykernel import history_arguments
from .choosing import Choice, choose_kernel, kernel_by_name, settled_kernel


@dataclass(frozen=True, slots=True)
class Opened:
    """A kernel that is ready, and why this one."""

    kernel: Kernel
    choice: Choice


OpenKernel = Callable[[Mapping[str, Any], Path | None, Path | None], AbstractAsyncContextManager[Opened]]
"""Makes a context manager that has a kernel for the notebook of this metadata, in this directory.

The last is the notebook's file, absolute, or None: environments near it belong to its project."""


def launching(
    kernel_type: str | None = None,
    *,
    finder: KernelFinder | None = None,
    forkserver: bool = False,
    as_jupyter: bool = False,
    startup_timeout: float = STARTUP_TIMEOUT,
) -> OpenKernel:
    """A kernel of its own for each run, ended with it; without ``kernel_type`` the notebook says which.

    With ``as_jupyter`` a ``kernel_type`` means what `kernel_by_name` says. What an ipykernel runs is kept out
    of the user's history, and so is not written to disk cell by cell. The options are those of `launch`.

    Raises what `launch` and `choose_kernel` do.
    """

    @asynccontextmanager
    async def opened(
        metadata: Mapping[str, Any], cwd: Path | None, path: Path | None
    ) -> AsyncGenerator[Opened, None]:
        wanted = settled_kernel(metadata, path=path) if kernel_type is None else kernel_type
        # The same finder for both: another one would not know what is near the notebook.
        async with shared_finder() if finder is None else nullcontext(finder) as its_finder:
            known = await _look_for(wanted, its_finder, near=None if path is None else path.parent)
            if kernel_type is None:
                choice = choose_kernel(metadata, known, path=path)
            elif as_jupyter:
                choice = kernel_by_name(kernel_type, known)
            else:
                choice = Choice(kernel_type, "it was asked for")
            info = known.get(choice.kernel_type)
            async with launch(
                choice.kernel_type,
                cwd=cwd,
                extra_arguments=() if info is None else history_arguments(info.argv),
                finder=its_finder,
                forkserver=forkserver,
                startup_timeout=startup_timeout,
            ) as kernel:
                yield Opened(kernel, choice)

    return opened


async def _look_for(
    wanted: str | None, finder: KernelFinder, *, near: Path | None
) -> dict[str, KernelTypeInfo]:
    """The kernel types there are, up to the one that is wanted: other providers may take long."""
    known: dict[str, KernelTypeInfo] = {}
    async with aclosing(find_kernels(finder=finder, near=near)) as found:
        async for kernel_type, info in found:
            known[kernel_type] = info
            if wanted is not None and kernel_type == "/".join(split_kernel_type(wanted)):
                return {wanted: info, kernel_type: info}
    return known


def lending(pool: KernelPool) -> OpenKernel:
    """A warm kernel of the pool, whatever the notebook says; the pool replaces it afterwards."""

    @asynccontextmanager
    async def opened(
        metadata: Mapping[str, Any], cwd: Path | None, path: Path | None
    ) -> AsyncGenerator[Opened, None]:
        async with pool.acquire(cwd=cwd) as kernel:
            yield Opened(kernel, Choice(pool.kernel_type, "the pool has it"))

    return opened


def using(kernel: Kernel) -> OpenKernel:
    """A kernel that is there and stays, with all that is in its memory; its directory is its own."""

    @asynccontextmanager
    async def opened(
        metadata: Mapping[str, Any], cwd: Path | None, path: Path | None
    ) -> AsyncGenerator[Opened, None]:
        yield Opened(kernel, Choice(kernel.kernel_type or "", "it was given"))

    return opened
