"""What is known of ipykernel's command line. Plain functions."""

from collections.abc import Sequence
from pathlib import Path

from ..exceptions import Unsupported

START_IPYKERNEL = str(Path(__file__).with_name("start_ipykernel.py"))
"""The program that is started where the command is ours to choose."""

COMMANDS = (("-m", "ipykernel_launcher"), ("-m", "ipykernel"), (START_IPYKERNEL,))
"""What is run with the interpreter, before the kernel's own arguments."""


def own_arguments(argv: Sequence[str]) -> tuple[str, ...] | None:
    """The arguments after its module or program; None for the command of another kernel."""
    if not argv or not Path(argv[0]).name.startswith("python"):
        return None
    rest = tuple(argv[1:])
    if rest[:1] == ("-Xfrozen_modules=off",):
        rest = rest[1:]
    for command in COMMANDS:
        if rest[: len(command)] == command:
            return rest[len(command) :]
    return None


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
