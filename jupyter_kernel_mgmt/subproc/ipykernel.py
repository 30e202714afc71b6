"""What is known of ipykernel's command line. Plain functions."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..exceptions import Unsupported

START_IPYKERNEL = str(Path(__file__).with_name("start_ipykernel.py"))
"""The program that starts it here, in place of its own module: sooner, and keeping all output."""

COMMANDS = (("-m", "ipykernel_launcher"), ("-m", "ipykernel"), (START_IPYKERNEL,))
"""What is run with the interpreter, before the kernel's own arguments."""

FROZEN_OFF = "-Xfrozen_modules=off"
"""The one option of an interpreter that ipykernel itself writes into kernelspecs."""


def own_arguments(argv: Sequence[str]) -> tuple[str, ...] | None:
    """The arguments after its module or program; None for the command of another kernel."""
    if not argv or not Path(argv[0]).name.startswith("python"):
        return None
    rest = tuple(argv[1:])
    if rest[:1] == (FROZEN_OFF,):
        rest = rest[1:]
    for command in COMMANDS:
        if rest[: len(command)] == command:
            return rest[len(command) :]
    return None


@cache
def preparation() -> str:
    """Code for a process that ipykernels are forked from: makes them as that program does."""
    return Path(START_IPYKERNEL).read_text(encoding="utf-8")


def started_here(argv: Sequence[str]) -> tuple[str, ...]:
    """The command with `START_IPYKERNEL` for ipykernel's module; that of another kernel as it is."""
    own = own_arguments(argv)
    if own is None:
        return tuple(argv)
    options = argv[1:2] if argv[1] == FROZEN_OFF else ()
    return (argv[0], *options, START_IPYKERNEL, *own)


def packer_arguments(packer: str, argv: Sequence[str]) -> tuple[str, ...]:
    """What makes a kernel pack its messages so. Raises `Unsupported` where nothing is known that does."""
    if packer == "json":
        return ()
    if packer != "msgpack":
        raise Unsupported("packer", f"{packer!r} is neither 'json' nor 'msgpack'")
    if own_arguments(argv) is None:
        raise Unsupported("packer", "only ipykernel is known to speak msgpack")
    return ("--Session.packer=msgpack",)


def history_arguments(argv: Sequence[str]) -> tuple[str, ...]:
    """What makes a kernel of this command keep its history in memory; nothing where nothing is known."""
    return () if own_arguments(argv) is None else ("--HistoryManager.hist_file=:memory:",)
