"""`judge`: what speaks for one kernel type, for a notebook. Plain functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from ..launching import KernelTypeInfo
from .candidate import LANGUAGES, Candidate, dotted
from .hints import USUAL, Hints, Version
from .record import KernelRecord, portable_title


class Level(IntEnum):
    """What a match rests on; the lower, the better."""

    EXACT = 1
    """The notebook records exactly this kernel type."""
    ENVIRONMENT = 2
    """It runs in the environment that the notebook was last run in."""
    NAMED = 3
    """It has the notebook's name for its kernel or environment, and that name means this one."""
    PROJECT = 4
    """It runs in the environment of the notebook's project."""
    USUAL_NAME = 5
    """It has the notebook's name for its kernel, which every kernel of the language has."""
    VERSION = 6
    """The same language and version."""
    LANGUAGE = 7
    """The same language."""
    ELSEWHERE = 8
    """The same language, in an environment of another project. Never to be taken without asking."""
    DOUBTFUL = 9
    """Something fits, and something speaks against it. Never to be taken without asking."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A level, the order within it (the lower, the better), and the reason."""

    level: Level
    order: tuple[int, ...]
    reason: str


_WELL_KNOWN = {
    "bash",
    "c#",
    "c++",
    "go",
    "java",
    "javascript",
    "julia",
    "python",
    "r",
    "ruby",
    "rust",
    "scala",
}
"""Languages that everybody calls the same: of others two names may mean one, as "sage" and "python" do."""

_ONLY_BASE = {"base", "root"}


def judge(
    hints: Hints,
    record: KernelRecord,
    kernel_type: str,
    info: KernelTypeInfo,
    path: Path | None,
    known: Mapping[str, KernelTypeInfo],
) -> Judged | None:
    """What speaks for a kernel type; None if nothing does."""
    one = Candidate.of(kernel_type, info, path)
    relation = record.relation(kernel_type, one.prefix, path)
    if relation != "none" and _is_outdated(hints, one, path, known):
        relation = "none"
    if relation == "exact":
        return Judged(Level.EXACT, (), "the notebook was last given exactly this kernel")
    if "/" in hints.name and hints.name == kernel_type:
        return Judged(Level.EXACT, (), f"the notebook names exactly this kernel, {kernel_type}")
    is_named = _is_named(hints, one)
    if hints.language and one.language and hints.language != one.language:
        if not is_named:
            return None
        if not {hints.language, one.language} <= _WELL_KNOWN:
            reason = f"it has the name {hints.name!r} that the notebook gives"
            return Judged(Level.NAMED, (int(one.provider != "spec"), *one.order(hints)), reason)
        reason = f"it has the name {hints.name!r} that the notebook gives, but it is for {one.shown} and the"
        return Judged(Level.DOUBTFUL, one.order(hints), f"{reason} notebook is in {_shown(hints)}")
    if relation == "environment" or (hints.hashes and not hints.hashes.isdisjoint(one.hashes())):
        order = (one.unlike(hints), *one.order(hints))
        reason = f"it runs in the environment that the notebook was last run in, {one.prefix}"
        return Judged(Level.ENVIRONMENT, order, reason + one.version_note(hints))
    if is_named:
        order = (int(one.provider != "spec"), *one.order(hints))
        reason = f"it has the name {hints.name!r} that the notebook gives" + one.version_note(hints)
        return Judged(Level.NAMED, order, reason)
    environment = next((name for name in hints.environments if name in one.environments), None)
    if relation == "name" or (environment is not None and environment not in _ONLY_BASE):
        order = (2, *one.order(hints))
        reason = "it has the name of the kernel that the notebook was last given, in another place"
        if environment is not None:
            reason = f"its environment has the name {environment!r} that the notebook gives"
        return Judged(Level.NAMED, order, reason + one.version_note(hints))
    return _by_place_or_language(hints, one, known, is_base=environment is not None)


def _is_outdated(
    hints: Hints, one: Candidate, path: Path | None, known: Mapping[str, KernelTypeInfo]
) -> bool:
    """Whether the display name means another environment that is there, and not the noted one.

    VS Code calls each kernel ``python3`` and writes the environment into the display name alone.
    """
    own = ("", one.info.display_name.strip(), portable_title(one.kernel_type, one.info))
    if hints.title in own or not one.environments.isdisjoint(hints.environments):
        return False
    others = (Candidate.of(kernel_type, info, path) for kernel_type, info in known.items())
    return any(not other.environments.isdisjoint(hints.environments) for other in others)


def _by_place_or_language(
    hints: Hints, one: Candidate, known: Mapping[str, KernelTypeInfo], *, is_base: bool
) -> Judged | None:
    """What is left where the notebook means no certain kernel."""
    if one.is_incompatible(hints):
        reason = f"the same language, but {one.shown} {dotted(one.version)} cannot be expected to run what"
        return Judged(
            Level.DOUBTFUL,
            one.order(hints),
            f"{reason} was written for {_shown(hints)} {dotted(hints.version)}",
        )
    if one.near is not None and (one.language or not hints.language):
        order = (one.near.steps, one.near.form, one.unlike(hints), *one.order(hints))
        return Judged(Level.PROJECT, order, f"{_place(one)}{one.version_note(hints)}")
    usual = _usual_name(hints, one, known)
    if usual and one.language == hints.language:
        return Judged(Level.USUAL_NAME, (0, *one.order(hints)), usual + one.version_note(hints))
    if is_base:
        reason = "the notebook was last run in conda's base environment, and this is one"
        return Judged(Level.USUAL_NAME, (1, *one.order(hints)), reason + one.version_note(hints))
    if hints.is_telling and hints.title and hints.title.lower() == one.info.display_name.lower():
        reason = f"it has the display name {hints.title!r} that the notebook gives"
        return Judged(Level.USUAL_NAME, (1, *one.order(hints)), reason + one.version_note(hints))
    if not hints.language or one.language != hints.language:
        return None
    return _by_language(hints, one)


def _by_language(hints: Hints, one: Candidate) -> Judged:
    level, reason = Level.LANGUAGE, f"the same language, {one.shown}{one.version_note(hints)}"
    if _same_version(hints.version, one.version):
        level = Level.VERSION
        reason = f"the same language and version, {one.shown} {dotted(one.version[:2])}"
    if one.is_of_another_project:
        reason = f"{reason}, but its environment is another project's: {one.prefix}"
        return Judged(Level.ELSEWHERE, one.order(hints), reason)
    if hints.guessed:
        reason = "the notebook names neither kernel nor language, and is taken for Python"
    # Where no certain kernel is missing, the usual one is what everybody would begin with.
    usual = one.is_usual and not hints.is_telling
    return Judged(level, (0 if usual else 1, *one.order(hints)), reason)


def _is_named(hints: Hints, one: Candidate) -> bool:
    return hints.is_telling and one.inner == hints.name.lower()


def _usual_name(hints: Hints, one: Candidate, known: Mapping[str, KernelTypeInfo]) -> str:
    """Why a name like ``python3`` means this one; empty if it does not."""
    name = hints.name.lower()
    if not name or hints.is_telling:
        return ""
    if one.provider == "spec" and one.inner == name:
        return f"it has the name {hints.name!r} that the notebook gives"
    # Jupyter, too, takes its own Python where no kernelspec has the name.
    if one.provider == "pyimport" and name == USUAL["python"][0] and f"spec/{name}" not in known:
        return (
            f"no kernelspec has the name {hints.name!r} that the notebook gives, and this is the Python here"
        )
    return ""


def _place(one: Candidate) -> str:
    assert one.near is not None, "asked for only where it is near"
    if one.near.steps == 0:
        where = "beside the notebook"
    else:
        where = f"of {one.near.project}, in which the notebook is"
    return f"it runs in the project's own environment, {one.prefix}, {where}"


def _same_version(wanted: Version, version: Version) -> bool:
    return len(wanted) > 1 and wanted[:2] == version[:2]


def _shown(hints: Hints) -> str:
    return LANGUAGES.get(hints.language, hints.shown)
