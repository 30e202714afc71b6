"""What is taken for a provider of the first version, and what is not."""

from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import BlockingProviderBase, KernelProviderBase
from jupyter_kernel_mgmt.original import is_original
from jupyter_kernel_mgmt.original.names import KernelProviderBase as OldBase
from jupyter_kernel_mgmt.original.shape import LaunchShape, launch_shape


def find(self: Any) -> Any:
    raise AssertionError("nothing is called")


def made(launch: Callable[..., Any] | None, *bases: type, method: str = "launch", **more: Any) -> object:
    """An instance of a class with these methods."""
    methods = {"find_kernels": find, **more} | ({} if launch is None else {method: launch})
    return type("Made", bases, methods)()


async def on_loop(self: Any, name: Any, cwd: Any = None, launch_params: Any = None) -> None:
    raise AssertionError("nothing is called")


SHAPES = [
    (lambda self, name, cwd=None: None, {"cwd"}),
    (lambda self, name, cwd=None, launch_params=None: None, {"cwd", "launch_params"}),
    (lambda self, name, cwd, launch_params: None, {"cwd", "launch_params"}),
    (lambda self, name: None, set()),
    (lambda self, kernelspec_name, cwd=None, *, other=1: None, {"cwd"}),
    (lambda self, *args, **kwargs: None, {"cwd", "launch_params"}),
    (on_loop, {"cwd", "launch_params"}),
]


@pytest.mark.parametrize(("launch", "takes"), SHAPES)
def test_a_launch_with_a_name_cwd_and_parameters_is_original(
    launch: Callable[..., Any], takes: set[str]
) -> None:
    """Whatever class it is in, by either name; and what it takes is known."""
    assert is_original(made(launch))
    assert launch_shape(made(launch)) == LaunchShape("launch", frozenset(takes))
    assert is_original(made(launch, method="launch_async"))
    assert launch_shape(made(launch, method="launch_async")) == LaunchShape("launch_async", frozenset(takes))


@pytest.mark.parametrize(
    "launch",
    [
        lambda self, name, request: None,
        lambda self, name, request=None: None,
        lambda self, name, request, **more: None,
        lambda self, name, cwd, somewhere: None,
        lambda self: None,
        "not callable",
        None,
    ],
)
def test_any_other_launch_is_not(launch: Any) -> None:
    """Such as one that takes a request, though it forgot its base."""
    assert not is_original(made(launch))


@pytest.mark.parametrize("base", [KernelProviderBase, BlockingProviderBase])
def test_what_derives_from_a_base_of_today_never_is(base: type) -> None:
    """Not even with an old launch, which the base's own check is to name; nor beside the old base."""
    assert not is_original(made(lambda self, name, cwd=None: None, base))
    assert not is_original(made(lambda self, name, cwd=None: None, base, OldBase))


def test_what_derives_from_the_old_base_is() -> None:
    """Also when something is missing, which adapting it names."""
    assert is_original(made(lambda self, name, request: None, OldBase))
    assert launch_shape(made(None, OldBase)) is None


def test_classes_and_other_things_are_not() -> None:
    """Instances are what is asked about."""
    assert not is_original(type(made(lambda self, name, cwd=None: None, OldBase)))
    assert not is_original(None)
    assert not is_original(object())
    assert not is_original(type("Half", (), {"launch": lambda self, name, cwd=None: None})())


def test_launch_comes_before_launch_async() -> None:
    """Which few wrote, and fewer tried."""
    both = made(lambda self, name: None, launch_async=on_loop)
    assert launch_shape(both) == LaunchShape("launch", frozenset())


def test_static_and_class_methods_have_no_self_to_leave_out() -> None:
    for wrap in (staticmethod(lambda name, cwd=None: None), classmethod(lambda cls, name, cwd=None: None)):
        assert launch_shape(made(wrap)) == LaunchShape("launch", frozenset({"cwd"}))  # type: ignore[arg-type]


def test_nothing_is_called() -> None:
    """No property, no ``__getattr__``."""

    class Touchy:
        @property
        def launch(self) -> Any:
            raise AssertionError("called")

        def __getattr__(self, name: str) -> Any:
            raise AssertionError("called")

    assert not is_original(Touchy())
