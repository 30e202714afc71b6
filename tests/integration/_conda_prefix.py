"""A real conda prefix from a channel of our own, by py-rattler: what no test reaches is the network.

Run as a program, so that its threads and descriptors end with it: ``python _conda_prefix.py DIRECTORY PREFIX
PACKAGE…``. The packages are made here, of what is installed; `PACKAGES` says which there are.
"""

import asyncio
import hashlib
import json
import os
import platform
import shutil
import sys
import sysconfig
import tarfile
from pathlib import Path

SUBDIR = "linux-64"
SHORT = f"{sys.version_info.major}.{sys.version_info.minor}"
R_HOME, R_LIBRARY = Path("/usr/bin/R"), Path("/usr/lib/R/site-library/IRkernel")

SCRIPT = """
export TOOL_HOME="$CONDA_PREFIX/tool" TOOL_SEES="$TOOL_COLOUR"
unset TOOL_UNWANTED
echo run >> "$CONDA_PREFIX/runs"
"""


def make_python(root: Path) -> str:
    """This interpreter, which takes the prefix for its own: its program is a copy, its library links."""
    program = Path(os.path.realpath(sys.executable))
    (root / "bin").mkdir()
    shutil.copy(program, root / "bin" / f"python{SHORT}")
    (root / "bin" / "python").symlink_to(f"python{SHORT}")
    library = root / "lib" / f"python{SHORT}"
    library.mkdir(parents=True)
    for entry in Path(sysconfig.get_path("stdlib")).iterdir():
        if entry.name not in ("site-packages", "dist-packages", "__pycache__"):
            (library / entry.name).symlink_to(entry)
    (library / "site-packages").mkdir()
    # No need to install ipykernel: the one of the tests is seen.
    (library / "site-packages" / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return platform.python_version()


def make_tool(root: Path) -> str:
    """A package that has to be activated by a script, and one variable of a file."""
    directory = root / "etc" / "conda"
    (directory / "activate.d").mkdir(parents=True)
    (directory / "activate.d" / "tool.sh").write_text(SCRIPT)
    (directory / "env_vars.d").mkdir()
    (directory / "env_vars.d" / "tool.json").write_text('{"TOOL_COLOUR": "deep $red"}')
    return "1.0"


def make_r(root: Path) -> str:
    """Debian's R."""
    (root / "bin").mkdir()
    (root / "bin" / "R").symlink_to(R_HOME)
    return "4.2.2"


def make_irkernel(root: Path) -> str:
    """Debian's IRkernel, where conda has it."""
    (root / "lib" / "R" / "library").mkdir(parents=True)
    (root / "lib" / "R" / "library" / "IRkernel").symlink_to(R_LIBRARY)
    return "1.3.2"


PACKAGES = {"python": make_python, "tool": make_tool, "r-base": make_r, "r-irkernel": make_irkernel}


def pack(channel: Path, name: str) -> None:
    """Make a package, as conda's first format has it."""
    root = channel.parent / f"build-{name}"
    root.mkdir()
    version = PACKAGES[name](root)
    files = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    names = [str(path.relative_to(root)) for path in files]
    info = root / "info"
    info.mkdir()
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": []}
    (info / "index.json").write_text(json.dumps({**index, "subdir": SUBDIR, "timestamp": 1700000000000}))
    paths = [_path(path, name) for path, name in zip(files, names, strict=True)]
    (info / "paths.json").write_text(json.dumps({"paths": paths, "paths_version": 1}))
    (info / "files").write_text("".join(f"{name}\n" for name in names))
    package = channel / SUBDIR / f"{name}-{version}-0.tar.bz2"
    with tarfile.open(package, "w:bz2", compresslevel=1) as archive:
        for path in (*info.iterdir(), *files):
            archive.add(path, str(path.relative_to(root)), recursive=False)


def _path(path: Path, name: str) -> dict[str, object]:
    content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    kind = "softlink" if path.is_symlink() else "hardlink"
    digest = hashlib.sha256(content).hexdigest()
    return {"_path": name, "path_type": kind, "sha256": digest, "size_in_bytes": len(content)}


async def main(directory: Path, prefix: Path, names: list[str]) -> None:
    """Make the packages, index them, and install them as any installer of conda would."""
    from rattler import Gateway, install, solve
    from rattler.index import index_fs

    channel = directory / "channel"
    (channel / SUBDIR).mkdir(parents=True)
    (channel / "noarch").mkdir()
    for name in names:
        pack(channel, name)
    await index_fs(channel)
    gateway = Gateway(cache_dir=directory / "repodata")
    records = await solve([channel.as_uri()], names, gateway=gateway, platforms=[SUBDIR, "noarch"])
    await install(records, prefix, cache_dir=directory / "packages", show_progress=False)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
    os._exit(0)  # its threads may still call Python while that is being torn down, which would be fatal
