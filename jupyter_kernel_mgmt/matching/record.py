"""`KernelRecord`: which kernel a notebook was given, noted in its metadata under a key of our own.

What is noted has to outlive moving and cloning the project, and must not tell strangers where its users
keep their files: an environment of the notebook's project is noted by its path relative to the notebook,
any other by a part of the SHA-256 of its path, which says no more than whether it is the same one.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

from ..kernelspec import KERNEL_NAME
from ..launching import KernelTypeInfo
from .hints import USUAL, canonical, part, text
from .nearness import nearness, normal

KEY = "jupyter_kernel_mgmt"
"""The key of our own in a notebook's metadata."""

Relation = Literal["exact", "environment", "name", "none"]

_PATH_IN_BRACKETS = re.compile(r"\s*\([^()]*(?<![^\s(])(~|/|\\\\|[A-Za-z]:[\\/])[^()]*\)")
_HASH_LENGTH = 16
_JOINT = "--"  # between an environment's name and its kernel's


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRecord:
    """What is noted. ``kernel_type`` is empty where nothing is; one of the others, where it has a prefix."""

    kernel_type: str = ""
    relative_prefix: str = ""
    prefix_hash: str = ""

    def relation(self, kernel_type: str, prefix: PurePath | None, path: PurePath | None) -> Relation:
        """What a kernel type is to the noted one; ``prefix`` and ``path`` are absolute, or not known.

        Where one of them is missing that would contradict, the type's name is believed.
        """
        if not self.kernel_type:
            return "none"
        named = kernel_type == self.kernel_type
        same = self._same_environment(prefix, path)
        if named:
            return "name" if same is False else "exact"
        return "environment" if same else "none"

    def _same_environment(self, prefix: PurePath | None, path: PurePath | None) -> bool | None:
        """None: nobody knows."""
        if prefix is None:
            return None
        if self.relative_prefix:
            return None if path is None else normal(path.parent / self.relative_prefix) == normal(prefix)
        return hash_of(prefix) == self.prefix_hash if self.prefix_hash else None


def read_record(metadata: object) -> KernelRecord:
    """What is noted, as long as it holds; never raises.

    Once another tool has put another name into the kernelspec, its user has chosen another kernel, and
    ours counts no more. A display name alone does not end it here: Jupyter writes its own whenever it saves.
    """
    noted = part(metadata, KEY)
    if text(noted, "kernelspec_name") != text(part(metadata, "kernelspec"), "name"):
        return KernelRecord()
    relative = text(noted, "prefix")
    return KernelRecord(
        kernel_type=text(noted, "kernel_type"),
        relative_prefix="" if posixpath.isabs(relative) else relative,
        prefix_hash=text(noted, "prefix_sha256"),
    )


def with_kernel(
    metadata: Mapping[str, Any], kernel_type: str, info: KernelTypeInfo, *, path: Path | None = None
) -> dict[str, Any]:
    """Metadata by which the next match finds exactly this kernel type; what is given stays as it is.

    ``path`` is the notebook's file, absolute: an environment of its project is then noted relative to it.
    The kernelspec is one that other tools can use: of ``spec/NAME`` its name, of others that which they have
    in their environment, or else the usual one of their language, never with a slash. A ``language_info``
    of another language is left out, and everything else is kept. Metadata that is no mapping counts as none.

    Source: nbformat 4, "Notebook metadata" (kernelspec requires name and display_name, language_info name).
    """
    noted = deepcopy(_as_dict(metadata))
    name = portable_name(kernel_type, info)
    noted["kernelspec"] = {"display_name": portable_title(kernel_type, info) or name, "name": name}
    if info.language:
        noted["kernelspec"]["language"] = info.language
    told = text(part(noted, "language_info"), "name")
    if "language_info" in noted and (not told or canonical(told) != canonical(info.language)):
        del noted["language_info"]
    noted[KEY] = {"kernel_type": kernel_type, "kernelspec_name": name, **_place(info, path)}
    return noted


def _as_dict(metadata: object) -> dict[str, Any]:
    return dict(metadata) if isinstance(metadata, Mapping) else {}


def inner_name(kernel_type: str) -> str:
    """What a kernel is called at home: ``ir`` of ``spec/ir`` and of ``environments/stats--ir``."""
    provider, slash, name = kernel_type.partition("/")
    if not slash or provider == "spec":
        return name if slash else kernel_type
    return name.partition(_JOINT)[2]


def environment_name(kernel_type: str) -> str:
    """What a kernel's environment is called: ``stats`` of ``environments/stats--ir``; else empty."""
    provider, _, name = kernel_type.partition("/")
    return name.partition(_JOINT)[0] if provider == "environments" else ""


def is_usual(kernel_type: str, language: str) -> bool:
    """Whether a kernel type is what everybody begins with in its language."""
    return kernel_type in {f"spec/{name}" for name in USUAL.get(canonical(language), ())[:1]}


def portable_name(kernel_type: str, info: KernelTypeInfo) -> str:
    """A kernelspec's name for other tools: letters, digits and ``._-`` only."""
    inner = inner_name(kernel_type)
    if KERNEL_NAME.fullmatch(inner):
        return inner
    language = canonical(info.language)
    usual = USUAL.get(language, (language,))[0] or kernel_type.rpartition("/")[2]
    spelled = usual.lower().replace("+", "p").replace("#", "sharp")
    return re.sub(r"[^a-z0-9._]+", "-", spelled).strip("-") or "kernel"


def hash_of(prefix: PurePath) -> str:
    """A part of the hash of a path: enough to know it again."""
    spelled = normal(prefix).as_posix().encode("utf-8", "surrogatepass")
    return hashlib.sha256(spelled).hexdigest()[:_HASH_LENGTH]


def portable_title(kernel_type: str, info: KernelTypeInfo) -> str:
    """Without the path by which an environment is told from others of its name."""
    if kernel_type.startswith("spec/"):
        return info.display_name.strip()
    return _PATH_IN_BRACKETS.sub("", info.display_name).strip()


def _place(info: KernelTypeInfo, path: Path | None) -> dict[str, str]:
    if not info.prefix:
        return {}
    prefix = PurePath(info.prefix) if path is None else type(path)(info.prefix)
    if path is not None:
        near = nearness(prefix, path)
        if near is not None and normal(prefix).is_relative_to(near.project):
            inside = normal(prefix).relative_to(near.project).parts
            return {"prefix": "/".join([*[".."] * near.steps, *inside]) or "."}
    return {"prefix_sha256": hash_of(prefix)}
