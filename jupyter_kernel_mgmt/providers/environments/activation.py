"""What activating an environment changes, as a difference of variables. Plain functions.

A kernel gets them in its own process: a shell or ``conda run`` around it would take its signals.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..._regular_files import read_regular
from .environment import Environment
from .layout import script_directories

Changes = Mapping[str, str | None]
"""Variables and their new values; None: it is removed."""

UNSET = "***unset***"
"""What conda writes in place of a value for a variable that activating removes."""

_STACK = re.compile(r"CONDA_(PREFIX|STACKED)_\d+|__CONDA_SHLVL_\d+_.*")

_FOREIGN = ("PYTHONHOME", "__PYVENV_LAUNCHER__")
"""These tell a Python that it is another one."""


def activation(
    environment: Environment, variables: Mapping[str, str], *, platform: str = sys.platform
) -> dict[str, str | None]:
    """What the environment's own ``activate`` would change in these variables, short of scripts of packages.

    Another environment that is active in them is left first. Reads the variables that conda's packages and
    users have set in files.
    """
    changes: dict[str, str | None] = dict.fromkeys(_FOREIGN)
    separator = ";" if platform == "win32" else ":"
    left = _left(environment, variables, platform)
    ours = [
        str(p) for p in script_directories(environment.prefix, conda=environment.is_conda, platform=platform)
    ]
    rest = [p for p in variables.get("PATH", os.defpath).split(separator) if p and p not in left + ours]
    changes["PATH"] = separator.join([*ours, *rest])
    if environment.is_conda:
        changes |= _conda(environment, variables)
    else:
        changes |= {"VIRTUAL_ENV": str(environment.prefix), "VIRTUAL_ENV_PROMPT": environment.name}
    return {name: value for name, value in changes.items() if value is not None or name in variables}


def _left(environment: Environment, variables: Mapping[str, str], platform: str) -> list[str]:
    """The directories in PATH of environments that are active and will not be any more.

    One of conda stays beside a virtual environment: that may have been made with its Python.
    """
    found: list[Path] = []
    if active := variables.get("VIRTUAL_ENV"):
        found += script_directories(Path(active), conda=False, platform=platform)
    if environment.is_conda and (active := variables.get("CONDA_PREFIX")):
        found += script_directories(Path(active), conda=True, platform=platform)
    return [str(path) for path in found]


def _conda(environment: Environment, variables: Mapping[str, str]) -> dict[str, str | None]:
    changes: dict[str, str | None] = dict.fromkeys(("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"))
    changes |= {name: None for name in variables if _STACK.fullmatch(name)}
    if active := variables.get("CONDA_PREFIX"):
        theirs = environment_variables(Path(active))
        changes |= {name: None for name, value in theirs.items() if variables.get(name) == value}
    changes |= {
        "CONDA_PREFIX": str(environment.prefix),
        "CONDA_DEFAULT_ENV": environment.default_env,
        "CONDA_PROMPT_MODIFIER": f"({environment.default_env}) ",
        "CONDA_SHLVL": "1",
    }
    if environment.kind == "pixi" and environment.project is not None:
        changes |= {
            "PIXI_PROJECT_ROOT": str(environment.project),
            "PIXI_ENVIRONMENT_NAME": environment.prefix.name,
            "PIXI_IN_SHELL": "1",
        }
    return changes | environment_variables(environment.prefix)


def environment_variables(prefix: Path) -> dict[str, str | None]:
    """The variables of a conda prefix: its packages', in the order of their files, and then the user's."""
    found: dict[str, str | None] = {}
    for file in variable_files(prefix):
        content = _json(file)
        found |= _texts(content.get("env_vars") if file.name == "state" else content)
    return found


def variable_files(prefix: Path) -> list[Path]:
    """The files that they are in; the last need not exist."""
    directory = prefix / "etc" / "conda" / "env_vars.d"
    return [*_names(directory, ".json"), prefix / "conda-meta" / "state"]


def activation_scripts(prefix: Path) -> list[Path]:
    """What conda's packages have run on activating, and what no file tells the effect of."""
    return _names(prefix / "etc" / "conda" / "activate.d", ".sh")


def difference(
    before: Mapping[str, str], after: Mapping[str, str], *, but: Iterable[str]
) -> dict[str, str | None]:
    """What has changed between two environments, some names aside."""
    names = {*before, *after} - {*but}
    return {name: after.get(name) for name in sorted(names) if before.get(name) != after.get(name)}


def _names(directory: Path, suffix: str) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.name.endswith(suffix))
    except OSError:
        return []


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_regular(file))
    except (OSError, ValueError, RecursionError):  # not there, or somebody else's mistake
        return {}
    return content if isinstance(content, dict) else {}


def _texts(content: object) -> dict[str, str | None]:
    if not isinstance(content, dict):
        return {}
    return {
        str(name): None if value == UNSET else str(value)
        for name, value in content.items()
        if isinstance(value, str | int | float) and _can_be(str(name), str(value))
    }


def _can_be(name: str, value: str) -> bool:
    """Whether a process can have such a variable."""
    try:
        os.fsencode(name + value)
    except UnicodeEncodeError:
        return False
    return bool(name) and "=" not in name and "\0" not in name + value
