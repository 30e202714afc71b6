"""Every public awaitable says what cancelling it does; `test_cancellation_*.py` prove that it is true."""

import dis
import inspect
import re
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

import jupyter_kernel_mgmt
import jupyter_kernel_mgmt.testing
import jupyter_protocol

PACKAGES = (jupyter_protocol, jupyter_kernel_mgmt, jupyter_kernel_mgmt.testing)
AWAITED = ("__aenter__", "__aexit__", "__anext__", "__await__")
AWAITABLE = re.compile(
    r"\b(Awaitable|Coroutine|Async(Iterator|Generator)|Abstract\w*Async\w*|Async\w*Manager)\b"
)
SAYS_SO = re.compile(r"\bcancel", re.IGNORECASE)


def public_classes() -> list[type]:
    """The classes that users import, and those they are handed, such as `Opening` by `launch`."""
    found: dict[type, None] = {}
    waiting: list[object] = [getattr(package, name) for package in PACKAGES for name in package.__all__]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, type) and thing not in found and thing.__module__.startswith("jupyter_"):
            found[thing] = None
            waiting += map(returned, own_functions(thing).values())
        elif isinstance(thing, FunctionType):
            waiting.append(returned(thing))
    return list(found)


def own_functions(kind: type) -> dict[str, FunctionType]:
    """What a class and its bases in these packages define for users, each as it is found on the class."""
    found: dict[str, FunctionType] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("jupyter_"):
            for name, member in vars(base).items():
                function = getattr(member, "__func__", member)  # of a classmethod
                if isinstance(function, FunctionType) and (not name.startswith("_") or is_dunder(name)):
                    found[name] = function
    return found


def is_dunder(name: str) -> bool:
    return name in (*AWAITED, "__aiter__")


def returned(function: FunctionType) -> object:
    """What a function returns according to its annotation; the text of it where nothing else is known."""
    annotation = inspect.signature(function).return_annotation
    if isinstance(annotation, str):
        try:
            return eval(annotation, function.__globals__)  # noqa: S307 - our own source
        except NameError:  # imported for type checkers only
            return annotation
    return annotation


def is_awaitable(name: str, function: FunctionType) -> bool:
    """Whether calling it gives something to be awaited, entered or iterated over."""
    if name in AWAITED and not waits(function):
        return False
    if name in AWAITED or inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    result = returned(function)
    if isinstance(result, type) and result.__module__.startswith("jupyter_"):
        return any(hasattr(result, method) for method in ("__await__", "__anext__", "__aiter__"))
    return AWAITABLE.search(str(result)) is not None


def waits(function: FunctionType) -> bool:
    """Whether it could be cancelled at all, unlike an ``__aenter__`` that only returns self."""
    ordinary = not inspect.iscoroutinefunction(function)
    return ordinary or any(step.opname == "GET_AWAITABLE" for step in dis.get_instructions(function))


def public_awaitables() -> Iterator[tuple[str, list[str]]]:
    """Each with the docstrings in which it may say what cancelling does."""
    for package in PACKAGES:
        for name in package.__all__:
            thing = getattr(package, name)
            if isinstance(thing, FunctionType) and is_awaitable(name, thing):
                yield name, [thing.__doc__ or "", *of_class(returned(thing))]
    for kind in public_classes():
        for name, function in own_functions(kind).items():
            if is_awaitable(name, function):
                yield f"{kind.__name__}.{name}", [*of_method(kind, name), *of_class(returned(function))]


def of_method(kind: type, name: str) -> list[str]:
    """Its own docstring, those of what it overrides, and those of the classes that define these."""
    texts: list[str] = []
    for base in kind.__mro__:
        if name in vars(base):
            member: Any = vars(base)[name]
            texts += [member.__doc__ or "", base.__doc__ or ""]
            if name == "__aexit__":
                texts.append(getattr(getattr(base, "aclose", None), "__doc__", None) or "")
    return texts


def of_class(result: object) -> list[str]:
    """The docstring of the object that is awaited where a function is not a coroutine itself."""
    own = isinstance(result, type) and result.__module__.startswith("jupyter_")
    return [result.__doc__ or ""] if own else []


ALL = dict(public_awaitables())


def test_the_walk_finds_what_there_is() -> None:
    """A few of each kind, so that a walk that finds nothing does not pass."""
    expected = {
        *("launch", "find_kernels", "check_provider", "Opening.__await__", "Opening.__aenter__"),
        *("Kernel.restart", "Kernel.from_launched", "Kernel.events", "Kernel.complete", "Kernel.subshell"),
        *("KernelClient.execute", "Execution.__await__", "Execution.__aiter__", "MessageStream.__anext__"),
        *("ClientSockets.drain", "KernelSockets.__aenter__", "Heartbeat.wait_for_echo", "Comm.__anext__"),
        *("KernelSearch.__anext__", "FakeKernel.wait_for", "FakeProvider.launch", "Channels.aclose"),
    }
    assert expected <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_the_docstring_says_what_cancelling_does(name: str) -> None:
    """Its own, that of what it overrides, or that of the class that defines it."""
    assert any(SAYS_SO.search(text) for text in ALL[name])
