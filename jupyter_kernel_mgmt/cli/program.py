"""`main`: parses the command line, runs one subcommand, turns errors into a message and an exit code."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Protocol, cast

from .. import __version__
from .exit_codes import ExitCode, epilog, for_error
from .logs import set_up_logging
from .terminal import lines

COMMANDS = ("list", "run", "exec", "launch", "console", "install", "remove", "doctor")
"""The subcommands: each is the module of that name here, and has what `Command` asks for."""

EXTRA = {"argcomplete", "nbformat", "prompt_toolkit", "rich"}


class Command(Protocol):
    """What the module of a subcommand has. Importing it must be quick: its ``run`` imports what it needs.

    ``SUMMARY`` is a line for the list of commands and ``DESCRIPTION`` what its own ``--help`` says.
    """

    SUMMARY: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what may stand behind its name."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return an exit code. May raise errors of the package."""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="jupyter-kernels",
        description="Find, start, use, install and check Jupyter kernels.",
        epilog=epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add_debug(parser, default=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = load(name)
        sub = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=epilog(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_debug(sub, default=argparse.SUPPRESS)  # or it would undo the one before the command's name
        command.add_arguments(sub)
    return parser


def load(name: str) -> Command:
    """The module of a subcommand."""
    return cast(Command, import_module(f".{name}", __package__))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of this process, and return its exit code."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        with suppress(ModuleNotFoundError):  # without it a shell offers nothing
            import argcomplete

            argcomplete.autocomplete(parser)
    parsed = parser.parse_args(arguments)
    set_up_logging(debug=parsed.debug)
    try:
        code = load(parsed.command).run(parsed)
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - whatever it is, users get a message and not a traceback
        return _failed(error, debug=parsed.debug)
    except KeyboardInterrupt:  # while nothing was running that could be interrupted
        return ExitCode.INTERRUPTED
    return code


def _add_debug(parser: argparse.ArgumentParser, *, default: object) -> None:
    parser.add_argument(
        "--debug", action="store_true", default=default, help="show tracebacks of errors, and what is logged"
    )


def _failed(error: Exception, *, debug: bool) -> int:
    """Tell what went wrong, and with which exit code that ends."""
    from jupyter_protocol import ProtocolError

    from ..exceptions import KernelError

    if isinstance(error, BrokenPipeError):
        _drop_stdout()
        return ExitCode.OUTPUT_CLOSED
    if debug:
        traceback.print_exception(error)
    if isinstance(error, (KernelError, ProtocolError)):
        say(str(error))
        return for_error(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in EXTRA:
        say(f"{error.name} is missing; to get it: {sys.executable} -m pip install 'jupyter-kernel-mgmt[cli]'")
        return ExitCode.MISSING_EXTRA
    if isinstance(error, UsageError):
        say(str(error))
        return ExitCode.USAGE
    say(f"{type(error).__name__}: {error}" + ("" if debug else " (--debug shows where)"))
    return ExitCode.BUG


class UsageError(Exception):
    """The command line asks for what cannot be done; found after it was parsed."""


def say(text: str) -> None:
    """A message to whoever called the program, on stderr: its lines, as other people's texts may be in it."""
    print(f"jupyter-kernels: {lines(text)}", file=sys.stderr, flush=True)


def _drop_stdout() -> None:
    """Nobody reads it: what is still to be flushed at exit goes nowhere, and raises nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
