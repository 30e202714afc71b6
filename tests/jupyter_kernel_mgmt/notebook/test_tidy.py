"""Outputs as nbformat wants them."""

from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt.notebook.tidy import tidy


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"text/plain": "a", "text/html": ["a\n", "b"]}, {"text/plain": "a", "text/html": ["a\n", "b"]}),
        ({"text/html": None, "text/plain": 5}, {"text/plain": "5"}),
        ({"text/plain": {"a": [1, "b"]}}, {"text/plain": '{"a": [1, "b"]}'}),
        ({"text/plain": ["a", 1]}, {"text/plain": '["a", 1]'}),
        (
            {"application/json": {"a": 1}, "application/b+json": 5},
            {"application/json": {"a": 1}, "application/b+json": 5},
        ),
    ],
)
def test_what_is_written_can_be_read_again(data: dict[str, Any], expected: dict[str, Any]) -> None:
    """Odd data is put right, and the rest stays."""
    output = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": "odd"}
    assert tidy(output) is output
    assert (output["data"], output["execution_count"]) == (expected, None)
    cell = new_code_cell("1")
    cell.outputs = [nbformat.from_dict(output)]
    nbformat.validate(new_notebook(cells=[cell]))
