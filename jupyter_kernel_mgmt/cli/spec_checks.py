"""Checks of kernelspecs: can what they name be started?"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..kernelspec import BadKernelSpec, KernelSpec
from .findings import Finding

IMPORT_TIMEOUT = 30.0
"""Seconds that an interpreter has for importing ipykernel."""

MODULES = ("ipykernel_launcher", "ipykernel")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of a kernelspec's command: ``program`` is None where there is none of that name.

    ``import_error`` is the last line of what the interpreter said, and empty where ipykernel can be
    imported or is not wanted.
    """

    program: Path | None
    executable: bool = False
    import_error: str = ""


def program_of(spec: KernelSpec) -> str:
    """The program it starts, with the places in its name filled in."""
    name = spec.command()[0]
    name = name.replace("{resource_dir}", str(spec.directory))
    return name.replace("{prefix}", str(spec.prefix or ""))


def wants_ipykernel(spec: KernelSpec) -> bool:
    """Whether its command is an interpreter that is to run ipykernel."""
    return any(pair in [("-m", module) for module in MODULES] for pair in pairwise(spec.argv))


def check_spec(spec: KernelSpec, looked: Looked) -> list[Finding]:
    """What is wrong with a kernelspec whose file is in order."""
    where = str(spec.directory / "kernel.json")
    program = program_of(spec)
    remove = f"install what it starts, or remove the kernelspec: jupyter kernelspec remove {spec.name}"
    if looked.program is None:
        return [Finding("error", where, f"its program {program!r} does not exist", remove)]
    if not looked.executable:
        what = f"its program {program!r} is not executable"
        return [Finding("error", where, what, f"chmod +x {looked.program}")]
    if looked.import_error:
        what = f"{looked.program} cannot import ipykernel: {looked.import_error}"
        return [Finding("error", where, what, f"{looked.program} -m pip install ipykernel")]
    return []


def check_bad(spec: BadKernelSpec) -> Finding:
    """A kernel.json that cannot be used; its text names the file."""
    return Finding("error", "kernelspec", str(spec), "correct the file, or remove its directory")


# What is looked at


async def look_at(spec: KernelSpec) -> Looked:
    """Find its program, and have it import ipykernel where that is what it runs. Cancelling ends it."""
    name = program_of(spec)
    found = shutil.which(name)
    if found is None:
        return Looked(_file(name))
    error = await _import_error(found, spec.env) if wants_ipykernel(spec) else ""
    return Looked(Path(found), executable=True, import_error=error)


def _file(name: str) -> Path | None:
    """The file of that path, which is no program; nothing for a bare name."""
    path = Path(name)
    return path if path.parent != Path() and path.is_file() else None


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
