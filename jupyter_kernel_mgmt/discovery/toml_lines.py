"""On which line of a TOML file a key stands: `tomllib` tells that of mistakes in the notation alone. Pure."""

import re
import tomllib
from collections.abc import Mapping

_HEADER = re.compile(r"\s*\[{1,2}[^=]*\]{1,2}\s*(#.*)?")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line, from 1, where the key at this path is set or, failing that, the nearest table around it."""
    best, depth = None, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if _HEADER.fullmatch(line):
            here = table = _keys(line)
        elif found := _KEY.match(line):
            here = (*table, *_keys(f"{found[1]} = 0"))
        else:
            continue
        shared = min(len(here), len(path))
        if shared > depth and here[:shared] == path[:shared]:
            best, depth = number, shared
    return best


def _keys(line: str) -> tuple[str, ...]:
    """The path that one header or assignment names; empty for what is neither."""
    try:
        value: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:  # within a text of several lines
        return ()
    keys: list[str] = []
    while value:
        if isinstance(value, list):
            value = value[0]
        if not isinstance(value, Mapping) or not value:
            break
        key, value = next(iter(value.items()))
        keys.append(key)
    return tuple(keys)
