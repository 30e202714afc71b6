"""Starts the program: from the files beside this one, or from their text where that was sent.

Its modules share a name that is nobody else's, and have it only while they are imported: what is imported
for forks, and what runs in them, finds no trace of the agent.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec  # always there; importlib.machinery would have to be imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

NAME = "_jupyter_far_end"


class Sent:
    """Imports modules from their texts. Source: importlib.abc, `MetaPathFinder` and `Loader`."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Whether this is one of them."""
        package, _, module = name.rpartition(".")
        if package != NAME or module not in self._texts:
            return None
        return ModuleSpec(name, self)  # type: ignore[arg-type] # importlib.abc would have to be imported

    def create_module(self, spec: ModuleSpec) -> None:
        """As Python makes modules."""

    def exec_module(self, module: ModuleType) -> None:
        """Run its text. The name for tracebacks is none of a file, in which another line would be shown."""
        name = module.__name__.rpartition(".")[2]
        code = compile(self._texts[name], f"<far_end/{name}.py>", "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - by whoever started us


def start(texts: dict[str, str] | None) -> None:
    """Run the program, with the texts of its modules by name if they were sent."""
    directory = None if texts else __file__.rpartition("/")[0]
    safe = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
    if sys.path and (not safe or sys.path[0] == directory):
        del sys.path[0]  # this directory, or the working directory: neither is for imports
    package = type(sys)(NAME)
    package.__path__ = [] if directory is None else [directory]
    sys.modules[NAME] = package
    if texts:
        sys.meta_path.insert(0, Sent(texts))
    program = __import__(NAME + ".program", fromlist=["main"])
    if texts:
        del sys.meta_path[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]
    program.main(sys.argv[1:])


if __name__ == "__main__":
    start(globals().get("TEXTS"))  # only who sent them has put them here
