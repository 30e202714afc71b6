"""`Candidate`: a kernel type, with what its info tells only in a roundabout way."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath

from ..launching import KernelTypeInfo
from .hints import USUAL, Hints, Version, canonical, language_of_name, numbers, version_in
from .nearness import Nearness, is_anonymous, nearness, project_of
from .record import environment_name, inner_name, is_usual

_PROVIDERS = ("spec", "pyimport", "environments")
"""Those whose kernels are preferred where all else is equal."""

_INCOMPATIBLE = {"python", "julia"}
"""Languages whose major versions do not run each other's code."""

LANGUAGES = {"python": "Python", "r": "R", "julia": "Julia", "bash": "Bash"}

_OF_EVERYBODY = ("", "/", "/usr", "/usr/local", "/opt/homebrew")
"""Prefixes that are on many machines: the same path does not make it the same environment."""


@dataclass(frozen=True, slots=True)
class Candidate:
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
    def of(cls, kernel_type: str, info: KernelTypeInfo, path: Path | None) -> "Candidate":
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
        return LANGUAGES.get(
            self.language, self.info.language or self.language or "a language that it does not name"
        )

    @property
    def environments(self) -> set[str]:
        names = {environment_name(self.kernel_type).lower()}
        if self.prefix is not None:
            names.add(self.prefix.name.lower())
        return {name for name in names if name and not is_anonymous(name)}

    @property
    def is_usual(self) -> bool:
        """Whether it is what everybody begins with in its language."""
        return is_usual(self.kernel_type, self.language)

    @property
    def is_of_another_project(self) -> bool:
        """Whether it belongs to one, by its place. What lies on Jupyter's path is for whoever works here."""
        if self.provider in ("spec", "pyimport"):
            return False
        return self.prefix is not None and self.near is None and project_of(self.prefix) is not None

    def unlike(self, hints: Hints) -> int:
        """How little it is called like the notebook's kernel, among those of one environment."""
        if self.inner == hints.name.lower():
            return 0
        return 1 if self.inner in USUAL.get(self.language, ())[:1] else 2

    def order(self, hints: Hints) -> tuple[int, ...]:
        """What decides between candidates for which the same speaks."""
        provider = _PROVIDERS.index(self.provider) if self.provider in _PROVIDERS else len(_PROVIDERS)
        return (int(self.is_of_another_project), provider, *_distance(hints.version, self.version))

    def is_incompatible(self, hints: Hints) -> bool:
        majors = {version[0] for version in (hints.version, self.version) if version}
        return self.language == hints.language and self.language in _INCOMPATIBLE and len(majors) > 1

    def version_note(self, hints: Hints) -> str:
        """What to know besides, where it is not the version that the notebook was run with."""
        if self.language != hints.language or not self.version or not hints.version:
            return ""
        if hints.version[:2] == self.version[:2] or len(hints.version) < 2 or len(self.version) < 2:
            return ""
        instead = f"{dotted(self.version[:2])} instead of {dotted(hints.version[:2])}"
        return f", in another version: {instead}"

    def hashes(self) -> Iterator[str]:
        """What VS Code may have made of the path of the environment's interpreter."""
        if self.prefix is None or self.prefix.as_posix() in _OF_EVERYBODY:
            return
        names = ("python", "python3", f"python{dotted(self.version[:2])}", "python.exe")
        paths = [str(self.prefix / folder / name) for folder in ("bin", "Scripts", "") for name in names]
        if self.info.argv:
            paths.append(self.info.argv[0])
        if isinstance(self.prefix, PureWindowsPath):
            paths += [spelled for path in paths for spelled in (path.lower(), _as_uri_path(path))]
        for path in paths:
            yield hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()


def dotted(version: Version) -> str:
    """As people write it: ``3.11``."""
    return ".".join(map(str, version))


def _prefix(info: KernelTypeInfo, kind: type[PurePath]) -> PurePath | None:
    """The environment's directory, by its interpreter's path where the provider does not tell."""
    if info.prefix:
        return kind(info.prefix)
    program = kind(info.argv[0]) if info.argv else None
    if program is None or not program.is_absolute() or not program.name.lower().startswith("python"):
        return None
    return program.parent.parent if program.parent.name in ("bin", "Scripts") else program.parent


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


def _as_uri_path(path: str) -> str:
    """Of ``C:\\x`` it is ``/c:/x``."""
    return "/" + path.lower().replace("\\", "/")
