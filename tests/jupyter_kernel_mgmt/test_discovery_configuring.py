"""Options reach providers of every shape, from files and from traitlets."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from traitlets import Int, Unicode
from traitlets.config import Config, LoggingConfigurable

from jupyter_kernel_mgmt import (
    BadConfiguration,
    BlockingProviderBase,
    Configuration,
    KernelFinder,
    KernelProviderBase,
    KernelTypeInfo,
)
from jupyter_kernel_mgmt.discovery import KernelProviderBase as OriginalBase
from jupyter_kernel_mgmt.testing import FakeProvider

INFO = KernelTypeInfo(display_name="x", language="none")


class Common(LoggingConfigurable):
    """A configurable middle class, and no provider."""

    size = Int(1).tag(config=True)
    host_name = Unicode("here").tag(config=True)


class Plain(KernelProviderBase, Common):
    """Has traits."""

    id = "plain"

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "x", INFO

    async def launch(self, name: str, request: Any) -> Any:
        raise NotImplementedError


class Blocking(BlockingProviderBase, Common):
    """Has traits, and blocks."""

    id = "blocking"

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "x", INFO

    def launch(self, name: str, request: Any) -> Any:
        raise NotImplementedError


class Itself(Plain):
    """Has traits, and takes its options in a way of its own."""

    id = "itself"
    taken: Mapping[str, Any] = {}

    def load_config(self, config: Mapping[str, Any]) -> None:
        self.taken = config


class Original(OriginalBase, Common):
    """Has traits, in the original shape."""

    id = "original"

    def find_kernels(self) -> Any:
        yield "x", {"display_name": "x", "language_info": {"name": "none"}}

    def launch(self, name: str, cwd: str | None = None, launch_params: Any = None) -> Any:
        raise NotImplementedError


ALL = (Plain, Blocking, Original)


@pytest.mark.filterwarnings("ignore:.*original shape:DeprecationWarning")
@pytest.mark.parametrize("kind", ALL)
def test_traits_are_set_from_the_table_of_the_provider(kind: type[Any]) -> None:
    """With - or _ in their names."""
    provider = kind()
    KernelFinder([provider], config={"providers": {provider.id: {"size": 3, "host-name": "there"}}})
    assert (provider.size, provider.host_name) == (3, "there")


@pytest.mark.filterwarnings("ignore:.*original shape:DeprecationWarning")
@pytest.mark.parametrize("kind", ALL)
def test_traits_are_set_from_a_traitlets_config(kind: type[Any]) -> None:
    """By the class, its parents and within the finder's section, as traitlets does it."""
    config = Config()
    config.Common.size = 5
    config[kind.__name__].host_name = "there"
    provider = kind()
    KernelFinder([provider], config=config)
    assert (provider.size, provider.host_name) == (5, "there")

    config.KernelFinder[kind.__name__].size = 6
    provider = kind()
    KernelFinder([provider], config=config)
    assert (provider.size, provider.host_name) == (6, "there")


async def test_the_finder_itself_is_configured_in_a_traitlets_config() -> None:
    config = Config()
    config.KernelFinder.hide = ["plain/*"]
    async with KernelFinder([Plain(), Blocking()], config=config) as finder:
        assert [name async for name, _ in finder.find_kernels()] == ["blocking/x"]
    with pytest.raises(BadConfiguration, match=r"finder\.hide: must be a list"):
        KernelFinder([], config=Config({"KernelFinder": {"hide": 3}}))


def test_a_provider_with_a_load_config_of_its_own_gets_the_options_there() -> None:
    provider = Itself()
    KernelFinder([provider], config={"providers": {"itself": {"size": 3}}})
    assert (provider.taken, provider.size) == ({"size": 3}, 1)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("size = 'large'", "providers.plain.size: "),
        ("colour = 1", "providers.plain.colour: there is no such"),
    ],
)
def test_what_a_trait_refuses_is_told_with_file_and_line(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "jupyter_kernel_mgmt.toml"
    file.write_text(f"[providers.plain]\n{line}\n")
    with pytest.raises(BadConfiguration, match=re.escape(f"{file}, line 2: {says}")):
        KernelFinder([Plain()], config=Configuration.load([file]))


def test_providers_that_nothing_is_said_of_are_left_alone() -> None:
    provider = Plain()
    KernelFinder([provider, FakeProvider()], config=Config({"Other": {"size": 2}}))
    assert provider.size == 1


async def test_a_provider_in_the_original_shape_is_taken_with_a_note() -> None:
    with pytest.warns(DeprecationWarning, match="original shape"):
        finder = KernelFinder([Original()])
    async with finder:
        assert [name async for name, _ in finder.find_kernels()] == ["original/x"]
