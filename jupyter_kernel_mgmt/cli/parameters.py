"""The option --parameters: assignments, and JSON files of them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..notebook.parameters import parse_assignment
from .program import UsageError


def read_parameters(given: Iterable[str]) -> dict[str, Any]:
    """All of them together; a later one wins. Raises `UsageError`."""
    parameters: dict[str, Any] = {}
    for text in given:
        if "=" in text:
            try:
                name, value = parse_assignment(text)
            except ValueError as error:
                raise UsageError(str(error)) from error
            parameters[name] = value
        else:
            parameters |= _from_file(Path(text))
    return parameters


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--parameters takes NAME=VALUE or a JSON file: {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON file: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no JSON object, whose names would be those of the parameters")
    return found
