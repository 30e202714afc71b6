"""``jupyter-kernels install``: copy or write a kernelspec to where Jupyter finds it."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from .exit_codes import ExitCode
from .program import UsageError, say

if TYPE_CHECKING:
    from ..kernelspec import KernelSpec

SUMMARY = "install a kernelspec"
DESCRIPTION = """\
Install a kernelspec: a copy of a directory with a kernel.json, or one that is written from
--argv and the options beside it. Without --user, --sys-prefix or --prefix it is for all users
of this machine, as with jupyter kernelspec install.

  jupyter-kernels install ./mykernel --user
  jupyter-kernels install --name mine --user --display-name "My kernel" --language python \\
      --argv python -m mykernel -f {connection_file}

It comes wholly or not at all; one that is there stays as it is without --replace. What is odd
about it is told, and is no failure.

With --json, one object:
  {"type": "spec/mine", "name": "mine", "directory": "/…/kernels/mine",
   "warnings": ["what is odd", …]}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("source", metavar="SOURCE_DIR", nargs="?", help="a directory with a kernel.json")
    parser.add_argument("--name", help="its name (default: that of the directory)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user")
    where.add_argument("--sys-prefix", action="store_true", help=f"into this Python's prefix, {_shown()}")
    where.add_argument("--prefix", metavar="P", help="into P/share/jupyter/kernels")
    where.add_argument("--system", action="store_true", help="for all users (the default)")
    parser.add_argument("--replace", action="store_true", help="take the place of one of that name")
    parser.add_argument("--json", action="store_true", help="write JSON, of the shape shown above")
    written = parser.add_argument_group("instead of a directory")
    written.add_argument("--display-name", metavar="TEXT", help="what users see (default: its name)")
    written.add_argument("--language", metavar="NAME", help="the language, as notebooks call it")
    written.add_argument("--interrupt-mode", choices=("signal", "message"), help="how it is interrupted")
    written.add_argument(
        *("--env", "-e"), metavar="NAME=VALUE", action="append", default=[], help="a variable for the kernel"
    )
    written.add_argument(
        "--argv",
        nargs=argparse.REMAINDER,
        help="the kernel's command, with {connection_file}; all that follows belongs to it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Install it, and tell where it is."""
    from ..kernelspec import BadKernelSpec

    try:
        spec = _install(arguments)
    except BadKernelSpec as error:
        say(str(error))
        return ExitCode.NO_NOTEBOOK
    except ValueError as error:  # of the name
        raise UsageError(str(error)) from error
    warnings = odd_about(spec)
    if arguments.json:
        import json

        shape = {
            "type": f"spec/{spec.name}",
            "name": spec.name,
            "directory": str(spec.directory),
            "warnings": warnings,
        }
        print(json.dumps(shape, indent=2))
        return ExitCode.OK
    print(f"spec/{spec.name} is installed in {spec.directory}", flush=True)
    for warning in warnings:
        say(warning)
    return ExitCode.OK


def odd_about(spec: "KernelSpec") -> list[str]:
    """What may keep it from being found or launched, a line each."""
    from ..kernelspec import find_kernelspec, kernelspec_directories
    from ..kernelspec.checks import check_kernelspec

    told = [f"{problem.text}; {problem.todo}".rstrip("; ") for problem in check_kernelspec(spec)]
    if spec.directory.parent not in kernelspec_directories():
        root = spec.directory.parent.parent
        return [*told, f"it will not be found: {root} is not on Jupyter's path; JUPYTER_PATH can name it"]
    found = find_kernelspec(spec.name)
    if found != spec.directory:
        told.append(f"it is hidden by the kernelspec of that name in {found}, which is found before it")
    return told


def _install(arguments: argparse.Namespace) -> "KernelSpec":
    from ..kernelspec.install import install_kernelspec, install_kernelspec_from_values

    if arguments.prefix is not None and not arguments.prefix:
        raise UsageError("--prefix takes a directory, and it is empty")
    where: dict[str, Any] = {
        "user": arguments.user,
        "prefix": sys.prefix if arguments.sys_prefix else arguments.prefix,
        "replace": arguments.replace,
    }
    if arguments.argv is None:
        _refuse_what_is_for_argv(arguments)
        return install_kernelspec(arguments.source, arguments.name, **where)
    if arguments.source is not None:
        raise UsageError("a kernelspec is copied from a directory or written from --argv, not both")
    if not arguments.argv or arguments.name is None:
        raise UsageError("--argv needs a command behind it, and --name")
    return install_kernelspec_from_values(
        arguments.name,
        arguments.argv,
        display_name=arguments.display_name or arguments.name,
        language=arguments.language or "",
        interrupt_mode=arguments.interrupt_mode,
        env=dict(map(_assignment, arguments.env)),
        **where,
    )


def _refuse_what_is_for_argv(arguments: argparse.Namespace) -> None:
    if arguments.source is None:
        raise UsageError("what is to be installed? a directory with a kernel.json, or --argv and a command")
    for option in ("display_name", "language", "interrupt_mode", "env"):
        if getattr(arguments, option):
            name = option.replace("_", "-")
            raise UsageError(f"--{name} goes with --argv; the kernel.json in the directory has its own")


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"--env takes NAME=VALUE, not {text!r}")
    return name, value


def _shown() -> str:
    return sys.prefix.replace("%", "%%")
