"""From what a caller gives to a notebook that can be run: read, checked, brought to nbformat 4."""

import asyncio
import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, ValidationError
from nbformat.validator import normalize

from .exceptions import InvalidNotebook

Source = str | os.PathLike[str] | Mapping[str, Any]
"""A notebook's file, or the notebook itself (a `nbformat.NotebookNode` or a plain dict)."""


def read(source: Source) -> NotebookNode:
    """A notebook of nbformat 4 of our own, that may be changed.

    Older ones are brought up to it. Blocks while it reads a file. Raises `InvalidNotebook`, which says where
    it is none, also for a file that cannot be read.
    """
    if isinstance(source, Mapping):
        return _checked(nbformat.from_dict(copy.deepcopy(dict(source))), "the notebook")
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidNotebook(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidNotebook(f"{path} is no notebook: it is not text in UTF-8") from error
    return _checked(_parsed(text, path), str(path))


async def read_in_thread(source: Source) -> NotebookNode:
    """`read`, without blocking the loop."""
    return await asyncio.to_thread(read, source)


def _parsed(text: str, path: Path) -> NotebookNode:
    try:
        notebook: NotebookNode = nbformat.reader.reads(text)
    except nbformat.reader.NotJSONError as error:
        what = "it is empty" if not text.strip() else "it is not JSON"
        raise InvalidNotebook(f"{path} is no notebook: {what}") from error
    except Exception as error:  # what is JSON, and no notebook, makes nbformat fail in many ways
        raise InvalidNotebook(f"{path} is no notebook: {type(error).__name__}: {error}") from error
    return notebook


def _checked(notebook: NotebookNode, name: str) -> NotebookNode:
    if "nbformat" not in notebook:
        raise InvalidNotebook(f"{name} is no notebook: it is JSON without the field nbformat")
    version = notebook["nbformat"]
    if not isinstance(version, int) or version not in nbformat.versions:
        known = ", ".join(map(str, sorted(nbformat.versions)))
        raise InvalidNotebook(f"{name} is of nbformat {version!r}; known are {known}")
    try:
        _, notebook = normalize(nbformat.convert(notebook, 4))  # two cells may have been given one id
        nbformat.validate(notebook)
    except ValidationError as error:
        raise InvalidNotebook(f"{name} is no valid notebook: {_place(error)}{_short(error)}") from error
    except Exception as error:  # of converting what says it is old and is not as the old ones were
        raise InvalidNotebook(f"{name} is no valid notebook: {type(error).__name__}: {error}") from error
    return notebook


def _place(error: ValidationError) -> str:
    parts = getattr(error, "relative_path", ())
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return f"{where}: " if where else ""


def _short(error: ValidationError) -> str:
    text = str(getattr(error, "message", error)).strip().splitlines()
    return text[0][:200] if text else "it is not as nbformat says"
