"""What providers of the first version imported from discovery."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import LoggingConfigurable

from jupyter_kernel_mgmt import ExitInfo, KernelFinder, Unsupported, discovery
from jupyter_kernel_mgmt.original import adapt, is_original, names
from jupyter_kernel_mgmt.original.names import (
    IPykernelProvider,
    KernelProviderBase,
    KernelSpecProvider,
    LocalManager,
)
from jupyter_kernel_mgmt.testing import FakeManager


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A directory with one kernelspec that can be used and one that cannot."""
    for name, text in (
        ("mine", json.dumps({"argv": ["a"], "display_name": "Mine", "language": "r", "metadata": {"x": 1}})),
        ("broken", "{"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kernel.json").write_text(text)
    return tmp_path


def test_the_base_asks_for_what_it_asked_for() -> None:
    """Without a metaclass, so that middle classes and configurables are fine."""
    bare = type("Middle", (KernelProviderBase, LoggingConfigurable), {})()

    assert bare.id is None
    bare.load_config()
    bare.load_config(config=None)
    for call in (bare.find_kernels, lambda: bare.launch("x"), lambda: bare.launch_async("x")):
        with pytest.raises(NotImplementedError):
            call()


def test_the_finder_is_that_of_today_by_both_names() -> None:
    assert discovery.KernelFinder is discovery.MetaKernelFinder is KernelFinder


def test_discovery_has_the_old_bases() -> None:
    for name in ("KernelProviderBase", "KernelSpecProvider", "IPykernelProvider"):
        assert getattr(discovery, name) is getattr(names, name)


def test_kernelspecs_are_found_as_dicts(specs: Path) -> None:
    """Those that can be used; and by name, as providers that build on it look at them."""
    provider = KernelSpecProvider(search_path=[str(specs)])

    assert list(provider.find_kernels()) == [
        (
            "mine",
            {
                "display_name": "Mine",
                "language_info": {"name": "r"},
                "argv": ["a"],
                "resource_dir": str(specs / "mine"),
                "metadata": {"x": 1},
            },
        )
    ]
    assert provider.ksm.find_kernel_specs() == {"mine": str(specs / "mine")}
    assert provider.ksm.get_kernel_spec("mine").argv == ("a",)
    with pytest.raises(KeyError):
        provider.ksm.get_kernel_spec("yours")


def test_kernelspecs_by_another_file_name_are_refused() -> None:
    """Rather than looked for in vain."""
    heir = type("Heir", (KernelSpecProvider,), {"kernel_file": "other_kernel.json"})
    with pytest.raises(Unsupported, match="kernel_file: kernelspecs are read"):
        heir()


def test_the_ipykernel_here_is_found_as_a_dict() -> None:
    ((name, attributes),) = IPykernelProvider().find_kernels()

    assert name == "kernel"
    assert attributes["argv"][0] == sys.executable
    assert attributes["language_info"] == {"name": "python"}


@pytest.mark.parametrize("kind", [KernelSpecProvider, IPykernelProvider])
def test_what_it_shipped_is_original_and_has_a_note_of_its_own(kind: Any) -> None:
    """There is nothing to edit in it, but another to use."""
    provider = kind()
    assert is_original(provider)
    text = f"discovery.{kind.__name__} is in the original shape; use jupyter_kernel_mgmt.{kind.__name__}"
    with pytest.warns(DeprecationWarning, match=text):
        assert adapt(provider).id == provider.id


def test_a_note_about_an_heir_is_where_the_heir_is() -> None:
    """Though its launch is ours."""

    class Heir(KernelSpecProvider):
        id = "heir"

        def find_kernels(self) -> Any:
            return super().find_kernels()

    with pytest.warns(DeprecationWarning, match="Heir is a provider in the original shape") as caught:
        adapt(Heir())
    assert (caught[0].filename, caught[0].lineno) == (__file__, Heir.find_kernels.__code__.co_firstlineno)


async def test_a_manager_of_today_has_the_original_shape_for_heirs() -> None:
    """Every method; how the kernel ended is told, not only that it did."""
    fake = FakeManager("id")
    manager = LocalManager(fake)
    assert manager.kernel_id == "id"
    assert await manager.is_alive() is True
    await manager.signal(3)
    await manager.interrupt()
    await manager.kill()
    assert isinstance(await manager.wait(timeout=None), ExitInfo)
    assert await manager.is_alive() is False
    await manager.cleanup()
