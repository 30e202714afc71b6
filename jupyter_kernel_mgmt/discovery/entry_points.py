"""The providers that are installed: entry points, scanned once for each state of ``sys.path``."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import entrypoints

from ..providerbase import ENTRY_POINT_GROUP, BlockingProviderBase, KernelProviderBase

log = logging.getLogger(__name__)

LoadProvider = Callable[[], Callable[[], KernelProviderBase | BlockingProviderBase]]
"""Imports a provider and returns its class."""

_Key = tuple[tuple[str, int], ...]
_scanned: tuple[_Key, dict[str, LoadProvider]] | None = None


def installed_providers() -> dict[str, LoadProvider]:
    """What loads each provider, by the name of its entry point; nothing is imported here.

    The scan reads the metadata of every installed distribution. It is repeated when ``sys.path`` or one of
    its directories has changed.
    """
    global _scanned
    key = _state()
    if _scanned is None or _scanned[0] != key:
        _scanned = (key, dict(sorted(_scan().items())))
    return dict(_scanned[1])


def _state() -> _Key:
    """Every entry of ``sys.path`` with the time of its last change: what installing a package alters."""
    state = []
    for entry in sys.path:
        try:
            changed = Path(entry or ".").stat().st_mtime_ns
        except OSError:  # not there; it may come to be
            changed = 0
        state.append((entry, changed))
    return tuple(state)


def _scan() -> dict[str, LoadProvider]:
    """File by file, so that one distribution's broken metadata hides no other's providers."""
    found: dict[str, LoadProvider] = {}
    for entry in sys.path:
        for kind in ("dist-info", "egg-info"):
            for file in Path(entry or ".").glob(f"*.{kind}/entry_points.txt"):
                for name, load in _read(file).items():
                    found.setdefault(name, load)  # the first on the path counts, as with modules
    return found


def _read(file: Path) -> dict[str, LoadProvider]:
    found: dict[str, LoadProvider] = {}
    try:
        text = file.read_text(encoding="utf-8")
        if ENTRY_POINT_GROUP in text:  # most have other groups, and need no parsing
            parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",), interpolation=None)
            parser.read_string(text)
            for name, target in parser[ENTRY_POINT_GROUP].items():
                found[name] = entrypoints.EntryPoint.from_string(target, name).load
    except Exception as error:  # noqa: BLE001 - of any kind: it is other people's file
        log.warning("%s is skipped: %s: %s", file, type(error).__name__, error)
    return found
