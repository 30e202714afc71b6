"""``jupyter-kernels console``: a line console on a kernel, ours or somebody else's."""

import argparse
import sys

from .kernel_types import add_kernel_type
from .parameters import add_launch_parameters, read_launch_parameters
from .program import UsageError

SUMMARY = "type code for a kernel, line by line"
DESCRIPTION = """\
A small console. A kernel type starts a kernel, which ends with the console; a connection file (a
path that ends in .json, or the name of a file in Jupyter's runtime directory) is that of a kernel
that runs already, and goes on running.

Enter runs the code once the kernel says that it is complete; Alt-Enter makes a new line. Tab
completes, the arrow keys walk through the history. Ctrl-C clears what is typed, or interrupts
the code that runs; code that ignores this is left with a further Ctrl-C. Ctrl-D leaves.
Values are shown as plain text. When the kernel dies, the console ends with the exit code 4.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    text = "a kernel type such as spec/python3, or a connection file"
    add_kernel_type(parser, what="TYPE|CONNECTION", text=text)
    add_launch_parameters(parser)


def is_connection(text: str) -> bool:
    """Whether it names a connection file, and no kernel type."""
    return text.endswith(".json")


def run(arguments: argparse.Namespace) -> int:
    """Be a console. Raises `UsageError` where there is no terminal."""
    target, parameters = arguments.kernel_type, read_launch_parameters(arguments)
    if parameters and is_connection(target):
        raise UsageError("--launch-parameters are for a kernel that is launched; this one runs already")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("console needs a terminal; to run code without one: jupyter-kernels exec")

    from .conversing import converse
    from .running import run as run_loop

    return run_loop(converse(target, connection=is_connection(target), launch_params=parameters))
