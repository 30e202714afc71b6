"""Environments that are nothing but files: as much of each tool's layout as a search looks at."""

import json
from collections.abc import Mapping
from pathlib import Path

from jupyter_kernel_mgmt.providers.environments.disk import Disk
from jupyter_kernel_mgmt.providers.environments.environment import Environment, Kind
from jupyter_kernel_mgmt.providers.environments.places import Places

VERSION = "3.11.4"


def write(file: Path, text: str = "") -> Path:
    """A file, with its directories."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def program(file: Path, text: str = "#!/bin/sh\n") -> Path:
    """One that may be executed."""
    write(file, text).chmod(0o755)
    return file


def venv(
    prefix: Path, *, ipykernel: str = "", tool: str = "", version: str = VERSION, settings: str = ""
) -> Path:
    """A virtual environment, of venv or with a line of the tool that made it."""
    write(prefix / "pyvenv.cfg", f"home = /usr/bin\nversion = {version}\n{tool}\n{settings}\n")
    python(prefix, ipykernel=ipykernel, version=version)
    return prefix


def conda(prefix: Path, *packages: str, ipykernel: str = "") -> Path:
    """A conda prefix with these packages, such as ``python-3.11.4-h1_0``."""
    write(prefix / "conda-meta" / "history")
    for name in packages:
        write(prefix / "conda-meta" / f"{name}.json", "{}")
        if name.startswith("python-"):
            python(prefix, ipykernel=ipykernel, version=name.split("-")[1])
    return prefix


def python(prefix: Path, *, ipykernel: str = "", version: str = VERSION) -> Path:
    """An interpreter, and the directory of its packages."""
    packages = prefix / "lib" / f"python{version.rpartition('.')[0]}" / "site-packages"
    packages.mkdir(parents=True, exist_ok=True)
    if ipykernel:
        (packages / f"ipykernel-{ipykernel}.dist-info").mkdir()
        write(packages / "ipykernel" / "__init__.py")
    program(prefix / "bin" / "python")
    return packages


def kernelspec(prefix: Path, name: str, argv: list[str], **fields: object) -> Path:
    """A kernelspec inside of an environment."""
    directory = prefix / "share" / "jupyter" / "kernels" / name
    text = json.dumps({"argv": argv, "display_name": name.title(), "language": "none", **fields})
    write(directory / "kernel.json", text)
    return directory


def places(home: Path, *, cwd: Path | None = None, **variables: str) -> Places:
    """Those of a user with nothing but this home; ``cwd`` is somewhere in it."""
    return Places(home=home, cwd=cwd, variables=variables, platform="linux")


def environment(prefix: Path, kind: Kind = "venv", **fields: object) -> Environment:
    """The value, without looking."""
    return Environment(kind=kind, prefix=prefix, **{"name": prefix.name, **fields})  # type: ignore[arg-type]


class FakeDisk(Disk):
    """A disk that has no files but these."""

    def __init__(self, files: Mapping[Path, str]) -> None:
        super().__init__()
        self._files = files

    def text(self, file: Path) -> str:
        self.looked.add(file)
        return self._files.get(file, "")
