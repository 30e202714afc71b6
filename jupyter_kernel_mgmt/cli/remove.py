"""``jupyter-kernels remove``: remove kernelspecs."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .exit_codes import ExitCode
from .program import UsageError, say

SUMMARY = "remove kernelspecs"
DESCRIPTION = """\
Remove kernelspecs, with all files in their directories; of a link the link alone. The first
one of a name is removed: where there is another behind it, that one is found from then on.
On a terminal this asks before it does so, unless --yes is given; elsewhere it needs --yes.
When one of the names is unknown, nothing is removed.

With --json, one object:
  {"removed": [{"type": "spec/mine", "name": "mine", "directory": "/…/kernels/mine"}, …]}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    names: Any = parser.add_argument(
        "names", metavar="NAME", nargs="+", help="a kernelspec, such as python3 or spec/python3"
    )
    names.completer = complete_kernelspec
    parser.add_argument("-y", "--yes", "-f", "--force", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="write JSON, of the shape shown above")


def complete_kernelspec(prefix: str, **_: object) -> list[str]:
    """The kernelspecs that begin like that, good and bad ones."""
    from ..kernelspec import find_kernelspecs

    return sorted(found.name for found in find_kernelspecs() if found.name.startswith(prefix.lower()))


def run(arguments: argparse.Namespace) -> int:
    """Ask, and remove them."""
    from .running import run as run_loop

    chosen = choose(arguments.names)
    if arguments.yes:
        return remove(chosen, as_json=arguments.json)
    return run_loop(_ask_and_remove(chosen, as_json=arguments.json))


def choose(names: Sequence[str]) -> dict[str, Path]:
    """Where each of them is, once each. Raises `NoSuchKernel`, or `UsageError` for no kernelspec's name."""
    from ..kernelspec import find_kernelspec, no_such_kernelspec

    chosen = {}
    for given in names:
        provider, slash, name = given.rpartition("/")
        if slash and provider != "spec":
            raise UsageError(f"{given} is no kernelspec; only these can be removed")
        try:
            chosen[name.lower()] = find_kernelspec(name)
        except KeyError:
            raise no_such_kernelspec(name) from None
    return chosen


def remove(chosen: Mapping[str, Path], *, as_json: bool = False) -> int:
    """Remove them, and tell of each. Goes on after one that cannot be removed."""
    from ..exceptions import InstallError
    from ..kernelspec.install import remove_kernelspec

    removed, code = [], ExitCode.OK
    for name, directory in chosen.items():
        try:
            remove_kernelspec(name, [directory.parent])
        except InstallError as error:
            say(str(error))
            code = ExitCode.NOT_SAVED
        else:
            removed.append({"type": f"spec/{name}", "name": name, "directory": str(directory)})
            if not as_json:
                print(f"spec/{name} is removed from {directory}", flush=True)
    if as_json:
        print(json.dumps({"removed": removed}, indent=2))
    return code


async def _ask_and_remove(chosen: Mapping[str, Path], *, as_json: bool) -> int:
    if await _agreed(chosen):
        return remove(chosen, as_json=as_json)
    say("nothing was removed")
    return ExitCode.FAILED


async def _agreed(chosen: Mapping[str, Path]) -> bool:
    """Whether whoever sits at the terminal agrees. Raises `UsageError` where nobody sits there."""
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at: say --yes to remove")
    from .asking import ask

    for name, directory in chosen.items():
        say(f"spec/{name} is in {directory}")
    try:
        answer = await ask(f"Remove {'it' if len(chosen) == 1 else 'them'} and all files in there? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
