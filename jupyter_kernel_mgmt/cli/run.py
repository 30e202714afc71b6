"""``jupyter-kernels run``: run notebooks, and keep every cell that has finished."""

import argparse
from typing import Any

from .exec import seconds
from .kernel_types import complete_kernel_type
from .outputs import output_paths
from .program import UsageError

SUMMARY = "run notebooks"
DESCRIPTION = """\
Run notebooks from their first cell to their last. The output is written after each cell, so that
whatever happens every finished cell is kept: it is NAME.out.ipynb beside the notebook unless
--output or --in-place says otherwise.

Ctrl-C interrupts the running cells, a second one stops; SIGTERM stops at once. In each case the
partial notebook is kept. With --resume a later run goes on there: finished cells keep their
outputs, and run once more only to rebuild the kernel's state, as --rebuild says.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="a notebook's file")
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="where to write: a file, a directory, or a pattern such as 'ran/{name}.ipynb'",
    )
    parser.add_argument("--in-place", action="store_true", help="write into the notebook itself")
    parser.add_argument(
        "-j", "--jobs", type=positive, default=1, metavar="N", help="run that many notebooks at a time"
    )
    kernel: Any = parser.add_argument(
        "-k", "--kernel", metavar="TYPE", help="the kernel type, in place of the one the notebook names"
    )
    kernel.completer = complete_kernel_type
    parser.add_argument(
        "-p",
        "--parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="assign a parameter, in a cell after the one tagged 'parameters'; or a JSON file of them",
    )
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="interrupt a cell that runs longer than that"
    )
    parser.add_argument("--allow-errors", action="store_true", help="go on after cells that fail")
    parser.add_argument("--cwd", metavar="DIRECTORY", help="where kernels run (default: beside the notebook)")
    parser.add_argument("--live", action="store_true", help="show what cells write as it arrives")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run ended")
    parser.add_argument(
        "--rebuild",
        type=rebuild,
        default="all",
        metavar="all|none|N",
        help="with --resume: which finished cells run once more: all (default), none, or from cell N on",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the notebooks. Raises `UsageError`."""
    if arguments.in_place and arguments.output is not None:
        raise UsageError("--in-place and --output exclude each other")
    outputs = output_paths(arguments.notebooks, arguments.output, in_place=arguments.in_place)

    from .notebooks import Job, run_notebooks
    from .parameters import read_parameters
    from .running import run as run_loop

    return run_loop(
        run_notebooks(
            [
                Job(source=notebook, output=output)
                for notebook, output in zip(arguments.notebooks, outputs, strict=True)
            ],
            jobs=arguments.jobs,
            kernel_type=arguments.kernel,
            parameters=read_parameters(arguments.parameters),
            timeout=arguments.timeout,
            allow_errors=arguments.allow_errors,
            cwd=arguments.cwd,
            live=arguments.live,
            resume=arguments.rebuild if arguments.resume else None,
        )
    )


def positive(text: str) -> int:
    """A whole number above 0 on the command line. Raises `argparse.ArgumentTypeError`."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def rebuild(text: str) -> str | int:
    """What --rebuild says; cells count from 1 here and from 0 inside."""
    if text in ("all", "none"):
        return text
    try:
        return positive(text) - 1
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is none of all, none and a cell's number") from None
