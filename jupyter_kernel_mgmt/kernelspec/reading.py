"""Kernelspecs: the ``kernel.json`` files that say how kernels are started. Finding and reading them.

Source: How kernels work, "Kernel specs".
"""

import json
import site
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_path

from .._regular_files import read_regular
from ..exceptions import NoSuchKernel
from ..launching import InterruptMode
from .places import KERNEL_NAME, PYTHON, interpreters, owner, stands_for

LARGEST = 1 << 20
"""Bytes of a kernel.json that are read, at most: others have a few hundred."""


class BadKernelSpec(ValueError):
    """A kernel.json that cannot be used; the text says which and why. ``directory`` is where it lies."""

    def __init__(self, text: str, *, directory: Path = Path()) -> None:
        super().__init__(text)
        self.directory = directory

    @property
    def name(self) -> str:
        """The name that the kernelspec would have."""
        return self.directory.name.lower()


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
        """The installation that owns the spec, where it lies in ``PREFIX/share/jupyter/kernels/NAME``.

        None for what users keep for themselves, which is in ``~/.local`` on Linux.
        """
        return owner(self.directory, Path(site.getuserbase()))

    def command(self) -> tuple[str, ...]:
        """``argv``, with "python" replaced by the interpreter of the prefix that owns the spec.

        Without one it is ours, unless the name asks for another version.
        """
        name = self.argv[0]
        if not PYTHON.fullmatch(name):
            return self.argv
        if self.prefix is not None:
            for candidate in interpreters(self.prefix, name, sys.platform):
                if candidate.exists():
                    return (str(candidate), *self.argv[1:])
        if stands_for(name, sys.version_info[:2]):
            return (sys.executable, *self.argv[1:])
        return self.argv


def kernelspec_directories() -> list[Path]:
    """Where kernelspecs are looked for, first come first served: Jupyter's data path."""
    return [Path(directory) for directory in jupyter_path("kernels")]


def find_kernelspecs(
    directories: Sequence[Path] | None = None,
) -> Iterator[KernelSpec | BadKernelSpec]:
    """Each kernelspec once, the first of a name hiding later ones; errors stand in the place of bad ones."""
    seen: set[str] = set()
    for directory in kernelspec_directories() if directories is None else directories:
        for entry in kernelspec_names(directory):
            name, candidate = entry.lower(), directory / entry
            if name in seen or not holds_kernel_json(candidate):
                continue
            try:
                found: KernelSpec | BadKernelSpec = read_kernelspec(candidate)
            except BadKernelSpec as error:
                if isinstance(error.__cause__, FileNotFoundError):  # it has just been removed
                    continue
                found = error
            seen.add(name)
            yield found


def get_kernelspec(name: str, directories: Sequence[Path] | None = None) -> KernelSpec:
    """The first kernelspec of that name, case ignored. Raises `KeyError`, or `BadKernelSpec`."""
    return read_kernelspec(find_kernelspec(name, directories))


def find_kernelspec(name: str, directories: Sequence[Path] | None = None) -> Path:
    """The directory of the first kernelspec of that name, good or bad, case ignored. Raises `KeyError`.

    No other kernelspec is looked at.
    """
    wanted = name.lower()
    for directory in kernelspec_directories() if directories is None else directories:
        for candidate in kernelspec_names(directory):
            if candidate.lower() == wanted and holds_kernel_json(directory / candidate):
                return directory / candidate
    raise KeyError(name)


def no_such_kernelspec(name: str, directories: Sequence[Path] | None = None) -> NoSuchKernel:
    """The error for a name that there is not, with those that there are and the places looked in."""
    searched = kernelspec_directories() if directories is None else directories
    known = [spec.name for spec in find_kernelspecs(searched) if isinstance(spec, KernelSpec)]
    return NoSuchKernel(name, known=known, searched=[str(directory) for directory in searched])


def kernelspec_names(directory: Path) -> list[str]:
    """What could be a kernelspec by its name, in order; nothing in a directory that cannot be listed."""
    try:
        entries = sorted(entry.name for entry in directory.iterdir())
    except OSError:  # most directories of the search path do not exist
        return []
    return [entry for entry in entries if KERNEL_NAME.fullmatch(entry)]


def read_kernelspec(directory: Path) -> KernelSpec:
    """Read the kernelspec in a directory. Raises `BadKernelSpec`, naming file and field."""
    file = directory / "kernel.json"
    try:
        text = read_regular(file, LARGEST + 1)
        if len(text) > LARGEST:
            raise BadKernelSpec(f"{file} is larger than {LARGEST >> 20} MiB", directory=directory)
        return kernelspec_from_dict(json.loads(text), directory)
    except OSError as error:
        raise BadKernelSpec(f"{file} cannot be read: {error.strerror}", directory=directory) from error
    except BadKernelSpec:
        raise
    except (ValueError, RecursionError) as error:
        raise BadKernelSpec(f"{file} is not JSON: {error}", directory=directory) from error


def kernelspec_from_dict(spec: object, directory: Path) -> KernelSpec:
    """What a kernel.json in that directory means that holds this. Raises `BadKernelSpec`."""
    try:
        return _parsed(spec, directory)
    except BadKernelSpec as error:
        error.directory = directory
        raise


def _parsed(spec: object, directory: Path) -> KernelSpec:
    file = directory / "kernel.json"
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


def holds_kernel_json(directory: Path) -> bool:
    """Whether there is a file of that name, or may be: where one may not look, reading it will say so.

    A pipe is none: reading it would never end.
    """
    try:
        return stat.S_ISREG((directory / "kernel.json").stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


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
