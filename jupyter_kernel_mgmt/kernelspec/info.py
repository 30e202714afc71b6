"""What a finder tells of kernelspecs: `KernelTypeInfo`, and the resources beside kernel.json."""

import os
import platform
import re
import sys
from pathlib import Path

from .._regular_files import read_regular
from ..launching import KernelTypeInfo
from .checks import provisioner_obstacle
from .places import PYTHON, interpreters, prefix_of
from .reading import BadKernelSpec, KernelSpec

_MINOR = re.compile(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", re.MULTILINE)


def info_of(found: KernelSpec | BadKernelSpec) -> KernelTypeInfo:
    """What is known before a launch. Of a bad one that is its name, and what is wrong as the obstacle."""
    if isinstance(found, BadKernelSpec):
        return KernelTypeInfo(display_name=found.name, language="", obstacle=str(found))
    prefix = environment_of(found)
    return KernelTypeInfo(
        display_name=found.display_name or found.name,
        language=found.language,
        argv=found.argv,
        metadata=found.metadata,
        language_version=language_version(found, prefix),
        prefix=str(prefix or ""),
        resources=resource_names(found.directory),
        obstacle=provisioner_obstacle(found),
    )


def environment_of(spec: KernelSpec) -> Path | None:
    """The environment that its kernel runs in: that of its interpreter, else the one that owns the spec."""
    return prefix_of(Path(spec.command()[0])) or spec.prefix


def language_version(spec: KernelSpec, prefix: Path | None) -> str:
    """The version of its language where that takes no more than a look at a file; else empty.

    Its metadata may tell (``language_version``). A virtual environment's is told without the last number:
    that changes under it.
    """
    told = spec.metadata.get("language_version")
    if isinstance(told, str):
        return told
    if spec.language.lower() != "python" or prefix is None:
        return ""
    if spec.command()[0] == sys.executable:
        return platform.python_version()
    try:
        text = read_regular(prefix / "pyvenv.cfg").decode("utf-8", "replace")
    except OSError:
        return ""
    found = _MINOR.search(text)
    return found[1] if found else ""


def depends_on(found: KernelSpec | BadKernelSpec, info: KernelTypeInfo) -> list[Path]:
    """What `info_of` looked at besides: interpreters that may be its own, and where their version is told."""
    looked = list[Path]()
    if info.prefix and info.language.lower() == "python":
        looked.append(Path(info.prefix, "pyvenv.cfg"))
    if isinstance(found, KernelSpec) and PYTHON.fullmatch(found.argv[0]) and found.prefix is not None:
        looked += interpreters(found.prefix, found.argv[0], sys.platform)
    return looked


def resource_names(directory: Path) -> tuple[str, ...]:
    """The plain files in a kernelspec's directory, but kernel.json; neither links nor what is deeper."""
    try:
        with os.scandir(directory) as entries:  # which knows what is a file without looking at each
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:  # it has just been removed
        return ()
    return tuple(sorted(name for name in names if name.lower() != "kernel.json"))


def read_resource(directory: Path, filename: str) -> bytes:
    """The content of one of them, by exactly its name. Raises `FileNotFoundError`."""
    if filename not in resource_names(directory):
        raise FileNotFoundError(filename)
    return read_regular(directory / filename)
