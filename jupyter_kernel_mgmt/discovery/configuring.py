"""Giving a provider its options, whatever they come from."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from .._traits import apply_config, from_traitlets, is_config, is_configurable
from ..exceptions import BadConfiguration
from ..providerbase import BlockingProviderBase, KernelProviderBase, ThreadedProvider
from .configuration import Configuration
from .search import Problem


class TraitletsConfiguration(Configuration):
    """A traitlets ``Config``: sections by class name, and the finder's own options in ``KernelFinder``."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        own = {name: value for name, value in config.get("KernelFinder", {}).items() if name[:1].islower()}
        super().__init__({"finder": own})
        self.sections = config


def as_configuration(config: Configuration | Mapping[str, Any] | None) -> Configuration:
    """What a finder was given, in one form. Raises `BadConfiguration`."""
    if isinstance(config, Configuration):
        return config
    return TraitletsConfiguration(config) if is_config(config) and config else Configuration(config)


def configure(provider: KernelProviderBase, config: Configuration) -> None:
    """Have it load what is configured for its id. Raises `BadConfiguration`, naming file, line and option."""
    written = provider.blocking if isinstance(provider, ThreadedProvider) else provider
    if isinstance(config, TraitletsConfiguration):
        options = from_traitlets(config.sections, type(getattr(written, "old", written)))
    else:
        options = config.providers.get(provider.id, {})
    if not options:
        return
    try:
        if is_configurable(written) and not _loads_itself(written):
            apply_config(written, options)
        else:
            provider.load_config(options)
    except (ValueError, TypeError) as error:
        name, _, text = str(error).partition(":")
        if name in options:
            raise config.error(("providers", provider.id, name), text.strip()) from error
        raise config.error(("providers", provider.id), str(error)) from error


def misspelt_providers(config: Configuration, installed: Collection[str]) -> Iterator[BadConfiguration]:
    """What is configured for an id that is nearly that of a provider: nobody else would tell.

    One that is like none may be installed elsewhere, where the same files are read.
    """
    for provider_id in config.providers:
        if provider_id not in installed and (near := get_close_matches(provider_id, installed, 1)):
            text = f"no provider of this id is installed; did you mean {near[0]!r}?"
            yield config.error(("providers", provider_id), text)


def as_problem(error: BadConfiguration, what: str = "") -> Problem:
    """The problem of a search that this error is; no provider's."""
    return Problem("", f"{what}{error}", error)


def _loads_itself(provider: KernelProviderBase | BlockingProviderBase) -> bool:
    """Whether it has a ``load_config`` of its own."""
    return type(provider).load_config not in (
        KernelProviderBase.load_config,
        BlockingProviderBase.load_config,
    )
