"""What an agent is told, as the protocol has it: commands of our values, and values of its events. Plain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..launching import ExitInfo
from .processes import AgentProcess


def start_command(
    process: AgentProcess,
    argv: Sequence[str],
    *,
    entry: str | None = None,
    env: Mapping[str, str | None] | None,
    inherit: bool | Sequence[str],
    cwd: str | None,
    limits: Mapping[str, int | None] | None,
    handed_over: bool,
) -> dict[str, Any]:
    """Start a process that runs this or, with an ``entry``, fork one that calls that.

    Where its output goes to a descriptor, that is ``handed_over`` with the command.
    """
    if handed_over:
        output = "descriptor"
    else:
        output = "tail" if process.on_output is None else "stream"
    return {
        **({"do": "start"} if entry is None else {"do": "fork", "entry": entry}),
        "id": process.id,
        "argv": [*map(str, argv)],
        "mark": process.mark,
        "cwd": cwd,
        "env": dict(env or {}),
        "inherit": inherit if isinstance(inherit, bool) else [*inherit],
        "limits": dict(limits or {}),
        "files": list(process.files),
        "directories": list(process.directories),
        "output": output,
    }


def prepare_command(modules: Sequence[str], code: str, timeout: float) -> dict[str, Any]:
    """Import modules and run code; the protocol counts whole seconds."""
    return {"do": "prepare", "modules": list(modules), "code": code, "timeout": max(1, round(timeout))}


def guard_command(
    id: str,
    *,
    pid: int | None,
    start: int | None,
    mark: str | None,
    files: Sequence[str | Path],
    directories: Sequence[str | Path],
) -> dict[str, Any]:
    """Guard a process. What is not given here is kept as it was given before."""
    command: dict[str, Any] = {"do": "guard", "id": id, "mark": mark, "pid": pid}
    if pid is not None:
        command["start"] = start
    if files:
        command["files"] = [*map(str, files)]
    if directories:
        command["directories"] = [*map(str, directories)]
    return command


def exit_info(event: dict[str, Any]) -> ExitInfo:
    """How a process ended, of an ``exited``."""
    reason = None
    if event["code"] is None:
        reason = "its end was not seen by its parent"
    return ExitInfo(event["code"], reason=reason, output_tail=event.get("output", ""))
