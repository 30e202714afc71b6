"""From what a caller gives to a notebook that can be run: read, checked, brought to nbformat 4."""

import asyncio
import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, ValidationError
from nbformat.corpus.words import generate_corpus_id
from nbformat.v4 import nbjson

from .exceptions import InvalidNotebook

Source = str | os.PathLike[str] | Mapping[str, Any]
"""A notebook's file, or the notebook itself (a `nbformat.NotebookNode` or a plain dict)."""


def read(source: Source) -> NotebookNode:
    """A notebook of nbformat 4 of our own, that may be changed.

    Older ones are brought up to it. Blocks while it reads a file. Raises `InvalidNotebook`, which says where
    it is none, also for a file that cannot be read.
    """
    if isinstance(source, Mapping):
        return _checked(copy.deepcopy(dict(source)), "the notebook")
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidNotebook(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidNotebook(f"{path} is no notebook: it is not text in UTF-8") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = f"it is not JSON ({error})" if text.strip() else "it is empty"
        raise InvalidNotebook(f"{path} is no notebook: {what}") from error
    return _checked(found, str(path))


async def read_in_thread(source: Source) -> NotebookNode:
    """`read`, without blocking the loop."""
    return await asyncio.to_thread(read, source)


def _checked(found: Any, name: str) -> NotebookNode:
    if not isinstance(found, dict) or "nbformat" not in found:
        raise InvalidNotebook(f"{name} is no notebook: it is JSON without the field nbformat")
    version = found["nbformat"]
    if not isinstance(version, int) or version not in nbformat.versions:
        known = ", ".join(map(str, sorted(nbformat.versions)))
        raise InvalidNotebook(f"{name} is of nbformat {version!r}; known are {known}")
    cells = found.get("cells", [])
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise InvalidNotebook(f"{name} is no valid notebook: cells: not a list of objects")
    try:
        if version != 4:
            found = nbformat.convert(nbformat.versions[version].to_notebook_json(found), 4)
        _give_ids(found)
        nbformat.validate(found)
        notebook: NotebookNode = nbjson.to_notebook(found)
    except ValidationError as error:
        raise InvalidNotebook(f"{name} is no valid notebook: {_place(error)}{_short(error)}") from error
    except Exception as error:  # what says it is a notebook and is not makes nbformat fail in many ways
        raise InvalidNotebook(f"{name} is no valid notebook: {type(error).__name__}: {error}") from error
    return notebook


def _give_ids(notebook: dict[str, Any]) -> None:
    """One to each cell of its own: copies of a cell may have that of the first, and older tools gave none."""
    if notebook.get("nbformat_minor", 0) < 5:
        return
    seen: set[str] = set()
    for cell in notebook.get("cells", []):
        if cell.setdefault("id", generate_corpus_id()) in seen:
            cell["id"] = generate_corpus_id()
        seen.add(cell["id"])


def _place(error: ValidationError) -> str:
    parts = getattr(error, "relative_path", ())
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return f"{where}: " if where else ""


def _short(error: ValidationError) -> str:
    text = str(getattr(error, "message", error)).strip().splitlines()
    return text[0][:200] if text else "it is not as nbformat says"
