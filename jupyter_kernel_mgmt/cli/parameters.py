"""Options for parameters, of a notebook or of a launch: assignments, and JSON files of them."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .program import UsageError


def add_launch_parameters(parser: argparse.ArgumentParser) -> None:
    """Add the option, as ``arguments.launch_parameters``."""
    parser.add_argument(
        "--launch-parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter that the kernel type offers for its launch; or a JSON file of them",
    )


def read_parameters(given: Iterable[str], option: str = "--parameters") -> dict[str, Any]:
    """All of them together; a later one wins. Raises `UsageError`."""
    parameters: dict[str, Any] = {}
    for text in given:
        if "=" in text:
            from ..notebook.parameters import parse_assignment  # what only these options need

            try:
                name, value = parse_assignment(text)
            except ValueError as error:
                raise UsageError(str(error)) from error
            parameters[name] = value
        else:
            parameters |= _from_file(Path(text), option)
    return parameters


def read_launch_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those of the option that `add_launch_parameters` added. Raises `UsageError`."""
    return read_parameters(arguments.launch_parameters, "--launch-parameters")


def _from_file(path: Path, option: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{option} takes NAME=VALUE or a JSON file: {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON file: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no JSON object, whose names would be those of the parameters")
    return found
