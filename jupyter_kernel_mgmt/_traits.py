"""Options of providers that are traitlets configurables too. traitlets is imported late, and never needed."""

import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

FINDER = "KernelFinder"
"""The section in which sections of providers count for more than on their own, as those of a parent do."""


def is_configurable(provider: object) -> bool:
    """Whether it is a traitlets ``Configurable``. Imports nothing: whoever made one has done that."""
    traitlets = sys.modules.get("traitlets.config.configurable")
    return traitlets is not None and isinstance(provider, traitlets.Configurable)


def is_config(config: object) -> bool:
    """Whether it is a traitlets ``Config``. Imports nothing, likewise."""
    traitlets = sys.modules.get("traitlets.config.loader")
    return traitlets is not None and isinstance(config, traitlets.Config)


def apply_config(provider: Any, options: Mapping[str, Any]) -> None:
    """Set the configurable traits of a provider from options, whose names may have - for _.

    Raises `ValueError` for an option that there is not, or that is given twice, before any is set; and
    `TypeError` or `ValueError` for a value that its trait refuses, when those before it are set. Their texts
    begin with the option's name.
    """
    from traitlets import TraitError

    known = sorted(provider.trait_names(config=True))
    for name, (option, value) in _by_trait(options, known).items():
        trait = provider.traits()[name]
        try:
            setattr(provider, name, _resolved(provider, name, value))
        except TraitError as error:
            kind = ValueError if trait_accepts_type(trait, value) else TypeError
            raise kind(f"{option}: {error}") from error
        except (TypeError, ValueError) as error:
            raise type(error)(f"{option}: {error}") from error


def from_traitlets(config: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The options for one class of provider in a traitlets ``Config``.

    As traitlets does it: those in the sections of its parent classes too, of which the nearest counts most,
    and in sections within that of `FINDER`, which count more than all others. Changes nothing in ``config``.
    """
    merged: dict[str, Any] = {}
    inside = dict.get(config, FINDER) if isinstance(config, dict) else config.get(FINDER)
    for sections in (config, inside):
        if isinstance(sections, Mapping):
            for section_of in reversed(kind.__mro__):
                found = _get(sections, section_of.__name__)
                if isinstance(found, Mapping):
                    _merge(merged, dict(_options(found)))
    return merged


def section(kind: type, options: Mapping[str, Any]) -> Any:
    """Options as the traitlets ``Config`` of an application; a dict of dicts where there is no traitlets."""
    try:
        from traitlets.config import Config
    except ImportError:
        return {kind.__name__: dict(options)}
    return Config({kind.__name__: dict(options)})


def trait_accepts_type(trait: Any, value: object) -> bool:
    """Whether a refused value is of the right type, as far as the trait's own default or class tells."""
    wanted = getattr(trait, "klass", None) or type(trait.default_value)
    if getattr(trait, "values", None):  # an Enum takes some values of a type
        wanted = tuple({type(item) for item in trait.values})
    if wanted is float:
        wanted = (int, float)
    return isinstance(wanted, (type, tuple)) and isinstance(value, wanted)


def _by_trait(options: Mapping[str, Any], known: list[str]) -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {}
    for option, value in options.items():
        name = option.replace("-", "_")
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise ValueError(f"{option}: there is no such option; {there}")
        if name in found:
            raise ValueError(f"{option}: it is given twice, also as {found[name][0]}")
        found[name] = (option, value)
    return found


def _resolved(provider: Any, name: str, value: Any) -> Any:
    """What a value of a ``Config`` stands for: additions to a default, or text from a command line."""
    from traitlets.config.loader import DeferredConfig, LazyConfigValue

    if isinstance(value, LazyConfigValue):
        return value.get_value(getattr(provider, name))
    if isinstance(value, DeferredConfig):
        return value.get_value(provider.traits()[name])
    return value


def _options(section: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is no section within this one: their names are those of classes."""
    for name, value in section.items():
        if not (name[:1].isupper() and isinstance(value, Mapping)):
            yield name, value


def _get(sections: Mapping[str, Any], name: str) -> Any:
    """Without a Config's habit of making the sections that it is asked for."""
    return dict.get(sections, name) if isinstance(sections, dict) else sections.get(name)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Copies, since what is to be added to a default remembers the first one that it was added to."""
    for name, value in more.items():
        if isinstance(into.get(name), dict) and isinstance(value, dict):
            _merge(into[name], value)
        elif name in into and hasattr(value, "merge_into"):  # additions to a list or dict, whatever that is
            into[name] = deepcopy(value).merge_into(into[name])
        else:
            into[name] = deepcopy(value)
