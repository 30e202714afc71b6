"""Which kernel nbconvert's step takes."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

pytest.importorskip("nbconvert", reason="the extra nbconvert is not installed")

from jupyter_kernel_mgmt import KernelTypeInfo, NoSuchKernel, with_kernel
from jupyter_kernel_mgmt.notebook.nbconvert import ExecutePreprocessor, kernel_name

PYTHON3 = {"name": "python3", "display_name": "Python 3", "language": "python"}
INFO = KernelTypeInfo(display_name="Python 3.11", language="python")


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"kernelspec": PYTHON3}, "python3"),
        ({"kernelspec": {**PYTHON3, "display_name": "ml (3.11.4)"}}, "python3"),
        ({"kernelspec": {**PYTHON3, "name": "gone"}}, "gone"),
        ({}, "python3"),
        ({"language_info": {"name": "R"}}, None),
        (with_kernel({}, "environments/proj--python3", INFO), None),
    ],
)
def test_the_kernel_is_the_one_that_nbconvert_itself_takes(
    metadata: dict[str, Any], name: str | None
) -> None:
    """By its name, or python3; what is recorded and another language are more than it knows."""
    assert kernel_name(metadata) == name


def test_no_other_kernel_takes_the_place_of_one_that_is_missing(tmp_path: Path) -> None:
    """Nobody would hear of it."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {**PYTHON3, "name": "no-such-kernel"}})
    with pytest.raises(NoSuchKernel):
        ExecutePreprocessor().preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
