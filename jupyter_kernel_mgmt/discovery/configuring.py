"""Giving a provider its options."""

from ..providerbase import BlockingProviderBase, KernelProviderBase
from .configuration import Configuration


def configure(provider: KernelProviderBase | BlockingProviderBase, config: Configuration) -> None:
    """Have it load what is configured for its id. Raises `BadConfiguration`, naming file, line and option."""
    options = config.providers.get(provider.id)
    if not options:
        return
    try:
        provider.load_config(options)
    except (ValueError, TypeError) as error:
        name, _, text = str(error).partition(":")
        if name in options:
            raise config.error(("providers", provider.id, name), text.strip()) from error
        raise config.error(("providers", provider.id), str(error)) from error
