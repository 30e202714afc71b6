"""`Options`: what an application may set for the provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...providerbase import refuse_options
from .environment import KINDS, Kind

SHELL_TIMEOUT = 30.0
"""Seconds that the activation scripts of one environment have, unless told otherwise."""

_UNCONSTRAINED = "allow_unconstrained_parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `KernelProviderBase.load_config` takes.

    ================  ==================================================================================
    ``roots``         directories to search besides: each an environment, or one that holds environments
    ``projects``      directories of projects, whose ``.venv``, ``venv``, ``env`` and ``.pixi`` count
    ``kinds``         the kinds of environments that are shown, of `KINDS`; by default all
    ``shell_timeout`` seconds that activation scripts have
    ================  ==================================================================================

    ``allow_unconstrained_parameters`` allows launch parameters whose text no schema limits: it is for
    applications whose users may run any command anyway.
    """

    roots: tuple[Path, ...] = ()
    projects: tuple[Path, ...] = ()
    kinds: tuple[Kind, ...] = KINDS
    shell_timeout: float = SHELL_TIMEOUT
    allow_unconstrained_parameters: bool = False


def read_options(config: Mapping[str, Any]) -> Options:
    """The options of a mapping. Raises `ValueError` or `TypeError`, beginning with the option's name."""
    refuse_options(config, ("roots", "projects", "kinds", "shell_timeout", _UNCONSTRAINED))
    return Options(
        roots=_directories("roots", config.get("roots", ())),
        projects=_directories("projects", config.get("projects", ())),
        kinds=_kinds(config.get("kinds", KINDS)),
        shell_timeout=_seconds("shell_timeout", config.get("shell_timeout", SHELL_TIMEOUT)),
        allow_unconstrained_parameters=_truth(_UNCONSTRAINED, config.get(_UNCONSTRAINED, False)),
    )


def _items(name: str, value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str | Path) for item in value):
        raise TypeError(f"{name}: it must be a list of texts, not {value!r}")
    return [str(item) for item in value]


def _directories(name: str, value: object) -> tuple[Path, ...]:
    try:
        paths = [Path(item).expanduser() for item in _items(name, value)]
    except RuntimeError as error:
        raise ValueError(f"{name}: {error}") from error
    for path in paths:
        if not path.is_absolute():
            raise ValueError(f"{name}: {str(path)!r} is no absolute path")
    return tuple(paths)


def _kinds(value: object) -> tuple[Kind, ...]:
    items = _items("kinds", value)
    for item in items:
        if item not in KINDS:
            raise ValueError(f"kinds: {item!r} is none; there are {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in items)


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: it must be a number of seconds, not {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}: it must be more than 0 and finite, not {value!r}")
    return float(value)


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name}: it must be true or false, not {value!r}")
    return value
