"""What is done with a cell."""

from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from jupyter_kernel_mgmt.notebook import policy


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (new_code_cell("1"), True),
        (new_code_cell(" \n\t"), False),
        (new_code_cell("1", metadata={"tags": ["skip-execution"]}), False),
        (new_code_cell("1", metadata={"tags": ["other"]}), True),
        (new_markdown_cell("1"), False),
        (new_raw_cell("1"), False),
    ],
)
def test_code_that_is_not_blank_nor_tagged_is_run(cell: dict[str, Any], expected: bool) -> None:
    assert policy.runs(cell) is expected


def test_a_cell_may_fail_by_option_by_tag_or_by_a_function() -> None:
    plain, raising = new_code_cell("1"), new_code_cell("2", metadata={"tags": ["raises-exception"]})
    assert [policy.may_fail(cell, False) for cell in (plain, raising)] == [False, True]
    assert policy.may_fail(plain, True)
    assert policy.may_fail(plain, lambda cell: cell["source"] == "1")
    assert not policy.may_fail(plain, lambda cell: cell["source"] == "2")


def test_a_time_limit_is_a_number_or_a_function_of_the_cell() -> None:
    cell = new_code_cell("1")
    assert policy.seconds(cell, 3) == 3
    assert policy.seconds(cell, None) is None
    assert policy.seconds(cell, lambda cell: float(cell["source"])) == 1


def test_source_may_be_a_list_of_lines() -> None:
    assert policy.source({"source": ["a\n", "b"]}) == "a\nb"
