"""`NotebookText`: a notebook as its file holds it; only cells that changed are written out anew. Pure."""

import re
from collections.abc import Iterable
from typing import Any

from nbformat import NotebookNode, from_dict
from nbformat.v4 import nbjson

_EMPTY = '"cells": []'
_HEAD, _TAIL = '{\n "cells": [\n', '\n ],\n "metadata": {}\n}'


class NotebookText:
    """Keeps each cell's text from one call to the next: the outputs of a long notebook are packed once."""

    def __init__(self) -> None:
        self._cells: list[bytes] = []

    def update(self, notebook: NotebookNode, changed: Iterable[int] | None = None) -> bytes:
        """The whole file, in nbformat's own form; ``changed`` cells (None: all) differ from the last time.

        Source: nbformat 4, "The notebook file format".
        """
        if changed is None:
            self._cells = [_cell_text(cell) for cell in notebook.cells]
        else:
            for index in changed:
                self._cells[index] = _cell_text(notebook.cells[index])
        frame = _encoded(nbjson.writes(NotebookNode({**notebook, "cells": []})))
        head, _, tail = frame.partition(_EMPTY.encode())  # "cells" is the first of the keys, which are sorted
        cells = [b'"cells": [\n', b",\n".join(self._cells), b"\n ]"] if self._cells else [_EMPTY.encode()]
        return b"".join([head, *cells, tail, b"\n"])


def _cell_text(cell: dict[str, Any]) -> bytes:
    text = nbjson.writes(NotebookNode(cells=[from_dict(cell)], metadata=NotebookNode()))
    return _encoded(text[len(_HEAD) : -len(_TAIL)])


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Kernels may send lone surrogates, which JSON can hold as escapes and UTF-8 cannot.
        return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text).encode()
