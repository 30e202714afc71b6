"""What two runs of one notebook may differ in though both are right is taken out of it. Pure.

Everything that is not named here is compared as it is. Both runs are to have had the same directories, so
that paths need no rule.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

Json = Any

ADDRESS = re.compile(r"\b0x[0-9a-f]{8,16}\b")
CELL_FILE = re.compile(r"\bipykernel_\d+\b")
NEW_CELL_ID = re.compile(r"[0-9a-f]{8}")

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def normalised(notebook: Json) -> Json:
    """The notebook without what chance and time put in:

    - Neighbouring text of one stream is one output: the kernel cuts it where a timer of its own says, and
      nbformat gives the cut no meaning.
    - Times of a cell (``metadata.execution``) are reduced to their names.
    - Ids that nbformat made for cells which had none are random: eight hexadecimal digits.
    - Ids of widgets' models are random: they are numbered as they first occur, cells before metadata.
    - Addresses in memory (``0x7f…``) are the kernel's.
    - The directory that ipykernel names in warnings (``ipykernel_1234``) holds its process id.
    """
    cells = [_cell(cell) for cell in notebook["cells"]]
    whole = {"cells": cells, **{name: value for name, value in notebook.items() if name != "cells"}}
    names: dict[str, str] = {}
    packed = json.dumps(whole)
    models = sorted(_models(whole), key=packed.find)
    names |= {model: f"model-{number}" for number, model in enumerate(models)}
    return _renamed(whole, names)


def differing(one: Json, other: Json, place: str = "") -> Iterator[str]:
    """Where two differ: the paths of values that do, of a whole list where its length does."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            inside = f"{place}.{name}" if place else name
            if name in one and name in other:
                yield from differing(one[name], other[name], inside)
            else:
                yield inside
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differing(*pair, f"{place}[{number}]")
    elif one != other:
        yield place


def at(whole: Json, place: str) -> Json:
    """What is at a path that `differing` gave; None where nothing is."""
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
        try:
            whole = whole[int(number)] if number else whole[name]
        except (KeyError, IndexError, TypeError):
            return None
    return whole


def _cell(cell: Json) -> Json:
    cell = dict(cell)
    if NEW_CELL_ID.fullmatch(cell.get("id", "")):
        cell["id"] = "new"
    if "execution" in cell["metadata"]:
        cell["metadata"] = {**cell["metadata"], "execution": sorted(cell["metadata"]["execution"])}
    if "outputs" in cell:
        cell["outputs"] = _joined(cell["outputs"])
    return cell


def _joined(outputs: list[Json]) -> list[Json]:
    joined: list[Json] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            joined[-1] = {**last, "text": last["text"] + output["text"]}
        else:
            joined.append(output)
    return joined


def _models(value: Json) -> set[str]:
    """The ids of widgets' models in what is shown and in the state that is kept."""
    found: set[str] = set()
    if isinstance(value, dict):
        found |= value.get(WIDGET_STATE, {}).get("state", {}).keys()
        found |= {value[WIDGET_VIEW]["model_id"]} if WIDGET_VIEW in value else set()
        value = list(value.values())
    if isinstance(value, list):
        found = found.union(*map(_models, value))
    return found


def _renamed(value: Json, names: dict[str, str]) -> Json:
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(inside, names) for key, inside in value.items()}
    if isinstance(value, list):
        return [_renamed(inside, names) for inside in value]
    if not isinstance(value, str):
        return value
    prefix, model = ("IPY_MODEL_", value[10:]) if value.startswith("IPY_MODEL_") else ("", value)
    if model in names:
        return prefix + names[model]
    return CELL_FILE.sub("ipykernel_…", ADDRESS.sub("0x…", value))
