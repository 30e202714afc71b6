"""What stands in the way of an environment's kernel, and the command that helps. Plain functions."""

import shlex
from pathlib import Path

from .environment import Environment

PYTHON_KERNEL = "ipykernel"


def without_ipykernel(environment: Environment, python: Path) -> str:
    """A Python that has no kernel."""
    return f"{PYTHON_KERNEL} is not installed in it; to install it{_how(environment, python, PYTHON_KERNEL)}"


def without_irkernel(environment: Environment, program: Path) -> str:
    """An R that has no kernel. Only conda's tools install R, and other kernels of R besides."""
    if environment.is_conda:
        return f"IRkernel is not installed in it; to install it{_how(environment, program, 'r-irkernel')}"
    command = shlex.join([str(program), "-e", 'install.packages("IRkernel")'])
    return f"IRkernel is not installed in it; to install it: {command}"


def broken(environment: Environment, what: str) -> str:
    """Something that was there is gone, such as the Python that the environment was made with."""
    made_anew = {
        "uv": "uv venv --clear",
        "pixi": "pixi reinstall",
        "poetry": "poetry env remove --all, then poetry install",
        "pipenv": "pipenv --rm, then pipenv install",
    }
    where = "" if environment.project is None else f", in {environment.project}"
    command = made_anew.get(environment.kind)
    if command is None or (environment.kind == "uv" and environment.project is None):
        return f"{what}; make the environment anew"
    return f"{what}; to make the environment anew{where}: {command}"


def _how(environment: Environment, program: Path, package: str) -> str:
    """The command, in the words of the tool, and where it is to be run if that matters."""
    match environment.kind:
        case "conda":
            return ": " + shlex.join(["conda", "install", "-p", str(environment.prefix), package])
        case "uv":
            return ": " + shlex.join(["uv", "pip", "install", "--python", str(program), package])
        case "pixi":
            return f"{_in_project(environment)}: {_pixi(environment, package)}"
        case "poetry":
            return f"{_in_project(environment)}: poetry add --group dev {package}"
        case "pipenv":
            return f"{_in_project(environment)}: pipenv install --dev {package}"
        case _:
            return ": " + shlex.join([str(program), "-m", "pip", "install", package])


def _pixi(environment: Environment, package: str) -> str:
    name = environment.prefix.name
    # A pixi environment is made of features; the usual one of the same name is the best that can be said.
    return f"pixi add {package}" if name == "default" else f"pixi add --feature {shlex.quote(name)} {package}"


def _in_project(environment: Environment) -> str:
    return ", in its project" if environment.project is None else f", in {environment.project}"
