"""`judge`: what speaks for one kernel type, for a notebook. Plain functions."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path, PurePath, PureWindowsPath

from ._kernel_record import environment_name, inner_name, read_record
from ._nearness import Nearness, is_anonymous, nearness, project_of
from ._notebook_hints import (
    USUAL,
    Hints,
    Version,
    canonical,
    language_of_name,
    numbers,
    version_in,
)
from .launching import KernelTypeInfo


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
    DOUBTFUL = 8
    """Something fits, and something speaks against it. Never to be taken without asking."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A level, the order within it (the lower, the better), and the reason."""

    level: Level
    order: tuple[int, ...]
    reason: str


_PROVIDERS = ("spec", "pyimport", "environments")
"""Those whose kernels are preferred where all else is equal."""

_INCOMPATIBLE = {"python", "julia"}
"""Languages whose major versions do not run each other's code."""

_NAMES = {"python": "Python", "r": "R", "julia": "Julia", "bash": "Bash"}

_OF_EVERYBODY = ("", "/", "/usr", "/usr/local", "/opt/homebrew")
"""Prefixes that are on many machines: the same path does not make it the same environment."""

_ONLY_BASE = {"base", "root"}


def judge(
    metadata: object,
    hints: Hints,
    kernel_type: str,
    info: KernelTypeInfo,
    path: Path | None,
    known: Mapping[str, KernelTypeInfo],
) -> Judged | None:
    """What speaks for a kernel type; None if nothing does."""
    one = _Candidate.of(kernel_type, info, path)
    relation = read_record(metadata).relation(kernel_type, one.prefix, path)
    if relation == "exact":
        return Judged(Level.EXACT, (), "the notebook was last given exactly this kernel")
    if "/" in hints.name and hints.name == kernel_type:
        return Judged(Level.EXACT, (), f"the notebook names exactly this kernel, {kernel_type}")
    is_named = _is_named(hints, one)
    if hints.language and one.language and hints.language != one.language:
        if not is_named:
            return None
        reason = f"it has the name {hints.name!r} that the notebook gives, but it is for {one.shown} and the"
        return Judged(Level.DOUBTFUL, one.order(hints), f"{reason} notebook is in {_shown(hints)}")
    if relation == "environment" or (hints.hashes and not hints.hashes.isdisjoint(_hashes(one))):
        order = (int(one.inner != hints.name), *one.order(hints))
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


def _by_place_or_language(
    hints: Hints, one: "_Candidate", known: Mapping[str, KernelTypeInfo], *, is_base: bool
) -> Judged | None:
    """What is left where the notebook means no certain kernel."""
    if one.is_incompatible(hints):
        reason = f"the same language, but {one.shown} {_dotted(one.version)} cannot be expected to run what"
        return Judged(
            Level.DOUBTFUL,
            one.order(hints),
            f"{reason} was written for {_shown(hints)} {_dotted(hints.version)}",
        )
    if one.near is not None and (one.language or not hints.language):
        order = (one.near.steps, one.near.form, int(one.inner != hints.name), *one.order(hints))
        return Judged(Level.PROJECT, order, f"{_place(one)}{one.version_note(hints)}")
    if not hints.language or one.language != hints.language:
        return None
    usual = _usual_name(hints, one, known)
    if usual:
        return Judged(Level.USUAL_NAME, (0, *one.order(hints)), usual + one.version_note(hints))
    title = hints.title.lower()
    if is_base or (title and hints.is_telling and title == one.info.display_name.lower()):
        reason = f"it has the display name {hints.title!r} that the notebook gives"
        if is_base:
            reason = "the notebook was last run in conda's base environment, and this is one"
        return Judged(Level.USUAL_NAME, (1, *one.order(hints)), reason + one.version_note(hints))
    return _by_language(hints, one)


def _by_language(hints: Hints, one: "_Candidate") -> Judged:
    elsewhere = ""
    if one.is_of_another_project:
        elsewhere = f", but its environment is another project's: {one.prefix}"
    if _same_version(hints.version, one.version):
        reason = f"the same language and version, {one.shown} {_dotted(one.version[:2])}"
        return Judged(Level.VERSION, one.order(hints), reason + elsewhere)
    if hints.guessed:
        reason = "the notebook names neither kernel nor language, and is taken for Python"
    elif one.version and hints.version:
        reason = f"the same language, {one.shown}, in another version: {one.instead(hints)}"
    else:
        reason = f"the same language, {one.shown}"
    # Where no certain kernel is missing, the usual one is what everybody would begin with.
    usual = one.provider == "spec" and one.inner in USUAL.get(one.language, ())[:1]
    order = (one.foreign, 0 if usual and not hints.is_telling else 1, *one.order(hints))
    return Judged(Level.LANGUAGE, order, reason + elsewhere)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A kernel type with what its info tells only in a roundabout way."""

    kernel_type: str
    info: KernelTypeInfo
    provider: str
    inner: str
    language: str
    version: Version
    prefix: PurePath | None
    near: Nearness | None

    @classmethod
    def of(cls, kernel_type: str, info: KernelTypeInfo, path: Path | None) -> "_Candidate":
        inner = inner_name(kernel_type)
        language = canonical(info.language) or language_of_name(inner)
        prefix = _prefix(info, PurePath if path is None else type(path))
        return cls(
            kernel_type=kernel_type,
            info=info,
            provider=kernel_type.partition("/")[0],
            inner=inner.lower(),
            language=language,
            version=numbers(info.language_version) or version_in(language, inner, info.display_name),
            prefix=prefix,
            near=None if path is None or prefix is None else nearness(prefix, path),
        )

    @property
    def shown(self) -> str:
        return _NAMES.get(
            self.language, self.info.language or self.language or "a language that it does not name"
        )

    @property
    def environments(self) -> set[str]:
        names = {environment_name(self.kernel_type).lower()}
        if self.prefix is not None:
            names.add(self.prefix.name.lower())
        return {name for name in names if name and not is_anonymous(name)}

    @property
    def is_of_another_project(self) -> bool:
        return self.prefix is not None and self.near is None and project_of(self.prefix) is not None

    @property
    def foreign(self) -> int:
        return int(self.is_of_another_project)

    def order(self, hints: Hints) -> tuple[int, ...]:
        """What decides between candidates for which the same speaks."""
        provider = _PROVIDERS.index(self.provider) if self.provider in _PROVIDERS else len(_PROVIDERS)
        return (self.foreign, provider, *_distance(hints.version, self.version))

    def is_incompatible(self, hints: Hints) -> bool:
        majors = {version[0] for version in (hints.version, self.version) if version}
        return self.language == hints.language and self.language in _INCOMPATIBLE and len(majors) > 1

    def instead(self, hints: Hints) -> str:
        return f"{_dotted(self.version[:2])} instead of {_dotted(hints.version[:2])}"

    def version_note(self, hints: Hints) -> str:
        """What to know besides, where it is not the version that the notebook was run with."""
        if self.language != hints.language or not self.version or not hints.version:
            return ""
        if hints.version[:2] == self.version[:2] or len(hints.version) < 2 or len(self.version) < 2:
            return ""
        return f", in another version of {self.shown}: {self.instead(hints)}"


def _is_named(hints: Hints, one: _Candidate) -> bool:
    return hints.is_telling and one.inner == hints.name.lower()


def _usual_name(hints: Hints, one: _Candidate, known: Mapping[str, KernelTypeInfo]) -> str:
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


def _place(one: _Candidate) -> str:
    assert one.near is not None, "asked for only where it is near"
    if one.near.steps == 0:
        where = "beside the notebook"
    else:
        where = f"of {one.near.project}, in which the notebook is"
    return f"it runs in the project's own environment, {one.prefix}, {where}"


def _prefix(info: KernelTypeInfo, kind: type[PurePath]) -> PurePath | None:
    """The environment's directory, by its interpreter's path where the provider does not tell."""
    if info.prefix:
        return kind(info.prefix)
    program = kind(info.argv[0]) if info.argv else None
    if program is None or not program.is_absolute() or not program.name.lower().startswith("python"):
        return None
    return program.parent.parent if program.parent.name in ("bin", "Scripts") else program.parent


def _hashes(one: _Candidate) -> Iterator[str]:
    """What VS Code may have made of the path of the environment's interpreter."""
    if one.prefix is None or one.prefix.as_posix() in _OF_EVERYBODY:
        return
    names = ("python", "python3", f"python{_dotted(one.version[:2])}", "python.exe")
    paths = [str(one.prefix / folder / name) for folder in ("bin", "Scripts", "") for name in names]
    if one.info.argv:
        paths.append(one.info.argv[0])
    if isinstance(one.prefix, PureWindowsPath):
        paths += [path.lower() for path in paths]
    for path in paths:
        yield hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()


def _same_version(wanted: Version, version: Version) -> bool:
    return len(wanted) > 1 and wanted[:2] == version[:2]


def _distance(wanted: Version, version: Version) -> tuple[int, int]:
    """The same, then what is not known, then newer ones, which run older code, then older ones."""
    if len(wanted) < 2 or len(version) < 2:
        return (1, 0)
    (major, minor), (other, number) = wanted[:2], version[:2]
    if (other, number) == (major, minor):
        return (0, 0)
    if other == major:
        return (2, number - minor) if number > minor else (3, minor - number)
    return (4, abs(other - major))


def _shown(hints: Hints) -> str:
    return _NAMES.get(hints.language, hints.shown)


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
