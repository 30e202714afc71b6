"""Where virtual environments are, of venv, virtualenv, uv, poetry and pipenv. ``pyvenv.cfg`` marks one."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from .disk import Disk
from .environment import PROJECT_NAMES, Environment, Kind, name_of
from .places import Places

MARK = "pyvenv.cfg"

_POETRY = re.compile(r"(?P<project>.+)-[A-Za-z0-9_-]{8}-py\d+(\.\d+)*")
_PIPENV = re.compile(r"(?P<project>.+)-[A-Za-z0-9_-]{8}")
_VERSION = re.compile(r"\d+\.\d+(\.\d+((a|b|rc)\d+)?)?")


def venv_candidates(places: Places, disk: Disk) -> Iterator[Path]:
    """Directories that may be virtual environments of the user; those of projects not included."""
    if (active := places.variable("VIRTUAL_ENV")) is not None:
        yield active
    for directory in venv_directories(places, disk):
        for name in disk.names(directory):
            if not name.startswith("."):
                yield directory / name


def venv_directories(places: Places, disk: Disk) -> list[Path]:
    """Where tools keep the virtual environments that do not lie in projects."""
    found = [places.variable("WORKON_HOME"), *places.under_home(".virtualenvs"), *places.under_home(".venvs")]
    found += [path / "virtualenvs" for path in places.base_directory("XDG_DATA_HOME", ".local", "share")]
    found += poetry_directories(places, disk)
    pyenv = places.variable("PYENV_ROOT")
    found += [path / "versions" for path in ([pyenv] if pyenv else places.under_home(".pyenv"))]
    return [path for path in found if path is not None]


def project_candidates(project: Path, places: Places) -> Iterator[Path]:
    """The directories of a project that may be its environment."""
    for name in PROJECT_NAMES:
        yield project / name
    if own := places.variables.get("UV_PROJECT_ENVIRONMENT"):
        yield project / own


def read_venv(prefix: Path, places: Places, disk: Disk) -> Environment | None:
    """What ``pyvenv.cfg`` says; None without one."""
    text = disk.text(prefix / MARK)
    if not text:
        return None
    settings = parse_settings(text)
    kind, name = _kind(prefix, settings, disk), name_of(prefix)
    if match := (_POETRY if kind == "poetry" else _PIPENV if kind == "pipenv" else None):
        found = match.fullmatch(prefix.name)
        name = found["project"] if found else name
    project = prefix.parent if prefix.name in PROJECT_NAMES else _linked_project(prefix, disk)
    home = Path(settings.get("home", ""))
    sees_base = settings.get("include-system-site-packages", "").lower() == "true" and home.is_absolute()
    return Environment(
        kind=kind,
        prefix=prefix,
        name=name,
        project=project,
        python=_version(settings),
        base=(home if places.platform == "win32" else home.parent) if sees_base else None,
    )


def parse_settings(text: str) -> dict[str, str]:
    """The lines ``name = value`` of a ``pyvenv.cfg``, names in lower case."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def poetry_directories(places: Places, disk: Disk) -> list[Path]:
    """Where poetry keeps environments: what is set, else below its cache, which each system has elsewhere."""
    if (given := places.variable("POETRY_VIRTUALENVS_PATH")) is not None:
        return [given]
    if places.platform == "darwin":
        caches = places.under_home("Library", "Caches", "pypoetry")
        configs = places.under_home("Library", "Application Support", "pypoetry")
    elif places.platform == "win32":
        local = places.variable("LOCALAPPDATA")
        caches = [] if local is None else [local / "pypoetry" / "Cache"]
        configs = places.under_home("AppData", "Roaming", "pypoetry")
    else:
        caches = [path / "pypoetry" for path in places.base_directory("XDG_CACHE_HOME", ".cache")]
        configs = [path / "pypoetry" for path in places.base_directory("XDG_CONFIG_HOME", ".config")]
    if (given := places.variable("POETRY_CACHE_DIR")) is not None:
        caches = [given]
    if (given := places.variable("POETRY_CONFIG_DIR")) is not None:
        configs = [given]
    set_paths = [_poetry_path(disk.text(path / "config.toml"), caches) for path in configs]
    return [path for path in set_paths if path is not None] or [path / "virtualenvs" for path in caches]


def _poetry_path(config: str, caches: list[Path]) -> Path | None:
    try:
        value = tomllib.loads(config).get("virtualenvs", {}).get("path")
    except (tomllib.TOMLDecodeError, AttributeError):  # somebody else's file
        return None
    if not isinstance(value, str):
        return None
    path = Path(value.replace("{cache-dir}", str(caches[0])) if caches else value)
    return path if path.is_absolute() else None


def _kind(prefix: Path, settings: Mapping[str, str], disk: Disk) -> Kind:
    """Which tool made it; of several, the one whose commands its user gives."""
    in_project = prefix.name in PROJECT_NAMES
    if in_project and disk.exists(prefix.parent / "poetry.lock"):
        return "poetry"
    if in_project and disk.exists(prefix.parent / "Pipfile"):
        return "pipenv"
    if _POETRY.fullmatch(prefix.name):
        return "poetry"
    if prefix.parent.name == "virtualenvs" and _PIPENV.fullmatch(prefix.name) and "virtualenv" in settings:
        return "pipenv"
    if "uv" in settings:
        return "uv"
    return "virtualenv" if "virtualenv" in settings else "venv"


def _linked_project(prefix: Path, disk: Disk) -> Path | None:
    """The project that pipenv or virtualenvwrapper noted."""
    text = disk.text(prefix / ".project").strip()
    return Path(text) if text and Path(text).is_absolute() else None


def _version(settings: Mapping[str, str]) -> str:
    """``3.11.2``, from what venv, virtualenv and uv write: ``3.11.2`` or ``3.11.2.final.0``."""
    for name in ("version", "version_info"):
        if match := _VERSION.match(settings.get(name, "")):
            return match[0]
    return ""
