"""What tells a provider of the first version: its class and how its launch is declared; nothing is called."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from ..providerbase import BlockingProviderBase, KernelProviderBase
from . import names

KNOWN = ("cwd", "launch_params")
"""What a launch of the first version may take besides the name."""


@dataclass(frozen=True, slots=True)
class LaunchShape:
    """What a launch takes: the method's name, and whether it has a place for each of `KNOWN`."""

    method: str
    takes: frozenset[str]


def is_original(provider: object) -> bool:
    """Whether this is a provider in the original shape, by its class and signatures; nothing is called.

    One that derives from a base of today never is. One that derives from the ``KernelProviderBase`` of
    `names` is; any other is if it has ``find_kernels``, and a ``launch`` or ``launch_async`` that takes a
    name and at most ``cwd`` and ``launch_params``.
    """
    if isinstance(provider, (type, KernelProviderBase, BlockingProviderBase)):
        return False
    if isinstance(provider, names.KernelProviderBase):
        return True
    return own_function(provider, "find_kernels") is not None and launch_shape(provider) is not None


def launch_shape(provider: object) -> LaunchShape | None:
    """How a provider is asked to launch: by ``launch`` where it has one, otherwise ``launch_async``.

    None where it has neither with a signature of the original shape.
    """
    for method in ("launch", "launch_async"):
        if own_function(provider, method) is not None:
            takes = _taken(getattr(provider, method))
            if takes is not None:
                return LaunchShape(method, takes)
    return None


def own_function(holder: object, name: str) -> FunctionType | None:
    """A method as the function it was defined as; None where there is none, or only that of the old base."""
    found = inspect.getattr_static(holder, name, None)
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    if not isinstance(found, FunctionType) or found is names.KernelProviderBase.__dict__.get(name):
        return None
    return found


def _taken(launch: Callable[..., Any]) -> frozenset[str] | None:
    """Which of `KNOWN` a launch takes; None for a signature of another shape."""
    try:
        parameters = list(inspect.signature(launch).parameters.values())
    except (TypeError, ValueError):
        return None
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None if _needs_more(named[1:]) else frozenset(KNOWN)
    if not named or _needs_more(named[1:]):  # the first is the name, whatever it is called
        return None
    return frozenset(p.name for p in named[1:] if p.name in KNOWN)


def _needs_more(rest: "list[inspect.Parameter]") -> bool:
    """Whether a parameter cannot be left out and is none that we know, such as a ``request``."""
    return any(p.name == "request" or (_required(p) and p.name not in KNOWN) for p in rest)


def _required(parameter: Any) -> bool:
    return parameter.default is parameter.empty
