"""Which kernel type a notebook is run with, and why. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..launching import KernelTypeInfo
from .exceptions import NoKernelChosen

DEFAULT_LANGUAGE = "python"
"""What a notebook is taken for that names neither kernel nor language, as other executors do."""

DEFAULT_NAME = "python3"

_SPEC = "spec/"


@dataclass(frozen=True, slots=True)
class Choice:
    """A kernel type and, in words, why that one."""

    kernel_type: str
    reason: str


def named_kernel(metadata: Mapping[str, Any]) -> str | None:
    """The kernel type that a notebook's kernelspec names, whether there is one or not."""
    name = _mapping(metadata.get("kernelspec")).get("name")
    if not isinstance(name, str) or not name:
        return None
    return name if "/" in name else _SPEC + name


def choose_kernel(metadata: Mapping[str, Any], known: Mapping[str, KernelTypeInfo]) -> Choice:
    """The kernel type for a notebook's metadata, out of the known ones.

    The one that the notebook's kernelspec names; else the only one of its language, where those of
    kernelspecs go before other providers'. Raises `NoKernelChosen`, which lists the candidates.

    Source: nbformat 4, "Notebook metadata" (kernelspec, language_info).
    """
    wanted, language = named_kernel(metadata), _language(metadata)
    if wanted is not None:
        name = metadata["kernelspec"]["name"]
        if wanted in known:
            return Choice(wanted, f"the notebook names the kernel {name!r}")
        missing = f"the notebook's kernel {name!r} is not installed"
        if language is None:
            raise NoKernelChosen(f"{missing}, and it names no language", list(known))
    elif language is None:
        missing = "the notebook names neither kernel nor language, and is taken for Python"
        language = DEFAULT_LANGUAGE
        if _SPEC + DEFAULT_NAME in known:
            return Choice(_SPEC + DEFAULT_NAME, missing)
    else:
        missing = "the notebook names no kernel"
    usable = {kernel: info for kernel, info in known.items() if not info.obstacle}
    fitting = [kernel for kernel, info in usable.items() if info.language.lower() == language.lower()]
    fitting = [kernel for kernel in fitting if kernel.startswith(_SPEC)] or fitting
    if len(fitting) == 1:
        return Choice(fitting[0], f"{missing}; it is the only kernel type for {language}")
    number = f"there are {len(fitting)}" if fitting else "there is none"
    raise NoKernelChosen(f"{missing}, and {number} for the language {language}", fitting or list(usable))


def _language(metadata: Mapping[str, Any]) -> str | None:
    for place, key in (("kernelspec", "language"), ("language_info", "name")):
        language = _mapping(metadata.get(place)).get(key)
        if isinstance(language, str) and language:
            return language
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
