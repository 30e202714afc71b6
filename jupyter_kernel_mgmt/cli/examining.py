"""`examine`: all checks of ``doctor``, in one go, and what is shown of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from ..discovery import KernelFinder, Problem
from ..discovery.entry_points import installed_providers
from ..exceptions import BadConfiguration
from ..kernelspec import BadKernelSpec, KernelSpec, find_kernelspecs, kernelspec_directories
from ..kernelspec.install import unfinished
from ..subproc.place import runtime_directory
from .findings import Finding, exit_code
from .leftovers import check_leftovers, find_leftovers, remove
from .logs import silenced
from .runtime_checks import check_runtime_directory, look_at_directory
from .spec_checks import check_bad, check_spec, check_unfinished, look_at_all
from .terminal import console, one_line
from .versions import Versions, check_versions, installed_versions

STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


async def examine(*, clean: bool = False, as_json: bool = False) -> int:
    """Check everything, show what was found and return the exit code. With ``clean`` remove dead files."""
    versions = installed_versions()
    with silenced():
        findings = [*check_versions(versions), *await _kernels(), *await _runtime(clean=clean)]
    if as_json:
        print(as_text(versions, findings))
    else:
        show(versions, findings)
    return exit_code(findings)


def check_providers(names: Sequence[str], problems: Sequence[Problem], kernels: int) -> list[Finding]:
    """Providers that fail, and that there is nothing to launch."""
    findings = []
    if not names:
        what = "none is installed, not even those of this package"
        todo = "python -m pip install --force-reinstall jupyter-kernel-mgmt"
        findings.append(Finding("error", "providers", what, todo))
    for problem in problems:
        if isinstance(problem.error, BadConfiguration):
            todo = "correct the option; what options there are, the provider's documentation says"
        else:
            todo = "reinstall or remove the package it comes from; --debug shows the traceback"
        findings.append(Finding("error", problem.where, problem.text, todo))
    if names and not kernels:
        todo = "install a kernel; one for Python: python -m pip install ipykernel"
        findings.append(Finding("error", "providers", "no kernel types were found", todo))
    return findings


async def _kernels() -> list[Finding]:
    async with KernelFinder.from_entrypoints() as finder:
        search = finder.find_kernels()
        kernels = [kernel_type async for kernel_type, info in search if not info.obstacle]
    findings = check_providers([*installed_providers()], search.problems, len(kernels))
    found = list(find_kernelspecs())
    findings += [check_bad(spec) for spec in found if isinstance(spec, BadKernelSpec)]
    for spec, looked in await look_at_all(spec for spec in found if isinstance(spec, KernelSpec)):
        findings += check_spec(spec, looked)
    findings += [check_unfinished(path) for path in unfinished(kernelspec_directories())]
    return findings


async def _runtime(*, clean: bool) -> list[Finding]:
    directory = runtime_directory()
    findings = check_runtime_directory(look_at_directory(directory))
    leftovers = await find_leftovers(directory)
    removed, failures = remove(leftovers) if clean else ([], [])
    return [*findings, *check_leftovers(leftovers, removed=removed), *failures]


def as_text(versions: Versions, findings: Sequence[Finding]) -> str:
    """What ``--json`` writes."""
    shape = {"versions": asdict(versions), "findings": [finding.as_dict() for finding in findings]}
    return json.dumps(shape, indent=2)


def show(versions: Versions, findings: Sequence[Finding]) -> None:
    """A paragraph for each finding, the worst first, and a line that sums up."""
    from rich.padding import Padding
    from rich.text import Text

    def indented(text: Text) -> Padding:
        return Padding(text, (0, 0, 0, 2), expand=False)

    out = console()
    has = ", ".join(
        f"{'with' if there else 'without'} {name}"
        for name, there in (("curve", versions.curve), ("ipc", versions.ipc))
    )
    out.print(Text(f"Python {versions.python}, pyzmq {versions.pyzmq}, libzmq {versions.libzmq} {has}"))
    for finding in sorted(findings, key=lambda finding: [*STYLES].index(finding.severity)):
        style = STYLES[finding.severity]
        out.print()
        out.print(Text.assemble((finding.severity, style), " ", one_line(finding.where)))
        out.print(indented(Text(one_line(finding.what))))
        if finding.todo:
            out.print(
                Padding(
                    Text.assemble(("to do: ", "bold"), one_line(finding.todo)), (0, 0, 0, 2), expand=False
                )
            )
    out.print()
    wrong = sum(finding.severity != "info" for finding in findings)
    summary = "nothing is wrong" if not wrong else f"{wrong} problem{'s' if wrong > 1 else ''}"
    out.print(Text(summary, "bold"))
