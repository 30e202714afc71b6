"""`Hints`: what a notebook's metadata tells of the kernel it wants, whoever wrote it and however badly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .nearness import is_anonymous

Version = tuple[int, ...]

USUAL = {"python": ("python3", "python", "python2"), "r": ("ir",)}
"""The names that every kernel of a language writes: they tell the language, and no environment."""

_ALIASES = {
    "c++11": "c++", "c++14": "c++", "c++17": "c++", "c++20": "c++", "c++23": "c++", "cpp": "c++",
    "csharp": "c#", "fsharp": "f#", "ipython": "python", "js": "javascript", "node": "javascript",
    "nodejs": "javascript", "py": "python", "pyspark": "python", "python2": "python", "python3": "python",
    "sh": "bash", "shell": "bash", "ts": "typescript",
}  # fmt: skip
_BY_NAME = (
    (
        re.compile(
            r"(x|i|conda_)?python[\d._-]*(\b|_|jvsc|\d*bit)|py[-_]?\d|pyspark|conda-(env-.*|root)-py\b"
        ),
        "python",
    ),
    (re.compile(r"i?julia\b"), "julia"),
    (re.compile(r"ir\b|xr\b|conda-(env-.*|root)-r\b"), "r"),
    (re.compile(r"bash\b"), "bash"),
    (re.compile(r"xcpp"), "c++"),
    (re.compile(r"\.net-csharp"), "c#"),
    (re.compile(r"sagemath"), "sage"),
)
_DATABRICKS = "application/vnd.databricks.v1+notebook"
_BY_VS_CODE = re.compile(
    r"python(\d+(jvsc74a57bd0(?P<hash>[0-9a-f]{64})|(32|64)bit.*)|_defaultspec_\d+)", re.ASCII
)
_CONDA_NAME = re.compile(r"conda-env-(?P<env>.+)-(py|r)")
_CONDA_TITLE = re.compile(r".*\[conda env:(?P<env>[^\]]+)\].*")
_VS_CODE_TITLES = (
    re.compile(r".*\('(?P<env>[^']+)'(: \w+)?\)"),  # Python 3.10.8 ('ml': conda)
    re.compile(r"(?P<env>\S+)( \((Python )?\d[\d.]*\))?"),  # ml, ml (3.11.4) and ml (Python 3.11.4)
)
_SHORT_PYTHON = re.compile(r"py(thon)?[-_]?([23])(\d{1,2})(?!\d)", re.ASCII)
_LONGEST = 200
"""Characters of a name that are looked at for what it tells; those of attackers may be long."""

_NUMBERS = re.compile(r"(\d{1,5})(?:\.(\d{1,5}))?(?:\.(\d{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What is told. Each is empty where it is not.

    ``name`` and ``title`` are the kernelspec's. ``language`` is in the spelling of `canonical`, ``shown`` as
    the notebook has it. ``environments`` are names of environments, in lower case, ``hashes`` those that
    VS Code makes of the interpreter's path. ``guessed`` says that nothing is told at all, and ``language``
    is what such notebooks are taken for.
    """

    name: str = ""
    title: str = ""
    language: str = ""
    shown: str = ""
    version: Version = ()
    environments: tuple[str, ...] = ()
    hashes: frozenset[str] = frozenset()
    guessed: bool = False

    @property
    def is_telling(self) -> bool:
        """Whether the name means one kernel, and not just the language or some interpreter."""
        usual = any(self.name.lower() in names for names in USUAL.values())
        return bool(self.name) and not usual and not _BY_VS_CODE.fullmatch(self.name.lower())


def read_hints(metadata: object) -> Hints:
    """What metadata of any shape tells; never raises.

    Source: nbformat 4, "Notebook metadata" (kernelspec, language_info); what JupyterLab, VS Code, nteract,
    nb_conda_kernels and Databricks write besides.
    """
    spec, info = part(metadata, "kernelspec"), part(metadata, "language_info")
    name = text(spec, "name") or text(part(metadata, "kernel_info"), "name")
    title = text(spec, "display_name")
    short_name, short_title = name[:_LONGEST], title[:_LONGEST]
    shown = (
        text(spec, "language")
        or text(info, "name")
        or text(part(metadata, _DATABRICKS), "language")
        or language_of_name(short_name)
    )
    language = canonical(shown)
    guessed = not name and not shown
    if guessed:
        shown, language = "Python", "python"
    version: Version = ()
    if canonical(text(info, "name")) in ("", language):
        version = numbers(text(info, "version"))
    return Hints(
        name=name,
        title=title,
        language=language,
        shown=shown,
        version=version or version_in(language, short_name, short_title),
        environments=_environments(language, short_name, short_title),
        hashes=_hashes(metadata, short_name),
        guessed=guessed,
    )


def part(value: object, key: str) -> Mapping[str, Any]:
    """A mapping within a mapping; empty where either is none."""
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def text(value: Mapping[str, Any], key: str) -> str:
    """A string within a mapping; empty where it is none."""
    found = value.get(key)
    return found.strip() if isinstance(found, str) else ""


def canonical(language: str) -> str:
    """A language in one spelling: kernelspecs and kernels do not agree on theirs."""
    lower = language.strip().lower()
    return _ALIASES.get(lower, lower)


def language_of_name(name: str) -> str:
    """The language of a kernel that is called so; empty where the name does not tell."""
    lower = name.lower()
    return next((language for pattern, language in _BY_NAME if pattern.match(lower)), "")


def numbers(version: str) -> Version:
    """The first three numbers of a version; empty where there are none."""
    found = _NUMBERS.match(version.strip().removeprefix("v"))
    return tuple(int(number) for number in found.groups() if number is not None) if found else ()


def version_in(language: str, name: str, title: str) -> Version:
    """The version that a kernel's names tell: of ``julia-1.9``, ``python311``, ``Python 3.10.8 64-bit``."""
    if not language:
        return ()
    inside = re.fullmatch(r"\S+ \((?:Python )?(\d+\.[\d.]+)\)", title, re.ASCII)
    if inside is not None:
        return numbers(inside[1])
    short = _SHORT_PYTHON.match(name.lower()) if language == "python" else None
    if short is not None and not _BY_VS_CODE.fullmatch(name.lower()):
        return int(short[2]), int(short[3])
    for where in (title, name):
        found = re.search(rf"(?<!\w){re.escape(language)}[-_ ]?v?(?=\d)", where.lower())
        if found is not None and not _BY_VS_CODE.fullmatch(where.lower()):
            return numbers(where[found.end() :])
    return ()


def _environments(language: str, name: str, title: str) -> tuple[str, ...]:
    """Those without a name of their own are left out: only their place tells which they are."""
    places = [(_CONDA_NAME, name), (_CONDA_TITLE, title)]
    if language == "python":  # VS Code's, and only where it started an interpreter by itself
        places += [(pattern, title) for pattern in _VS_CODE_TITLES]
    found = [match["env"].strip().lower() for pattern, where in places if (match := pattern.fullmatch(where))]
    if name.lower() in ("conda-root-py", "conda-root-r"):
        found.append("base")
    usual = (language, *USUAL.get(language, ()))
    return tuple(dict.fromkeys(one for one in found if not is_anonymous(one) and one not in usual))


def _hashes(metadata: object, name: str) -> frozenset[str]:
    """It had three places in the course of time, and once was part of the name."""
    places = (part(metadata, "vscode"), metadata, part(metadata, "metadata"))
    found = {text(part(place, "interpreter"), "hash") for place in places}
    in_name = _BY_VS_CODE.fullmatch(name.lower())
    if in_name is not None:
        found.add(in_name["hash"] or "")
    return frozenset(found - {""})
