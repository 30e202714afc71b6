"""Kernelspecs: the ``kernel.json`` files that say how kernels are started. Finding and reading them.

Source: How kernels work, "Kernel specs".
"""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_path

from .launching import InterruptMode

log = logging.getLogger(__name__)

KERNEL_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE | re.ASCII)
_PYTHON = re.compile(r"python(\d+(\.\d+)?)?")


class BadKernelSpec(ValueError):
    """A kernel.json that cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """One kernelspec. ``name`` is in lower case, ``directory`` holds kernel.json and other resources.

    ``protocol_version`` is that of the messaging protocol which the kernel speaks, if it says so.
    """

    name: str
    directory: Path
    argv: tuple[str, ...]
    display_name: str
    language: str
    interrupt_mode: InterruptMode = "signal"
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    protocol_version: str = ""

    @property
    def prefix(self) -> Path | None:
        """The installation that owns the spec, where it lies in ``PREFIX/share/jupyter/kernels/NAME``."""
        parents = self.directory.parents
        if [p.name for p in parents[:3]] == ["kernels", "jupyter", "share"]:
            return parents[3]
        return None

    def command(self) -> tuple[str, ...]:
        """``argv``, with "python" replaced by the interpreter of the prefix that owns the spec."""
        if not _PYTHON.fullmatch(self.argv[0]):
            return self.argv
        return (_interpreter(self.prefix), *self.argv[1:])


def kernelspec_directories() -> list[Path]:
    """Where kernelspecs are looked for, first come first served: Jupyter's data path."""
    return [Path(directory) for directory in jupyter_path("kernels")]


def find_kernelspecs(
    directories: Sequence[Path] | None = None,
) -> Iterator[KernelSpec | BadKernelSpec]:
    """Each kernelspec once, the first of a name hiding later ones; errors stand in the place of bad ones."""
    seen: set[str] = set()
    for directory in kernelspec_directories() if directories is None else directories:
        for candidate in _candidates(directory):
            name = candidate.name.lower()
            if name not in seen:
                seen.add(name)
                try:
                    yield read_kernelspec(candidate)
                except BadKernelSpec as error:
                    yield error


def get_kernelspec(name: str, directories: Sequence[Path] | None = None) -> KernelSpec:
    """The first kernelspec of that name, case ignored. Raises `KeyError`, or `BadKernelSpec`."""
    wanted = name.lower()
    for directory in kernelspec_directories() if directories is None else directories:
        for candidate in _candidates(directory):
            if candidate.name.lower() == wanted:
                return read_kernelspec(candidate)
    raise KeyError(name)


def read_kernelspec(directory: Path) -> KernelSpec:
    """Read the kernelspec in a directory. Raises `BadKernelSpec`, naming file and field."""
    file = directory / "kernel.json"
    try:
        spec = json.loads(file.read_bytes())
    except OSError as error:
        raise BadKernelSpec(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadKernelSpec(f"{file} is not JSON: {error}") from error
    if not isinstance(spec, dict):
        raise BadKernelSpec(f"{file} holds no JSON object")
    argv = spec.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(item, str) for item in argv):
        raise BadKernelSpec(f"{file}: argv must be a list of strings, and not empty")
    env = _mapping(file, spec, "env")
    if not all(isinstance(value, str) for value in env.values()):
        raise BadKernelSpec(f"{file}: the values in env must be strings")
    return KernelSpec(
        name=directory.name.lower(),
        directory=directory,
        argv=tuple(argv),
        display_name=_text(file, spec, "display_name", directory.name),
        language=_text(file, spec, "language", ""),
        interrupt_mode=_interrupt_mode(file, spec),
        env=env,
        metadata=_mapping(file, spec, "metadata"),
        protocol_version=_text(file, spec, "kernel_protocol_version", ""),
    )


def _candidates(directory: Path) -> list[Path]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:  # most directories of the search path do not exist
        return []
    return [e for e in entries if KERNEL_NAME.fullmatch(e.name) and (e / "kernel.json").is_file()]


def _interrupt_mode(file: Path, spec: Mapping[str, Any]) -> InterruptMode:
    mode = spec.get("interrupt_mode") or "signal"
    if mode == "signal":
        return "signal"
    if mode == "message":
        return "message"
    raise BadKernelSpec(f"{file}: interrupt_mode must be 'signal' or 'message', not {mode!r}")


def _text(file: Path, spec: Mapping[str, Any], name: str, default: str) -> str:
    value = spec.get(name, default)
    if not isinstance(value, str):
        raise BadKernelSpec(f"{file}: {name} must be a string, not {value!r}")
    return value


def _mapping(file: Path, spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = spec.get(name) or {}
    if not isinstance(value, dict):
        raise BadKernelSpec(f"{file}: {name} must be an object, not {value!r}")
    return value


def _interpreter(prefix: Path | None) -> str:
    if prefix is not None:
        for candidate in (
            prefix / "bin" / "python",
            prefix / "python.exe",
            prefix / "Scripts" / "python.exe",
        ):
            if candidate.exists():
                return str(candidate)
    return sys.executable
