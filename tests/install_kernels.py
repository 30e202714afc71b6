"""Install the kernels that the tests use beside those pip has already put into this virtual environment.

Run it with the environment's python, as often as you like: ``.venv/bin/python tests/install_kernels.py``.
Everything goes below ``sys.prefix``; removing the environment removes it all. Standard library only.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

PREFIX = Path(sys.prefix)
WINDOWS = sys.platform == "win32"


def main() -> None:
    if sys.prefix == sys.base_prefix:
        sys.exit("Run this with the python of a virtual environment: it installs kernels into its prefix.")
    if not WINDOWS:  # bash_kernel drives bash through a pty
        run(sys.executable, "-m", "bash_kernel.install", "--sys-prefix")
        check("bash", Path(sys.executable))
    install_ipykernel6()


def install_ipykernel6() -> None:
    """ipykernel 6 in an environment of its own: one environment cannot hold two versions."""
    home = PREFIX / "ipykernel6"
    python = home / ("Scripts/python.exe" if WINDOWS else "bin/python")
    # Both are quick when there is nothing to do, and complete what an interrupted run has left half made.
    run(sys.executable, "-m", "venv", home)
    run(python, "-m", "pip", "install", "--quiet", "ipykernel>=6.29,<7")
    run(
        *(python, "-m", "ipykernel", "install", "--prefix", PREFIX),
        *("--name", "ipykernel6", "--display-name", "Python (ipykernel 6)"),
    )
    check("ipykernel6", python)


def check(name: str, python: Path) -> None:
    """Stop if the kernelspec would start another interpreter than `python`."""
    path = PREFIX / "share" / "jupyter" / "kernels" / name / "kernel.json"
    program = Path(json.loads(path.read_text(encoding="utf-8"))["argv"][0])
    # By folder: bin/python3 and bin/python3.11 are the same interpreter of the same environment.
    if not program.is_absolute() or not program.parent.samefile(python.parent):
        sys.exit(f"{path} starts {program}, not {python}")


def run(*command: str | os.PathLike[str]) -> None:
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
