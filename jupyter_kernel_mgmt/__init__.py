"""Find kernel types, launch kernels, talk to them, restart and end them: asyncio, and nothing else.

The public names are in ``_public``. They are imported when the first of them is asked for, so that what lies
in the package and needs none, as the command's ``--help``, does not wait for sockets and codecs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._public import *  # noqa: F403
    from ._public import __all__ as __all__

__version__ = "1.0.0.dev0"

if not TYPE_CHECKING:  # a type checker would believe that every name exists

    def __getattr__(name: str) -> object:
        if name.startswith("_") and name != "__all__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        public = import_module("._public", __name__)
        try:
            value = getattr(public, name)
        except AttributeError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *import_module("._public", __name__).__all__})
