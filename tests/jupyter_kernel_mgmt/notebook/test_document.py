"""What can be run as a notebook."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt.notebook import InvalidNotebook
from jupyter_kernel_mgmt.notebook.document import read, read_in_thread

GOOD = json.loads(nbformat.writes(new_notebook(cells=[new_code_cell("1")])))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("   \n", "it is empty"),
        ("{", "it is not JSON"),
        ("print(1)", "it is not JSON"),
        ("[]", "is no notebook"),
        ("3", "is no notebook"),
        ("null", "is no notebook"),
        ("{}", "is no notebook"),
        (json.dumps({**GOOD, "nbformat": 99}), "is of nbformat 99; known are"),
        (json.dumps({**GOOD, "nbformat": "4"}), "is "),
        (json.dumps({"nbformat": 4, "nbformat_minor": 5}), "is no"),
        (json.dumps({**GOOD, "cells": 3}), "is no"),
        (
            json.dumps({**GOOD, "cells": [{**GOOD["cells"][0], "outputs": 3}]}),
            r"cells\[0\].outputs: 3 is not",
        ),
        (json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": 7}), "is no"),
    ],
)
def test_what_is_no_notebook_is_refused_with_the_reason(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(text)
    with pytest.raises(InvalidNotebook, match=reason) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, a directory, not text."""
    with pytest.raises(InvalidNotebook, match="cannot be read: No such file"):
        read(tmp_path / "missing.ipynb")
    with pytest.raises(InvalidNotebook, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "b.ipynb").write_bytes(b"\xff\xfe{")
    with pytest.raises(InvalidNotebook, match="not text in UTF-8"):
        read(tmp_path / "b.ipynb")


def test_an_older_notebook_is_brought_up_to_the_format(tmp_path: Path) -> None:
    """Of version 3, as IPython wrote it."""
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell(input="1")])],
        metadata=nbformat.v3.new_metadata(),
    )
    file = tmp_path / "old.ipynb"
    file.write_text(nbformat.v3.writes_json(old))
    notebook = read(file)
    assert (notebook.nbformat, notebook.cells[0].source) == (4, "1")


async def test_what_was_given_stays_as_it_is() -> None:
    """Ours is a copy, also of a plain dict; two cells of one id get two."""
    given = new_notebook(cells=[new_code_cell("1", id="a"), new_code_cell("2")])
    given.cells[1].id = "a"
    for form in (given, json.loads(json.dumps(given))):
        notebook = await read_in_thread(form)
        notebook.cells[0].source = "changed"
        assert form["cells"][0]["source"] == "1"
        assert len({cell.id for cell in notebook.cells}) == 2
