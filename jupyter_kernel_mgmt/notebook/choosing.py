"""Which kernel type a notebook is run with, and why. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..launching import KernelTypeInfo
from ..matching import Best, Level, best, match_notebook
from ..matching.hints import Hints, read_hints
from ..matching.record import read_record
from .exceptions import NoKernelChosen

_SPEC = "spec/"
_NATIVE = f"{_SPEC}python3"
_HERE = "pyimport/kernel"


@dataclass(frozen=True, slots=True)
class Choice:
    """A kernel type and, in words, why that one."""

    kernel_type: str
    reason: str


def settled_kernel(metadata: Mapping[str, Any], *, path: Path | None = None) -> str | None:
    """The kernel type that is chosen if there is one, whatever else there is; None where that matters.

    A name that every kernel of its language has settles it only where nothing can be near the notebook.
    """
    hints, record = read_hints(metadata), read_record(metadata)
    if record.kernel_type:
        return None if record.relative_prefix or record.prefix_hash else record.kernel_type
    if not hints.name or hints.hashes:
        return None
    if not hints.is_telling and (path is not None or hints.environments):
        return None
    return hints.name if "/" in hints.name else _SPEC + hints.name


def choose_kernel(
    metadata: Mapping[str, Any], known: Mapping[str, KernelTypeInfo], *, path: Path | None = None
) -> Choice:
    """The kernel type for a notebook's metadata, out of the known ones.

    The first of `match_notebook`, if it is clear: ``path`` is the notebook's file, absolute, or any name in
    the directory where it is run. Raises `NoKernelChosen`, which lists the candidates with their reasons.
    """
    hints = read_hints(metadata)
    matches = match_notebook(metadata, known, path=path)
    found = best(matches)
    missing = _missing(hints)
    if found is not None and found.clear:
        return Choice(found.match.kernel_type, _reason(found, hints, missing, only=len(matches) == 1))
    if found is None:
        there_is = f"there is none for the language {hints.shown}" if hints.shown else "it names no language"
        raise NoKernelChosen(f"{missing}, and {there_is}", list(known))
    equals = (found.match, *found.rivals)
    listed = equals if found.rivals and found.better is None else matches
    if found.better is not None or not found.rivals:
        text = found.reason
    elif found.match.level >= Level.VERSION:
        text = f"{missing}, and there are {len(equals)} for the language {hints.shown}"
    else:
        text = f"{len(equals)} kernel types fit the notebook equally well"
    reasons = {match.kernel_type: match.reason for match in listed}
    raise NoKernelChosen(text, [*reasons], reasons=reasons)


def kernel_by_name(kernel_type: str, known: Mapping[str, KernelTypeInfo]) -> Choice:
    """The kernel type of this name, as Jupyter takes it: nothing near a notebook comes before it.

    ``python3`` is the Python here where no kernelspec has that name.
    """
    if kernel_type in ("python3", _NATIVE) and _NATIVE not in known and _HERE in known:
        return Choice(_HERE, f"no kernelspec has the name {kernel_type!r}, and this is the Python here")
    return Choice(kernel_type, "it was asked for")


def _missing(hints: Hints) -> str:
    if hints.guessed:
        return "the notebook names neither kernel nor language, and is taken for Python"
    if hints.name:
        return f"the notebook's kernel {hints.name!r} is not installed"
    return "the notebook names no kernel"


def _reason(found: Best, hints: Hints, missing: str, *, only: bool) -> str:
    """Where it is not the kernel that the notebook names, that is said first."""
    unlike = Level.PROJECT if hints.is_telling else Level.VERSION
    if found.match.level < unlike or found.reason.startswith(missing):
        return found.reason
    if found.match.level < Level.VERSION:
        return f"{missing}; {found.reason}"
    return f"{missing}; {'the only one that fits: ' if only else ''}{found.reason}"
