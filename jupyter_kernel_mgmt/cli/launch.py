"""``jupyter-kernels launch``: start a kernel for others to connect to, and keep it up."""

import argparse
from pathlib import Path

from .kernel_types import add_kernel_type
from .parameters import add_launch_parameters, read_launch_parameters
from .program import UsageError

SUMMARY = "start a kernel and keep it up"
DESCRIPTION = """\
Start a kernel, write the path of its connection file to stdout, and keep the kernel up until
Ctrl-C or SIGTERM; then the kernel is ended and the exit code is 0. When the kernel ends by
itself, the reason is told and the exit code is 4. Progress of the launch is shown on stderr.

With --json, one line once the kernel is ready:
  {"kernel_type": "spec/python3", "kernel_id": "…", "connection_file": "/…/kernel-….json",
   "transport": "ipc", "ip": "…"}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    add_kernel_type(parser)
    parser.add_argument("--json", action="store_true", help="write a line of JSON, of the shape shown above")
    parser.add_argument("--cwd", metavar="DIRECTORY", help="where the kernel is to run")
    add_launch_parameters(parser)
    parser.add_argument(
        "--transport",
        choices=("auto", "ipc", "tcp"),
        default="auto",
        help="how to reach it (default: auto, which is ipc where the kernel can)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Keep the kernel up."""
    if arguments.cwd is not None and not Path(arguments.cwd).is_dir():
        raise UsageError(f"{arguments.cwd} is no directory")
    parameters = read_launch_parameters(arguments)

    from .keeping import keep
    from .running import run as run_loop

    return run_loop(
        keep(
            arguments.kernel_type,
            as_json=arguments.json,
            cwd=arguments.cwd,
            launch_params=parameters,
            transport=arguments.transport,
        )
    )
