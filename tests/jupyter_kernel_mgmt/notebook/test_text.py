"""A notebook as its file holds it."""

import json

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from jupyter_kernel_mgmt.notebook.text import NotebookText


def example() -> nbformat.NotebookNode:
    image = new_output("display_data", data={"image/png": "QUJD\n", "text/plain": "a\nb"}, metadata={})
    return new_notebook(
        cells=[
            new_markdown_cell("# A\n\ntext \u00e9\U0001f600"),
            new_code_cell(
                '"cells": []\n1', outputs=[new_output("stream", name="stdout", text="a\nb\n"), image]
            ),
            new_code_cell(""),
        ],
        metadata={"language_info": {"name": "python"}},
    )


def test_it_is_written_as_nbformat_writes_it() -> None:
    """To the last character, so that a notebook's history shows no change that is none."""
    notebook = example()
    assert NotebookText().update(notebook).decode() == nbformat.writes(notebook) + "\n"
    empty = new_notebook()
    assert NotebookText().update(empty).decode() == nbformat.writes(empty) + "\n"


def test_only_cells_that_changed_are_written_anew() -> None:
    """The others stay as they were the last time, and the metadata is always of now."""
    notebook, text = example(), NotebookText()
    text.update(notebook)
    notebook.cells[0].source = "changed, not told"
    notebook.cells[2].source = "changed"
    notebook.metadata.author = "somebody"
    written = nbformat.reads(text.update(notebook, [2]).decode(), as_version=4)
    assert written.cells[0].source == example().cells[0].source
    assert (written.cells[2].source, written.metadata.author) == ("changed", "somebody")


def test_lone_surrogates_are_escaped() -> None:
    """UTF-8 has none, and a kernel may send them."""
    output = new_output("stream", name="stdout", text="a\ud800b")
    written = NotebookText().update(new_notebook(cells=[new_code_cell("1", outputs=[output])]))
    assert json.loads(written)["cells"][0]["outputs"][0]["text"] == ["a\ud800b"]
