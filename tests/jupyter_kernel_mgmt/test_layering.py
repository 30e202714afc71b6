"""The arrow between the packages, and what the core may depend on."""

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_kernel_mgmt
from jupyter_kernel_mgmt import testing

PACKAGE = Path(jupyter_kernel_mgmt.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
CORE = {"jupyter_protocol", "jupyter_core", "entrypoints", "fastjsonschema", "zmq", "msgspec", "msgpack"}


def imported(path: Path) -> Iterator[str]:
    """The top-level names of all absolute imports in a file, wherever in it they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_there_are_modules_to_look_at() -> None:
    """The other tests would pass on an empty list."""
    assert {"kernel.py", "subproc/manager.py", "testing/memory.py"} <= {name_of(path) for path in MODULES}


COMMAND = {"argcomplete", "nbformat", "prompt_toolkit", "rich"}
"""What the command needs besides, by the extra ``cli``."""

PROGRAMS = {"subproc/start_ipykernel.py": {"ipykernel", "zmq"}}
"""What is run in a kernel's process, and imported by nobody, needs what it starts."""

EXTRAS = {
    "cli": COMMAND,
    "notebook": {"nbformat"},
    "_traits.py": {"traitlets"},
    "notebook/nbconvert.py": {"nbconvert", "nbclient", "traitlets"},
    "notebook/papermill.py": {"papermill", "nbclient"},
}
"""What these packages and modules need besides, by extras."""


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_needs_nothing_beyond_the_core(path: Path) -> None:
    """The standard library, the package below, and the dependencies that are always installed."""
    name = name_of(path)
    needed = CORE.union(
        *(table.get(part, ()) for table in (PROGRAMS, EXTRAS) for part in {name, name.partition("/")[0]})
    )
    assert set(imported(path)) - set(sys.stdlib_module_names) <= needed


def test_no_module_imports_a_program() -> None:
    """Which would need what only kernels have."""
    texts = {name_of(path): path.read_text() for path in MODULES}
    for name in (Path(program).stem for program in PROGRAMS):
        spellings = (f"import {name}", f".{name} import")
        assert not [user for user, text in texts.items() if any(words in text for words in spellings)]


def test_one_module_knows_each_foreign_library() -> None:
    """A change of one of them stays in one place; sockets are the business of the package below."""
    imports = {name_of(path): set(imported(path)) for path in MODULES}
    users = {name: {path for path, names in imports.items() if name in names} for name in CORE}

    assert len(users["entrypoints"]) == len(users["fastjsonschema"]) == 1
    assert users["zmq"] - set(PROGRAMS) == {"cli/versions.py"}
    assert users["msgspec"] == users["msgpack"] == set()


def test_the_package_below_never_looks_up() -> None:
    """Importing it imports nothing of this one."""
    code = "import sys, jupyter_protocol; sys.exit(any('kernel_mgmt' in name for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    below = (ROOT / "jupyter_protocol").rglob("*.py")
    assert not [path for path in below if "jupyter_kernel_mgmt" in imported(path)]


def test_tests_of_others_need_no_test_tools_of_ours() -> None:
    """The testing package is for any runner; and importing the core does not import it."""
    code = (
        "import sys, jupyter_kernel_mgmt; assert 'jupyter_kernel_mgmt.testing' not in sys.modules\n"
        "import jupyter_kernel_mgmt.testing\n"
        "sys.exit(bool({'pytest', 'hypothesis', 'unittest'} & sys.modules.keys()))"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_importing_is_free_of_side_effects() -> None:
    """No thread, no child, no loop, nothing on the terminal."""
    code = (
        "import asyncio, threading, jupyter_kernel_mgmt\n"
        "assert threading.active_count() == 1\n"
        "assert asyncio._get_running_loop() is None\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_the_command_declares_what_it_needs() -> None:
    """As an extra, so that the library alone brings none of it."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert {item.partition(">")[0] for item in extras["cli"]} == COMMAND


def test_what_is_declared_is_what_is_used() -> None:
    """Every core dependency has its user, and none is missing."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {"".join(c for c in item.split(">")[0] if c.isalnum() or c in "_-") for item in declared}

    assert names == {"entrypoints", "fastjsonschema", "jupyter_core", "msgpack", "msgspec", "pyzmq"}


def test_entry_points_name_what_is_there() -> None:
    """With the id that the provider has."""
    group = "jupyter_kernel_mgmt.kernel_type_providers"
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][group]
    for name, target in points.items():
        module, _, attribute = target.partition(":")
        assert getattr(importlib.import_module(module), attribute).id == name


@pytest.mark.parametrize("module", [jupyter_kernel_mgmt, testing], ids=lambda module: module.__name__)
def test_all_names_exactly_what_is_there(module: object) -> None:
    """Every name in __all__ exists, once."""
    names = module.__all__  # type: ignore[attr-defined]

    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(module, name)] == []
