"""`adapt`: takes a provider of the first version, and notes what makes one of today of it."""

import inspect
import sys
import warnings
from types import FunctionType

from ..providerbase import KernelProviderBase
from . import names
from .provider import OriginalProvider
from .shape import LaunchShape, launch_shape, own_function

EDITS = (
    "derive it from jupyter_kernel_mgmt.KernelProviderBase (BlockingProviderBase if it blocks) and let "
    "find_kernels yield (name, KernelTypeInfo(...))",
    "let launch(self, name, request) take cwd and launch_params from the request and return "
    "Launched(connection_info=ConnectionInfo.from_dict(...), manager=...)",
    "derive its managers from KernelManagerBase (BlockingManagerBase), let wait() return an ExitInfo, and "
    "let aclose() do what kill() and cleanup() did",
)
"""What makes a provider of today of one in the original shape."""


def adapt(provider: object) -> KernelProviderBase:
    """A provider in the original shape (see `is_original`) for asyncio code of today.

    Its ordinary methods run in daemon threads, coroutine functions on the loop. One `DeprecationWarning` says
    what to change, and where: at its class.

    Raises `TypeError` for a class that lacks what it needs.
    """
    kind = type(provider)
    shape = launch_shape(provider)
    lacking = [name for name in ("find_kernels", "launch") if own_function(provider, name) is None]
    if shape is not None and "launch" in lacking:
        lacking.remove("launch")  # it has launch_async
    if not isinstance(getattr(provider, "id", None), str) or not getattr(provider, "id", None):
        lacking.append("id")
    if lacking:
        raise TypeError(f"{kind.__name__} lacks {' and '.join(lacking)}")
    if shape is None:
        raise TypeError(
            f"{kind.__name__}.launch takes neither (name, cwd) nor (name, cwd, launch_params); one that "
            "takes a request derives from jupyter_kernel_mgmt.KernelProviderBase, not from that of discovery"
        )
    _deprecate(provider, shape)
    return OriginalProvider(provider, shape)


def _deprecate(provider: object, shape: LaunchShape) -> None:
    """Warn at the provider's own code: those who call here, in the end a loop, have nothing to change."""
    kind = type(provider)
    functions = (item for item in vars(kind).values() if isinstance(item, FunctionType))
    first = next(functions, None) or own_function(provider, shape.method)
    assert first is not None, "it has the shape of a launch"
    code = inspect.unwrap(first).__code__
    module = sys.modules.get(kind.__module__)
    registry = None if module is None else vars(module).setdefault("__warningregistry__", {})
    warnings.warn_explicit(
        _note(kind),
        DeprecationWarning,
        code.co_filename,
        code.co_firstlineno,
        module=kind.__module__,
        registry=registry,
    )


def _note(kind: type) -> str:
    if kind.__module__ == names.__name__:
        return f"discovery.{kind.__name__} is in the original shape; use jupyter_kernel_mgmt.{kind.__name__}"
    edits = "; ".join(f"({number}) {edit}" for number, edit in enumerate(EDITS, 1))
    name = f"{kind.__module__}.{kind.__qualname__}"
    return f"{name} is a provider in the original shape; to change it: {edits}"
