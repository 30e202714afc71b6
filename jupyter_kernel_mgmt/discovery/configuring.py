"""Giving a provider its options, whatever they come from."""

from collections.abc import Mapping
from typing import Any

from .._traits import apply_config, from_traitlets, is_config, is_configurable
from ..providerbase import BlockingProviderBase, KernelProviderBase, ThreadedProvider
from .configuration import Configuration


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


def _loads_itself(provider: KernelProviderBase | BlockingProviderBase) -> bool:
    """Whether it has a ``load_config`` of its own."""
    return type(provider).load_config not in (
        KernelProviderBase.load_config,
        BlockingProviderBase.load_config,
    )
