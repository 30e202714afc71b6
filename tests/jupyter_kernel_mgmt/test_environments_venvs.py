"""Where virtual environments are, and what their pyvenv.cfg says."""

from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.disk import Disk
from jupyter_kernel_mgmt.providers.environments.places import Places
from jupyter_kernel_mgmt.providers.environments.venvs import (
    poetry_directories,
    project_candidates,
    read_venv,
    venv_candidates,
    venv_directories,
)

from ._environments import FakeDisk, places, venv, write

HOME = Path("/h")


def test_they_are_where_each_tool_keeps_them() -> None:
    """virtualenvwrapper, pipenv, poetry, pyenv, and habit."""
    assert venv_directories(places(HOME, WORKON_HOME="/w"), Disk()) == [
        Path("/w"),
        HOME / ".virtualenvs",
        HOME / ".venvs",
        HOME / ".local" / "share" / "virtualenvs",
        HOME / ".cache" / "pypoetry" / "virtualenvs",
        HOME / ".pyenv" / "versions",
    ]
    elsewhere = places(HOME, XDG_DATA_HOME="/d", XDG_CACHE_HOME="/c", PYENV_ROOT="/e")
    assert venv_directories(elsewhere, Disk())[2:] == [
        Path("/d/virtualenvs"),
        Path("/c/pypoetry/virtualenvs"),
        Path("/e/versions"),
    ]


@pytest.mark.parametrize(
    ("platform", "variables", "config", "directory"),
    [
        ("linux", {"POETRY_VIRTUALENVS_PATH": "/v"}, "", "/v"),
        ("linux", {"POETRY_CACHE_DIR": "/c"}, "", "/c/virtualenvs"),
        ("linux", {}, '[virtualenvs]\npath = "/set"', "/set"),
        ("linux", {}, '[virtualenvs]\npath = "{cache-dir}/v"', "/h/.cache/pypoetry/v"),
        ("linux", {}, '[virtualenvs]\npath = "relative"', "/h/.cache/pypoetry/virtualenvs"),
        ("linux", {}, "[virtualenvs]\npath = 3", "/h/.cache/pypoetry/virtualenvs"),
        ("linux", {}, "virtualenvs = 3", "/h/.cache/pypoetry/virtualenvs"),
        ("linux", {}, "no [ toml", "/h/.cache/pypoetry/virtualenvs"),
        ("darwin", {}, "", "/h/Library/Caches/pypoetry/virtualenvs"),
        ("win32", {"LOCALAPPDATA": "/l"}, "", "/l/pypoetry/Cache/virtualenvs"),
    ],
)
def test_poetry_keeps_them_where_it_is_told(
    platform: str, variables: dict[str, str], config: str, directory: str
) -> None:
    """By a variable, by its configuration, or below the cache that each system has elsewhere."""
    where = Places(home=HOME, cwd=None, variables=variables, platform=platform)
    disk = FakeDisk({HOME / ".config" / "pypoetry" / "config.toml": config})

    assert poetry_directories(where, disk) == [Path(directory)]


def test_what_is_in_these_directories_and_what_is_active_may_be_one(tmp_path: Path) -> None:
    """What begins with a dot is a tool's own."""
    for name in ("a", ".cache"):
        (tmp_path / ".virtualenvs" / name).mkdir(parents=True)

    found = list(venv_candidates(places(tmp_path, VIRTUAL_ENV="/active"), Disk()))

    assert found == [Path("/active"), tmp_path / ".virtualenvs" / "a"]


def test_a_project_has_its_own() -> None:
    """By the names that are usual, and by the one that uv was told."""
    found = list(project_candidates(HOME / "p", places(HOME, UV_PROJECT_ENVIRONMENT="made")))

    assert {HOME / "p" / name for name in (".venv", "venv", "env", "made")} <= {*found}


@pytest.mark.parametrize(
    ("where", "tool", "beside", "kind", "name"),
    [
        ("p/.venv", "", "", "venv", "p"),
        ("p/venv", "virtualenv = 20.1", "", "virtualenv", "p"),
        ("p/.venv", "uv = 0.5.1", "", "uv", "p"),
        ("p/.venv", "virtualenv = 20.1", "poetry.lock", "poetry", "p"),
        ("p/.venv", "virtualenv = 20.1", "Pipfile", "pipenv", "p"),
        ("pypoetry/virtualenvs/my-lib-Ab3_-dEf-py3.11", "virtualenv = 20.1", "", "poetry", "my-lib"),
        ("share/virtualenvs/site-a1B2c3D4", "virtualenv = 20.1", "", "pipenv", "site"),
        (".virtualenvs/site", "virtualenv = 20.1", "", "virtualenv", "site"),
    ],
)
def test_it_belongs_to_the_tool_whose_commands_its_user_gives(
    tmp_path: Path, where: str, tool: str, beside: str, kind: str, name: str
) -> None:
    """The name is the project's where there is one."""
    prefix = venv(tmp_path / where, tool=tool)
    if beside:
        write(prefix.parent / beside)

    found = read_venv(prefix, places(tmp_path), Disk())

    assert found is not None
    assert (found.kind, found.name, found.python) == (kind, name, "3.11.4")
    assert found.project == (tmp_path / "p" if where.startswith("p/") else None)


def test_the_project_that_a_tool_has_noted(tmp_path: Path) -> None:
    """pipenv and virtualenvwrapper do."""
    prefix = venv(tmp_path / "x")
    write(prefix / ".project", "/projects/x\n")

    found = read_venv(prefix, places(tmp_path), Disk())

    assert found is not None
    assert found.project == Path("/projects/x")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("version = 3.11.2", "3.11.2"),
        ("version_info = 3.10.4.final.0", "3.10.4"),
        ("Version_Info=3.14.0rc2", "3.14.0rc2"),
        ("version = soon\nversion_info = 3.9.1", "3.9.1"),
        ("home = /usr/bin", ""),
    ],
)
def test_the_version_is_as_each_tool_writes_it(tmp_path: Path, text: str, version: str) -> None:
    """Or unknown."""
    write(tmp_path / "pyvenv.cfg", text)

    found = read_venv(tmp_path, places(tmp_path), Disk())

    assert found is not None
    assert found.python == version


@pytest.mark.parametrize(
    ("value", "home", "base"),
    [("true", "/usr/bin", "/usr"), ("false", "/usr/bin", None), ("true", "bin", None)],
)
def test_one_may_see_the_packages_of_what_it_was_made_with(
    tmp_path: Path, value: str, home: str, base: str | None
) -> None:
    """Where it says so."""
    write(tmp_path / "pyvenv.cfg", f"home = {home}\ninclude-system-site-packages = {value}")

    found = read_venv(tmp_path, places(tmp_path), Disk())

    assert found is not None
    assert found.base == (None if base is None else Path(base))


def test_what_has_no_pyvenv_cfg_is_none(tmp_path: Path) -> None:
    """Whatever its name."""
    (tmp_path / ".venv").mkdir()

    assert read_venv(tmp_path / ".venv", places(tmp_path), Disk()) is None
