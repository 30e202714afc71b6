"""``jupyter-kernels doctor``: what is wrong with kernels on this machine, and what to do about it."""

import argparse

SUMMARY = "check what kernels need on this machine"
DESCRIPTION = """\
Check kernelspecs, providers, the runtime directory, connection files left there, and pyzmq;
say what is wrong and what to do. Nothing is changed without --clean.

--clean removes a connection file only if it is older than a day and all its addresses are on
this machine and refuse connections; never from a file system that other machines share. Do not
use it where containers put their files into this machine's runtime directory.

With --json, one object:
  {"versions": {"python": "…", "pyzmq": "…", "libzmq": "…", "curve": true, "ipc": true},
   "findings": [{"severity": "error" | "warning" | "info",
                 "where": "…", "what": "…", "todo": "…"}, …]}

The exit code is 0 when there are no errors and no warnings, else 1.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--json", action="store_true", help="write JSON, of the shape shown above")
    parser.add_argument(
        "--clean",
        action="store_true",
        help="remove connection files older than a day at whose addresses nobody listens",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check everything."""
    from .examining import examine
    from .running import run as run_loop

    return run_loop(examine(clean=arguments.clean, as_json=arguments.json))
