"""``jupyter-kernels exec``: run code in a fresh kernel, with its output as that of a program."""

import argparse
import math
import sys
from pathlib import Path

from .kernel_types import add_kernel_type
from .parameters import add_launch_parameters, read_launch_parameters
from .program import UsageError

SUMMARY = "run code in a fresh kernel"
DESCRIPTION = """\
Run code in a fresh kernel and end the kernel.

What the code writes to stdout and stderr goes to ours as it arrives; values are shown as plain
text on stdout, errors with their traceback on stderr (in colour on a terminal without NO_COLOR).
Questions of the code, as of input(), are answered from the terminal if stdin is one and the code
does not come from it, and refused otherwise. Ctrl-C interrupts the code, a second one ends the
kernel.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    add_kernel_type(parser)
    parser.add_argument("file", nargs="?", metavar="FILE", help="a file with the code; - for stdin")
    parser.add_argument("-c", "--code", metavar="CODE", help="the code itself, in place of FILE")
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="interrupt code that runs longer than that"
    )
    parser.add_argument("--cwd", metavar="DIRECTORY", help="where the kernel is to run")
    add_launch_parameters(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the code. Raises `UsageError` where there is none to be had."""
    code = read_code(arguments.code, arguments.file)  # before there is a loop: Ctrl-C ends a read of stdin
    if arguments.cwd is not None and not Path(arguments.cwd).is_dir():
        raise UsageError(f"{arguments.cwd} is no directory")
    parameters = read_launch_parameters(arguments)

    from .executing import execute
    from .running import run as run_loop

    return run_loop(
        execute(
            arguments.kernel_type,
            code,
            timeout=arguments.timeout,
            cwd=arguments.cwd,
            launch_params=parameters,
            answers=sys.stdin.isatty() and arguments.file != "-",
        )
    )


def read_code(code: str | None, file: str | None) -> str:
    """The code given, or in a file or on stdin, as UTF-8. Raises `UsageError`."""
    if code is not None and file is None:
        return code
    if code is not None or file is None:
        raise UsageError("exec needs either -c CODE or a FILE (- for stdin)")
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error}") from error


def seconds(text: str) -> float:
    """A number of seconds on the command line. Raises `argparse.ArgumentTypeError`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return number
