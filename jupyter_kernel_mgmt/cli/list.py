"""``jupyter-kernels list``: the kernel types there are, and what is wrong where."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .exit_codes import ExitCode
from .logs import silenced
from .program import say
from .terminal import console, one_line

if TYPE_CHECKING:
    from ..launching import KernelTypeInfo

SUMMARY = "show the kernel types there are"
DESCRIPTION = """\
Show the kernel types of all providers, and what is wrong with them and with providers.

With --json, one object:
  {"kernels": [{"type": "spec/python3", "provider": "spec", "name": "python3",
                "display_name": "Python 3", "language": "python",
                "language_version": "3.13" or "", "prefix": "the environment it runs in" or "",
                "obstacle": "" or "why it cannot be launched",
                "argv": ["python", …], "metadata": {…}}, …],
   "problems": [{"where": "provider 'x'", "text": "what is wrong"}, …]}

Problems alone are no failure: the exit code is 0 as soon as there is one kernel type that
can be launched, and 3 when there is none at all.
"""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found: kernel types in order, and problems as pairs of place and text."""

    kernels: Sequence[tuple[str, "KernelTypeInfo"]]
    problems: Sequence[tuple[str, str]]

    @property
    def exit_code(self) -> ExitCode:
        """Only finding nothing that can be launched is a failure."""
        usable = any(not info.obstacle for _, info in self.kernels)
        return ExitCode.OK if usable else ExitCode.NO_KERNEL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--json", action="store_true", help="write JSON, of the shape shown above")


def run(arguments: argparse.Namespace) -> int:
    """Show them."""
    from .running import run as run_loop

    return run_loop(_run(as_json=arguments.json))


async def _run(*, as_json: bool) -> int:
    listing = await look()
    if as_json:
        print(json.dumps(as_dict(listing), indent=2))
    else:
        show(listing)
    return listing.exit_code


async def look() -> Listing:
    """Search with all providers."""
    from ..discovery import KernelFinder

    with silenced():
        async with KernelFinder.from_entrypoints() as finder:
            search = finder.find_kernels()
            kernels = sorted([item async for item in search], key=lambda item: item[0])
    return Listing(kernels, [(problem.where, problem.text) for problem in search.problems])


def as_dict(listing: Listing) -> dict[str, Any]:
    """What ``--json`` writes."""
    kernels = []
    for kernel_type, info in listing.kernels:
        provider, _, name = kernel_type.partition("/")
        kernels.append(
            {
                "type": kernel_type,
                "provider": provider,
                "name": name,
                "display_name": info.display_name,
                "language": info.language,
                "language_version": info.language_version,
                "prefix": info.prefix,
                "obstacle": info.obstacle,
                "argv": [*info.argv],
                "metadata": dict(info.metadata),
            }
        )
    return {
        "kernels": kernels,
        "problems": [{"where": where, "text": text} for where, text in listing.problems],
    }


def show(listing: Listing) -> None:
    """A table on stdout, and on stderr what cannot be launched, and problems."""
    from rich.table import Table
    from rich.text import Text

    if listing.kernels:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        table.add_column("KERNEL TYPE", overflow="fold", min_width=12)
        table.add_column("NAME", overflow="fold")
        table.add_column("LANGUAGE", overflow="fold", style="dim")
        for _, group in groupby(listing.kernels, key=lambda item: item[0].partition("/")[0]):
            for kernel_type, info in group:
                provider, _, name = kernel_type.partition("/")
                typed = Text.assemble((f"{provider}/", "dim"), (name, "" if info.obstacle else "bold"))
                table.add_row(
                    typed,
                    Text(one_line(info.display_name)),
                    Text(one_line(info.language)),
                    style="dim" if info.obstacle else "",
                )
        console().print(table)
    else:
        say("no kernel types were found; one for Python comes with: python -m pip install ipykernel")
    _show_what_is_wrong(listing)


def _show_what_is_wrong(listing: Listing) -> None:
    import sys

    from rich.text import Text

    errors = console(sys.stderr)
    for kernel_type, info in listing.kernels:
        if info.obstacle:
            text = one_line(f"{kernel_type}: {info.obstacle}")
            errors.print(Text.assemble(("not launchable: ", "yellow"), text))
    for where, text in listing.problems:
        errors.print(Text.assemble(("problem: ", "bold red"), one_line(f"{where}: {text}")))
