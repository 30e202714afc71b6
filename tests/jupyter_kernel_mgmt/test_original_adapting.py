"""The note that a provider of the first version gets, and what is wrong with it before that."""

import warnings
from typing import Any

import pytest

from jupyter_kernel_mgmt.original import adapt, is_original
from jupyter_kernel_mgmt.original.names import KernelProviderBase as OldBase

from ._original import AsyncProvider, BlockingProvider


@pytest.mark.parametrize("kind", [BlockingProvider, AsyncProvider])
def test_one_note_names_the_class_what_to_change_and_where(kind: type) -> None:
    """The place is the provider's own code, which is what has to change."""
    with pytest.warns(DeprecationWarning, match="original shape") as caught:
        adapt(kind())

    (note,) = caught
    assert f"_original.{kind.__name__} is a provider in the original shape" in str(note.message)
    for edit in (
        "(1) derive it from",
        "KernelTypeInfo",
        "(2) let launch(self, name, request)",
        "(3) derive its",
    ):
        assert edit in str(note.message)
    first = kind.__init__.__code__  # type: ignore[misc]
    assert (note.filename, note.lineno) == (first.co_filename, first.co_firstlineno)


def test_what_a_class_lacks_is_named() -> None:
    """Before any note."""

    class Middle(BlockingProvider):
        id = None

        def find_kernels(self) -> Any:
            return super().find_kernels()

    class Empty(OldBase):
        pass

    class Request(BlockingProvider):
        def launch(self, name: str, request: object) -> Any:  # type: ignore[override]
            raise AssertionError

    with pytest.raises(TypeError, match="Middle lacks id"):
        adapt(Middle())
    with pytest.raises(TypeError, match="Empty lacks find_kernels and launch and id"):
        adapt(Empty())
    with pytest.raises(
        TypeError, match=r"takes a request derives from jupyter_kernel_mgmt\.KernelProviderBase"
    ):
        adapt(Request())


def test_what_was_adapted_is_of_today() -> None:
    with pytest.warns(DeprecationWarning, match="original shape"):
        provider = adapt(BlockingProvider())
    assert not is_original(provider)


def test_a_warning_filter_for_the_providers_module_counts() -> None:
    """As for what Python itself deprecates in that module."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=BlockingProvider.__module__.replace(".", r"\."))
        adapt(BlockingProvider())
