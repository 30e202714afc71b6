"""What a pixi project's manifest adds to activating its environments."""

import platform
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..._regular_files import read_regular

MANIFESTS = ("pixi.toml", "pyproject.toml")

_TARGETS = {"linux": ("unix", "linux"), "darwin": ("unix", "osx"), "win32": ("win",)}
"""What pixi calls each system, the more general first; the last may have a processor behind it."""

_PROCESSORS = {"x86_64": "64", "amd64": "64"}


@dataclass(frozen=True, slots=True)
class ProjectActivation:
    """Variables that a project sets, ``$NAME`` in them being others, and its scripts, in their order."""

    variables: Mapping[str, str] = field(default_factory=dict)
    scripts: tuple[Path, ...] = ()


def manifests(project: Path) -> list[Path]:
    """The files that may be a project's manifest."""
    return [project / name for name in MANIFESTS]


def project_activation(
    project: Path, environment: str, *, system: str = sys.platform, machine: str | None = None
) -> ProjectActivation:
    """What the manifest says for one of its environments; nothing where there is no manifest.

    ``system`` is as `sys.platform` has it, ``machine`` as `platform.machine` has it.
    """
    names = _TARGETS.get(system, ())
    if names:
        processor = (platform.machine() if machine is None else machine).lower()
        names = (*names, f"{names[-1]}-{_PROCESSORS.get(processor, processor)}")
    variables: dict[str, str] = {}
    scripts: list[Path] = []
    for part in _activations(_manifest(project), environment, names):
        variables |= {name: value for name, value in _table(part, "env").items() if isinstance(value, str)}
        found = part.get("scripts")
        if isinstance(found, list):
            scripts += [project / name for name in found if isinstance(name, str) and name.endswith(".sh")]
    return ProjectActivation(variables, tuple(scripts))


def _manifest(project: Path) -> Mapping[str, Any]:
    for file in manifests(project):
        try:
            content = tomllib.loads(read_regular(file).decode())
        except (OSError, ValueError, RecursionError):  # not there, or somebody else's mistake
            continue
        found = content if file.name == "pixi.toml" else _table(_table(content, "tool"), "pixi")
        if found:
            return found
    return {}


def _activations(
    manifest: Mapping[str, Any], environment: str, targets: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    """Those of what the environment is made of: of the default feature, then of its own ones."""
    for feature in _features(manifest, environment):
        yield _table(feature, "activation")
        for name in targets:
            yield _table(_table(_table(feature, "target"), name), "activation")


def _features(manifest: Mapping[str, Any], environment: str) -> Iterator[Mapping[str, Any]]:
    described = _table(manifest, "environments").get(environment, [])
    names = described.get("features") if isinstance(described, dict) else described
    if not (isinstance(described, dict) and described.get("no-default-feature") is True):
        yield manifest
    for name in names if isinstance(names, list) else []:
        yield _table(_table(manifest, "feature"), str(name))


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    return value if isinstance(value, dict) else {}
