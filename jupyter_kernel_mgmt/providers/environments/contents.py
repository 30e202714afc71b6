"""The kernels inside of an environment: by kernelspecs, by packages, or not yet. Reads files only."""

import logging
import os
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...kernelspec import KERNEL_NAME, BadKernelSpec, KernelSpec, read_kernelspec
from ...kernelspec.info import resource_names
from ...kernelspec.reading import holds_kernel_json
from ...launching import InterruptMode
from ...subproc.ipykernel import START_IPYKERNEL, own_arguments
from . import conda
from .advice import broken, without_ipykernel, without_irkernel
from .disk import Disk
from .environment import Environment
from .layout import (
    executable,
    package_version,
    script_directories,
    shared_packages,
    site_packages,
    version_of_directories,
    what_is_wrong,
    with_path_files,
)

log = logging.getLogger(__name__)

PYTHON, R = "python3", "ir"
"""The kernels that need no kernelspec, by the names that theirs would have."""

CURVE_VERSION = 7  # of ipykernel: the first that can encrypt
R_CODE = "IRkernel::main()"
KERNELS = ("share", "jupyter", "kernels")
_PYTHON_NAME = re.compile(r"python(\d+(\.\d+)?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerKernel:
    """A kernel of one environment. ``argv`` begins with an absolute path wherever one is known.

    ``title`` is what it is called inside of it. ``directory`` holds its kernelspec, or None, and
    ``resources``. ``obstacle`` says why it cannot be launched; empty for one that can.
    """

    name: str
    title: str
    language: str
    version: str
    argv: tuple[str, ...]
    directory: Path | None = None
    resources: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    interrupt_mode: InterruptMode = "signal"
    protocol_version: str = ""
    obstacle: str = ""


def kernels_inside(environment: Environment, disk: Disk) -> Iterator[InnerKernel]:
    """Each kernel, launchable or not: those of kernelspecs first, what is bad of these last.

    A bad kernelspec's obstacle is what is wrong with it; it hides no kernel of its name.
    """
    python = _Python.of(environment, disk)
    languages: set[str] = set()
    names: set[str] = set()
    bad: list[BadKernelSpec] = []
    has_ipykernel = False
    for directory in _kernelspecs(environment.prefix, disk):
        try:
            spec = read_kernelspec(directory)
        except BadKernelSpec as error:
            if not isinstance(error.__cause__, FileNotFoundError):  # it has just been removed
                bad.append(error)
            continue
        if spec.name not in names:
            kernel = _of_spec(spec, environment, python, disk)
            languages.add(spec.language.lower())
            names.add(spec.name)
            has_ipykernel = has_ipykernel or own_arguments(kernel.argv) is not None
            yield kernel
    if python is not None and PYTHON not in names and not has_ipykernel:
        for kernel in python.kernels(environment, languages):
            names.add(kernel.name)
            yield kernel
    if "r" not in languages and R not in names:
        for kernel in _r(environment, disk):
            names.add(kernel.name)
            yield kernel
    for unusable in bad:
        if unusable.name in names:
            log.warning("A kernelspec is skipped: %s", unusable)
        else:
            names.add(unusable.name)
            yield _of_bad(unusable)


@dataclass(frozen=True, slots=True)
class _Python:
    """The Python of an environment: its program, its version, and that of its ipykernel (None: none)."""

    program: Path
    version: str
    ipykernel: str | None
    wrong: str

    @classmethod
    def of(cls, environment: Environment, disk: Disk) -> "_Python | None":
        program = executable(environment.prefix, ("python", "python3"), disk, conda=environment.is_conda)
        if program is None:
            if environment.is_conda and not environment.python:
                return None  # a prefix for other things
            directory = script_directories(environment.prefix, conda=environment.is_conda)[0]
            program = directory / ("python.exe" if sys.platform == "win32" else "python")
        version = environment.python or version_of_directories(environment.prefix, disk)
        directories = with_path_files(site_packages(environment.prefix, version, disk), disk)
        if environment.base is not None:
            directories += shared_packages(environment.base, version, disk)
        wrong = what_is_wrong(program, disk)
        return cls(program, version, package_version(directories, "ipykernel", disk), wrong)

    def obstacle(self, environment: Environment) -> str:
        if self.wrong:
            return broken(environment, self.wrong)
        return without_ipykernel(environment, self.program) if self.ipykernel is None else ""

    def kernels(self, environment: Environment, languages: Collection[str]) -> Iterator[InnerKernel]:
        """Its ipykernel without a kernelspec, there or not; ``languages`` are those of the kernelspecs."""
        if self.ipykernel is None and "python" in languages:
            return  # another kernel of Python is enough
        yield InnerKernel(
            name=PYTHON,
            title=_with_version("Python", self.version),
            language="python",
            version=self.version,
            argv=(str(self.program), START_IPYKERNEL, "-f", "{connection_file}"),
            metadata=ipykernel_metadata(self.ipykernel or ""),
            obstacle=self.obstacle(environment),
        )


def ipykernel_metadata(version: str) -> dict[str, Any]:
    """As in the kernelspec that ipykernel of this version installs; and how it can be reached."""
    major = version.partition(".")[0]
    curve = major.isdecimal() and int(major) >= CURVE_VERSION
    return {
        "debugger": True,
        "supported_transports": ["ipc", "own-ports"],
        **({"supported_encryption": ["curve"]} if curve else {}),
    }


def _kernelspecs(prefix: Path, disk: Disk) -> Iterator[Path]:
    directory = prefix.joinpath(*KERNELS)
    for name in disk.names(directory):
        if KERNEL_NAME.fullmatch(name) and _is_kernelspec(directory / name, disk):
            yield directory / name


def _is_kernelspec(directory: Path, disk: Disk) -> bool:
    disk.looked.add(directory / "kernel.json")
    return holds_kernel_json(directory)


def _of_bad(error: BadKernelSpec) -> InnerKernel:
    """What is known of a kernelspec that cannot be used: its name, and why."""
    return InnerKernel(
        name=error.name,
        title=error.name,
        language="",
        version="",
        argv=(),
        directory=error.directory,
        obstacle=str(error),
    )


def _of_spec(spec: KernelSpec, environment: Environment, python: _Python | None, disk: Disk) -> InnerKernel:
    """A kernelspec's kernel, its program looked up in the environment that it belongs to."""
    disk.looked.add(spec.directory)
    argv = _located(spec.argv, environment, disk)
    own = python if python is not None and _same_program(argv[0], python.program) else None
    title = spec.display_name
    if own is not None and spec.name == PYTHON:
        title = _with_version("Python", own.version)
    return InnerKernel(
        name=spec.name,
        title=title,
        language=spec.language,
        version=own.version if own is not None else _language_version(spec, environment, disk),
        argv=argv,
        directory=spec.directory,
        resources=resource_names(spec.directory),
        env=spec.env,
        metadata=spec.metadata,
        interrupt_mode=spec.interrupt_mode,
        protocol_version=spec.protocol_version,
        obstacle=_obstacle(spec, argv, environment, own, disk),
    )


def _obstacle(
    spec: KernelSpec, argv: tuple[str, ...], environment: Environment, own: _Python | None, disk: Disk
) -> str:
    """Why that cannot be launched; ``own`` is the environment's Python where that is to run it."""
    provisioner = spec.metadata.get("kernel_provisioner")
    if provisioner is not None and not _is_local(provisioner):
        return f"its kernelspec asks for {provisioner!r}, which jupyter_client alone can run"
    if own is not None and own_arguments(argv) is not None:
        return own.obstacle(environment)
    disk.looked.update(_places_of(argv[0]))
    if shutil.which(argv[0]) is None:
        file = spec.directory / "kernel.json"
        return broken(environment, f"its kernelspec {file} names {argv[0]}, which cannot be executed")
    return ""


def _places_of(program: str) -> list[Path]:
    """Where a program of that name is, or may come to be: in PATH, unless the name says where."""
    if os.path.dirname(program):  # noqa: PTH120 - a text of a kernelspec
        return [Path(program)]
    return [Path(directory, program) for directory in os.get_exec_path()]


def _is_local(provisioner: object) -> bool:
    return isinstance(provisioner, dict) and provisioner.get("provisioner_name") == "local-provisioner"


def _located(argv: tuple[str, ...], environment: Environment, disk: Disk) -> tuple[str, ...]:
    """The command with the path of the environment's own program, where it has one of that name.

    A Python is always its own, there or not: another one would not have its packages.
    """
    if os.path.dirname(argv[0]):  # noqa: PTH120 - a text of a kernelspec
        return argv
    is_python = _PYTHON_NAME.fullmatch(argv[0]) is not None
    names = (argv[0], *(("python", "python3") if is_python else ()))
    found = executable(environment.prefix, names, disk, conda=environment.is_conda)
    if found is None and is_python:
        found = script_directories(environment.prefix, conda=environment.is_conda)[0] / "python"
    return argv if found is None else (str(found), *argv[1:])


def _same_program(name: str, program: Path) -> bool:
    """Whether that is this Python, by any of its names; never resolved, as what it is depends on its path."""
    return Path(name).parent == program.parent and Path(name).name.startswith("python")


def _r(environment: Environment, disk: Disk) -> Iterator[InnerKernel]:
    if not environment.is_conda:
        return  # no other tool installs R
    program = executable(environment.prefix, ("R",), disk, conda=True)
    if program is None:
        return
    library = environment.prefix / "lib" / "R"
    packages = [library / name / "IRkernel" / "DESCRIPTION" for name in ("library", "site-library")]
    there = any(disk.exists(path) for path in packages)
    version = _r_version(environment, disk)
    obstacle = "" if there else without_irkernel(environment, program)
    if wrong := what_is_wrong(program, disk):
        obstacle = broken(environment, wrong)
    yield InnerKernel(
        name=R,
        title=_with_version("R", version),
        language="R",
        version=version,
        argv=(str(program), "--slave", "-e", R_CODE, "--args", "{connection_file}"),
        metadata={"supported_transports": ["ipc"]},
        obstacle=obstacle,
    )


def _r_version(environment: Environment, disk: Disk) -> str:
    return conda.package_version(disk.names(environment.prefix / conda.META), "r-base")


def _language_version(spec: KernelSpec, environment: Environment, disk: Disk) -> str:
    return _r_version(environment, disk) if spec.language.lower() == "r" else ""


def _with_version(language: str, version: str) -> str:
    """``Python 3.11``: the third number is for nobody's choice."""
    return " ".join([language, *(".".join(version.split(".")[:2]) for _ in [0] if version)])
