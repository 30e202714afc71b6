"""What the terminal shows, and whether in colour. Only what themes define: bold, dim and named colours."""

import os
import re
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")

UNBOUNDED = 10_000
"""Columns of what is no terminal: nothing is cut or wrapped where a program reads it."""


def has_colour(stream: TextIO) -> bool:
    """Whether escape sequences may go there. Source: no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def plain(text: str) -> str:
    """Text without escape sequences."""
    return _ESCAPES.sub("", text)


def suited(text: str, stream: TextIO) -> str:
    """Text as that stream may get it."""
    return text if has_colour(stream) else plain(text)


def one_line(text: str) -> str:
    """Text without control characters, which other people's files and messages may hold."""
    return "".join(character if character.isprintable() else " " for character in text)


def lines(text: str) -> str:
    """Text of several lines without escape sequences and other control characters, as `one_line`."""
    return "\n".join(map(one_line, plain(text).expandtabs().split("\n")))


def console(stream: TextIO | None = None) -> "Console":
    """A rich console for stdout or another stream."""
    from rich.console import Console

    stream = sys.stdout if stream is None else stream
    coloured = has_colour(stream)
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        no_color=not coloured,
        color_system="standard" if coloured else None,
        width=None if stream.isatty() else UNBOUNDED,
    )
