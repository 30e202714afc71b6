"""`execute_notebook`: run one notebook, in one call."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ..discovery import KernelFinder
from ..kernel import Kernel
from ..pool import KernelPool
from ..requests import DEFAULT_OUTPUT_LIMIT
from .document import Source
from .events import OnProgress
from .kernels import launching, lending, using
from .policy import Cell
from .resuming import Rebuild
from .run import NotebookRun, RunOptions


async def execute_notebook(
    notebook: Source,
    *,
    kernel_type: str | None = None,
    kernel: Kernel | None = None,
    pool: KernelPool | None = None,
    finder: KernelFinder | None = None,
    forkserver: bool = False,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float | Callable[[Cell], float | None] | None = None,
    allow_errors: bool | Callable[[Cell], bool] = False,
    parameters: Mapping[str, Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: Rebuild | None = None,
    output_limit: int | None = DEFAULT_OUTPUT_LIMIT,
    on_progress: OnProgress | None = None,
) -> NotebookNode:
    """Run a notebook from its first cell to its last and give it with its outputs, as nbformat 4.

    ``notebook`` is a file, a `nbformat.NotebookNode` or a dict, and stays as it is. The kernel is the one
    that the notebook names, one of ``kernel_type``, the given ``kernel`` (which is not ended), or one of a
    ``pool``; ``finder`` and ``forkserver`` are those of `launch`. All other options are those of
    `RunOptions`; ``on_progress`` is called with each `NotebookEvent`, in order.

    Cells tagged ``skip-execution`` are not run, and those tagged ``raises-exception`` may fail. Code that
    asks for input gets an error: nobody is there to answer, unless the given kernel has a ``stdin``.

    Raises `CellFailed` for the first cell that fails where nothing allows it, `InvalidNotebook`,
    `NoKernelChosen`, `OutputInUse`, `CannotSave` or `CannotResume`, whose ``.notebook`` is what was run so
    far; `ParameterError`; `ValueError` for more than one kernel; and what `launch` raises. Cancelling it
    ends the kernel that was launched and saves what was run, if there is an ``output``.

    Source: nbformat 4; Messaging in Jupyter, "Execute".
    """
    if sum(one is not None for one in (kernel_type, kernel, pool)) > 1:
        raise ValueError("kernel_type, kernel and pool exclude each other")
    if kernel is not None:
        kernels = using(kernel)
    elif pool is not None:
        kernels = lending(pool)
    else:
        kernels = launching(kernel_type, finder=finder, forkserver=forkserver)
    options = RunOptions(
        cwd=None if cwd is None else Path(cwd),
        timeout=timeout,
        allow_errors=allow_errors,
        parameters=dict(parameters or {}),
        output=None if output is None else Path(output),
        resume=resume,
        output_limit=output_limit,
    )
    return await NotebookRun(notebook, kernels=kernels, options=options, on_progress=on_progress).execute()
