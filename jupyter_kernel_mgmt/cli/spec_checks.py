"""Checks of kernelspecs: can what they name be started?"""

import asyncio
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..kernelspec import BadKernelSpec, KernelSpec
from ..kernelspec.checks import Program, SpecProblem, check_kernelspec, find_program, problems_of
from .findings import Finding

IMPORT_TIMEOUT = 30.0
"""Seconds that an interpreter has for importing ipykernel."""

MODULES = ("ipykernel_launcher", "ipykernel")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of a kernelspec's command: ``program`` is None where that cannot be told.

    ``import_error`` is the last line of what the interpreter said, and empty where ipykernel can be
    imported or is not wanted.
    """

    program: Program | None
    import_error: str = ""


def wants_ipykernel(spec: KernelSpec) -> bool:
    """Whether its command is an interpreter that is to run ipykernel."""
    return any(pair in [("-m", module) for module in MODULES] for pair in pairwise(spec.argv))


def check_spec(spec: KernelSpec, looked: Looked) -> list[Finding]:
    """What is wrong with a kernelspec whose file is in order."""
    where = str(spec.directory / "kernel.json")
    findings = [_finding(where, problem) for problem in problems_of(spec, looked.program)]
    if looked.import_error and looked.program is not None:
        what = f"{looked.program.path} cannot import ipykernel: {looked.import_error}"
        todo = f"{looked.program.path} -m pip install ipykernel"
        findings.append(Finding("error", where, what, todo))
    return findings


def check_bad(spec: BadKernelSpec) -> Finding:
    """A kernel.json that cannot be used; its text names the file."""
    return _finding("kernelspec", check_kernelspec(spec)[0])


def check_unfinished(path: Path) -> Finding:
    """What is left of an installation or a removal that was killed."""
    kept = sorted(path.glob("old*"))
    what = "it is left of an installation or a removal that did not end, unless one is under way"
    todo = f"look whether {kept[0]} is still needed, and remove {path}" if kept else f"remove {path}"
    return Finding("warning", str(path), what, todo)


def _finding(where: str, problem: SpecProblem) -> Finding:
    return Finding(problem.severity, where, problem.text, problem.todo)


# What is looked at


async def look_at(spec: KernelSpec) -> Looked:
    """Find its program, and have it import ipykernel where that is what it runs. Cancelling ends it."""
    program = find_program(spec)
    if program is None or program.path is None or not program.executable:
        return Looked(program)
    error = await _import_error(str(program.path), spec.env) if wants_ipykernel(spec) else ""
    return Looked(program, error)


async def look_at_all(specs: Iterable[KernelSpec]) -> list[tuple[KernelSpec, Looked]]:
    """All of them, a few at a time."""
    turn = asyncio.Semaphore(4)

    async def one(spec: KernelSpec) -> tuple[KernelSpec, Looked]:
        async with turn:
            return spec, await look_at(spec)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(spec)) for spec in specs]
    return [task.result() for task in tasks]


async def _import_error(program: str, env: Mapping[str, str]) -> str:
    """Why it cannot import ipykernel; empty where it can."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(program, "-c", "import ipykernel"),
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        return f"it cannot be started: {error.strerror}"
    try:
        async with asyncio.timeout(IMPORT_TIMEOUT):
            _, errors = await process.communicate()
    except TimeoutError:
        return f"no answer within {IMPORT_TIMEOUT:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return ""
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {process.returncode}"
