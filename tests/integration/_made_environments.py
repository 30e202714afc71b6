"""Environments as users have them, each made by its own tool; what cannot be made skips the tests of it."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import KernelTypeInfo
from jupyter_kernel_mgmt.providers.environments import EnvironmentsProvider
from jupyter_kernel_mgmt.providers.environments.places import Places

from ._conda_prefix import R_HOME, R_LIBRARY

PROGRAM = Path(__file__).with_name("_conda_prefix.py")
MAKING = 100.0
"""Seconds after which making one is given up."""


@dataclass(frozen=True)
class Made:
    """One environment, in a home of its own.

    ``kernel_type`` is the name that its kernel has to have, ``variables`` what activating it has to set.
    """

    home: Path
    prefix: Path
    kind: str
    kernel_type: str
    variables: dict[str, str]
    language: str = "python"

    def provider(self, **config: object) -> EnvironmentsProvider:
        """One for a user with this home, and with no other environment."""
        return provider_of(self.home, **config)


def provider_of(home: Path, **config: object) -> EnvironmentsProvider:
    """For a user with this home, at work in a project; nothing else of this machine is looked at."""

    def places(**options: tuple[Path, ...]) -> Places:
        return Places(home=home, cwd=home / "project" / "notebooks", **options)

    provider = EnvironmentsProvider(places)
    provider.load_config(config)
    return provider


async def found(provider: EnvironmentsProvider) -> dict[str, KernelTypeInfo]:
    """All that it finds."""
    return {name: info async for name, info in provider.find_kernels()}


def make(kind: str, home: Path, *, ipykernel: bool = True) -> Made:
    """Have the tool make one; skips the test where it is not installed."""
    return MAKERS[kind](home, ipykernel)


def _run(*argv: str | Path, home: Path) -> None:
    env = {**os.environ, "HOME": str(home), "UV_CACHE_DIR": str(home / "uv"), "UV_NO_CONFIG": "1"}
    done = subprocess.run(
        [*map(str, argv)],
        env={**env, "VIRTUALENV_OVERRIDE_APP_DATA": str(home / "app-data")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MAKING,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def _needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def _see_ipykernel(prefix: Path) -> None:
    """By a path file, as an editable installation has one: much sooner than installing it."""
    [packages] = (prefix / "lib").glob("python*/site-packages")
    (packages / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")


def _venv(home: Path, ipykernel: bool) -> Made:
    prefix = home / "project" / ".venv"
    _run(sys.executable, "-m", "venv", "--without-pip", prefix, home=home)
    return _made(home, prefix, "venv", "project--python3", ipykernel=ipykernel)


def _virtualenv(home: Path, ipykernel: bool) -> Made:
    _needs("virtualenv")
    prefix = home / ".virtualenvs" / "Tools 2"
    _run(sys.executable, "-m", "virtualenv", "--no-download", "--no-seed", prefix, home=home)
    return _made(home, prefix, "virtualenv", "tools-2--python3", ipykernel=ipykernel)


def _uv(home: Path, ipykernel: bool) -> Made:
    _needs("uv")
    import uv

    prefix = home / ".venvs" / "quick"
    python = os.path.realpath(sys.executable)
    _run(uv.find_uv_bin(), "venv", "--offline", "--python", python, prefix, home=home)
    return _made(home, prefix, "uv", "quick--python3", ipykernel=ipykernel)


def _made(home: Path, prefix: Path, kind: str, kernel_type: str, *, ipykernel: bool) -> Made:
    if ipykernel:
        _see_ipykernel(prefix)
    return Made(home, prefix, kind, kernel_type, {"VIRTUAL_ENV": str(prefix)})


def _conda(home: Path, ipykernel: bool) -> Made:
    prefix = home / ".conda" / "envs" / "work"
    _install(home, prefix, "python", "tool")
    if not ipykernel:
        next(prefix.glob("lib/python*/site-packages/tests.pth")).unlink()
    activated = {
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": "work",
        "TOOL_COLOUR": "deep $red",
        "TOOL_HOME": f"{prefix}/tool",
        "TOOL_SEES": "deep $red",
    }
    return Made(home, prefix, "conda", "work--python3", activated)


def _r(home: Path, ipykernel: bool) -> Made:
    if not (R_HOME.exists() and R_LIBRARY.exists()):
        pytest.skip("R with IRkernel is not installed: apt-get install r-cran-irkernel")
    prefix = home / "miniforge3" / "envs" / "statistics"
    _install(home, prefix, "r-base", "r-irkernel", "tool")
    activated = {"CONDA_DEFAULT_ENV": "statistics", "TOOL_HOME": f"{prefix}/tool"}
    return Made(home, prefix, "conda", "statistics--ir", activated, language="R")


def _install(home: Path, prefix: Path, *packages: str) -> None:
    _needs("rattler")
    work = home / "rattler"
    work.mkdir()
    try:
        _run(sys.executable, PROGRAM, work, prefix, *packages, home=home)
    finally:
        shutil.rmtree(work)


MAKERS: dict[str, Callable[[Path, bool], Made]] = {
    "venv": _venv,
    "virtualenv": _virtualenv,
    "uv": _uv,
    "conda": _conda,
    "R": _r,
}
