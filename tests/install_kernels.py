"""Install the kernels that the tests use beside those pip has already put into this virtual environment.

Run it with the environment's python, as often as you like: ``.venv/bin/python tests/install_kernels.py``.
Everything goes below ``sys.prefix``; removing the environment removes it all. Standard library only.

IRkernel comes from the system (Debian and Ubuntu: ``apt-get install r-cran-irkernel``). Where R has it, it is
made known to the environment; where not, a message says so. Tests skip the kernels that are absent.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PREFIX = Path(sys.prefix)
WINDOWS = sys.platform == "win32"
SPECS = PREFIX / "share" / "jupyter" / "kernels"
EXAMPLES = Path(__file__).parent.parent / "examples"


def main() -> None:
    if sys.prefix == sys.base_prefix:
        sys.exit("Run this with the python of a virtual environment: it installs kernels into its prefix.")
    if not WINDOWS:  # bash_kernel drives bash through a pty
        run(sys.executable, "-m", "bash_kernel.install", "--sys-prefix")
        check("bash", Path(sys.executable))
    install_echo()
    install_ipykernel6()
    install_deno()
    install_irkernel()


def install_echo() -> None:
    """The example kernel, from this very source, so that it need not be installed again when it changes."""
    run(sys.executable, "-m", "pip", "install", "--quiet", "-e", EXAMPLES / "echo_kernel")


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


def install_deno() -> None:
    """Deno, where pip has put it: it installs its kernelspec for the user, so we lend it a home."""
    deno = Path(sys.executable).parent / ("deno.exe" if WINDOWS else "deno")
    if not deno.exists():
        print(f"Deno is left out: there is no {deno}")  # noqa: T201 - a program for the terminal
        return
    with tempfile.TemporaryDirectory() as home:
        # Each system has its own place for a user's data; all of them follow one of these.
        lent = dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "XDG_DATA_HOME"), home)
        environment = {name: value for name, value in os.environ.items() if name != "JUPYTER_DATA_DIR"}
        run(deno, "jupyter", "--install", env={**environment, **lent, "NO_COLOR": "1"})
        (made,) = Path(home).rglob("kernel.json")
        shutil.copytree(made.parent, SPECS / "deno", dirs_exist_ok=True)
    check("deno", deno)


def install_irkernel() -> None:
    """IRkernel, where R is on the path and has it."""
    rscript, program = shutil.which("Rscript"), shutil.which("R")
    if rscript is None or program is None:
        print("IRkernel is left out: there is no R here")  # noqa: T201
        return
    question = 'cat(system.file("kernelspec", package = "IRkernel"))'
    answer = subprocess.run(
        [rscript, "-e", question], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if answer.returncode != 0 or not answer.stdout:
        print("IRkernel is left out: R does not have it")  # noqa: T201
        return
    # Its own IRkernel::installspec() does just this, but needs jupyter_client's commands.
    shutil.copytree(answer.stdout, SPECS / "ir", dirs_exist_ok=True)
    file = SPECS / "ir" / "kernel.json"
    spec = json.loads(file.read_text(encoding="utf-8"))
    spec["argv"][0] = program
    file.write_text(json.dumps(spec, indent=1), encoding="utf-8")
    check("ir", Path(program))


def check(name: str, program: Path) -> None:
    """Stop if the kernelspec would start another program than this one."""
    path = SPECS / name / "kernel.json"
    started = Path(json.loads(path.read_text(encoding="utf-8"))["argv"][0])
    # By folder: bin/python3 and bin/python3.11 are the same interpreter of the same environment.
    if not started.is_absolute() or not started.parent.samefile(program.parent):
        sys.exit(f"{path} starts {started}, not {program}")


def run(*command: str | os.PathLike[str], env: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=env)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
