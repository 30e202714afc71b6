"""What is wrong with a kernelspec, in words, found without starting anything."""

import os
import re
import shutil
import string
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from .reading import BadKernelSpec, KernelSpec

LOCAL_PROVISIONER = "local-provisioner"
"""The provisioner that starts a kernel as we do."""

_GONE_MODULES = {"IPython.kernel": "ipykernel_launcher"}
"""Modules that old kernelspecs run, and what took their places."""

_PLACE = re.compile(r"\{[A-Za-z0-9_]+\}")


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """Something about a kernelspec, and what to do about it.

    An error keeps its kernel from running, a warning may or is untidy; an info is nothing wrong.
    """

    severity: Literal["error", "warning", "info"]
    text: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """The program that a kernelspec starts; ``path`` is None where there is none of that ``name``."""

    name: str
    path: Path | None
    executable: bool


def check_kernelspec(spec: KernelSpec | BadKernelSpec) -> list[SpecProblem]:
    """All that is wrong with a kernelspec. Looks for its program on this machine, and starts nothing."""
    if isinstance(spec, BadKernelSpec):
        return [SpecProblem("error", str(spec), "correct the file, or remove its directory")]
    return problems_of(spec, find_program(spec))


def problems_of(spec: KernelSpec, program: Program | None) -> list[SpecProblem]:
    """What is wrong with it; ``program`` is what was found of the program, or None if that cannot be told."""
    problems = []
    if elsewhere := provisioner_obstacle(spec):
        problems.append(SpecProblem("info", elsewhere))
    else:
        problems += _of_command(spec, program)
    if spec.protocol_version and not re.fullmatch(r"\d{1,9}(\.\d{1,9})*", spec.protocol_version):
        text = f"kernel_protocol_version must be a version such as '5.5', not {spec.protocol_version!r}"
        problems.append(SpecProblem("warning", text, "correct it, or leave it out"))
    if not spec.language:
        text = "it names no language, by which notebooks find kernels"
        problems.append(SpecProblem("warning", text, "add a language to kernel.json"))
    return problems


def provisioner_obstacle(spec: KernelSpec) -> str:
    """Why we cannot start the kernel of a kernelspec that names a provisioner; empty where we can.

    Source: jupyter_client, "Kernel provisioning" (``metadata.kernel_provisioner``).
    """
    provisioner = spec.metadata.get("kernel_provisioner")
    if provisioner is None:
        return ""
    name = provisioner.get("provisioner_name") if isinstance(provisioner, Mapping) else None
    if name == LOCAL_PROVISIONER:
        return ""
    what = f"the kernel_provisioner {name!r}" if isinstance(name, str) else f"{provisioner!r} to provision it"
    return (
        f"kernelspec {spec.name!r} asks for {what}, which jupyter_client alone can run; launch it with an "
        f"application of jupyter_client, or, if the kernel is to run on this machine, take "
        f"kernel_provisioner out of the metadata in {spec.directory / 'kernel.json'}"
    )


def _of_command(spec: KernelSpec, program: Program | None) -> list[SpecProblem]:
    problems = []
    if program is not None and program.path is None:
        todo = f"install what it starts, or remove the kernelspec: jupyter-kernels remove {spec.name}"
        problems.append(SpecProblem("error", f"its program {program.name!r} does not exist", todo))
    elif program is not None and not program.executable:
        todo = f"chmod +x {program.path}"
        problems.append(SpecProblem("error", f"its program {program.name!r} is not executable", todo))
    if not any("{connection_file}" in argument for argument in spec.argv):
        text = "its argv has no place for {connection_file}: the kernel does not learn where to listen"
        problems.append(SpecProblem("error", text, "put {connection_file} where the kernel expects its name"))
    for flag, module in pairwise(spec.argv):
        if flag == "-m" and module in _GONE_MODULES:
            text, todo = f"the module {module} is gone", f"have it run {_GONE_MODULES[module]}"
            problems.append(SpecProblem("error", text, todo))
    return problems


def program_name(spec: KernelSpec) -> str:
    """The program it starts, with the places in its name filled in."""
    name = spec.command()[0].replace("{resource_dir}", str(spec.directory))
    return name.replace("{prefix}", str(spec.prefix or ""))


def find_program(spec: KernelSpec) -> Program | None:
    """Look for it where a launch would; None where it depends on launch parameters."""
    name = program_name(spec)
    if _PLACE.search(name):
        return None
    path = spec.env.get("PATH")
    found = shutil.which(name, path=path and string.Template(path).safe_substitute(os.environ))
    if found is not None:
        return Program(name, Path(found), executable=True)
    file = Path(name)
    there = file.parent != Path() and file.is_file()
    return Program(name, file if there else None, executable=False)
