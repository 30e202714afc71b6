"""Options of providers that are traitlets configurables."""

import copy
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from traitlets import Dict, Enum, Float, Int, List, TraitError, Unicode, validate
from traitlets.config import Config, Configurable, LoggingConfigurable
from traitlets.config.loader import DeferredConfigString, KVArgParseConfigLoader

from jupyter_kernel_mgmt import KernelProviderBase
from jupyter_kernel_mgmt._traits import apply_config, from_traitlets, is_configurable, section


class Plain(KernelProviderBase):
    """Has no traits."""

    id = "plain"


class Parent(KernelProviderBase, LoggingConfigurable):
    """An abstract middle class."""

    queue_name = Unicode("short").tag(config=True)
    size = Int(1, min=1).tag(config=True)
    hidden = Int(1)


class Child(Parent):
    """A provider."""

    id = "child"
    mode = Enum(["a", "b"], "a").tag(config=True)
    hosts = List(Unicode(), ["localhost"]).tag(config=True)
    table = Dict().tag(config=True)
    share = Float(0.5, max=1).tag(config=True)

    @validate("size")
    def _not_thirteen(self, proposal: Any) -> Any:
        if proposal["value"] == 13:
            raise ValueError("13 brings bad luck")
        if proposal["value"] == 14:
            raise TraitError("nor 14")
        return proposal["value"]

    async def find_kernels(self) -> AsyncIterator[Any]:
        yield "nothing", None


def test_only_configurables_are_configurable() -> None:
    assert is_configurable(Child())
    assert not is_configurable(Plain())
    assert not is_configurable(None)


def test_nothing_needs_traitlets() -> None:
    """Asking imports nothing; a configuration that is plain is read without it."""
    program = (
        "import sys\n"
        "from jupyter_kernel_mgmt import KernelProviderBase, _traits\n"
        "assert 'traitlets' not in sys.modules\n"
        "sys.modules['traitlets'] = sys.modules['traitlets.config'] = None\n"
        "assert not _traits.is_configurable(KernelProviderBase())\n"
        "options = _traits.from_traitlets({'KernelProviderBase': {'a': 1}}, KernelProviderBase)\n"
        "assert options == {'a': 1}\n"
        "assert _traits.section(KernelProviderBase, options) == {'KernelProviderBase': options}\n"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], check=False).returncode == 0


def test_traits_are_set_whichever_way_their_names_are_written() -> None:
    provider = Child()
    apply_config(provider, {"queue-name": "long", "size": 3, "hosts": ["a", "b"], "table": {"x": 1}})

    assert (provider.queue_name, provider.size, provider.hosts, provider.table) == (
        "long",
        3,
        ["a", "b"],
        {"x": 1},
    )


@pytest.mark.parametrize("name", ["qeue-name", "hidden", "log", "id", "find_kernels"])
def test_an_option_that_there_is_not_is_refused_before_any_is_set(name: str) -> None:
    """Also what is no trait, or none that is for users."""
    provider = Child()
    there = "hosts, mode, queue_name, share, size, table"
    with pytest.raises(ValueError, match=f"^{name}: there is no such option; there are {there}$"):
        apply_config(provider, {"size": 3, name: 1})
    assert provider.size == 1


def test_where_there_are_no_options_that_is_said() -> None:
    with pytest.raises(ValueError, match=r"^a: there is no such option; there are none$"):
        apply_config(Configurable(), {"a": 1})


def test_an_option_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^queue_name: it is given twice, also as queue-name$"):
        apply_config(Child(), {"queue-name": "a", "queue_name": "b"})


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("queue-name", 1, TypeError),
        ("size", "3", TypeError),
        ("size", None, TypeError),
        ("size", 0, ValueError),
        ("share", 2, ValueError),
        ("share", "x", TypeError),
        ("size", 13, ValueError),
        ("size", 14, ValueError),
        ("mode", "c", ValueError),
        ("mode", 1, TypeError),
        ("hosts", 5, TypeError),
        ("hosts", [1], ValueError),
        ("table", [], TypeError),
    ],
)
def test_a_value_that_its_trait_refuses(option: str, value: object, error: type[Exception]) -> None:
    """Of the wrong type, or wrong though of the right one; the text begins with the name as it was given."""
    with pytest.raises(error, match=f"^{option}: ") as caught:
        apply_config(Child(), {option: value})
    assert type(caught.value) is error


def test_sections_of_parent_classes_count_less_than_those_of_the_class() -> None:
    """And changes nothing of the Config, which makes the sections that it is asked for."""
    config = Config()
    config.Parent.queue_name = "parent's"
    config.Parent.size = 2
    config.Child.size = 3
    config.Child.Other.size = 4
    config.Unrelated.size = 5
    before = copy.deepcopy(config)

    assert from_traitlets(config, Child) == {"queue_name": "parent's", "size": 3}
    assert from_traitlets(config, Plain) == {}
    assert config == before
    assert sorted(config) == sorted(before)


def test_sections_within_that_of_the_finder_count_most() -> None:
    config = Config()
    config.KernelFinder.Parent.size = 2
    config.KernelFinder.search_timeout = 9
    config.Child.size = 3
    config.Child.mode = "b"

    assert from_traitlets(config, Child) == {"size": 2, "mode": "b"}


def test_options_of_several_sections_are_merged_as_traitlets_does() -> None:
    """Dicts by their keys, and what is to be added to a default."""
    config = Config()
    config.Parent.table = {"a": 1, "b": 1}
    config.Child.table = {"b": 2}
    config.Parent.hosts.append("a")
    config.Child.hosts.append("b")
    before = copy.deepcopy(config)
    options, again = from_traitlets(config, Child), from_traitlets(config, Child)
    provider = Child()
    apply_config(provider, options)

    with_config = Child(config=before)
    assert provider.table == {"a": 1, "b": 2}
    assert provider.hosts == with_config.hosts == ["localhost", "a", "b"]
    second = Child()
    apply_config(second, again)
    assert (second.table, second.hosts) == (provider.table, provider.hosts)


def test_what_is_added_is_added_to_each_classes_own_default() -> None:
    """Though the Config is one."""
    config = Config()
    config.Child.hosts.append("a")

    class Sister(Child):
        hosts = List(Unicode(), ["elsewhere"]).tag(config=True)

    child, sister = Child(), Sister()
    apply_config(child, from_traitlets(config, Child))
    apply_config(sister, from_traitlets(config, Sister))
    assert (child.hosts, sister.hosts) == (["localhost", "a"], ["elsewhere", "a"])


def test_text_from_a_command_line_becomes_what_its_trait_needs() -> None:
    config = KVArgParseConfigLoader(["--Child.size=3", "--Child.queue_name=5"]).load_config()
    provider = Child()
    apply_config(provider, from_traitlets(config, Child))

    assert (provider.size, provider.queue_name) == (3, "5")
    with pytest.raises(TypeError, match=r"^size: "):
        apply_config(provider, {"size": DeferredConfigString("many")})


def test_a_section_is_a_config() -> None:
    made = section(Child, {"size": 3})

    assert isinstance(made, Config)
    assert made.Child.size == 3
