"""The providers that are installed: entry points, scanned once for each state of ``sys.path``."""

import sys
from collections.abc import Callable
from pathlib import Path

import entrypoints

from .providerbase import ENTRY_POINT_GROUP, BlockingProviderBase, KernelProviderBase

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
        found = {point.name: point.load for point in entrypoints.get_group_all(ENTRY_POINT_GROUP)}
        _scanned = (key, dict(sorted(found.items())))
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
