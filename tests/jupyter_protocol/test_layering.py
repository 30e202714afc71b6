"""The arrow between the packages, and who may touch the outside world."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_protocol

PACKAGE = Path(jupyter_protocol.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
THIRD_PARTY = {"zmq", "msgspec", "msgpack"}
IO_MODULES = {"_pump", "heartbeat", "sockets"}


def imported(path: Path) -> Iterator[str]:
    """The top-level names of all absolute imports in a file, wherever in it they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__",
            "importlib.import_module",
        ):
            yield "importlib"


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_there_are_modules_to_look_at() -> None:
    """The other tests would pass on an empty list."""
    assert {"session.py", "sockets/base.py", "messages/message.py"} <= {name_of(path) for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_nothing_from_above_it_and_only_the_three_libraries(path: Path) -> None:
    """jupyter_protocol stands alone: no jupyter_kernel_mgmt, only pyzmq and the two packers."""
    foreign = set(imported(path)) - set(sys.stdlib_module_names)

    assert foreign <= THIRD_PARTY
    assert "importlib" not in imported(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_pump_heartbeat_and_sockets_know_zmq_and_asyncio(path: Path) -> None:
    """Everything else is pure."""
    if path.relative_to(PACKAGE).parts[0].removesuffix(".py") in IO_MODULES:
        return

    assert not {"zmq", "asyncio", "socket", "selectors"} & set(imported(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_relative_imports_stay_inside_the_package(path: Path) -> None:
    """No import climbs out of jupyter_protocol with dots."""
    depth = len(path.relative_to(PACKAGE).parts)
    levels = [
        node.level for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
    ]

    assert max(levels, default=0) <= depth


def test_all_names_exactly_what_is_there() -> None:
    """Every name in __all__ exists, once."""
    for module in (jupyter_protocol, jupyter_protocol.messages):
        names = module.__all__
        assert len(set(names)) == len(names)
        assert [name for name in names if not hasattr(module, name)] == []
